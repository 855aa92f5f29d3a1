package zcl

// Clusters of lamps (ZCL 5).
const (
	ClusterColorControl         uint16 = 0x0300
	ClusterBallastConfiguration uint16 = 0x0301
)

// Color Control (ZCL 5.2).
const (
	AttrColorControlCurrentHue                      uint16 = 0x0000
	AttrColorControlCurrentSaturation               uint16 = 0x0001
	AttrColorControlRemainingTime                   uint16 = 0x0002
	AttrColorControlCurrentX                        uint16 = 0x0003
	AttrColorControlCurrentY                        uint16 = 0x0004
	AttrColorControlDriftCompensation               uint16 = 0x0005
	AttrColorControlCompensationText                uint16 = 0x0006
	AttrColorControlColorTemperatureMireds          uint16 = 0x0007
	AttrColorControlColorMode                       uint16 = 0x0008
	AttrColorControlOptions                         uint16 = 0x000f
	AttrColorControlNumberOfPrimaries               uint16 = 0x0010
	AttrColorControlPrimary1X                       uint16 = 0x0011
	AttrColorControlPrimary1Y                       uint16 = 0x0012
	AttrColorControlPrimary1Intensity               uint16 = 0x0013
	AttrColorControlPrimary2X                       uint16 = 0x0015
	AttrColorControlPrimary2Y                       uint16 = 0x0016
	AttrColorControlPrimary2Intensity               uint16 = 0x0017
	AttrColorControlPrimary3X                       uint16 = 0x0019
	AttrColorControlPrimary3Y                       uint16 = 0x001a
	AttrColorControlPrimary3Intensity               uint16 = 0x001b
	AttrColorControlPrimary4X                       uint16 = 0x0020
	AttrColorControlPrimary4Y                       uint16 = 0x0021
	AttrColorControlPrimary4Intensity               uint16 = 0x0022
	AttrColorControlPrimary5X                       uint16 = 0x0024
	AttrColorControlPrimary5Y                       uint16 = 0x0025
	AttrColorControlPrimary5Intensity               uint16 = 0x0026
	AttrColorControlPrimary6X                       uint16 = 0x0028
	AttrColorControlPrimary6Y                       uint16 = 0x0029
	AttrColorControlPrimary6Intensity               uint16 = 0x002a
	AttrColorControlWhitePointX                     uint16 = 0x0030
	AttrColorControlWhitePointY                     uint16 = 0x0031
	AttrColorControlColorPointRX                    uint16 = 0x0032
	AttrColorControlColorPointRY                    uint16 = 0x0033
	AttrColorControlColorPointRIntensity            uint16 = 0x0034
	AttrColorControlColorPointGX                    uint16 = 0x0036
	AttrColorControlColorPointGY                    uint16 = 0x0037
	AttrColorControlColorPointGIntensity            uint16 = 0x0038
	AttrColorControlColorPointBX                    uint16 = 0x003a
	AttrColorControlColorPointBY                    uint16 = 0x003b
	AttrColorControlColorPointBIntensity            uint16 = 0x003c
	AttrColorControlEnhancedCurrentHue              uint16 = 0x4000
	AttrColorControlEnhancedColorMode               uint16 = 0x4001
	AttrColorControlColorLoopActive                 uint16 = 0x4002
	AttrColorControlColorLoopDirection              uint16 = 0x4003
	AttrColorControlColorLoopTime                   uint16 = 0x4004
	AttrColorControlColorLoopStartEnhancedHue       uint16 = 0x4005
	AttrColorControlColorLoopStoredEnhancedHue      uint16 = 0x4006
	AttrColorControlColorCapabilities               uint16 = 0x400a
	AttrColorControlColorTempPhysicalMinMireds      uint16 = 0x400b
	AttrColorControlColorTempPhysicalMaxMireds      uint16 = 0x400c
	AttrColorControlCoupleColorTempToLevelMinMireds uint16 = 0x400d
	AttrColorControlStartUpColorTemperatureMireds   uint16 = 0x4010

	CmdColorControlMoveToHue                      uint8 = 0x00
	CmdColorControlMoveHue                        uint8 = 0x01
	CmdColorControlStepHue                        uint8 = 0x02
	CmdColorControlMoveToSaturation               uint8 = 0x03
	CmdColorControlMoveSaturation                 uint8 = 0x04
	CmdColorControlStepSaturation                 uint8 = 0x05
	CmdColorControlMoveToHueAndSaturation         uint8 = 0x06
	CmdColorControlMoveToColor                    uint8 = 0x07
	CmdColorControlMoveColor                      uint8 = 0x08
	CmdColorControlStepColor                      uint8 = 0x09
	CmdColorControlMoveToColorTemperature         uint8 = 0x0a
	CmdColorControlEnhancedMoveToHue              uint8 = 0x40
	CmdColorControlEnhancedMoveHue                uint8 = 0x41
	CmdColorControlEnhancedStepHue                uint8 = 0x42
	CmdColorControlEnhancedMoveToHueAndSaturation uint8 = 0x43
	CmdColorControlColorLoopSet                   uint8 = 0x44
	CmdColorControlStopMoveStep                   uint8 = 0x47
	CmdColorControlMoveColorTemperature           uint8 = 0x4b
	CmdColorControlStepColorTemperature           uint8 = 0x4c
)

