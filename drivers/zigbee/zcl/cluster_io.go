package zcl

// Clusters of inputs, outputs and values (ZCL 3.14).
const (
	ClusterAnalogInput      uint16 = 0x000c
	ClusterAnalogOutput     uint16 = 0x000d
	ClusterAnalogValue      uint16 = 0x000e
	ClusterBinaryInput      uint16 = 0x000f
	ClusterBinaryOutput     uint16 = 0x0010
	ClusterBinaryValue      uint16 = 0x0011
	ClusterMultistateInput  uint16 = 0x0012
	ClusterMultistateOutput uint16 = 0x0013
	ClusterMultistateValue  uint16 = 0x0014
)

// The attributes of inputs, outputs and values (ZCL 3.14): the same ids in all of them.
const (
	AttrActiveText        uint16 = 0x0004
	AttrStateText         uint16 = 0x000e
	AttrDescription       uint16 = 0x001c
	AttrInactiveText      uint16 = 0x002e
	AttrMaxPresentValue   uint16 = 0x0041
	AttrMinimumOffTime    uint16 = 0x0042
	AttrMinimumOnTime     uint16 = 0x0043
	AttrMinPresentValue   uint16 = 0x0045
	AttrNumberOfStates    uint16 = 0x004a
	AttrOutOfService      uint16 = 0x0051
	AttrPolarity          uint16 = 0x0054
	AttrPresentValue      uint16 = 0x0055
	AttrPriorityArray     uint16 = 0x0057
	AttrReliability       uint16 = 0x0067
	AttrRelinquishDefault uint16 = 0x0068
	AttrResolution        uint16 = 0x006a
	AttrStatusFlags       uint16 = 0x006f
	AttrEngineeringUnits  uint16 = 0x0075
	AttrApplicationType   uint16 = 0x0100
)

var ioClusters = []cluster{
	{
		id: ClusterAnalogInput, name: "analog_input",
		attributes: []attribute{
			{AttrDescription, CharString, "description"},
			{AttrMaxPresentValue, Float32, "max_present_value"},
			{AttrMinPresentValue, Float32, "min_present_value"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Float32, "present_value"},
			{AttrReliability, Enum8, "reliability"},
			{AttrResolution, Float32, "resolution"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrEngineeringUnits, Enum16, "engineering_units"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterAnalogOutput, name: "analog_output",
		attributes: []attribute{
			{AttrDescription, CharString, "description"},
			{AttrMaxPresentValue, Float32, "max_present_value"},
			{AttrMinPresentValue, Float32, "min_present_value"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Float32, "present_value"},
			{AttrPriorityArray, Array, "priority_array"},
			{AttrReliability, Enum8, "reliability"},
			{AttrRelinquishDefault, Float32, "relinquish_default"},
			{AttrResolution, Float32, "resolution"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrEngineeringUnits, Enum16, "engineering_units"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterAnalogValue, name: "analog_value",
		attributes: []attribute{
			{AttrDescription, CharString, "description"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Float32, "present_value"},
			{AttrPriorityArray, Array, "priority_array"},
			{AttrReliability, Enum8, "reliability"},
			{AttrRelinquishDefault, Float32, "relinquish_default"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrEngineeringUnits, Enum16, "engineering_units"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterBinaryInput, name: "binary_input",
		attributes: []attribute{
			{AttrActiveText, CharString, "active_text"},
			{AttrDescription, CharString, "description"},
			{AttrInactiveText, CharString, "inactive_text"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPolarity, Enum8, "polarity"},
			{AttrPresentValue, Bool, "present_value"},
			{AttrReliability, Enum8, "reliability"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterBinaryOutput, name: "binary_output",
		attributes: []attribute{
			{AttrActiveText, CharString, "active_text"},
			{AttrDescription, CharString, "description"},
			{AttrInactiveText, CharString, "inactive_text"},
			{AttrMinimumOffTime, Uint32, "minimum_off_time"},
			{AttrMinimumOnTime, Uint32, "minimum_on_time"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPolarity, Enum8, "polarity"},
			{AttrPresentValue, Bool, "present_value"},
			{AttrPriorityArray, Array, "priority_array"},
			{AttrReliability, Enum8, "reliability"},
			{AttrRelinquishDefault, Bool, "relinquish_default"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterBinaryValue, name: "binary_value",
		attributes: []attribute{
			{AttrActiveText, CharString, "active_text"},
			{AttrDescription, CharString, "description"},
			{AttrInactiveText, CharString, "inactive_text"},
			{AttrMinimumOffTime, Uint32, "minimum_off_time"},
			{AttrMinimumOnTime, Uint32, "minimum_on_time"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Bool, "present_value"},
			{AttrPriorityArray, Array, "priority_array"},
			{AttrReliability, Enum8, "reliability"},
			{AttrRelinquishDefault, Bool, "relinquish_default"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterMultistateInput, name: "multistate_input",
		attributes: []attribute{
			{AttrStateText, Array, "state_text"},
			{AttrDescription, CharString, "description"},
			{AttrNumberOfStates, Uint16, "number_of_states"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Uint16, "present_value"},
			{AttrReliability, Enum8, "reliability"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterMultistateOutput, name: "multistate_output",
		attributes: []attribute{
			{AttrStateText, Array, "state_text"},
			{AttrDescription, CharString, "description"},
			{AttrNumberOfStates, Uint16, "number_of_states"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Uint16, "present_value"},
			{AttrPriorityArray, Array, "priority_array"},
			{AttrReliability, Enum8, "reliability"},
			{AttrRelinquishDefault, Uint16, "relinquish_default"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
	{
		id: ClusterMultistateValue, name: "multistate_value",
		attributes: []attribute{
			{AttrStateText, Array, "state_text"},
			{AttrDescription, CharString, "description"},
			{AttrNumberOfStates, Uint16, "number_of_states"},
			{AttrOutOfService, Bool, "out_of_service"},
			{AttrPresentValue, Uint16, "present_value"},
			{AttrPriorityArray, Array, "priority_array"},
			{AttrReliability, Enum8, "reliability"},
			{AttrRelinquishDefault, Uint16, "relinquish_default"},
			{AttrStatusFlags, Bitmap8, "status_flags"},
			{AttrApplicationType, Uint32, "application_type"},
		},
	},
}
