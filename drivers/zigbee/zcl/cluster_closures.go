package zcl

// Clusters of doors, windows and shades (ZCL 7).
const (
	ClusterShadeConfiguration uint16 = 0x0100
	ClusterDoorLock           uint16 = 0x0101
	ClusterWindowCovering     uint16 = 0x0102
	ClusterBarrierControl     uint16 = 0x0103
)

// Shade Configuration (ZCL 7.2).
const (
	AttrShadeConfigurationPhysicalClosedLimit uint16 = 0x0000
	AttrShadeConfigurationMotorStepSize       uint16 = 0x0001
	AttrShadeConfigurationStatus              uint16 = 0x0002
	AttrShadeConfigurationClosedLimit         uint16 = 0x0010
	AttrShadeConfigurationMode                uint16 = 0x0011
)

// Door Lock (ZCL 7.3).
const (
	AttrDoorLockLockState                       uint16 = 0x0000
	AttrDoorLockLockType                        uint16 = 0x0001
	AttrDoorLockActuatorEnabled                 uint16 = 0x0002
	AttrDoorLockDoorState                       uint16 = 0x0003
	AttrDoorLockDoorOpenEvents                  uint16 = 0x0004
	AttrDoorLockDoorClosedEvents                uint16 = 0x0005
	AttrDoorLockOpenPeriod                      uint16 = 0x0006
	AttrDoorLockNumberOfLogRecords              uint16 = 0x0010
	AttrDoorLockNumberOfTotalUsers              uint16 = 0x0011
	AttrDoorLockNumberOfPINUsers                uint16 = 0x0012
	AttrDoorLockNumberOfRFIDUsers               uint16 = 0x0013
	AttrDoorLockNumberOfWeekDaySchedulesPerUser uint16 = 0x0014
	AttrDoorLockNumberOfYearDaySchedulesPerUser uint16 = 0x0015
	AttrDoorLockNumberOfHolidaySchedules        uint16 = 0x0016
	AttrDoorLockMaxPINLength                    uint16 = 0x0017
	AttrDoorLockMinPINLength                    uint16 = 0x0018
	AttrDoorLockMaxRFIDLength                   uint16 = 0x0019
	AttrDoorLockMinRFIDLength                   uint16 = 0x001a
	AttrDoorLockEnableLogging                   uint16 = 0x0020
	AttrDoorLockLanguage                        uint16 = 0x0021
	AttrDoorLockLEDSettings                     uint16 = 0x0022
	AttrDoorLockAutoRelockTime                  uint16 = 0x0023
	AttrDoorLockSoundVolume                     uint16 = 0x0024
	AttrDoorLockOperatingMode                   uint16 = 0x0025
	AttrDoorLockSupportedOperatingModes         uint16 = 0x0026
	AttrDoorLockDefaultConfigurationRegister    uint16 = 0x0027
	AttrDoorLockEnableLocalProgramming          uint16 = 0x0028
	AttrDoorLockEnableOneTouchLocking           uint16 = 0x0029
	AttrDoorLockEnableInsideStatusLED           uint16 = 0x002a
	AttrDoorLockEnablePrivacyModeButton         uint16 = 0x002b
	AttrDoorLockWrongCodeEntryLimit             uint16 = 0x0030
	AttrDoorLockUserCodeTemporaryDisableTime    uint16 = 0x0031
	AttrDoorLockSendPINOverTheAir               uint16 = 0x0032
	AttrDoorLockRequirePINForRfOperation        uint16 = 0x0033
	AttrDoorLockSecurityLevel                   uint16 = 0x0034
	AttrDoorLockAlarmMask                       uint16 = 0x0040
	AttrDoorLockKeypadOperationEventMask        uint16 = 0x0041
	AttrDoorLockRfOperationEventMask            uint16 = 0x0042
	AttrDoorLockManualOperationEventMask        uint16 = 0x0043
	AttrDoorLockRFIDOperationEventMask          uint16 = 0x0044
	AttrDoorLockKeypadProgrammingEventMask      uint16 = 0x0045
	AttrDoorLockRfProgrammingEventMask          uint16 = 0x0046
	AttrDoorLockRFIDProgrammingEventMask        uint16 = 0x0047

	CmdDoorLockLock                 uint8 = 0x00
	CmdDoorLockUnlock               uint8 = 0x01
	CmdDoorLockToggle               uint8 = 0x02
	CmdDoorLockUnlockWithTimeout    uint8 = 0x03
	CmdDoorLockGetLogRecord         uint8 = 0x04
	CmdDoorLockSetPINCode           uint8 = 0x05
	CmdDoorLockGetPINCode           uint8 = 0x06
	CmdDoorLockClearPINCode         uint8 = 0x07
	CmdDoorLockClearAllPINCodes     uint8 = 0x08
	CmdDoorLockSetUserStatus        uint8 = 0x09
	CmdDoorLockGetUserStatus        uint8 = 0x0a
	CmdDoorLockSetWeekDaySchedule   uint8 = 0x0b
	CmdDoorLockGetWeekDaySchedule   uint8 = 0x0c
	CmdDoorLockClearWeekDaySchedule uint8 = 0x0d
	CmdDoorLockSetYearDaySchedule   uint8 = 0x0e
	CmdDoorLockGetYearDaySchedule   uint8 = 0x0f
	CmdDoorLockClearYearDaySchedule uint8 = 0x10
	CmdDoorLockSetHolidaySchedule   uint8 = 0x11
	CmdDoorLockGetHolidaySchedule   uint8 = 0x12
	CmdDoorLockClearHolidaySchedule uint8 = 0x13
	CmdDoorLockSetUserType          uint8 = 0x14
	CmdDoorLockGetUserType          uint8 = 0x15
	CmdDoorLockSetRFIDCode          uint8 = 0x16
	CmdDoorLockGetRFIDCode          uint8 = 0x17
	CmdDoorLockClearRFIDCode        uint8 = 0x18
	CmdDoorLockClearAllRFIDCodes    uint8 = 0x19

	CmdDoorLockLockResponse                 uint8 = 0x00
	CmdDoorLockUnlockResponse               uint8 = 0x01
	CmdDoorLockToggleResponse               uint8 = 0x02
	CmdDoorLockUnlockWithTimeoutResponse    uint8 = 0x03
	CmdDoorLockGetLogRecordResponse         uint8 = 0x04
	CmdDoorLockSetPINCodeResponse           uint8 = 0x05
	CmdDoorLockGetPINCodeResponse           uint8 = 0x06
	CmdDoorLockClearPINCodeResponse         uint8 = 0x07
	CmdDoorLockClearAllPINCodesResponse     uint8 = 0x08
	CmdDoorLockSetUserStatusResponse        uint8 = 0x09
	CmdDoorLockGetUserStatusResponse        uint8 = 0x0a
	CmdDoorLockSetWeekDayScheduleResponse   uint8 = 0x0b
	CmdDoorLockGetWeekDayScheduleResponse   uint8 = 0x0c
	CmdDoorLockClearWeekDayScheduleResponse uint8 = 0x0d
	CmdDoorLockSetYearDayScheduleResponse   uint8 = 0x0e
	CmdDoorLockGetYearDayScheduleResponse   uint8 = 0x0f
	CmdDoorLockClearYearDayScheduleResponse uint8 = 0x10
	CmdDoorLockSetHolidayScheduleResponse   uint8 = 0x11
	CmdDoorLockGetHolidayScheduleResponse   uint8 = 0x12
	CmdDoorLockClearHolidayScheduleResponse uint8 = 0x13
	CmdDoorLockSetUserTypeResponse          uint8 = 0x14
	CmdDoorLockGetUserTypeResponse          uint8 = 0x15
	CmdDoorLockSetRFIDCodeResponse          uint8 = 0x16
	CmdDoorLockGetRFIDCodeResponse          uint8 = 0x17
	CmdDoorLockClearRFIDCodeResponse        uint8 = 0x18
	CmdDoorLockClearAllRFIDCodesResponse    uint8 = 0x19
	CmdDoorLockOperationEventNotification   uint8 = 0x20
	CmdDoorLockProgrammingEventNotification uint8 = 0x21
)

