package homeassistant

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"hearth"
)

// TestActions: what Zigbee2MQTT calls an action is a press of the same button whichever way it is announced; what happens
// to a lock is no press.
func TestActions(t *testing.T) {
	trigger := func(device, action string) string {
		return fmt.Sprintf(`homeassistant/device_automation/%[1]s/action_%[2]s/config {"automation_type":"trigger","device":{"identifiers":["%[1]s"]},"payload":"%[2]s","subtype":"%[2]s","topic":"z/%[1]s/action","type":"action"}`, device, action)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(strings.Join([]string{
			trigger("remote", "arrow_left_hold"), trigger("remote", "arrow_left_click"), trigger("remote", "on"), trigger("remote", "brightness_stop"), trigger("remote", "2_double"), trigger("remote", "shake"),
			trigger("door", "lock"), trigger("door", "manual_unlock"), trigger("hue", "on_press"), trigger("hue", "on_press_release"), trigger("odd", ""),
		}, "\n"))
		b.wants("mqtt:remote", "button", "button_2:text* button_left:text* button:text* button_on:text*")
		b.wants("mqtt:door", "button", "action:text*")
		b.wants("mqtt:hue", "button", "button_on:text*")
		for _, row := range []struct{ device, action, want string }{
			{"remote", "arrow_left_hold", "button_left=hold"}, {"remote", "arrow_left_click", "button_left=single"}, {"remote", "on", "button_on=single"},
			{"remote", "brightness_stop", "button=release"}, {"remote", "2_double", "button_2=double"}, {"remote", "shake", "button=shake"},
			{"door", "lock", "action=lock"}, {"door", "manual_unlock", "action=manual_unlock"}, {"hue", "on_press_release", "button_on=release"},
		} {
			b.say("z/"+row.device+"/action", row.action)
			b.last(hearth.ID("mqtt:"+row.device), row.want)
		}
	})
}

// TestOutlet: a device whose one switch measures what it lets through is an outlet.
func TestOutlet(t *testing.T) {
	relay := func(device, name string) string {
		return fmt.Sprintf(`homeassistant/switch/%[1]s/%[2]s/config {"dev":{"ids":["%[1]s"]},"stat_t":"%[1]s/%[2]s","cmd_t":"%[1]s/%[2]s/set","uniq_id":"%[1]s_%[2]s","obj_id":"%[1]s_%[2]s"}`, device, name)
	}
	power := func(device string) string {
		return fmt.Sprintf(`homeassistant/sensor/%[1]s/power/config {"dev":{"ids":["%[1]s"]},"stat_t":"%[1]s/power","dev_cla":"power","unit_of_meas":"W","uniq_id":"%[1]s_power","obj_id":"%[1]s_power"}`, device)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(strings.Join([]string{relay("plug", "switch"), power("plug"), relay("plain", "switch"), relay("two", "relay_a"), relay("two", "relay_b"), power("two")}, "\n"))
		b.wants("mqtt:plug", "outlet", "on:bool! power:number:W")
		b.wants("mqtt:plain", "switch", "on:bool!")
		b.wants("mqtt:two", "switch", "on_relay_a:bool! on_relay_b:bool! power:number:W")
	})
}
