package zcl

// Clusters that most devices have (ZCL 3).
const (
	ClusterBasic                    uint16 = 0x0000
	ClusterPowerConfiguration       uint16 = 0x0001
	ClusterDeviceTemperature        uint16 = 0x0002
	ClusterIdentify                 uint16 = 0x0003
	ClusterGroups                   uint16 = 0x0004
	ClusterScenes                   uint16 = 0x0005
	ClusterOnOff                    uint16 = 0x0006
	ClusterOnOffSwitchConfiguration uint16 = 0x0007
	ClusterLevelControl             uint16 = 0x0008
	ClusterAlarms                   uint16 = 0x0009
	ClusterTime                     uint16 = 0x000a
	ClusterRSSILocation             uint16 = 0x000b
)

// Basic (ZCL 3.2).
const (
	AttrBasicZCLVersion                 uint16 = 0x0000
	AttrBasicApplicationVersion         uint16 = 0x0001
	AttrBasicStackVersion               uint16 = 0x0002
	AttrBasicHWVersion                  uint16 = 0x0003
	AttrBasicManufacturerName           uint16 = 0x0004
	AttrBasicModelIdentifier            uint16 = 0x0005
	AttrBasicDateCode                   uint16 = 0x0006
	AttrBasicPowerSource                uint16 = 0x0007
	AttrBasicGenericDeviceClass         uint16 = 0x0008
	AttrBasicGenericDeviceType          uint16 = 0x0009
	AttrBasicProductCode                uint16 = 0x000a
	AttrBasicProductURL                 uint16 = 0x000b
	AttrBasicManufacturerVersionDetails uint16 = 0x000c
	AttrBasicSerialNumber               uint16 = 0x000d
	AttrBasicProductLabel               uint16 = 0x000e
	AttrBasicLocationDescription        uint16 = 0x0010
	AttrBasicPhysicalEnvironment        uint16 = 0x0011
	AttrBasicDeviceEnabled              uint16 = 0x0012
	AttrBasicAlarmMask                  uint16 = 0x0013
	AttrBasicDisableLocalConfig         uint16 = 0x0014
	AttrBasicSWBuildID                  uint16 = 0x4000

	CmdBasicResetToFactoryDefaults uint8 = 0x00
)

// Power Configuration (ZCL 3.3).
const (
	AttrPowerConfigurationMainsVoltage                  uint16 = 0x0000
	AttrPowerConfigurationMainsFrequency                uint16 = 0x0001
	AttrPowerConfigurationMainsAlarmMask                uint16 = 0x0010
	AttrPowerConfigurationMainsVoltageMinThreshold      uint16 = 0x0011
	AttrPowerConfigurationMainsVoltageMaxThreshold      uint16 = 0x0012
	AttrPowerConfigurationMainsVoltageDwellTripPoint    uint16 = 0x0013
	AttrPowerConfigurationBatteryVoltage                uint16 = 0x0020
	AttrPowerConfigurationBatteryPercentageRemaining    uint16 = 0x0021
	AttrPowerConfigurationBatteryManufacturer           uint16 = 0x0030
	AttrPowerConfigurationBatterySize                   uint16 = 0x0031
	AttrPowerConfigurationBatteryAHrRating              uint16 = 0x0032
	AttrPowerConfigurationBatteryQuantity               uint16 = 0x0033
	AttrPowerConfigurationBatteryRatedVoltage           uint16 = 0x0034
	AttrPowerConfigurationBatteryAlarmMask              uint16 = 0x0035
	AttrPowerConfigurationBatteryVoltageMinThreshold    uint16 = 0x0036
	AttrPowerConfigurationBatteryVoltageThreshold1      uint16 = 0x0037
	AttrPowerConfigurationBatteryVoltageThreshold2      uint16 = 0x0038
	AttrPowerConfigurationBatteryVoltageThreshold3      uint16 = 0x0039
	AttrPowerConfigurationBatteryPercentageMinThreshold uint16 = 0x003a
	AttrPowerConfigurationBatteryPercentageThreshold1   uint16 = 0x003b
	AttrPowerConfigurationBatteryPercentageThreshold2   uint16 = 0x003c
	AttrPowerConfigurationBatteryPercentageThreshold3   uint16 = 0x003d
	AttrPowerConfigurationBatteryAlarmState             uint16 = 0x003e
	AttrPowerConfigurationBattery2Voltage               uint16 = 0x0040
	AttrPowerConfigurationBattery2PercentageRemaining   uint16 = 0x0041
	AttrPowerConfigurationBattery2Size                  uint16 = 0x0051
	AttrPowerConfigurationBattery2Quantity              uint16 = 0x0053
	AttrPowerConfigurationBattery2AlarmState            uint16 = 0x005e
	AttrPowerConfigurationBattery3Voltage               uint16 = 0x0060
	AttrPowerConfigurationBattery3PercentageRemaining   uint16 = 0x0061
	AttrPowerConfigurationBattery3Size                  uint16 = 0x0071
	AttrPowerConfigurationBattery3Quantity              uint16 = 0x0073
	AttrPowerConfigurationBattery3AlarmState            uint16 = 0x007e
)

