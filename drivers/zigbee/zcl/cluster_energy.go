package zcl

// Clusters of meters and tariffs (Smart Energy 07-5356).
const (
	ClusterPrice            uint16 = 0x0700
	ClusterDemandResponse   uint16 = 0x0701
	ClusterMetering         uint16 = 0x0702
	ClusterMessaging        uint16 = 0x0703
	ClusterTunneling        uint16 = 0x0704
	ClusterPrepayment       uint16 = 0x0705
	ClusterCalendar         uint16 = 0x0707
	ClusterDeviceManagement uint16 = 0x0708
	ClusterEvents           uint16 = 0x0709
	ClusterKeyEstablishment uint16 = 0x0800
)

// Price (ZCL 10.2).
const (
	AttrPriceTier1PriceLabel     uint16 = 0x0000
	AttrPriceTier2PriceLabel     uint16 = 0x0001
	AttrPriceTier3PriceLabel     uint16 = 0x0002
	AttrPriceTier4PriceLabel     uint16 = 0x0003
	AttrPriceTier5PriceLabel     uint16 = 0x0004
	AttrPriceTier6PriceLabel     uint16 = 0x0005
	AttrPriceTariffUnitOfMeasure uint16 = 0x0615
	AttrPriceCurrency            uint16 = 0x0616
	AttrPricePriceTrailingDigit  uint16 = 0x0617

	CmdPriceGetCurrent      uint8 = 0x00
	CmdPriceGetScheduled    uint8 = 0x01
	CmdPriceAcknowledgement uint8 = 0x02
	CmdPriceGetBlockPeriods uint8 = 0x03

	CmdPricePublish            uint8 = 0x00
	CmdPricePublishBlockPeriod uint8 = 0x01
)

