package zcl

// Clusters of heating, cooling and ventilation (ZCL 6).
const (
	ClusterPump                    uint16 = 0x0200
	ClusterThermostat              uint16 = 0x0201
	ClusterFanControl              uint16 = 0x0202
	ClusterDehumidificationControl uint16 = 0x0203
	ClusterThermostatUI            uint16 = 0x0204
)

// Pump (ZCL 6.2).
const (
	AttrPumpMaxPressure            uint16 = 0x0000
	AttrPumpMaxSpeed               uint16 = 0x0001
	AttrPumpMaxFlow                uint16 = 0x0002
	AttrPumpMinConstPressure       uint16 = 0x0003
	AttrPumpMaxConstPressure       uint16 = 0x0004
	AttrPumpMinCompPressure        uint16 = 0x0005
	AttrPumpMaxCompPressure        uint16 = 0x0006
	AttrPumpMinConstSpeed          uint16 = 0x0007
	AttrPumpMaxConstSpeed          uint16 = 0x0008
	AttrPumpMinConstFlow           uint16 = 0x0009
	AttrPumpMaxConstFlow           uint16 = 0x000a
	AttrPumpMinConstTemp           uint16 = 0x000b
	AttrPumpMaxConstTemp           uint16 = 0x000c
	AttrPumpPumpStatus             uint16 = 0x0010
	AttrPumpEffectiveOperationMode uint16 = 0x0011
	AttrPumpEffectiveControlMode   uint16 = 0x0012
	AttrPumpCapacity               uint16 = 0x0013
	AttrPumpSpeed                  uint16 = 0x0014
	AttrPumpLifetimeRunningHours   uint16 = 0x0015
	AttrPumpPower                  uint16 = 0x0016
	AttrPumpLifetimeEnergyConsumed uint16 = 0x0017
	AttrPumpOperationMode          uint16 = 0x0020
	AttrPumpControlMode            uint16 = 0x0021
	AttrPumpAlarmMask              uint16 = 0x0022
)

// Thermostat (ZCL 6.3).
const (
	AttrThermostatLocalTemperature                uint16 = 0x0000
	AttrThermostatOutdoorTemperature              uint16 = 0x0001
	AttrThermostatOccupancy                       uint16 = 0x0002
	AttrThermostatAbsMinHeatSetpointLimit         uint16 = 0x0003
	AttrThermostatAbsMaxHeatSetpointLimit         uint16 = 0x0004
	AttrThermostatAbsMinCoolSetpointLimit         uint16 = 0x0005
	AttrThermostatAbsMaxCoolSetpointLimit         uint16 = 0x0006
	AttrThermostatPICoolingDemand                 uint16 = 0x0007
	AttrThermostatPIHeatingDemand                 uint16 = 0x0008
	AttrThermostatHVACSystemTypeConfiguration     uint16 = 0x0009
	AttrThermostatLocalTemperatureCalibration     uint16 = 0x0010
	AttrThermostatOccupiedCoolingSetpoint         uint16 = 0x0011
	AttrThermostatOccupiedHeatingSetpoint         uint16 = 0x0012
	AttrThermostatUnoccupiedCoolingSetpoint       uint16 = 0x0013
	AttrThermostatUnoccupiedHeatingSetpoint       uint16 = 0x0014
	AttrThermostatMinHeatSetpointLimit            uint16 = 0x0015
	AttrThermostatMaxHeatSetpointLimit            uint16 = 0x0016
	AttrThermostatMinCoolSetpointLimit            uint16 = 0x0017
	AttrThermostatMaxCoolSetpointLimit            uint16 = 0x0018
	AttrThermostatMinSetpointDeadBand             uint16 = 0x0019
	AttrThermostatRemoteSensing                   uint16 = 0x001a
	AttrThermostatControlSequenceOfOperation      uint16 = 0x001b
	AttrThermostatSystemMode                      uint16 = 0x001c
	AttrThermostatAlarmMask                       uint16 = 0x001d
	AttrThermostatRunningMode                     uint16 = 0x001e
	AttrThermostatStartOfWeek                     uint16 = 0x0020
	AttrThermostatNumberOfWeeklyTransitions       uint16 = 0x0021
	AttrThermostatNumberOfDailyTransitions        uint16 = 0x0022
	AttrThermostatTemperatureSetpointHold         uint16 = 0x0023
	AttrThermostatTemperatureSetpointHoldDuration uint16 = 0x0024
	AttrThermostatProgrammingOperationMode        uint16 = 0x0025
	AttrThermostatRunningState                    uint16 = 0x0029
	AttrThermostatSetpointChangeSource            uint16 = 0x0030
	AttrThermostatSetpointChangeAmount            uint16 = 0x0031
	AttrThermostatSetpointChangeSourceTimestamp   uint16 = 0x0032
	AttrThermostatOccupiedSetback                 uint16 = 0x0034
	AttrThermostatOccupiedSetbackMin              uint16 = 0x0035
	AttrThermostatOccupiedSetbackMax              uint16 = 0x0036
	AttrThermostatUnoccupiedSetback               uint16 = 0x0037
	AttrThermostatUnoccupiedSetbackMin            uint16 = 0x0038
	AttrThermostatUnoccupiedSetbackMax            uint16 = 0x0039
	AttrThermostatEmergencyHeatDelta              uint16 = 0x003a
	AttrThermostatACType                          uint16 = 0x0040
	AttrThermostatACCapacity                      uint16 = 0x0041
	AttrThermostatACRefrigerantType               uint16 = 0x0042
	AttrThermostatACCompressorType                uint16 = 0x0043
	AttrThermostatACErrorCode                     uint16 = 0x0044
	AttrThermostatACLouverPosition                uint16 = 0x0045
	AttrThermostatACCoilTemperature               uint16 = 0x0046
	AttrThermostatACCapacityFormat                uint16 = 0x0047

	CmdThermostatSetpointRaiseLower  uint8 = 0x00
	CmdThermostatSetWeeklySchedule   uint8 = 0x01
	CmdThermostatGetWeeklySchedule   uint8 = 0x02
	CmdThermostatClearWeeklySchedule uint8 = 0x03
	CmdThermostatGetRelayStatusLog   uint8 = 0x04

	CmdThermostatGetWeeklyScheduleResponse uint8 = 0x00
	CmdThermostatGetRelayStatusLogResponse uint8 = 0x01
)