// Device Temperature (ZCL 3.4).
const (
	AttrDeviceTemperatureCurrentTemperature     uint16 = 0x0000
	AttrDeviceTemperatureMinTempExperienced     uint16 = 0x0001
	AttrDeviceTemperatureMaxTempExperienced     uint16 = 0x0002
	AttrDeviceTemperatureOverTempTotalDwell     uint16 = 0x0003
	AttrDeviceTemperatureAlarmMask              uint16 = 0x0010
	AttrDeviceTemperatureLowTempThreshold       uint16 = 0x0011
	AttrDeviceTemperatureHighTempThreshold      uint16 = 0x0012
	AttrDeviceTemperatureLowTempDwellTripPoint  uint16 = 0x0013
	AttrDeviceTemperatureHighTempDwellTripPoint uint16 = 0x0014
)

// Identify (ZCL 3.5).
const (
	AttrIdentifyIdentifyTime uint16 = 0x0000

	CmdIdentifyIdentify      uint8 = 0x00
	CmdIdentifyQuery         uint8 = 0x01
	CmdIdentifyTriggerEffect uint8 = 0x40

	CmdIdentifyQueryResponse uint8 = 0x00
)

// Groups (ZCL 3.6).
const (
	AttrGroupsNameSupport uint16 = 0x0000

	CmdGroupsAdd              uint8 = 0x00
	CmdGroupsView             uint8 = 0x01
	CmdGroupsGetMembership    uint8 = 0x02
	CmdGroupsRemove           uint8 = 0x03
	CmdGroupsRemoveAll        uint8 = 0x04
	CmdGroupsAddIfIdentifying uint8 = 0x05

	CmdGroupsAddResponse           uint8 = 0x00
	CmdGroupsViewResponse          uint8 = 0x01
	CmdGroupsGetMembershipResponse uint8 = 0x02
	CmdGroupsRemoveResponse        uint8 = 0x03
)

// Scenes (ZCL 3.7).
const (
	AttrScenesSceneCount       uint16 = 0x0000
	AttrScenesCurrentScene     uint16 = 0x0001
	AttrScenesCurrentGroup     uint16 = 0x0002
	AttrScenesSceneValid       uint16 = 0x0003
	AttrScenesNameSupport      uint16 = 0x0004
	AttrScenesLastConfiguredBy uint16 = 0x0005

	CmdScenesAdd           uint8 = 0x00
	CmdScenesView          uint8 = 0x01
	CmdScenesRemove        uint8 = 0x02
	CmdScenesRemoveAll     uint8 = 0x03
	CmdScenesStore         uint8 = 0x04
	CmdScenesRecall        uint8 = 0x05
	CmdScenesGetMembership uint8 = 0x06
	CmdScenesEnhancedAdd   uint8 = 0x40
	CmdScenesEnhancedView  uint8 = 0x41
	CmdScenesCopy          uint8 = 0x42

	CmdScenesAddResponse           uint8 = 0x00
	CmdScenesViewResponse          uint8 = 0x01
	CmdScenesRemoveResponse        uint8 = 0x02
	CmdScenesRemoveAllResponse     uint8 = 0x03
	CmdScenesStoreResponse         uint8 = 0x04
	CmdScenesGetMembershipResponse uint8 = 0x06
	CmdScenesEnhancedAddResponse   uint8 = 0x40
	CmdScenesEnhancedViewResponse  uint8 = 0x41
	CmdScenesCopyResponse          uint8 = 0x42
)

