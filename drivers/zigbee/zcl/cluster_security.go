package zcl

// Clusters of alarm systems (ZCL 8).
const (
	ClusterIASZone uint16 = 0x0500
	ClusterIASACE  uint16 = 0x0501
	ClusterIASWD   uint16 = 0x0502
)

// IASZone (ZCL 8.2).
const (
	AttrIASZoneZoneState                     uint16 = 0x0000
	AttrIASZoneZoneType                      uint16 = 0x0001
	AttrIASZoneZoneStatus                    uint16 = 0x0002
	AttrIASZoneCIEAddress                    uint16 = 0x0010
	AttrIASZoneZoneID                        uint16 = 0x0011
	AttrIASZoneNumberOfZoneSensitivityLevels uint16 = 0x0012
	AttrIASZoneCurrentZoneSensitivityLevel   uint16 = 0x0013

	CmdIASZoneEnrollResponse              uint8 = 0x00
	CmdIASZoneInitiateNormalOperationMode uint8 = 0x01
	CmdIASZoneInitiateTestMode            uint8 = 0x02

	CmdIASZoneStatusChangeNotification uint8 = 0x00
	CmdIASZoneEnrollRequest            uint8 = 0x01
)

// IASACE (ZCL 8.3).
const (
	CmdIASACEArm                 uint8 = 0x00
	CmdIASACEBypass              uint8 = 0x01
	CmdIASACEEmergency           uint8 = 0x02
	CmdIASACEFire                uint8 = 0x03
	CmdIASACEPanic               uint8 = 0x04
	CmdIASACEGetZoneIDMap        uint8 = 0x05
	CmdIASACEGetZoneInformation  uint8 = 0x06
	CmdIASACEGetPanelStatus      uint8 = 0x07
	CmdIASACEGetBypassedZoneList uint8 = 0x08
	CmdIASACEGetZoneStatus       uint8 = 0x09

	CmdIASACEArmResponse                uint8 = 0x00
	CmdIASACEGetZoneIDMapResponse       uint8 = 0x01
	CmdIASACEGetZoneInformationResponse uint8 = 0x02
	CmdIASACEZoneStatusChanged          uint8 = 0x03
	CmdIASACEPanelStatusChanged         uint8 = 0x04
	CmdIASACEGetPanelStatusResponse     uint8 = 0x05
	CmdIASACESetBypassedZoneList        uint8 = 0x06
	CmdIASACEBypassResponse             uint8 = 0x07
	CmdIASACEGetZoneStatusResponse      uint8 = 0x08
)

// IASWD (ZCL 8.4).
const (
	AttrIASWDMaxDuration uint16 = 0x0000

	CmdIASWDStartWarning uint8 = 0x00
	CmdIASWDSquawk       uint8 = 0x01
)

var securityClusters = []cluster{
	{
		id: ClusterIASZone, name: "ias_zone",
		attributes: []attribute{
			{AttrIASZoneZoneState, Enum8, "zone_state"},
			{AttrIASZoneZoneType, Enum16, "zone_type"},
			{AttrIASZoneZoneStatus, Bitmap16, "zone_status"},
			{AttrIASZoneCIEAddress, IEEEAddress, "cie_address"},
			{AttrIASZoneZoneID, Uint8, "zone_id"},
			{AttrIASZoneNumberOfZoneSensitivityLevels, Uint8, "number_of_zone_sensitivity_levels"},
			{AttrIASZoneCurrentZoneSensitivityLevel, Uint8, "current_zone_sensitivity_level"},
		},
		received: []command{
			{CmdIASZoneEnrollResponse, "enroll_response"},
			{CmdIASZoneInitiateNormalOperationMode, "initiate_normal_operation_mode"},
			{CmdIASZoneInitiateTestMode, "initiate_test_mode"},
		},
		generated: []command{
			{CmdIASZoneStatusChangeNotification, "status_change_notification"},
			{CmdIASZoneEnrollRequest, "enroll_request"},
		},
	},
	{
		id: ClusterIASACE, name: "ias_ace",
		received: []command{
			{CmdIASACEArm, "arm"},
			{CmdIASACEBypass, "bypass"},
			{CmdIASACEEmergency, "emergency"},
			{CmdIASACEFire, "fire"},
			{CmdIASACEPanic, "panic"},
			{CmdIASACEGetZoneIDMap, "get_zone_id_map"},
			{CmdIASACEGetZoneInformation, "get_zone_information"},
			{CmdIASACEGetPanelStatus, "get_panel_status"},
			{CmdIASACEGetBypassedZoneList, "get_bypassed_zone_list"},
			{CmdIASACEGetZoneStatus, "get_zone_status"},
		},
		generated: []command{
			{CmdIASACEArmResponse, "arm_response"},
			{CmdIASACEGetZoneIDMapResponse, "get_zone_id_map_response"},
			{CmdIASACEGetZoneInformationResponse, "get_zone_information_response"},
			{CmdIASACEZoneStatusChanged, "zone_status_changed"},
			{CmdIASACEPanelStatusChanged, "panel_status_changed"},
			{CmdIASACEGetPanelStatusResponse, "get_panel_status_response"},
			{CmdIASACESetBypassedZoneList, "set_bypassed_zone_list"},
			{CmdIASACEBypassResponse, "bypass_response"},
			{CmdIASACEGetZoneStatusResponse, "get_zone_status_response"},
		},
	},
	{
		id: ClusterIASWD, name: "ias_wd",
		attributes: []attribute{
			{AttrIASWDMaxDuration, Uint16, "max_duration"},
		},
		received: []command{
			{CmdIASWDStartWarning, "start_warning"},
			{CmdIASWDSquawk, "squawk"},
		},
	},
}
