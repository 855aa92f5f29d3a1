package zcl

import (
	"regexp"
	"slices"
	"testing"
)

// TestTable holds what the look-ups rely on: order, and names that are there once.
func TestTable(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	ids, names := map[uint16]bool{}, map[string]bool{}
	attributes := 0
	for _, group := range groups {
		last := -1
		for _, c := range group {
			if int(c.id) <= last || ids[c.id] {
				t.Errorf("cluster 0x%04x is out of order", c.id)
			}
			if names[c.name] || !snake.MatchString(c.name) {
				t.Errorf("cluster 0x%04x: name %q", c.id, c.name)
			}
			last, ids[c.id], names[c.name] = int(c.id), true, true
			if id, ok := ClusterNamed(c.name); !ok || id != c.id || ClusterName(c.id) != c.name {
				t.Errorf("%s is not found again", c.name)
			}
			attributes += len(c.attributes)
			checkAttributes(t, c, snake)
			checkCommands(t, c, snake)
		}
	}
	if len(ids) < 120 || attributes < 700 {
		t.Errorf("%d clusters with %d attributes: part of the table is not in it", len(ids), attributes)
	}
}

func checkAttributes(t *testing.T, c cluster, snake *regexp.Regexp) {
	t.Helper()
	last, names := -1, map[string]bool{}
	for _, a := range c.attributes {
		if int(a.id) <= last {
			t.Errorf("%s: attribute 0x%04x is out of order", c.name, a.id)
		}
		if names[a.name] || !snake.MatchString(a.name) {
			t.Errorf("%s: attribute 0x%04x: name %q", c.name, a.id, a.name)
		}
		last, names[a.name] = int(a.id), true
		if id, ok := AttributeNamed(c.id, a.name); !ok || id != a.id || AttributeName(c.id, a.id) != a.name {
			t.Errorf("%s: %s is not found again", c.name, a.name)
		}
		if kind, ok := AttributeType(c.id, a.id); !ok || kind != a.value || typeNames[kind] == "" {
			t.Errorf("%s: %s is of type %s", c.name, a.name, kind)
		}
	}
}

func checkCommands(t *testing.T, c cluster, snake *regexp.Regexp) {
	t.Helper()
	for _, toClient := range []bool{false, true} {
		last, names := -1, map[string]bool{}
		for _, command := range c.commands(toClient) {
			if int(command.id) <= last || names[command.name] || !snake.MatchString(command.name) {
				t.Errorf("%s: command 0x%02x %q", c.name, command.id, command.name)
			}
			last, names[command.name] = int(command.id), true
			id, ok := CommandNamed(c.id, toClient, command.name)
			if !ok || id != command.id || CommandName(c.id, toClient, command.id) != command.name {
				t.Errorf("%s: %s is not found again", c.name, command.name)
			}
		}
	}
}