// On/Off (ZCL 3.8).
const (
	AttrOnOffOnOff              uint16 = 0x0000
	AttrOnOffGlobalSceneControl uint16 = 0x4000
	AttrOnOffOnTime             uint16 = 0x4001
	AttrOnOffOffWaitTime        uint16 = 0x4002
	AttrOnOffStartUpOnOff       uint16 = 0x4003

	CmdOnOffOff                     uint8 = 0x00
	CmdOnOffOn                      uint8 = 0x01
	CmdOnOffToggle                  uint8 = 0x02
	CmdOnOffOffWithEffect           uint8 = 0x40
	CmdOnOffOnWithRecallGlobalScene uint8 = 0x41
	CmdOnOffOnWithTimedOff          uint8 = 0x42
)

// On Off Switch Configuration (ZCL 3.9).
const (
	AttrOnOffSwitchConfigurationSwitchType    uint16 = 0x0000
	AttrOnOffSwitchConfigurationSwitchActions uint16 = 0x0010
)

// Level Control (ZCL 3.10).
const (
	AttrLevelControlCurrentLevel        uint16 = 0x0000
	AttrLevelControlRemainingTime       uint16 = 0x0001
	AttrLevelControlMinLevel            uint16 = 0x0002
	AttrLevelControlMaxLevel            uint16 = 0x0003
	AttrLevelControlCurrentFrequency    uint16 = 0x0004
	AttrLevelControlMinFrequency        uint16 = 0x0005
	AttrLevelControlMaxFrequency        uint16 = 0x0006
	AttrLevelControlOptions             uint16 = 0x000f
	AttrLevelControlOnOffTransitionTime uint16 = 0x0010
	AttrLevelControlOnLevel             uint16 = 0x0011
	AttrLevelControlOnTransitionTime    uint16 = 0x0012
	AttrLevelControlOffTransitionTime   uint16 = 0x0013
	AttrLevelControlDefaultMoveRate     uint16 = 0x0014
	AttrLevelControlStartUpCurrentLevel uint16 = 0x4000

	CmdLevelControlMoveToLevel            uint8 = 0x00
	CmdLevelControlMove                   uint8 = 0x01
	CmdLevelControlStep                   uint8 = 0x02
	CmdLevelControlStop                   uint8 = 0x03
	CmdLevelControlMoveToLevelWithOnOff   uint8 = 0x04
	CmdLevelControlMoveWithOnOff          uint8 = 0x05
	CmdLevelControlStepWithOnOff          uint8 = 0x06
	CmdLevelControlStopWithOnOff          uint8 = 0x07
	CmdLevelControlMoveToClosestFrequency uint8 = 0x08
)

// Alarms (ZCL 3.11).
const (
	AttrAlarmsAlarmCount uint16 = 0x0000

	CmdAlarmsReset    uint8 = 0x00
	CmdAlarmsResetAll uint8 = 0x01
	CmdAlarmsGet      uint8 = 0x02
	CmdAlarmsResetLog uint8 = 0x03

	CmdAlarmsAlarm       uint8 = 0x00
	CmdAlarmsGetResponse uint8 = 0x01
)

// Time (ZCL 3.12).
const (
	AttrTimeTime           uint16 = 0x0000
	AttrTimeTimeStatus     uint16 = 0x0001
	AttrTimeTimeZone       uint16 = 0x0002
	AttrTimeDSTStart       uint16 = 0x0003
	AttrTimeDSTEnd         uint16 = 0x0004
	AttrTimeDSTShift       uint16 = 0x0005
	AttrTimeStandardTime   uint16 = 0x0006
	AttrTimeLocalTime      uint16 = 0x0007
	AttrTimeLastSetTime    uint16 = 0x0008
	AttrTimeValidUntilTime uint16 = 0x0009
)