// Ballast Configuration (ZCL 5.3).
const (
	AttrBallastConfigurationPhysicalMinLevel        uint16 = 0x0000
	AttrBallastConfigurationPhysicalMaxLevel        uint16 = 0x0001
	AttrBallastConfigurationBallastStatus           uint16 = 0x0002
	AttrBallastConfigurationMinLevel                uint16 = 0x0010
	AttrBallastConfigurationMaxLevel                uint16 = 0x0011
	AttrBallastConfigurationPowerOnLevel            uint16 = 0x0012
	AttrBallastConfigurationPowerOnFadeTime         uint16 = 0x0013
	AttrBallastConfigurationIntrinsicBallastFactor  uint16 = 0x0014
	AttrBallastConfigurationBallastFactorAdjustment uint16 = 0x0015
	AttrBallastConfigurationLampQuantity            uint16 = 0x0020
	AttrBallastConfigurationLampType                uint16 = 0x0030
	AttrBallastConfigurationLampManufacturer        uint16 = 0x0031
	AttrBallastConfigurationLampRatedHours          uint16 = 0x0032
	AttrBallastConfigurationLampBurnHours           uint16 = 0x0033
	AttrBallastConfigurationLampAlarmMode           uint16 = 0x0034
	AttrBallastConfigurationLampBurnHoursTripPoint  uint16 = 0x0035
)