// TestTableFacts takes some lines of the ZCL that drivers live on.
func TestTableFacts(t *testing.T) {
	for _, fact := range []struct {
		cluster   uint16
		attribute uint16
		kind      DataType
		name      string
	}{
		{0x0000, 0x0004, CharString, "manufacturer_name"},
		{0x0000, 0x0005, CharString, "model_identifier"},
		{0x0001, 0x0021, Uint8, "battery_percentage_remaining"},
		{0x0006, 0x0000, Bool, "on_off"},
		{0x0006, 0x4003, Enum8, "start_up_on_off"},
		{0x0008, 0x0000, Uint8, "current_level"},
		{0x000c, 0x0055, Float32, "present_value"},
		{0x0012, 0x0055, Uint16, "present_value"},
		{0x0101, 0x0000, Enum8, "lock_state"},
		{0x0102, 0x0008, Uint8, "current_position_lift_percentage"},
		{0x0201, 0x0012, Int16, "occupied_heating_setpoint"},
		{0x0201, 0x0029, Bitmap16, "running_state"},
		{0x0300, 0x0007, Uint16, "color_temperature_mireds"},
		{0x0300, 0x400a, Bitmap16, "color_capabilities"},
		{0x0400, 0x0000, Uint16, "measured_value"},
		{0x0400, 0x0004, Enum8, "light_sensor_type"},
		{0x0402, 0x0000, Int16, "measured_value"},
		{0x0402, 0x0003, Uint16, "tolerance"},
		{0x0403, 0x0014, Int8, "scale"},
		{0x0406, 0x0000, Bitmap8, "occupancy"},
		{0x0408, 0x0000, Uint16, "measured_value"},
		{0x040d, 0x0000, Float32, "measured_value"},
		{0x042a, 0x0000, Float32, "measured_value"},
		{0x0500, 0x0002, Bitmap16, "zone_status"},
		{0x0500, 0x0010, IEEEAddress, "cie_address"},
		{0x0702, 0x0000, Uint48, "current_summation_delivered"},
		{0x0702, 0x0400, Int24, "instantaneous_demand"},
		{0x0702, 0x0302, Uint24, "divisor"},
		{0x0b04, 0x050b, Int16, "active_power"},
		{0x0b04, 0x0505, Uint16, "rms_voltage"},
		{0x0b05, 0x011c, Uint8, "last_message_lqi"},
		{0xfcc0, 0xfffd, Uint16, "cluster_revision"},
		{0x1234, 0xfffe, Enum8, "attribute_reporting_status"},
	} {
		kind, ok := AttributeType(fact.cluster, fact.attribute)
		if name := AttributeName(fact.cluster, fact.attribute); !ok || kind != fact.kind || name != fact.name {
			t.Errorf("0x%04x/0x%04x is %s %s, want %s %s", fact.cluster, fact.attribute, kind, name, fact.kind, fact.name)
		}
	}
	for _, fact := range []struct {
		cluster  uint16
		toClient bool
		command  uint8
		name     string
	}{
		{0x0006, false, 0x02, "toggle"},
		{0x0008, false, 0x04, "move_to_level_with_on_off"},
		{0x0300, false, 0x0a, "move_to_color_temperature"},
		{0x0500, true, 0x00, "status_change_notification"},
		{0x0500, false, 0x00, "enroll_response"},
		{0x0020, true, 0x00, "check_in"},
		{0x0019, true, 0x05, "image_block_response"},
		{0xef00, true, 0x02, "data_report"},
		{0x0006, true, 0x02, "0x02"},
		{0xabcd, false, 0x10, "0x10"},
	} {
		if name := CommandName(fact.cluster, fact.toClient, fact.command); name != fact.name {
			t.Errorf("0x%04x command 0x%02x is %s, want %s", fact.cluster, fact.command, name, fact.name)
		}
	}
}

func TestAttributesOfACluster(t *testing.T) {
	if ids := Attributes(ClusterOnOff); !slices.Contains(ids, AttrOnOffOnOff) || !slices.Contains(ids, 0x4003) || slices.Contains(ids, AttrClusterRevision) {
		t.Errorf("on_off has %x", ids)
	}
	if ids := Attributes(0xabcd); len(ids) != 0 {
		t.Errorf("an unknown cluster has %x", ids)
	}
}

func TestUnknownNames(t *testing.T) {
	if name := ClusterName(0xabcd); name != "0xabcd" {
		t.Errorf("cluster %s", name)
	}
	if name := AttributeName(0x0006, 0x5000); name != "0x5000" {
		t.Errorf("attribute %s", name)
	}
	if kind, ok := AttributeType(0xabcd, 0); ok {
		t.Errorf("attribute of an unknown cluster is %s", kind)
	}
	if id, ok := ClusterNamed("no_such"); ok {
		t.Errorf("cluster 0x%04x", id)
	}
	if id, ok := AttributeNamed(ClusterOnOff, "no_such"); ok {
		t.Errorf("attribute 0x%04x", id)
	}
	if id, ok := CommandNamed(ClusterOnOff, false, "no_such"); ok {
		t.Errorf("command 0x%02x", id)
	}
	if id, ok := AttributeNamed(0xabcd, "cluster_revision"); !ok || id != AttrClusterRevision {
		t.Errorf("cluster_revision is 0x%04x, %v", id, ok)
	}
}

func BenchmarkAttributeType(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := AttributeType(ClusterElectricalMeasurement, AttrElectricalMeasurementActivePower); !ok {
			b.Fatal("not known")
		}
	}
}