var generalClusters = []cluster{
	{
		id: ClusterBasic, name: "basic",
		attributes: []attribute{
			{AttrBasicZCLVersion, Uint8, "zcl_version"},
			{AttrBasicApplicationVersion, Uint8, "application_version"},
			{AttrBasicStackVersion, Uint8, "stack_version"},
			{AttrBasicHWVersion, Uint8, "hw_version"},
			{AttrBasicManufacturerName, CharString, "manufacturer_name"},
			{AttrBasicModelIdentifier, CharString, "model_identifier"},
			{AttrBasicDateCode, CharString, "date_code"},
			{AttrBasicPowerSource, Enum8, "power_source"},
			{AttrBasicGenericDeviceClass, Enum8, "generic_device_class"},
			{AttrBasicGenericDeviceType, Enum8, "generic_device_type"},
			{AttrBasicProductCode, OctetString, "product_code"},
			{AttrBasicProductURL, CharString, "product_url"},
			{AttrBasicManufacturerVersionDetails, CharString, "manufacturer_version_details"},
			{AttrBasicSerialNumber, CharString, "serial_number"},
			{AttrBasicProductLabel, CharString, "product_label"},
			{AttrBasicLocationDescription, CharString, "location_description"},
			{AttrBasicPhysicalEnvironment, Enum8, "physical_environment"},
			{AttrBasicDeviceEnabled, Bool, "device_enabled"},
			{AttrBasicAlarmMask, Bitmap8, "alarm_mask"},
			{AttrBasicDisableLocalConfig, Bitmap8, "disable_local_config"},
			{AttrBasicSWBuildID, CharString, "sw_build_id"},
		},
		received: []command{
			{CmdBasicResetToFactoryDefaults, "reset_to_factory_defaults"},
		},
	},
	{
		id: ClusterPowerConfiguration, name: "power_configuration",
		attributes: []attribute{
			{AttrPowerConfigurationMainsVoltage, Uint16, "mains_voltage"},
			{AttrPowerConfigurationMainsFrequency, Uint8, "mains_frequency"},
			{AttrPowerConfigurationMainsAlarmMask, Bitmap8, "mains_alarm_mask"},
			{AttrPowerConfigurationMainsVoltageMinThreshold, Uint16, "mains_voltage_min_threshold"},
			{AttrPowerConfigurationMainsVoltageMaxThreshold, Uint16, "mains_voltage_max_threshold"},
			{AttrPowerConfigurationMainsVoltageDwellTripPoint, Uint16, "mains_voltage_dwell_trip_point"},
			{AttrPowerConfigurationBatteryVoltage, Uint8, "battery_voltage"},
			{AttrPowerConfigurationBatteryPercentageRemaining, Uint8, "battery_percentage_remaining"},
			{AttrPowerConfigurationBatteryManufacturer, CharString, "battery_manufacturer"},
			{AttrPowerConfigurationBatterySize, Enum8, "battery_size"},
			{AttrPowerConfigurationBatteryAHrRating, Uint16, "battery_ahr_rating"},
			{AttrPowerConfigurationBatteryQuantity, Uint8, "battery_quantity"},
			{AttrPowerConfigurationBatteryRatedVoltage, Uint8, "battery_rated_voltage"},
			{AttrPowerConfigurationBatteryAlarmMask, Bitmap8, "battery_alarm_mask"},
			{AttrPowerConfigurationBatteryVoltageMinThreshold, Uint8, "battery_voltage_min_threshold"},
			{AttrPowerConfigurationBatteryVoltageThreshold1, Uint8, "battery_voltage_threshold1"},
			{AttrPowerConfigurationBatteryVoltageThreshold2, Uint8, "battery_voltage_threshold2"},
			{AttrPowerConfigurationBatteryVoltageThreshold3, Uint8, "battery_voltage_threshold3"},
			{AttrPowerConfigurationBatteryPercentageMinThreshold, Uint8, "battery_percentage_min_threshold"},
			{AttrPowerConfigurationBatteryPercentageThreshold1, Uint8, "battery_percentage_threshold1"},
			{AttrPowerConfigurationBatteryPercentageThreshold2, Uint8, "battery_percentage_threshold2"},
			{AttrPowerConfigurationBatteryPercentageThreshold3, Uint8, "battery_percentage_threshold3"},
			{AttrPowerConfigurationBatteryAlarmState, Bitmap32, "battery_alarm_state"},
			{AttrPowerConfigurationBattery2Voltage, Uint8, "battery2_voltage"},
			{AttrPowerConfigurationBattery2PercentageRemaining, Uint8, "battery2_percentage_remaining"},
			{AttrPowerConfigurationBattery2Size, Enum8, "battery2_size"},
			{AttrPowerConfigurationBattery2Quantity, Uint8, "battery2_quantity"},
			{AttrPowerConfigurationBattery2AlarmState, Bitmap32, "battery2_alarm_state"},
			{AttrPowerConfigurationBattery3Voltage, Uint8, "battery3_voltage"},
			{AttrPowerConfigurationBattery3PercentageRemaining, Uint8, "battery3_percentage_remaining"},
			{AttrPowerConfigurationBattery3Size, Enum8, "battery3_size"},
			{AttrPowerConfigurationBattery3Quantity, Uint8, "battery3_quantity"},
			{AttrPowerConfigurationBattery3AlarmState, Bitmap32, "battery3_alarm_state"},
		},
	},
	{
		id: ClusterDeviceTemperature, name: "device_temperature_configuration",
		attributes: []attribute{
			{AttrDeviceTemperatureCurrentTemperature, Int16, "current_temperature"},
			{AttrDeviceTemperatureMinTempExperienced, Int16, "min_temp_experienced"},
			{AttrDeviceTemperatureMaxTempExperienced, Int16, "max_temp_experienced"},
			{AttrDeviceTemperatureOverTempTotalDwell, Uint16, "over_temp_total_dwell"},
			{AttrDeviceTemperatureAlarmMask, Bitmap8, "alarm_mask"},
			{AttrDeviceTemperatureLowTempThreshold, Int16, "low_temp_threshold"},
			{AttrDeviceTemperatureHighTempThreshold, Int16, "high_temp_threshold"},
			{AttrDeviceTemperatureLowTempDwellTripPoint, Uint24, "low_temp_dwell_trip_point"},
			{AttrDeviceTemperatureHighTempDwellTripPoint, Uint24, "high_temp_dwell_trip_point"},
		},
	},
	{
		id: ClusterIdentify, name: "identify",
		attributes: []attribute{
			{AttrIdentifyIdentifyTime, Uint16, "identify_time"},
		},
		received: []command{
			{CmdIdentifyIdentify, "identify"},
			{CmdIdentifyQuery, "query"},
			{CmdIdentifyTriggerEffect, "trigger_effect"},
		},
		generated: []command{
			{CmdIdentifyQueryResponse, "query_response"},
		},
	},
	{
		id: ClusterGroups, name: "groups",
		attributes: []attribute{
			{AttrGroupsNameSupport, Bitmap8, "name_support"},
		},
		received: []command{
			{CmdGroupsAdd, "add"},
			{CmdGroupsView, "view"},
			{CmdGroupsGetMembership, "get_membership"},
			{CmdGroupsRemove, "remove"},
			{CmdGroupsRemoveAll, "remove_all"},
			{CmdGroupsAddIfIdentifying, "add_if_identifying"},
		},
		generated: []command{
			{CmdGroupsAddResponse, "add_response"},
			{CmdGroupsViewResponse, "view_response"},
			{CmdGroupsGetMembershipResponse, "get_membership_response"},
			{CmdGroupsRemoveResponse, "remove_response"},
		},
	},
	{
		id: ClusterScenes, name: "scenes",
		attributes: []attribute{
			{AttrScenesSceneCount, Uint8, "scene_count"},
			{AttrScenesCurrentScene, Uint8, "current_scene"},
			{AttrScenesCurrentGroup, Uint16, "current_group"},
			{AttrScenesSceneValid, Bool, "scene_valid"},
			{AttrScenesNameSupport, Bitmap8, "name_support"},
			{AttrScenesLastConfiguredBy, IEEEAddress, "last_configured_by"},
		},
		received: []command{
			{CmdScenesAdd, "add"},
			{CmdScenesView, "view"},
			{CmdScenesRemove, "remove"},
			{CmdScenesRemoveAll, "remove_all"},
			{CmdScenesStore, "store"},
			{CmdScenesRecall, "recall"},
			{CmdScenesGetMembership, "get_membership"},
			{CmdScenesEnhancedAdd, "enhanced_add"},
			{CmdScenesEnhancedView, "enhanced_view"},
			{CmdScenesCopy, "copy"},
		},
		generated: []command{
			{CmdScenesAddResponse, "add_response"},
			{CmdScenesViewResponse, "view_response"},
			{CmdScenesRemoveResponse, "remove_response"},
			{CmdScenesRemoveAllResponse, "remove_all_response"},
			{CmdScenesStoreResponse, "store_response"},
			{CmdScenesGetMembershipResponse, "get_membership_response"},
			{CmdScenesEnhancedAddResponse, "enhanced_add_response"},
			{CmdScenesEnhancedViewResponse, "enhanced_view_response"},
			{CmdScenesCopyResponse, "copy_response"},
		},
	},
	{
		id: ClusterOnOff, name: "on_off",
		attributes: []attribute{
			{AttrOnOffOnOff, Bool, "on_off"},
			{AttrOnOffGlobalSceneControl, Bool, "global_scene_control"},
			{AttrOnOffOnTime, Uint16, "on_time"},
			{AttrOnOffOffWaitTime, Uint16, "off_wait_time"},
			{AttrOnOffStartUpOnOff, Enum8, "start_up_on_off"},
		},
		received: []command{
			{CmdOnOffOff, "off"},
			{CmdOnOffOn, "on"},
			{CmdOnOffToggle, "toggle"},
			{CmdOnOffOffWithEffect, "off_with_effect"},
			{CmdOnOffOnWithRecallGlobalScene, "on_with_recall_global_scene"},
			{CmdOnOffOnWithTimedOff, "on_with_timed_off"},
		},
	},
	{
		id: ClusterOnOffSwitchConfiguration, name: "on_off_switch_configuration",
		attributes: []attribute{
			{AttrOnOffSwitchConfigurationSwitchType, Enum8, "switch_type"},
			{AttrOnOffSwitchConfigurationSwitchActions, Enum8, "switch_actions"},
		},
	},
	{
		id: ClusterLevelControl, name: "level_control",
		attributes: []attribute{
			{AttrLevelControlCurrentLevel, Uint8, "current_level"},
			{AttrLevelControlRemainingTime, Uint16, "remaining_time"},
			{AttrLevelControlMinLevel, Uint8, "min_level"},
			{AttrLevelControlMaxLevel, Uint8, "max_level"},
			{AttrLevelControlCurrentFrequency, Uint16, "current_frequency"},
			{AttrLevelControlMinFrequency, Uint16, "min_frequency"},
			{AttrLevelControlMaxFrequency, Uint16, "max_frequency"},
			{AttrLevelControlOptions, Bitmap8, "options"},
			{AttrLevelControlOnOffTransitionTime, Uint16, "on_off_transition_time"},
			{AttrLevelControlOnLevel, Uint8, "on_level"},
			{AttrLevelControlOnTransitionTime, Uint16, "on_transition_time"},
			{AttrLevelControlOffTransitionTime, Uint16, "off_transition_time"},
			{AttrLevelControlDefaultMoveRate, Uint8, "default_move_rate"},
			{AttrLevelControlStartUpCurrentLevel, Uint8, "start_up_current_level"},
		},
		received: []command{
			{CmdLevelControlMoveToLevel, "move_to_level"},
			{CmdLevelControlMove, "move"},
			{CmdLevelControlStep, "step"},
			{CmdLevelControlStop, "stop"},
			{CmdLevelControlMoveToLevelWithOnOff, "move_to_level_with_on_off"},
			{CmdLevelControlMoveWithOnOff, "move_with_on_off"},
			{CmdLevelControlStepWithOnOff, "step_with_on_off"},
			{CmdLevelControlStopWithOnOff, "stop_with_on_off"},
			{CmdLevelControlMoveToClosestFrequency, "move_to_closest_frequency"},
		},
	},
	{
		id: ClusterAlarms, name: "alarms",
		attributes: []attribute{
			{AttrAlarmsAlarmCount, Uint16, "alarm_count"},
		},
		received: []command{
			{CmdAlarmsReset, "reset"},
			{CmdAlarmsResetAll, "reset_all"},
			{CmdAlarmsGet, "get"},
			{CmdAlarmsResetLog, "reset_log"},
		},
		generated: []command{
			{CmdAlarmsAlarm, "alarm"},
			{CmdAlarmsGetResponse, "get_response"},
		},
	},
	{
		id: ClusterTime, name: "time",
		attributes: []attribute{
			{AttrTimeTime, UTCTime, "time"},
			{AttrTimeTimeStatus, Bitmap8, "time_status"},
			{AttrTimeTimeZone, Int32, "time_zone"},
			{AttrTimeDSTStart, Uint32, "dst_start"},
			{AttrTimeDSTEnd, Uint32, "dst_end"},
			{AttrTimeDSTShift, Int32, "dst_shift"},
			{AttrTimeStandardTime, Uint32, "standard_time"},
			{AttrTimeLocalTime, Uint32, "local_time"},
			{AttrTimeLastSetTime, UTCTime, "last_set_time"},
			{AttrTimeValidUntilTime, UTCTime, "valid_until_time"},
		},
	},
	{id: ClusterRSSILocation, name: "rssi_location"},
}
