package zcl

// Clusters of manufacturers. Others use the same ids for other things: the manufacturer decides.
const (
	ClusterTuyaE000           uint16 = 0xe000
	ClusterTuyaE001           uint16 = 0xe001
	ClusterTuyaE002           uint16 = 0xe002
	ClusterZosungIRControl    uint16 = 0xe004
	ClusterZosungIRTransmit   uint16 = 0xed00
	ClusterTuya               uint16 = 0xef00
	ClusterHue                uint16 = 0xfc00
	ClusterHueEntertainment   uint16 = 0xfc01
	ClusterHueEffects         uint16 = 0xfc03
	ClusterHueContact         uint16 = 0xfc06
	ClusterOsram              uint16 = 0xfc0f
	ClusterSonoff             uint16 = 0xfc11
	ClusterSonoffButton       uint16 = 0xfc12
	ClusterProfalux           uint16 = 0xfc21
	ClusterInovelli           uint16 = 0xfc31
	ClusterLegrandControl     uint16 = 0xfc40
	ClusterLegrand            uint16 = 0xfc41
	ClusterCentraliteHumidity uint16 = 0xfc45
	ClusterWorksWithAllHubs   uint16 = 0xfc57
	ClusterIkeaFC7C           uint16 = 0xfc7c
	ClusterIkeaAirPurifier    uint16 = 0xfc7d
	ClusterIkeaVOCIndex       uint16 = 0xfc7e
	ClusterIkeaButton         uint16 = 0xfc80
	ClusterIkeaMotion         uint16 = 0xfc81
	ClusterAqara              uint16 = 0xfcc0
	ClusterAduro              uint16 = 0xfccc
	ClusterSinope             uint16 = 0xff01
)

// Tuya E000.
const (
	AttrTuyaE000RandomTiming uint16 = 0xd001
	AttrTuyaE000CycleTiming  uint16 = 0xd002
	AttrTuyaE000Inching      uint16 = 0xd003

	CmdTuyaE000SetRandomTiming uint8 = 0xf7
	CmdTuyaE000SetCycleTiming  uint8 = 0xf8
	CmdTuyaE000SetInching      uint8 = 0xfb
)

// Tuya E001.
const (
	AttrTuyaE001PowerOnBehavior uint16 = 0xd010
	AttrTuyaE001SwitchMode      uint16 = 0xd020
	AttrTuyaE001SwitchType      uint16 = 0xd030
)

// Tuya E002.
const (
	AttrTuyaE002AlarmTemperature    uint16 = 0xd006
	AttrTuyaE002AlarmTemperatureMax uint16 = 0xd00a
	AttrTuyaE002AlarmTemperatureMin uint16 = 0xd00b
	AttrTuyaE002AlarmHumidityMax    uint16 = 0xd00d
	AttrTuyaE002AlarmHumidityMin    uint16 = 0xd00e
	AttrTuyaE002AlarmHumidity       uint16 = 0xd00f
)

// Tuya.
const (
	CmdTuyaDataRequest             uint8 = 0x00
	CmdTuyaDataQuery               uint8 = 0x03
	CmdTuyaSendData                uint8 = 0x04
	CmdTuyaMCUVersionRequest       uint8 = 0x10
	CmdTuyaMCUOTANotify            uint8 = 0x12
	CmdTuyaMCUOTABlockDataResponse uint8 = 0x14
	CmdTuyaSetTime                 uint8 = 0x24
	CmdTuyaGatewayConnectionStatus uint8 = 0x25
	CmdTuyaWeather                 uint8 = 0x61

	CmdTuyaDataResponse                   uint8 = 0x01
	CmdTuyaDataReport                     uint8 = 0x02
	CmdTuyaActiveStatusReportAlternative  uint8 = 0x05
	CmdTuyaActiveStatusReport             uint8 = 0x06
	CmdTuyaMCUVersionResponse             uint8 = 0x11
	CmdTuyaMCUOTABlockDataRequest         uint8 = 0x13
	CmdTuyaMCUOTAResult                   uint8 = 0x15
	CmdTuyaTimeRequest                    uint8 = 0x24
	CmdTuyaGatewayConnectionStatusRequest uint8 = 0x25
	CmdTuyaWeatherRequest                 uint8 = 0x60
)

// Hue.
const (
	CmdHueNotification uint8 = 0x00
)