// Window Covering (ZCL 7.4).
const (
	AttrWindowCoveringWindowCoveringType            uint16 = 0x0000
	AttrWindowCoveringPhysicalClosedLimitLift       uint16 = 0x0001
	AttrWindowCoveringPhysicalClosedLimitTilt       uint16 = 0x0002
	AttrWindowCoveringCurrentPositionLift           uint16 = 0x0003
	AttrWindowCoveringCurrentPositionTilt           uint16 = 0x0004
	AttrWindowCoveringNumberOfActuationsLift        uint16 = 0x0005
	AttrWindowCoveringNumberOfActuationsTilt        uint16 = 0x0006
	AttrWindowCoveringConfigStatus                  uint16 = 0x0007
	AttrWindowCoveringCurrentPositionLiftPercentage uint16 = 0x0008
	AttrWindowCoveringCurrentPositionTiltPercentage uint16 = 0x0009
	AttrWindowCoveringInstalledOpenLimitLift        uint16 = 0x0010
	AttrWindowCoveringInstalledClosedLimitLift      uint16 = 0x0011
	AttrWindowCoveringInstalledOpenLimitTilt        uint16 = 0x0012
	AttrWindowCoveringInstalledClosedLimitTilt      uint16 = 0x0013
	AttrWindowCoveringVelocityLift                  uint16 = 0x0014
	AttrWindowCoveringAccelerationTimeLift          uint16 = 0x0015
	AttrWindowCoveringDecelerationTimeLift          uint16 = 0x0016
	AttrWindowCoveringMode                          uint16 = 0x0017
	AttrWindowCoveringIntermediateSetpointsLift     uint16 = 0x0018
	AttrWindowCoveringIntermediateSetpointsTilt     uint16 = 0x0019

	CmdWindowCoveringUpOpen             uint8 = 0x00
	CmdWindowCoveringDownClose          uint8 = 0x01
	CmdWindowCoveringStop               uint8 = 0x02
	CmdWindowCoveringGoToLiftValue      uint8 = 0x04
	CmdWindowCoveringGoToLiftPercentage uint8 = 0x05
	CmdWindowCoveringGoToTiltValue      uint8 = 0x07
	CmdWindowCoveringGoToTiltPercentage uint8 = 0x08
)