var lightingClusters = []cluster{
	{
		id: ClusterColorControl, name: "color_control",
		attributes: []attribute{
			{AttrColorControlCurrentHue, Uint8, "current_hue"},
			{AttrColorControlCurrentSaturation, Uint8, "current_saturation"},
			{AttrColorControlRemainingTime, Uint16, "remaining_time"},
			{AttrColorControlCurrentX, Uint16, "current_x"},
			{AttrColorControlCurrentY, Uint16, "current_y"},
			{AttrColorControlDriftCompensation, Enum8, "drift_compensation"},
			{AttrColorControlCompensationText, CharString, "compensation_text"},
			{AttrColorControlColorTemperatureMireds, Uint16, "color_temperature_mireds"},
			{AttrColorControlColorMode, Enum8, "color_mode"},
			{AttrColorControlOptions, Bitmap8, "options"},
			{AttrColorControlNumberOfPrimaries, Uint8, "number_of_primaries"},
			{AttrColorControlPrimary1X, Uint16, "primary1_x"},
			{AttrColorControlPrimary1Y, Uint16, "primary1_y"},
			{AttrColorControlPrimary1Intensity, Uint8, "primary1_intensity"},
			{AttrColorControlPrimary2X, Uint16, "primary2_x"},
			{AttrColorControlPrimary2Y, Uint16, "primary2_y"},
			{AttrColorControlPrimary2Intensity, Uint8, "primary2_intensity"},
			{AttrColorControlPrimary3X, Uint16, "primary3_x"},
			{AttrColorControlPrimary3Y, Uint16, "primary3_y"},
			{AttrColorControlPrimary3Intensity, Uint8, "primary3_intensity"},
			{AttrColorControlPrimary4X, Uint16, "primary4_x"},
			{AttrColorControlPrimary4Y, Uint16, "primary4_y"},
			{AttrColorControlPrimary4Intensity, Uint8, "primary4_intensity"},
			{AttrColorControlPrimary5X, Uint16, "primary5_x"},
			{AttrColorControlPrimary5Y, Uint16, "primary5_y"},
			{AttrColorControlPrimary5Intensity, Uint8, "primary5_intensity"},
			{AttrColorControlPrimary6X, Uint16, "primary6_x"},
			{AttrColorControlPrimary6Y, Uint16, "primary6_y"},
			{AttrColorControlPrimary6Intensity, Uint8, "primary6_intensity"},
			{AttrColorControlWhitePointX, Uint16, "white_point_x"},
			{AttrColorControlWhitePointY, Uint16, "white_point_y"},
			{AttrColorControlColorPointRX, Uint16, "color_point_r_x"},
			{AttrColorControlColorPointRY, Uint16, "color_point_r_y"},
			{AttrColorControlColorPointRIntensity, Uint8, "color_point_r_intensity"},
			{AttrColorControlColorPointGX, Uint16, "color_point_g_x"},
			{AttrColorControlColorPointGY, Uint16, "color_point_g_y"},
			{AttrColorControlColorPointGIntensity, Uint8, "color_point_g_intensity"},
			{AttrColorControlColorPointBX, Uint16, "color_point_b_x"},
			{AttrColorControlColorPointBY, Uint16, "color_point_b_y"},
			{AttrColorControlColorPointBIntensity, Uint8, "color_point_b_intensity"},
			{AttrColorControlEnhancedCurrentHue, Uint16, "enhanced_current_hue"},
			{AttrColorControlEnhancedColorMode, Enum8, "enhanced_color_mode"},
			{AttrColorControlColorLoopActive, Uint8, "color_loop_active"},
			{AttrColorControlColorLoopDirection, Uint8, "color_loop_direction"},
			{AttrColorControlColorLoopTime, Uint16, "color_loop_time"},
			{AttrColorControlColorLoopStartEnhancedHue, Uint16, "color_loop_start_enhanced_hue"},
			{AttrColorControlColorLoopStoredEnhancedHue, Uint16, "color_loop_stored_enhanced_hue"},
			{AttrColorControlColorCapabilities, Bitmap16, "color_capabilities"},
			{AttrColorControlColorTempPhysicalMinMireds, Uint16, "color_temp_physical_min_mireds"},
			{AttrColorControlColorTempPhysicalMaxMireds, Uint16, "color_temp_physical_max_mireds"},
			{AttrColorControlCoupleColorTempToLevelMinMireds, Uint16, "couple_color_temp_to_level_min_mireds"},
			{AttrColorControlStartUpColorTemperatureMireds, Uint16, "start_up_color_temperature_mireds"},
		},
		received: []command{
			{CmdColorControlMoveToHue, "move_to_hue"},
			{CmdColorControlMoveHue, "move_hue"},
			{CmdColorControlStepHue, "step_hue"},
			{CmdColorControlMoveToSaturation, "move_to_saturation"},
			{CmdColorControlMoveSaturation, "move_saturation"},
			{CmdColorControlStepSaturation, "step_saturation"},
			{CmdColorControlMoveToHueAndSaturation, "move_to_hue_and_saturation"},
			{CmdColorControlMoveToColor, "move_to_color"},
			{CmdColorControlMoveColor, "move_color"},
			{CmdColorControlStepColor, "step_color"},
			{CmdColorControlMoveToColorTemperature, "move_to_color_temperature"},
			{CmdColorControlEnhancedMoveToHue, "enhanced_move_to_hue"},
			{CmdColorControlEnhancedMoveHue, "enhanced_move_hue"},
			{CmdColorControlEnhancedStepHue, "enhanced_step_hue"},
			{CmdColorControlEnhancedMoveToHueAndSaturation, "enhanced_move_to_hue_and_saturation"},
			{CmdColorControlColorLoopSet, "color_loop_set"},
			{CmdColorControlStopMoveStep, "stop_move_step"},
			{CmdColorControlMoveColorTemperature, "move_color_temperature"},
			{CmdColorControlStepColorTemperature, "step_color_temperature"},
		},
	},
	{
		id: ClusterBallastConfiguration, name: "ballast_configuration",
		attributes: []attribute{
			{AttrBallastConfigurationPhysicalMinLevel, Uint8, "physical_min_level"},
			{AttrBallastConfigurationPhysicalMaxLevel, Uint8, "physical_max_level"},
			{AttrBallastConfigurationBallastStatus, Bitmap8, "ballast_status"},
			{AttrBallastConfigurationMinLevel, Uint8, "min_level"},
			{AttrBallastConfigurationMaxLevel, Uint8, "max_level"},
			{AttrBallastConfigurationPowerOnLevel, Uint8, "power_on_level"},
			{AttrBallastConfigurationPowerOnFadeTime, Uint16, "power_on_fade_time"},
			{AttrBallastConfigurationIntrinsicBallastFactor, Uint8, "intrinsic_ballast_factor"},
			{AttrBallastConfigurationBallastFactorAdjustment, Uint8, "ballast_factor_adjustment"},
			{AttrBallastConfigurationLampQuantity, Uint8, "lamp_quantity"},
			{AttrBallastConfigurationLampType, CharString, "lamp_type"},
			{AttrBallastConfigurationLampManufacturer, CharString, "lamp_manufacturer"},
			{AttrBallastConfigurationLampRatedHours, Uint24, "lamp_rated_hours"},
			{AttrBallastConfigurationLampBurnHours, Uint24, "lamp_burn_hours"},
			{AttrBallastConfigurationLampAlarmMode, Bitmap8, "lamp_alarm_mode"},
			{AttrBallastConfigurationLampBurnHoursTripPoint, Uint24, "lamp_burn_hours_trip_point"},
		},
	},
}