var makerClusters = []cluster{
	{
		id: ClusterTuyaE000, name: "tuya_e000",
		attributes: []attribute{
			{AttrTuyaE000RandomTiming, CharString, "random_timing"},
			{AttrTuyaE000CycleTiming, CharString, "cycle_timing"},
			{AttrTuyaE000Inching, CharString, "inching"},
		},
		received: []command{
			{CmdTuyaE000SetRandomTiming, "set_random_timing"},
			{CmdTuyaE000SetCycleTiming, "set_cycle_timing"},
			{CmdTuyaE000SetInching, "set_inching"},
		},
	},
	{
		id: ClusterTuyaE001, name: "tuya_e001",
		attributes: []attribute{
			{AttrTuyaE001PowerOnBehavior, Enum8, "power_on_behavior"},
			{AttrTuyaE001SwitchMode, Enum8, "switch_mode"},
			{AttrTuyaE001SwitchType, Enum8, "switch_type"},
		},
	},
	{
		id: ClusterTuyaE002, name: "tuya_e002",
		attributes: []attribute{
			{AttrTuyaE002AlarmTemperature, Enum8, "alarm_temperature"},
			{AttrTuyaE002AlarmTemperatureMax, Int16, "alarm_temperature_max"},
			{AttrTuyaE002AlarmTemperatureMin, Int16, "alarm_temperature_min"},
			{AttrTuyaE002AlarmHumidityMax, Int16, "alarm_humidity_max"},
			{AttrTuyaE002AlarmHumidityMin, Int16, "alarm_humidity_min"},
			{AttrTuyaE002AlarmHumidity, Enum8, "alarm_humidity"},
		},
	},
	{id: ClusterZosungIRControl, name: "zosung_ir_control"},
	{id: ClusterZosungIRTransmit, name: "zosung_ir_transmit"},
	{
		id: ClusterTuya, name: "tuya",
		received: []command{
			{CmdTuyaDataRequest, "data_request"},
			{CmdTuyaDataQuery, "data_query"},
			{CmdTuyaSendData, "send_data"},
			{CmdTuyaMCUVersionRequest, "mcu_version_request"},
			{CmdTuyaMCUOTANotify, "mcu_ota_notify"},
			{CmdTuyaMCUOTABlockDataResponse, "mcu_ota_block_data_response"},
			{CmdTuyaSetTime, "set_time"},
			{CmdTuyaGatewayConnectionStatus, "gateway_connection_status"},
			{CmdTuyaWeather, "weather"},
		},
		generated: []command{
			{CmdTuyaDataResponse, "data_response"},
			{CmdTuyaDataReport, "data_report"},
			{CmdTuyaActiveStatusReportAlternative, "active_status_report_alternative"},
			{CmdTuyaActiveStatusReport, "active_status_report"},
			{CmdTuyaMCUVersionResponse, "mcu_version_response"},
			{CmdTuyaMCUOTABlockDataRequest, "mcu_ota_block_data_request"},
			{CmdTuyaMCUOTAResult, "mcu_ota_result"},
			{CmdTuyaTimeRequest, "time_request"},
			{CmdTuyaGatewayConnectionStatusRequest, "gateway_connection_status_request"},
			{CmdTuyaWeatherRequest, "weather_request"},
		},
	},
	{
		id: ClusterHue, name: "hue",
		generated: []command{
			{CmdHueNotification, "notification"},
		},
	},
	{id: ClusterHueEntertainment, name: "hue_entertainment"},
	{id: ClusterHueEffects, name: "hue_effects"},
	{id: ClusterHueContact, name: "hue_contact"},
	{id: ClusterOsram, name: "osram"},
	{id: ClusterSonoff, name: "sonoff"},
	{id: ClusterSonoffButton, name: "sonoff_button"},
	{id: ClusterProfalux, name: "profalux"},
	{id: ClusterInovelli, name: "inovelli"},
	{id: ClusterLegrandControl, name: "legrand_control"},
	{id: ClusterLegrand, name: "legrand"},
	{id: ClusterCentraliteHumidity, name: "centralite_humidity"},
	{id: ClusterWorksWithAllHubs, name: "works_with_all_hubs"},
	{id: ClusterIkeaFC7C, name: "ikea_fc7c"},
	{id: ClusterIkeaAirPurifier, name: "ikea_air_purifier"},
	{id: ClusterIkeaVOCIndex, name: "ikea_voc_index"},
	{id: ClusterIkeaButton, name: "ikea_button"},
	{id: ClusterIkeaMotion, name: "ikea_motion"},
	{id: ClusterAqara, name: "aqara"},
	{id: ClusterAduro, name: "aduro"},
	{id: ClusterSinope, name: "sinope"},
}
