package zcl

import (
	"cmp"
	"fmt"
	"slices"
)

// An attribute, a command and a cluster are what the table of the known has in its lines, in the order of the ids.
type attribute struct {
	id    uint16
	value DataType
	name  string
}

type command struct {
	id   uint8
	name string
}

type cluster struct {
	id         uint16
	name       string
	attributes []attribute
	received   []command // by the server's side
	generated  []command // by the server's side
}

// The attributes that every cluster has (ZCL 2.3.4).
const (
	AttrClusterRevision          uint16 = 0xfffd
	AttrAttributeReportingStatus uint16 = 0xfffe
)

// groups is never written to.
var groups = [...][]cluster{
	generalClusters, ioClusters, deviceClusters, closuresClusters, hvacClusters, lightingClusters, measurementClusters,
	securityClusters, energyClusters, electricalClusters, makerClusters,
}

func findCluster(id uint16) *cluster {
	for _, group := range groups {
		if i, found := slices.BinarySearchFunc(group, id, func(c cluster, id uint16) int { return cmp.Compare(c.id, id) }); found {
			return &group[i]
		}
	}
	return &cluster{}
}

var everywhere = []attribute{
	{AttrClusterRevision, Uint16, "cluster_revision"},
	{AttrAttributeReportingStatus, Enum8, "attribute_reporting_status"},
}

func findAttribute(cluster, id uint16) (attribute, bool) {
	for _, attributes := range [...][]attribute{findCluster(cluster).attributes, everywhere} {
		if i, found := slices.BinarySearchFunc(attributes, id, func(a attribute, id uint16) int { return cmp.Compare(a.id, id) }); found {
			return attributes[i], true
		}
	}
	return attribute{}, false
}

// ClusterName returns a cluster's name, its number in hex if it is not known.
func ClusterName(id uint16) string {
	if name := findCluster(id).name; name != "" {
		return name
	}
	return fmt.Sprintf("0x%04x", id)
}

// ClusterNamed returns the id of the cluster of that name.
func ClusterNamed(name string) (uint16, bool) {
	for _, group := range groups {
		for i := range group {
			if group[i].name == name {
				return group[i].id, true
			}
		}
	}
	return 0, false
}

// AttributeName returns an attribute's name, its number in hex if it is not known. It is about attributes without a
// manufacturer's code.
func AttributeName(cluster, id uint16) string {
	if a, known := findAttribute(cluster, id); known {
		return a.name
	}
	return fmt.Sprintf("0x%04x", id)
}

// Attributes returns the ids of the attributes that a cluster can have by the ZCL.
func Attributes(cluster uint16) []uint16 {
	known := findCluster(cluster).attributes
	ids := make([]uint16, len(known))
	for i, a := range known {
		ids[i] = a.id
	}
	return ids
}

// AttributeType returns the type that an attribute has by the ZCL.
func AttributeType(cluster, id uint16) (DataType, bool) {
	a, known := findAttribute(cluster, id)
	if !known {
		return UnknownType, false
	}
	return a.value, true
}

// AttributeNamed returns the id of a cluster's attribute of that name.
func AttributeNamed(cluster uint16, name string) (uint16, bool) {
	for _, attributes := range [...][]attribute{findCluster(cluster).attributes, everywhere} {
		for _, a := range attributes {
			if a.name == name {
				return a.id, true
			}
		}
	}
	return 0, false
}

// CommandName returns the name of a cluster's own command, its number in hex if it is not known. toClient says in which
// direction it goes.
func CommandName(cluster uint16, toClient bool, id uint8) string {
	for _, c := range findCluster(cluster).commands(toClient) {
		if c.id == id {
			return c.name
		}
	}
	return fmt.Sprintf("0x%02x", id)
}

// CommandNamed returns the id of a cluster's own command of that name.
func CommandNamed(cluster uint16, toClient bool, name string) (uint8, bool) {
	for _, c := range findCluster(cluster).commands(toClient) {
		if c.name == name {
			return c.id, true
		}
	}
	return 0, false
}

func (c *cluster) commands(toClient bool) []command {
	if toClient {
		return c.generated
	}
	return c.received
}