// Barrier Control (ZCL 7.5).
const (
	AttrBarrierControlMovingState        uint16 = 0x0001
	AttrBarrierControlSafetyStatus       uint16 = 0x0002
	AttrBarrierControlCapabilities       uint16 = 0x0003
	AttrBarrierControlOpenEvents         uint16 = 0x0004
	AttrBarrierControlCloseEvents        uint16 = 0x0005
	AttrBarrierControlCommandOpenEvents  uint16 = 0x0006
	AttrBarrierControlCommandCloseEvents uint16 = 0x0007
	AttrBarrierControlOpenPeriod         uint16 = 0x0008
	AttrBarrierControlClosePeriod        uint16 = 0x0009
	AttrBarrierControlBarrierPosition    uint16 = 0x000a

	CmdBarrierControlGoToPercent uint8 = 0x00
	CmdBarrierControlStop        uint8 = 0x01
)

var closuresClusters = []cluster{
	{
		id: ClusterShadeConfiguration, name: "shade_configuration",
		attributes: []attribute{
			{AttrShadeConfigurationPhysicalClosedLimit, Uint16, "physical_closed_limit"},
			{AttrShadeConfigurationMotorStepSize, Uint8, "motor_step_size"},
			{AttrShadeConfigurationStatus, Bitmap8, "status"},
			{AttrShadeConfigurationClosedLimit, Uint16, "closed_limit"},
			{AttrShadeConfigurationMode, Enum8, "mode"},
		},
	},
	{
		id: ClusterDoorLock, name: "door_lock",
		attributes: []attribute{
			{AttrDoorLockLockState, Enum8, "lock_state"},
			{AttrDoorLockLockType, Enum8, "lock_type"},
			{AttrDoorLockActuatorEnabled, Bool, "actuator_enabled"},
			{AttrDoorLockDoorState, Enum8, "door_state"},
			{AttrDoorLockDoorOpenEvents, Uint32, "door_open_events"},
			{AttrDoorLockDoorClosedEvents, Uint32, "door_closed_events"},
			{AttrDoorLockOpenPeriod, Uint16, "open_period"},
			{AttrDoorLockNumberOfLogRecords, Uint16, "number_of_log_records"},
			{AttrDoorLockNumberOfTotalUsers, Uint16, "number_of_total_users"},
			{AttrDoorLockNumberOfPINUsers, Uint16, "number_of_pin_users"},
			{AttrDoorLockNumberOfRFIDUsers, Uint16, "number_of_rfid_users"},
			{AttrDoorLockNumberOfWeekDaySchedulesPerUser, Uint8, "number_of_week_day_schedules_per_user"},
			{AttrDoorLockNumberOfYearDaySchedulesPerUser, Uint8, "number_of_year_day_schedules_per_user"},
			{AttrDoorLockNumberOfHolidaySchedules, Uint8, "number_of_holiday_schedules"},
			{AttrDoorLockMaxPINLength, Uint8, "max_pin_length"},
			{AttrDoorLockMinPINLength, Uint8, "min_pin_length"},
			{AttrDoorLockMaxRFIDLength, Uint8, "max_rfid_length"},
			{AttrDoorLockMinRFIDLength, Uint8, "min_rfid_length"},
			{AttrDoorLockEnableLogging, Bool, "enable_logging"},
			{AttrDoorLockLanguage, CharString, "language"},
			{AttrDoorLockLEDSettings, Uint8, "led_settings"},
			{AttrDoorLockAutoRelockTime, Uint32, "auto_relock_time"},
			{AttrDoorLockSoundVolume, Uint8, "sound_volume"},
			{AttrDoorLockOperatingMode, Enum8, "operating_mode"},
			{AttrDoorLockSupportedOperatingModes, Bitmap16, "supported_operating_modes"},
			{AttrDoorLockDefaultConfigurationRegister, Bitmap16, "default_configuration_register"},
			{AttrDoorLockEnableLocalProgramming, Bool, "enable_local_programming"},
			{AttrDoorLockEnableOneTouchLocking, Bool, "enable_one_touch_locking"},
			{AttrDoorLockEnableInsideStatusLED, Bool, "enable_inside_status_led"},
			{AttrDoorLockEnablePrivacyModeButton, Bool, "enable_privacy_mode_button"},
			{AttrDoorLockWrongCodeEntryLimit, Uint8, "wrong_code_entry_limit"},
			{AttrDoorLockUserCodeTemporaryDisableTime, Uint8, "user_code_temporary_disable_time"},
			{AttrDoorLockSendPINOverTheAir, Bool, "send_pin_over_the_air"},
			{AttrDoorLockRequirePINForRfOperation, Bool, "require_pin_for_rf_operation"},
			{AttrDoorLockSecurityLevel, Enum8, "security_level"},
			{AttrDoorLockAlarmMask, Bitmap16, "alarm_mask"},
			{AttrDoorLockKeypadOperationEventMask, Bitmap16, "keypad_operation_event_mask"},
			{AttrDoorLockRfOperationEventMask, Bitmap16, "rf_operation_event_mask"},
			{AttrDoorLockManualOperationEventMask, Bitmap16, "manual_operation_event_mask"},
			{AttrDoorLockRFIDOperationEventMask, Bitmap16, "rfid_operation_event_mask"},
			{AttrDoorLockKeypadProgrammingEventMask, Bitmap16, "keypad_programming_event_mask"},
			{AttrDoorLockRfProgrammingEventMask, Bitmap16, "rf_programming_event_mask"},
			{AttrDoorLockRFIDProgrammingEventMask, Bitmap16, "rfid_programming_event_mask"},
		},
		received: []command{
			{CmdDoorLockLock, "lock"},
			{CmdDoorLockUnlock, "unlock"},
			{CmdDoorLockToggle, "toggle"},
			{CmdDoorLockUnlockWithTimeout, "unlock_with_timeout"},
			{CmdDoorLockGetLogRecord, "get_log_record"},
			{CmdDoorLockSetPINCode, "set_pin_code"},
			{CmdDoorLockGetPINCode, "get_pin_code"},
			{CmdDoorLockClearPINCode, "clear_pin_code"},
			{CmdDoorLockClearAllPINCodes, "clear_all_pin_codes"},
			{CmdDoorLockSetUserStatus, "set_user_status"},
			{CmdDoorLockGetUserStatus, "get_user_status"},
			{CmdDoorLockSetWeekDaySchedule, "set_week_day_schedule"},
			{CmdDoorLockGetWeekDaySchedule, "get_week_day_schedule"},
			{CmdDoorLockClearWeekDaySchedule, "clear_week_day_schedule"},
			{CmdDoorLockSetYearDaySchedule, "set_year_day_schedule"},
			{CmdDoorLockGetYearDaySchedule, "get_year_day_schedule"},
			{CmdDoorLockClearYearDaySchedule, "clear_year_day_schedule"},
			{CmdDoorLockSetHolidaySchedule, "set_holiday_schedule"},
			{CmdDoorLockGetHolidaySchedule, "get_holiday_schedule"},
			{CmdDoorLockClearHolidaySchedule, "clear_holiday_schedule"},
			{CmdDoorLockSetUserType, "set_user_type"},
			{CmdDoorLockGetUserType, "get_user_type"},
			{CmdDoorLockSetRFIDCode, "set_rfid_code"},
			{CmdDoorLockGetRFIDCode, "get_rfid_code"},
			{CmdDoorLockClearRFIDCode, "clear_rfid_code"},
			{CmdDoorLockClearAllRFIDCodes, "clear_all_rfid_codes"},
		},
		generated: []command{
			{CmdDoorLockLockResponse, "lock_response"},
			{CmdDoorLockUnlockResponse, "unlock_response"},
			{CmdDoorLockToggleResponse, "toggle_response"},
			{CmdDoorLockUnlockWithTimeoutResponse, "unlock_with_timeout_response"},
			{CmdDoorLockGetLogRecordResponse, "get_log_record_response"},
			{CmdDoorLockSetPINCodeResponse, "set_pin_code_response"},
			{CmdDoorLockGetPINCodeResponse, "get_pin_code_response"},
			{CmdDoorLockClearPINCodeResponse, "clear_pin_code_response"},
			{CmdDoorLockClearAllPINCodesResponse, "clear_all_pin_codes_response"},
			{CmdDoorLockSetUserStatusResponse, "set_user_status_response"},
			{CmdDoorLockGetUserStatusResponse, "get_user_status_response"},
			{CmdDoorLockSetWeekDayScheduleResponse, "set_week_day_schedule_response"},
			{CmdDoorLockGetWeekDayScheduleResponse, "get_week_day_schedule_response"},
			{CmdDoorLockClearWeekDayScheduleResponse, "clear_week_day_schedule_response"},
			{CmdDoorLockSetYearDayScheduleResponse, "set_year_day_schedule_response"},
			{CmdDoorLockGetYearDayScheduleResponse, "get_year_day_schedule_response"},
			{CmdDoorLockClearYearDayScheduleResponse, "clear_year_day_schedule_response"},
			{CmdDoorLockSetHolidayScheduleResponse, "set_holiday_schedule_response"},
			{CmdDoorLockGetHolidayScheduleResponse, "get_holiday_schedule_response"},
			{CmdDoorLockClearHolidayScheduleResponse, "clear_holiday_schedule_response"},
			{CmdDoorLockSetUserTypeResponse, "set_user_type_response"},
			{CmdDoorLockGetUserTypeResponse, "get_user_type_response"},
			{CmdDoorLockSetRFIDCodeResponse, "set_rfid_code_response"},
			{CmdDoorLockGetRFIDCodeResponse, "get_rfid_code_response"},
			{CmdDoorLockClearRFIDCodeResponse, "clear_rfid_code_response"},
			{CmdDoorLockClearAllRFIDCodesResponse, "clear_all_rfid_codes_response"},
			{CmdDoorLockOperationEventNotification, "operation_event_notification"},
			{CmdDoorLockProgrammingEventNotification, "programming_event_notification"},
		},
	},
	{
		id: ClusterWindowCovering, name: "window_covering",
		attributes: []attribute{
			{AttrWindowCoveringWindowCoveringType, Enum8, "window_covering_type"},
			{AttrWindowCoveringPhysicalClosedLimitLift, Uint16, "physical_closed_limit_lift"},
			{AttrWindowCoveringPhysicalClosedLimitTilt, Uint16, "physical_closed_limit_tilt"},
			{AttrWindowCoveringCurrentPositionLift, Uint16, "current_position_lift"},
			{AttrWindowCoveringCurrentPositionTilt, Uint16, "current_position_tilt"},
			{AttrWindowCoveringNumberOfActuationsLift, Uint16, "number_of_actuations_lift"},
			{AttrWindowCoveringNumberOfActuationsTilt, Uint16, "number_of_actuations_tilt"},
			{AttrWindowCoveringConfigStatus, Bitmap8, "config_status"},
			{AttrWindowCoveringCurrentPositionLiftPercentage, Uint8, "current_position_lift_percentage"},
			{AttrWindowCoveringCurrentPositionTiltPercentage, Uint8, "current_position_tilt_percentage"},
			{AttrWindowCoveringInstalledOpenLimitLift, Uint16, "installed_open_limit_lift"},
			{AttrWindowCoveringInstalledClosedLimitLift, Uint16, "installed_closed_limit_lift"},
			{AttrWindowCoveringInstalledOpenLimitTilt, Uint16, "installed_open_limit_tilt"},
			{AttrWindowCoveringInstalledClosedLimitTilt, Uint16, "installed_closed_limit_tilt"},
			{AttrWindowCoveringVelocityLift, Uint16, "velocity_lift"},
			{AttrWindowCoveringAccelerationTimeLift, Uint16, "acceleration_time_lift"},
			{AttrWindowCoveringDecelerationTimeLift, Uint16, "deceleration_time_lift"},
			{AttrWindowCoveringMode, Bitmap8, "mode"},
			{AttrWindowCoveringIntermediateSetpointsLift, OctetString, "intermediate_setpoints_lift"},
			{AttrWindowCoveringIntermediateSetpointsTilt, OctetString, "intermediate_setpoints_tilt"},
		},
		received: []command{
			{CmdWindowCoveringUpOpen, "up_open"},
			{CmdWindowCoveringDownClose, "down_close"},
			{CmdWindowCoveringStop, "stop"},
			{CmdWindowCoveringGoToLiftValue, "go_to_lift_value"},
			{CmdWindowCoveringGoToLiftPercentage, "go_to_lift_percentage"},
			{CmdWindowCoveringGoToTiltValue, "go_to_tilt_value"},
			{CmdWindowCoveringGoToTiltPercentage, "go_to_tilt_percentage"},
		},
	},
	{
		id: ClusterBarrierControl, name: "barrier_control",
		attributes: []attribute{
			{AttrBarrierControlMovingState, Enum8, "moving_state"},
			{AttrBarrierControlSafetyStatus, Bitmap16, "safety_status"},
			{AttrBarrierControlCapabilities, Bitmap8, "capabilities"},
			{AttrBarrierControlOpenEvents, Uint16, "open_events"},
			{AttrBarrierControlCloseEvents, Uint16, "close_events"},
			{AttrBarrierControlCommandOpenEvents, Uint16, "command_open_events"},
			{AttrBarrierControlCommandCloseEvents, Uint16, "command_close_events"},
			{AttrBarrierControlOpenPeriod, Uint16, "open_period"},
			{AttrBarrierControlClosePeriod, Uint16, "close_period"},
			{AttrBarrierControlBarrierPosition, Uint8, "barrier_position"},
		},
		received: []command{
			{CmdBarrierControlGoToPercent, "go_to_percent"},
			{CmdBarrierControlStop, "stop"},
		},
	},
}