// Fan Control (ZCL 6.4).
const (
	AttrFanControlFanMode         uint16 = 0x0000
	AttrFanControlFanModeSequence uint16 = 0x0001
)

// Dehumidification Control (ZCL 6.5).
const (
	AttrDehumidificationControlRelativeHumidity           uint16 = 0x0000
	AttrDehumidificationControlDehumidificationCooling    uint16 = 0x0001
	AttrDehumidificationControlRHDehumidificationSetpoint uint16 = 0x0010
	AttrDehumidificationControlRelativeHumidityMode       uint16 = 0x0011
	AttrDehumidificationControlDehumidificationLockout    uint16 = 0x0012
	AttrDehumidificationControlDehumidificationHysteresis uint16 = 0x0013
	AttrDehumidificationControlDehumidificationMaxCool    uint16 = 0x0014
	AttrDehumidificationControlRelativeHumidityDisplay    uint16 = 0x0015
)

// Thermostat UI (ZCL 6.6).
const (
	AttrThermostatUITemperatureDisplayMode        uint16 = 0x0000
	AttrThermostatUIKeypadLockout                 uint16 = 0x0001
	AttrThermostatUIScheduleProgrammingVisibility uint16 = 0x0002
)

var hvacClusters = []cluster{
	{
		id: ClusterPump, name: "pump_configuration_and_control",
		attributes: []attribute{
			{AttrPumpMaxPressure, Int16, "max_pressure"},
			{AttrPumpMaxSpeed, Uint16, "max_speed"},
			{AttrPumpMaxFlow, Uint16, "max_flow"},
			{AttrPumpMinConstPressure, Int16, "min_const_pressure"},
			{AttrPumpMaxConstPressure, Int16, "max_const_pressure"},
			{AttrPumpMinCompPressure, Int16, "min_comp_pressure"},
			{AttrPumpMaxCompPressure, Int16, "max_comp_pressure"},
			{AttrPumpMinConstSpeed, Uint16, "min_const_speed"},
			{AttrPumpMaxConstSpeed, Uint16, "max_const_speed"},
			{AttrPumpMinConstFlow, Uint16, "min_const_flow"},
			{AttrPumpMaxConstFlow, Uint16, "max_const_flow"},
			{AttrPumpMinConstTemp, Int16, "min_const_temp"},
			{AttrPumpMaxConstTemp, Int16, "max_const_temp"},
			{AttrPumpPumpStatus, Bitmap16, "pump_status"},
			{AttrPumpEffectiveOperationMode, Enum8, "effective_operation_mode"},
			{AttrPumpEffectiveControlMode, Enum8, "effective_control_mode"},
			{AttrPumpCapacity, Int16, "capacity"},
			{AttrPumpSpeed, Uint16, "speed"},
			{AttrPumpLifetimeRunningHours, Uint24, "lifetime_running_hours"},
			{AttrPumpPower, Uint24, "power"},
			{AttrPumpLifetimeEnergyConsumed, Uint32, "lifetime_energy_consumed"},
			{AttrPumpOperationMode, Enum8, "operation_mode"},
			{AttrPumpControlMode, Enum8, "control_mode"},
			{AttrPumpAlarmMask, Bitmap16, "alarm_mask"},
		},
	},
	{
		id: ClusterThermostat, name: "thermostat",
		attributes: []attribute{
			{AttrThermostatLocalTemperature, Int16, "local_temperature"},
			{AttrThermostatOutdoorTemperature, Int16, "outdoor_temperature"},
			{AttrThermostatOccupancy, Bitmap8, "occupancy"},
			{AttrThermostatAbsMinHeatSetpointLimit, Int16, "abs_min_heat_setpoint_limit"},
			{AttrThermostatAbsMaxHeatSetpointLimit, Int16, "abs_max_heat_setpoint_limit"},
			{AttrThermostatAbsMinCoolSetpointLimit, Int16, "abs_min_cool_setpoint_limit"},
			{AttrThermostatAbsMaxCoolSetpointLimit, Int16, "abs_max_cool_setpoint_limit"},
			{AttrThermostatPICoolingDemand, Uint8, "pi_cooling_demand"},
			{AttrThermostatPIHeatingDemand, Uint8, "pi_heating_demand"},
			{AttrThermostatHVACSystemTypeConfiguration, Bitmap8, "hvac_system_type_configuration"},
			{AttrThermostatLocalTemperatureCalibration, Int8, "local_temperature_calibration"},
			{AttrThermostatOccupiedCoolingSetpoint, Int16, "occupied_cooling_setpoint"},
			{AttrThermostatOccupiedHeatingSetpoint, Int16, "occupied_heating_setpoint"},
			{AttrThermostatUnoccupiedCoolingSetpoint, Int16, "unoccupied_cooling_setpoint"},
			{AttrThermostatUnoccupiedHeatingSetpoint, Int16, "unoccupied_heating_setpoint"},
			{AttrThermostatMinHeatSetpointLimit, Int16, "min_heat_setpoint_limit"},
			{AttrThermostatMaxHeatSetpointLimit, Int16, "max_heat_setpoint_limit"},
			{AttrThermostatMinCoolSetpointLimit, Int16, "min_cool_setpoint_limit"},
			{AttrThermostatMaxCoolSetpointLimit, Int16, "max_cool_setpoint_limit"},
			{AttrThermostatMinSetpointDeadBand, Int8, "min_setpoint_dead_band"},
			{AttrThermostatRemoteSensing, Bitmap8, "remote_sensing"},
			{AttrThermostatControlSequenceOfOperation, Enum8, "control_sequence_of_operation"},
			{AttrThermostatSystemMode, Enum8, "system_mode"},
			{AttrThermostatAlarmMask, Bitmap8, "alarm_mask"},
			{AttrThermostatRunningMode, Enum8, "running_mode"},
			{AttrThermostatStartOfWeek, Enum8, "start_of_week"},
			{AttrThermostatNumberOfWeeklyTransitions, Uint8, "number_of_weekly_transitions"},
			{AttrThermostatNumberOfDailyTransitions, Uint8, "number_of_daily_transitions"},
			{AttrThermostatTemperatureSetpointHold, Enum8, "temperature_setpoint_hold"},
			{AttrThermostatTemperatureSetpointHoldDuration, Uint16, "temperature_setpoint_hold_duration"},
			{AttrThermostatProgrammingOperationMode, Bitmap8, "programming_operation_mode"},
			{AttrThermostatRunningState, Bitmap16, "running_state"},
			{AttrThermostatSetpointChangeSource, Enum8, "setpoint_change_source"},
			{AttrThermostatSetpointChangeAmount, Int16, "setpoint_change_amount"},
			{AttrThermostatSetpointChangeSourceTimestamp, UTCTime, "setpoint_change_source_timestamp"},
			{AttrThermostatOccupiedSetback, Uint8, "occupied_setback"},
			{AttrThermostatOccupiedSetbackMin, Uint8, "occupied_setback_min"},
			{AttrThermostatOccupiedSetbackMax, Uint8, "occupied_setback_max"},
			{AttrThermostatUnoccupiedSetback, Uint8, "unoccupied_setback"},
			{AttrThermostatUnoccupiedSetbackMin, Uint8, "unoccupied_setback_min"},
			{AttrThermostatUnoccupiedSetbackMax, Uint8, "unoccupied_setback_max"},
			{AttrThermostatEmergencyHeatDelta, Uint8, "emergency_heat_delta"},
			{AttrThermostatACType, Enum8, "ac_type"},
			{AttrThermostatACCapacity, Uint16, "ac_capacity"},
			{AttrThermostatACRefrigerantType, Enum8, "ac_refrigerant_type"},
			{AttrThermostatACCompressorType, Enum8, "ac_compressor_type"},
			{AttrThermostatACErrorCode, Bitmap32, "ac_error_code"},
			{AttrThermostatACLouverPosition, Enum8, "ac_louver_position"},
			{AttrThermostatACCoilTemperature, Int16, "ac_coil_temperature"},
			{AttrThermostatACCapacityFormat, Enum8, "ac_capacity_format"},
		},
		received: []command{
			{CmdThermostatSetpointRaiseLower, "setpoint_raise_lower"},
			{CmdThermostatSetWeeklySchedule, "set_weekly_schedule"},
			{CmdThermostatGetWeeklySchedule, "get_weekly_schedule"},
			{CmdThermostatClearWeeklySchedule, "clear_weekly_schedule"},
			{CmdThermostatGetRelayStatusLog, "get_relay_status_log"},
		},
		generated: []command{
			{CmdThermostatGetWeeklyScheduleResponse, "get_weekly_schedule_response"},
			{CmdThermostatGetRelayStatusLogResponse, "get_relay_status_log_response"},
		},
	},
	{
		id: ClusterFanControl, name: "fan_control",
		attributes: []attribute{
			{AttrFanControlFanMode, Enum8, "fan_mode"},
			{AttrFanControlFanModeSequence, Enum8, "fan_mode_sequence"},
		},
	},
	{
		id: ClusterDehumidificationControl, name: "dehumidification_control",
		attributes: []attribute{
			{AttrDehumidificationControlRelativeHumidity, Uint8, "relative_humidity"},
			{AttrDehumidificationControlDehumidificationCooling, Uint8, "dehumidification_cooling"},
			{AttrDehumidificationControlRHDehumidificationSetpoint, Uint8, "rh_dehumidification_setpoint"},
			{AttrDehumidificationControlRelativeHumidityMode, Enum8, "relative_humidity_mode"},
			{AttrDehumidificationControlDehumidificationLockout, Enum8, "dehumidification_lockout"},
			{AttrDehumidificationControlDehumidificationHysteresis, Uint8, "dehumidification_hysteresis"},
			{AttrDehumidificationControlDehumidificationMaxCool, Uint8, "dehumidification_max_cool"},
			{AttrDehumidificationControlRelativeHumidityDisplay, Enum8, "relative_humidity_display"},
		},
	},
	{
		id: ClusterThermostatUI, name: "thermostat_user_interface_configuration",
		attributes: []attribute{
			{AttrThermostatUITemperatureDisplayMode, Enum8, "temperature_display_mode"},
			{AttrThermostatUIKeypadLockout, Enum8, "keypad_lockout"},
			{AttrThermostatUIScheduleProgrammingVisibility, Enum8, "schedule_programming_visibility"},
		},
	},
}