// Metering (ZCL 10.4).
const (
	AttrMeteringCurrentSummationDelivered                       uint16 = 0x0000
	AttrMeteringCurrentSummationReceived                        uint16 = 0x0001
	AttrMeteringCurrentMaxDemandDelivered                       uint16 = 0x0002
	AttrMeteringCurrentMaxDemandReceived                        uint16 = 0x0003
	AttrMeteringDFTSummation                                    uint16 = 0x0004
	AttrMeteringDailyFreezeTime                                 uint16 = 0x0005
	AttrMeteringPowerFactor                                     uint16 = 0x0006
	AttrMeteringReadingSnapshotTime                             uint16 = 0x0007
	AttrMeteringCurrentMaxDemandDeliveredTime                   uint16 = 0x0008
	AttrMeteringCurrentMaxDemandReceivedTime                    uint16 = 0x0009
	AttrMeteringDefaultUpdatePeriod                             uint16 = 0x000a
	AttrMeteringFastPollUpdatePeriod                            uint16 = 0x000b
	AttrMeteringCurrentBlockPeriodConsumptionDelivered          uint16 = 0x000c
	AttrMeteringDailyConsumptionTarget                          uint16 = 0x000d
	AttrMeteringCurrentBlock                                    uint16 = 0x000e
	AttrMeteringProfileIntervalPeriod                           uint16 = 0x000f
	AttrMeteringPresetReadingTime                               uint16 = 0x0011
	AttrMeteringVolumePerReport                                 uint16 = 0x0012
	AttrMeteringFlowRestriction                                 uint16 = 0x0013
	AttrMeteringSupplyStatus                                    uint16 = 0x0014
	AttrMeteringCurrentInletEnergyCarrierSummation              uint16 = 0x0015
	AttrMeteringCurrentOutletEnergyCarrierSummation             uint16 = 0x0016
	AttrMeteringInletTemperature                                uint16 = 0x0017
	AttrMeteringOutletTemperature                               uint16 = 0x0018
	AttrMeteringControlTemperature                              uint16 = 0x0019
	AttrMeteringCurrentInletEnergyCarrierDemand                 uint16 = 0x001a
	AttrMeteringCurrentOutletEnergyCarrierDemand                uint16 = 0x001b
	AttrMeteringPreviousBlockPeriodConsumptionReceived          uint16 = 0x001c
	AttrMeteringCurrentBlockPeriodConsumptionReceived           uint16 = 0x001d
	AttrMeteringCurrentBlockReceived                            uint16 = 0x001e
	AttrMeteringDFTSummationReceived                            uint16 = 0x001f
	AttrMeteringActiveRegisterTierDelivered                     uint16 = 0x0020
	AttrMeteringActiveRegisterTierReceived                      uint16 = 0x0021
	AttrMeteringLastBlockSwitchTime                             uint16 = 0x0022
	AttrMeteringCurrentTier1SummationDelivered                  uint16 = 0x0100
	AttrMeteringCurrentTier1SummationReceived                   uint16 = 0x0101
	AttrMeteringCurrentTier2SummationDelivered                  uint16 = 0x0102
	AttrMeteringCurrentTier2SummationReceived                   uint16 = 0x0103
	AttrMeteringCurrentTier3SummationDelivered                  uint16 = 0x0104
	AttrMeteringCurrentTier3SummationReceived                   uint16 = 0x0105
	AttrMeteringCurrentTier4SummationDelivered                  uint16 = 0x0106
	AttrMeteringCurrentTier4SummationReceived                   uint16 = 0x0107
	AttrMeteringCurrentTier5SummationDelivered                  uint16 = 0x0108
	AttrMeteringCurrentTier5SummationReceived                   uint16 = 0x0109
	AttrMeteringCurrentTier6SummationDelivered                  uint16 = 0x010a
	AttrMeteringCurrentTier6SummationReceived                   uint16 = 0x010b
	AttrMeteringStatus                                          uint16 = 0x0200
	AttrMeteringRemainingBatteryLife                            uint16 = 0x0201
	AttrMeteringHoursInOperation                                uint16 = 0x0202
	AttrMeteringHoursInFault                                    uint16 = 0x0203
	AttrMeteringExtendedStatus                                  uint16 = 0x0204
	AttrMeteringRemainingBatteryLifeInDays                      uint16 = 0x0205
	AttrMeteringCurrentMeterID                                  uint16 = 0x0206
	AttrMeteringAmbientConsumptionIndicator                     uint16 = 0x0207
	AttrMeteringUnitOfMeasure                                   uint16 = 0x0300
	AttrMeteringMultiplier                                      uint16 = 0x0301
	AttrMeteringDivisor                                         uint16 = 0x0302
	AttrMeteringSummationFormatting                             uint16 = 0x0303
	AttrMeteringDemandFormatting                                uint16 = 0x0304
	AttrMeteringHistoricalConsumptionFormatting                 uint16 = 0x0305
	AttrMeteringMeteringDeviceType                              uint16 = 0x0306
	AttrMeteringSiteID                                          uint16 = 0x0307
	AttrMeteringMeterSerialNumber                               uint16 = 0x0308
	AttrMeteringEnergyCarrierUnitOfMeasure                      uint16 = 0x0309
	AttrMeteringEnergyCarrierSummationFormatting                uint16 = 0x030a
	AttrMeteringEnergyCarrierDemandFormatting                   uint16 = 0x030b
	AttrMeteringTemperatureUnitOfMeasure                        uint16 = 0x030c
	AttrMeteringTemperatureFormatting                           uint16 = 0x030d
	AttrMeteringModuleSerialNumber                              uint16 = 0x030e
	AttrMeteringOperatingTariffLabelDelivered                   uint16 = 0x030f
	AttrMeteringOperatingTariffLabelReceived                    uint16 = 0x0310
	AttrMeteringCustomerIDNumber                                uint16 = 0x0311
	AttrMeteringAlternativeUnitOfMeasure                        uint16 = 0x0312
	AttrMeteringAlternativeDemandFormatting                     uint16 = 0x0313
	AttrMeteringAlternativeConsumptionFormatting                uint16 = 0x0314
	AttrMeteringInstantaneousDemand                             uint16 = 0x0400
	AttrMeteringCurrentDayConsumptionDelivered                  uint16 = 0x0401
	AttrMeteringCurrentDayConsumptionReceived                   uint16 = 0x0402
	AttrMeteringPreviousDayConsumptionDelivered                 uint16 = 0x0403
	AttrMeteringPreviousDayConsumptionReceived                  uint16 = 0x0404
	AttrMeteringCurrentPartialProfileIntervalStartTimeDelivered uint16 = 0x0405
	AttrMeteringCurrentPartialProfileIntervalStartTimeReceived  uint16 = 0x0406
	AttrMeteringCurrentPartialProfileIntervalValueDelivered     uint16 = 0x0407
	AttrMeteringCurrentPartialProfileIntervalValueReceived      uint16 = 0x0408
	AttrMeteringCurrentDemandDelivered                          uint16 = 0x0600
	AttrMeteringDemandLimit                                     uint16 = 0x0601
	AttrMeteringDemandIntegrationPeriod                         uint16 = 0x0602
	AttrMeteringNumberOfDemandSubintervals                      uint16 = 0x0603
	AttrMeteringGenericAlarmMask                                uint16 = 0x0800
	AttrMeteringElectricityAlarmMask                            uint16 = 0x0801

	CmdMeteringGetProfile          uint8 = 0x00
	CmdMeteringRequestFastPollMode uint8 = 0x03

	CmdMeteringGetProfileResponse          uint8 = 0x00
	CmdMeteringRequestFastPollModeResponse uint8 = 0x03
)

var energyClusters = []cluster{
	{
		id: ClusterPrice, name: "price",
		attributes: []attribute{
			{AttrPriceTier1PriceLabel, OctetString, "tier1_price_label"},
			{AttrPriceTier2PriceLabel, OctetString, "tier2_price_label"},
			{AttrPriceTier3PriceLabel, OctetString, "tier3_price_label"},
			{AttrPriceTier4PriceLabel, OctetString, "tier4_price_label"},
			{AttrPriceTier5PriceLabel, OctetString, "tier5_price_label"},
			{AttrPriceTier6PriceLabel, OctetString, "tier6_price_label"},
			{AttrPriceTariffUnitOfMeasure, Enum8, "tariff_unit_of_measure"},
			{AttrPriceCurrency, Uint16, "currency"},
			{AttrPricePriceTrailingDigit, Bitmap8, "price_trailing_digit"},
		},
		received: []command{
			{CmdPriceGetCurrent, "get_current"},
			{CmdPriceGetScheduled, "get_scheduled"},
			{CmdPriceAcknowledgement, "acknowledgement"},
			{CmdPriceGetBlockPeriods, "get_block_periods"},
		},
		generated: []command{
			{CmdPricePublish, "publish"},
			{CmdPricePublishBlockPeriod, "publish_block_period"},
		},
	},
	{id: ClusterDemandResponse, name: "demand_response"},
	{
		id: ClusterMetering, name: "metering",
		attributes: []attribute{
			{AttrMeteringCurrentSummationDelivered, Uint48, "current_summation_delivered"},
			{AttrMeteringCurrentSummationReceived, Uint48, "current_summation_received"},
			{AttrMeteringCurrentMaxDemandDelivered, Uint48, "current_max_demand_delivered"},
			{AttrMeteringCurrentMaxDemandReceived, Uint48, "current_max_demand_received"},
			{AttrMeteringDFTSummation, Uint48, "dft_summation"},
			{AttrMeteringDailyFreezeTime, Uint16, "daily_freeze_time"},
			{AttrMeteringPowerFactor, Int8, "power_factor"},
			{AttrMeteringReadingSnapshotTime, UTCTime, "reading_snapshot_time"},
			{AttrMeteringCurrentMaxDemandDeliveredTime, UTCTime, "current_max_demand_delivered_time"},
			{AttrMeteringCurrentMaxDemandReceivedTime, UTCTime, "current_max_demand_received_time"},
			{AttrMeteringDefaultUpdatePeriod, Uint8, "default_update_period"},
			{AttrMeteringFastPollUpdatePeriod, Uint8, "fast_poll_update_period"},
			{AttrMeteringCurrentBlockPeriodConsumptionDelivered, Uint48, "current_block_period_consumption_delivered"},
			{AttrMeteringDailyConsumptionTarget, Uint24, "daily_consumption_target"},
			{AttrMeteringCurrentBlock, Enum8, "current_block"},
			{AttrMeteringProfileIntervalPeriod, Enum8, "profile_interval_period"},
			{AttrMeteringPresetReadingTime, Uint16, "preset_reading_time"},
			{AttrMeteringVolumePerReport, Uint16, "volume_per_report"},
			{AttrMeteringFlowRestriction, Uint8, "flow_restriction"},
			{AttrMeteringSupplyStatus, Enum8, "supply_status"},
			{AttrMeteringCurrentInletEnergyCarrierSummation, Uint48, "current_inlet_energy_carrier_summation"},
			{AttrMeteringCurrentOutletEnergyCarrierSummation, Uint48, "current_outlet_energy_carrier_summation"},
			{AttrMeteringInletTemperature, Int24, "inlet_temperature"},
			{AttrMeteringOutletTemperature, Int24, "outlet_temperature"},
			{AttrMeteringControlTemperature, Int24, "control_temperature"},
			{AttrMeteringCurrentInletEnergyCarrierDemand, Int24, "current_inlet_energy_carrier_demand"},
			{AttrMeteringCurrentOutletEnergyCarrierDemand, Int24, "current_outlet_energy_carrier_demand"},
			{AttrMeteringPreviousBlockPeriodConsumptionReceived, Uint48, "previous_block_period_consumption_received"},
			{AttrMeteringCurrentBlockPeriodConsumptionReceived, Uint48, "current_block_period_consumption_received"},
			{AttrMeteringCurrentBlockReceived, Enum8, "current_block_received"},
			{AttrMeteringDFTSummationReceived, Uint48, "dft_summation_received"},
			{AttrMeteringActiveRegisterTierDelivered, Enum8, "active_register_tier_delivered"},
			{AttrMeteringActiveRegisterTierReceived, Enum8, "active_register_tier_received"},
			{AttrMeteringLastBlockSwitchTime, UTCTime, "last_block_switch_time"},
			{AttrMeteringCurrentTier1SummationDelivered, Uint48, "current_tier1_summation_delivered"},
			{AttrMeteringCurrentTier1SummationReceived, Uint48, "current_tier1_summation_received"},
			{AttrMeteringCurrentTier2SummationDelivered, Uint48, "current_tier2_summation_delivered"},
			{AttrMeteringCurrentTier2SummationReceived, Uint48, "current_tier2_summation_received"},
			{AttrMeteringCurrentTier3SummationDelivered, Uint48, "current_tier3_summation_delivered"},
			{AttrMeteringCurrentTier3SummationReceived, Uint48, "current_tier3_summation_received"},
			{AttrMeteringCurrentTier4SummationDelivered, Uint48, "current_tier4_summation_delivered"},
			{AttrMeteringCurrentTier4SummationReceived, Uint48, "current_tier4_summation_received"},
			{AttrMeteringCurrentTier5SummationDelivered, Uint48, "current_tier5_summation_delivered"},
			{AttrMeteringCurrentTier5SummationReceived, Uint48, "current_tier5_summation_received"},
			{AttrMeteringCurrentTier6SummationDelivered, Uint48, "current_tier6_summation_delivered"},
			{AttrMeteringCurrentTier6SummationReceived, Uint48, "current_tier6_summation_received"},
			{AttrMeteringStatus, Bitmap8, "status"},
			{AttrMeteringRemainingBatteryLife, Uint8, "remaining_battery_life"},
			{AttrMeteringHoursInOperation, Uint24, "hours_in_operation"},
			{AttrMeteringHoursInFault, Uint24, "hours_in_fault"},
			{AttrMeteringExtendedStatus, Bitmap64, "extended_status"},
			{AttrMeteringRemainingBatteryLifeInDays, Uint16, "remaining_battery_life_in_days"},
			{AttrMeteringCurrentMeterID, OctetString, "current_meter_id"},
			{AttrMeteringAmbientConsumptionIndicator, Enum8, "ambient_consumption_indicator"},
			{AttrMeteringUnitOfMeasure, Enum8, "unit_of_measure"},
			{AttrMeteringMultiplier, Uint24, "multiplier"},
			{AttrMeteringDivisor, Uint24, "divisor"},
			{AttrMeteringSummationFormatting, Bitmap8, "summation_formatting"},
			{AttrMeteringDemandFormatting, Bitmap8, "demand_formatting"},
			{AttrMeteringHistoricalConsumptionFormatting, Bitmap8, "historical_consumption_formatting"},
			{AttrMeteringMeteringDeviceType, Bitmap8, "metering_device_type"},
			{AttrMeteringSiteID, OctetString, "site_id"},
			{AttrMeteringMeterSerialNumber, OctetString, "meter_serial_number"},
			{AttrMeteringEnergyCarrierUnitOfMeasure, Enum8, "energy_carrier_unit_of_measure"},
			{AttrMeteringEnergyCarrierSummationFormatting, Bitmap8, "energy_carrier_summation_formatting"},
			{AttrMeteringEnergyCarrierDemandFormatting, Bitmap8, "energy_carrier_demand_formatting"},
			{AttrMeteringTemperatureUnitOfMeasure, Enum8, "temperature_unit_of_measure"},
			{AttrMeteringTemperatureFormatting, Bitmap8, "temperature_formatting"},
			{AttrMeteringModuleSerialNumber, OctetString, "module_serial_number"},
			{AttrMeteringOperatingTariffLabelDelivered, OctetString, "operating_tariff_label_delivered"},
			{AttrMeteringOperatingTariffLabelReceived, OctetString, "operating_tariff_label_received"},
			{AttrMeteringCustomerIDNumber, OctetString, "customer_id_number"},
			{AttrMeteringAlternativeUnitOfMeasure, Enum8, "alternative_unit_of_measure"},
			{AttrMeteringAlternativeDemandFormatting, Bitmap8, "alternative_demand_formatting"},
			{AttrMeteringAlternativeConsumptionFormatting, Bitmap8, "alternative_consumption_formatting"},
			{AttrMeteringInstantaneousDemand, Int24, "instantaneous_demand"},
			{AttrMeteringCurrentDayConsumptionDelivered, Uint24, "current_day_consumption_delivered"},
			{AttrMeteringCurrentDayConsumptionReceived, Uint24, "current_day_consumption_received"},
			{AttrMeteringPreviousDayConsumptionDelivered, Uint24, "previous_day_consumption_delivered"},
			{AttrMeteringPreviousDayConsumptionReceived, Uint24, "previous_day_consumption_received"},
			{AttrMeteringCurrentPartialProfileIntervalStartTimeDelivered, UTCTime, "current_partial_profile_interval_start_time_delivered"},
			{AttrMeteringCurrentPartialProfileIntervalStartTimeReceived, UTCTime, "current_partial_profile_interval_start_time_received"},
			{AttrMeteringCurrentPartialProfileIntervalValueDelivered, Uint24, "current_partial_profile_interval_value_delivered"},
			{AttrMeteringCurrentPartialProfileIntervalValueReceived, Uint24, "current_partial_profile_interval_value_received"},
			{AttrMeteringCurrentDemandDelivered, Uint24, "current_demand_delivered"},
			{AttrMeteringDemandLimit, Uint24, "demand_limit"},
			{AttrMeteringDemandIntegrationPeriod, Uint8, "demand_integration_period"},
			{AttrMeteringNumberOfDemandSubintervals, Uint8, "number_of_demand_subintervals"},
			{AttrMeteringGenericAlarmMask, Bitmap16, "generic_alarm_mask"},
			{AttrMeteringElectricityAlarmMask, Bitmap32, "electricity_alarm_mask"},
		},
		received: []command{
			{CmdMeteringGetProfile, "get_profile"},
			{CmdMeteringRequestFastPollMode, "request_fast_poll_mode"},
		},
		generated: []command{
			{CmdMeteringGetProfileResponse, "get_profile_response"},
			{CmdMeteringRequestFastPollModeResponse, "request_fast_poll_mode_response"},
		},
	},
	{id: ClusterMessaging, name: "messaging"},
	{id: ClusterTunneling, name: "tunneling"},
	{id: ClusterPrepayment, name: "prepayment"},
	{id: ClusterCalendar, name: "calendar"},
	{id: ClusterDeviceManagement, name: "device_management"},
	{id: ClusterEvents, name: "events"},
	{id: ClusterKeyEstablishment, name: "key_establishment"},
}
