package zcl

// Clusters of appliances and electrical measurement (ZCL 4.9).
const (
	ClusterApplianceIdentification uint16 = 0x0b00
	ClusterMeterIdentification     uint16 = 0x0b01
	ClusterApplianceEvents         uint16 = 0x0b02
	ClusterApplianceStatistics     uint16 = 0x0b03
	ClusterElectricalMeasurement   uint16 = 0x0b04
)

// Meter Identification.
const (
	AttrMeterIdentificationCompanyName      uint16 = 0x0000
	AttrMeterIdentificationMeterTypeID      uint16 = 0x0001
	AttrMeterIdentificationDataQualityID    uint16 = 0x0004
	AttrMeterIdentificationCustomerName     uint16 = 0x0005
	AttrMeterIdentificationModel            uint16 = 0x0006
	AttrMeterIdentificationPartNumber       uint16 = 0x0007
	AttrMeterIdentificationProductRevision  uint16 = 0x0008
	AttrMeterIdentificationSoftwareRevision uint16 = 0x000a
	AttrMeterIdentificationUtilityName      uint16 = 0x000b
	AttrMeterIdentificationPod              uint16 = 0x000c
	AttrMeterIdentificationAvailablePower   uint16 = 0x000d
	AttrMeterIdentificationPowerThreshold   uint16 = 0x000e
)

// Electrical Measurement (ZCL 4.9).
const (
	AttrElectricalMeasurementMeasurementType                    uint16 = 0x0000
	AttrElectricalMeasurementDCVoltage                          uint16 = 0x0100
	AttrElectricalMeasurementDCVoltageMin                       uint16 = 0x0101
	AttrElectricalMeasurementDCVoltageMax                       uint16 = 0x0102
	AttrElectricalMeasurementDCCurrent                          uint16 = 0x0103
	AttrElectricalMeasurementDCCurrentMin                       uint16 = 0x0104
	AttrElectricalMeasurementDCCurrentMax                       uint16 = 0x0105
	AttrElectricalMeasurementDCPower                            uint16 = 0x0106
	AttrElectricalMeasurementDCPowerMin                         uint16 = 0x0107
	AttrElectricalMeasurementDCPowerMax                         uint16 = 0x0108
	AttrElectricalMeasurementDCVoltageMultiplier                uint16 = 0x0200
	AttrElectricalMeasurementDCVoltageDivisor                   uint16 = 0x0201
	AttrElectricalMeasurementDCCurrentMultiplier                uint16 = 0x0202
	AttrElectricalMeasurementDCCurrentDivisor                   uint16 = 0x0203
	AttrElectricalMeasurementDCPowerMultiplier                  uint16 = 0x0204
	AttrElectricalMeasurementDCPowerDivisor                     uint16 = 0x0205
	AttrElectricalMeasurementACFrequency                        uint16 = 0x0300
	AttrElectricalMeasurementACFrequencyMin                     uint16 = 0x0301
	AttrElectricalMeasurementACFrequencyMax                     uint16 = 0x0302
	AttrElectricalMeasurementNeutralCurrent                     uint16 = 0x0303
	AttrElectricalMeasurementTotalActivePower                   uint16 = 0x0304
	AttrElectricalMeasurementTotalReactivePower                 uint16 = 0x0305
	AttrElectricalMeasurementTotalApparentPower                 uint16 = 0x0306
	AttrElectricalMeasurementACFrequencyMultiplier              uint16 = 0x0400
	AttrElectricalMeasurementACFrequencyDivisor                 uint16 = 0x0401
	AttrElectricalMeasurementPowerMultiplier                    uint16 = 0x0402
	AttrElectricalMeasurementPowerDivisor                       uint16 = 0x0403
	AttrElectricalMeasurementHarmonicCurrentMultiplier          uint16 = 0x0404
	AttrElectricalMeasurementPhaseHarmonicCurrentMultiplier     uint16 = 0x0405
	AttrElectricalMeasurementLineCurrent                        uint16 = 0x0501
	AttrElectricalMeasurementActiveCurrent                      uint16 = 0x0502
	AttrElectricalMeasurementReactiveCurrent                    uint16 = 0x0503
	AttrElectricalMeasurementRMSVoltage                         uint16 = 0x0505
	AttrElectricalMeasurementRMSVoltageMin                      uint16 = 0x0506
	AttrElectricalMeasurementRMSVoltageMax                      uint16 = 0x0507
	AttrElectricalMeasurementRMSCurrent                         uint16 = 0x0508
	AttrElectricalMeasurementRMSCurrentMin                      uint16 = 0x0509
	AttrElectricalMeasurementRMSCurrentMax                      uint16 = 0x050a
	AttrElectricalMeasurementActivePower                        uint16 = 0x050b
	AttrElectricalMeasurementActivePowerMin                     uint16 = 0x050c
	AttrElectricalMeasurementActivePowerMax                     uint16 = 0x050d
	AttrElectricalMeasurementReactivePower                      uint16 = 0x050e
	AttrElectricalMeasurementApparentPower                      uint16 = 0x050f
	AttrElectricalMeasurementPowerFactor                        uint16 = 0x0510
	AttrElectricalMeasurementAverageRMSVoltageMeasurementPeriod uint16 = 0x0511
	AttrElectricalMeasurementAverageRMSOverVoltageCounter       uint16 = 0x0512
	AttrElectricalMeasurementAverageRMSUnderVoltageCounter      uint16 = 0x0513
	AttrElectricalMeasurementRMSExtremeOverVoltagePeriod        uint16 = 0x0514
	AttrElectricalMeasurementRMSExtremeUnderVoltagePeriod       uint16 = 0x0515
	AttrElectricalMeasurementRMSVoltageSagPeriod                uint16 = 0x0516
	AttrElectricalMeasurementRMSVoltageSwellPeriod              uint16 = 0x0517
	AttrElectricalMeasurementACVoltageMultiplier                uint16 = 0x0600
	AttrElectricalMeasurementACVoltageDivisor                   uint16 = 0x0601
	AttrElectricalMeasurementACCurrentMultiplier                uint16 = 0x0602
	AttrElectricalMeasurementACCurrentDivisor                   uint16 = 0x0603
	AttrElectricalMeasurementACPowerMultiplier                  uint16 = 0x0604
	AttrElectricalMeasurementACPowerDivisor                     uint16 = 0x0605
	AttrElectricalMeasurementDCOverloadAlarmsMask               uint16 = 0x0700
	AttrElectricalMeasurementDCVoltageOverload                  uint16 = 0x0701
	AttrElectricalMeasurementDCCurrentOverload                  uint16 = 0x0702
	AttrElectricalMeasurementACAlarmsMask                       uint16 = 0x0800
	AttrElectricalMeasurementACVoltageOverload                  uint16 = 0x0801
	AttrElectricalMeasurementACCurrentOverload                  uint16 = 0x0802
	AttrElectricalMeasurementACActivePowerOverload              uint16 = 0x0803
	AttrElectricalMeasurementACReactivePowerOverload            uint16 = 0x0804
	AttrElectricalMeasurementAverageRMSOverVoltage              uint16 = 0x0805
	AttrElectricalMeasurementAverageRMSUnderVoltage             uint16 = 0x0806
	AttrElectricalMeasurementRMSExtremeOverVoltage              uint16 = 0x0807
	AttrElectricalMeasurementRMSExtremeUnderVoltage             uint16 = 0x0808
	AttrElectricalMeasurementRMSVoltageSag                      uint16 = 0x0809
	AttrElectricalMeasurementRMSVoltageSwell                    uint16 = 0x080a
	AttrElectricalMeasurementLineCurrentPhaseB                  uint16 = 0x0901
	AttrElectricalMeasurementActiveCurrentPhaseB                uint16 = 0x0902
	AttrElectricalMeasurementReactiveCurrentPhaseB              uint16 = 0x0903
	AttrElectricalMeasurementRMSVoltagePhaseB                   uint16 = 0x0905
	AttrElectricalMeasurementRMSVoltageMinPhaseB                uint16 = 0x0906
	AttrElectricalMeasurementRMSVoltageMaxPhaseB                uint16 = 0x0907
	AttrElectricalMeasurementRMSCurrentPhaseB                   uint16 = 0x0908
	AttrElectricalMeasurementRMSCurrentMinPhaseB                uint16 = 0x0909
	AttrElectricalMeasurementRMSCurrentMaxPhaseB                uint16 = 0x090a
	AttrElectricalMeasurementActivePowerPhaseB                  uint16 = 0x090b
	AttrElectricalMeasurementActivePowerMinPhaseB               uint16 = 0x090c
	AttrElectricalMeasurementActivePowerMaxPhaseB               uint16 = 0x090d
	AttrElectricalMeasurementReactivePowerPhaseB                uint16 = 0x090e
	AttrElectricalMeasurementApparentPowerPhaseB                uint16 = 0x090f
	AttrElectricalMeasurementPowerFactorPhaseB                  uint16 = 0x0910
	AttrElectricalMeasurementLineCurrentPhaseC                  uint16 = 0x0a01
	AttrElectricalMeasurementActiveCurrentPhaseC                uint16 = 0x0a02
	AttrElectricalMeasurementReactiveCurrentPhaseC              uint16 = 0x0a03
	AttrElectricalMeasurementRMSVoltagePhaseC                   uint16 = 0x0a05
	AttrElectricalMeasurementRMSVoltageMinPhaseC                uint16 = 0x0a06
	AttrElectricalMeasurementRMSVoltageMaxPhaseC                uint16 = 0x0a07
	AttrElectricalMeasurementRMSCurrentPhaseC                   uint16 = 0x0a08
	AttrElectricalMeasurementRMSCurrentMinPhaseC                uint16 = 0x0a09
	AttrElectricalMeasurementRMSCurrentMaxPhaseC                uint16 = 0x0a0a
	AttrElectricalMeasurementActivePowerPhaseC                  uint16 = 0x0a0b
	AttrElectricalMeasurementActivePowerMinPhaseC               uint16 = 0x0a0c
	AttrElectricalMeasurementActivePowerMaxPhaseC               uint16 = 0x0a0d
	AttrElectricalMeasurementReactivePowerPhaseC                uint16 = 0x0a0e
	AttrElectricalMeasurementApparentPowerPhaseC                uint16 = 0x0a0f
	AttrElectricalMeasurementPowerFactorPhaseC                  uint16 = 0x0a10

	CmdElectricalMeasurementGetProfileInfo        uint8 = 0x00
	CmdElectricalMeasurementGetMeasurementProfile uint8 = 0x01

	CmdElectricalMeasurementGetProfileInfoResponse        uint8 = 0x00
	CmdElectricalMeasurementGetMeasurementProfileResponse uint8 = 0x01
)

var electricalClusters = []cluster{
	{id: ClusterApplianceIdentification, name: "appliance_identification"},
	{
		id: ClusterMeterIdentification, name: "meter_identification",
		attributes: []attribute{
			{AttrMeterIdentificationCompanyName, CharString, "company_name"},
			{AttrMeterIdentificationMeterTypeID, Uint16, "meter_type_id"},
			{AttrMeterIdentificationDataQualityID, Uint16, "data_quality_id"},
			{AttrMeterIdentificationCustomerName, CharString, "customer_name"},
			{AttrMeterIdentificationModel, OctetString, "model"},
			{AttrMeterIdentificationPartNumber, OctetString, "part_number"},
			{AttrMeterIdentificationProductRevision, OctetString, "product_revision"},
			{AttrMeterIdentificationSoftwareRevision, OctetString, "software_revision"},
			{AttrMeterIdentificationUtilityName, CharString, "utility_name"},
			{AttrMeterIdentificationPod, CharString, "pod"},
			{AttrMeterIdentificationAvailablePower, Int24, "available_power"},
			{AttrMeterIdentificationPowerThreshold, Int24, "power_threshold"},
		},
	},
	{id: ClusterApplianceEvents, name: "appliance_events"},
	{id: ClusterApplianceStatistics, name: "appliance_statistics"},
	{
		id: ClusterElectricalMeasurement, name: "electrical_measurement",
		attributes: []attribute{
			{AttrElectricalMeasurementMeasurementType, Bitmap32, "measurement_type"},
			{AttrElectricalMeasurementDCVoltage, Int16, "dc_voltage"},
			{AttrElectricalMeasurementDCVoltageMin, Int16, "dc_voltage_min"},
			{AttrElectricalMeasurementDCVoltageMax, Int16, "dc_voltage_max"},
			{AttrElectricalMeasurementDCCurrent, Int16, "dc_current"},
			{AttrElectricalMeasurementDCCurrentMin, Int16, "dc_current_min"},
			{AttrElectricalMeasurementDCCurrentMax, Int16, "dc_current_max"},
			{AttrElectricalMeasurementDCPower, Int16, "dc_power"},
			{AttrElectricalMeasurementDCPowerMin, Int16, "dc_power_min"},
			{AttrElectricalMeasurementDCPowerMax, Int16, "dc_power_max"},
			{AttrElectricalMeasurementDCVoltageMultiplier, Uint16, "dc_voltage_multiplier"},
			{AttrElectricalMeasurementDCVoltageDivisor, Uint16, "dc_voltage_divisor"},
			{AttrElectricalMeasurementDCCurrentMultiplier, Uint16, "dc_current_multiplier"},
			{AttrElectricalMeasurementDCCurrentDivisor, Uint16, "dc_current_divisor"},
			{AttrElectricalMeasurementDCPowerMultiplier, Uint16, "dc_power_multiplier"},
			{AttrElectricalMeasurementDCPowerDivisor, Uint16, "dc_power_divisor"},
			{AttrElectricalMeasurementACFrequency, Uint16, "ac_frequency"},
			{AttrElectricalMeasurementACFrequencyMin, Uint16, "ac_frequency_min"},
			{AttrElectricalMeasurementACFrequencyMax, Uint16, "ac_frequency_max"},
			{AttrElectricalMeasurementNeutralCurrent, Uint16, "neutral_current"},
			{AttrElectricalMeasurementTotalActivePower, Int32, "total_active_power"},
			{AttrElectricalMeasurementTotalReactivePower, Int32, "total_reactive_power"},
			{AttrElectricalMeasurementTotalApparentPower, Uint32, "total_apparent_power"},
			{AttrElectricalMeasurementACFrequencyMultiplier, Uint16, "ac_frequency_multiplier"},
			{AttrElectricalMeasurementACFrequencyDivisor, Uint16, "ac_frequency_divisor"},
			{AttrElectricalMeasurementPowerMultiplier, Uint32, "power_multiplier"},
			{AttrElectricalMeasurementPowerDivisor, Uint32, "power_divisor"},
			{AttrElectricalMeasurementHarmonicCurrentMultiplier, Int8, "harmonic_current_multiplier"},
			{AttrElectricalMeasurementPhaseHarmonicCurrentMultiplier, Int8, "phase_harmonic_current_multiplier"},
			{AttrElectricalMeasurementLineCurrent, Uint16, "line_current"},
			{AttrElectricalMeasurementActiveCurrent, Int16, "active_current"},
			{AttrElectricalMeasurementReactiveCurrent, Int16, "reactive_current"},
			{AttrElectricalMeasurementRMSVoltage, Uint16, "rms_voltage"},
			{AttrElectricalMeasurementRMSVoltageMin, Uint16, "rms_voltage_min"},
			{AttrElectricalMeasurementRMSVoltageMax, Uint16, "rms_voltage_max"},
			{AttrElectricalMeasurementRMSCurrent, Uint16, "rms_current"},
			{AttrElectricalMeasurementRMSCurrentMin, Uint16, "rms_current_min"},
			{AttrElectricalMeasurementRMSCurrentMax, Uint16, "rms_current_max"},
			{AttrElectricalMeasurementActivePower, Int16, "active_power"},
			{AttrElectricalMeasurementActivePowerMin, Int16, "active_power_min"},
			{AttrElectricalMeasurementActivePowerMax, Int16, "active_power_max"},
			{AttrElectricalMeasurementReactivePower, Int16, "reactive_power"},
			{AttrElectricalMeasurementApparentPower, Uint16, "apparent_power"},
			{AttrElectricalMeasurementPowerFactor, Int8, "power_factor"},
			{AttrElectricalMeasurementAverageRMSVoltageMeasurementPeriod, Uint16, "average_rms_voltage_measurement_period"},
			{AttrElectricalMeasurementAverageRMSOverVoltageCounter, Uint16, "average_rms_over_voltage_counter"},
			{AttrElectricalMeasurementAverageRMSUnderVoltageCounter, Uint16, "average_rms_under_voltage_counter"},
			{AttrElectricalMeasurementRMSExtremeOverVoltagePeriod, Uint16, "rms_extreme_over_voltage_period"},
			{AttrElectricalMeasurementRMSExtremeUnderVoltagePeriod, Uint16, "rms_extreme_under_voltage_period"},
			{AttrElectricalMeasurementRMSVoltageSagPeriod, Uint16, "rms_voltage_sag_period"},
			{AttrElectricalMeasurementRMSVoltageSwellPeriod, Uint16, "rms_voltage_swell_period"},
			{AttrElectricalMeasurementACVoltageMultiplier, Uint16, "ac_voltage_multiplier"},
			{AttrElectricalMeasurementACVoltageDivisor, Uint16, "ac_voltage_divisor"},
			{AttrElectricalMeasurementACCurrentMultiplier, Uint16, "ac_current_multiplier"},
			{AttrElectricalMeasurementACCurrentDivisor, Uint16, "ac_current_divisor"},
			{AttrElectricalMeasurementACPowerMultiplier, Uint16, "ac_power_multiplier"},
			{AttrElectricalMeasurementACPowerDivisor, Uint16, "ac_power_divisor"},
			{AttrElectricalMeasurementDCOverloadAlarmsMask, Bitmap8, "dc_overload_alarms_mask"},
			{AttrElectricalMeasurementDCVoltageOverload, Int16, "dc_voltage_overload"},
			{AttrElectricalMeasurementDCCurrentOverload, Int16, "dc_current_overload"},
			{AttrElectricalMeasurementACAlarmsMask, Bitmap16, "ac_alarms_mask"},
			{AttrElectricalMeasurementACVoltageOverload, Int16, "ac_voltage_overload"},
			{AttrElectricalMeasurementACCurrentOverload, Int16, "ac_current_overload"},
			{AttrElectricalMeasurementACActivePowerOverload, Int16, "ac_active_power_overload"},
			{AttrElectricalMeasurementACReactivePowerOverload, Int16, "ac_reactive_power_overload"},
			{AttrElectricalMeasurementAverageRMSOverVoltage, Int16, "average_rms_over_voltage"},
			{AttrElectricalMeasurementAverageRMSUnderVoltage, Int16, "average_rms_under_voltage"},
			{AttrElectricalMeasurementRMSExtremeOverVoltage, Int16, "rms_extreme_over_voltage"},
			{AttrElectricalMeasurementRMSExtremeUnderVoltage, Int16, "rms_extreme_under_voltage"},
			{AttrElectricalMeasurementRMSVoltageSag, Int16, "rms_voltage_sag"},
			{AttrElectricalMeasurementRMSVoltageSwell, Int16, "rms_voltage_swell"},
			{AttrElectricalMeasurementLineCurrentPhaseB, Uint16, "line_current_phase_b"},
			{AttrElectricalMeasurementActiveCurrentPhaseB, Int16, "active_current_phase_b"},
			{AttrElectricalMeasurementReactiveCurrentPhaseB, Int16, "reactive_current_phase_b"},
			{AttrElectricalMeasurementRMSVoltagePhaseB, Uint16, "rms_voltage_phase_b"},
			{AttrElectricalMeasurementRMSVoltageMinPhaseB, Uint16, "rms_voltage_min_phase_b"},
			{AttrElectricalMeasurementRMSVoltageMaxPhaseB, Uint16, "rms_voltage_max_phase_b"},
			{AttrElectricalMeasurementRMSCurrentPhaseB, Uint16, "rms_current_phase_b"},
			{AttrElectricalMeasurementRMSCurrentMinPhaseB, Uint16, "rms_current_min_phase_b"},
			{AttrElectricalMeasurementRMSCurrentMaxPhaseB, Uint16, "rms_current_max_phase_b"},
			{AttrElectricalMeasurementActivePowerPhaseB, Int16, "active_power_phase_b"},
			{AttrElectricalMeasurementActivePowerMinPhaseB, Int16, "active_power_min_phase_b"},
			{AttrElectricalMeasurementActivePowerMaxPhaseB, Int16, "active_power_max_phase_b"},
			{AttrElectricalMeasurementReactivePowerPhaseB, Int16, "reactive_power_phase_b"},
			{AttrElectricalMeasurementApparentPowerPhaseB, Uint16, "apparent_power_phase_b"},
			{AttrElectricalMeasurementPowerFactorPhaseB, Int8, "power_factor_phase_b"},
			{AttrElectricalMeasurementLineCurrentPhaseC, Uint16, "line_current_phase_c"},
			{AttrElectricalMeasurementActiveCurrentPhaseC, Int16, "active_current_phase_c"},
			{AttrElectricalMeasurementReactiveCurrentPhaseC, Int16, "reactive_current_phase_c"},
			{AttrElectricalMeasurementRMSVoltagePhaseC, Uint16, "rms_voltage_phase_c"},
			{AttrElectricalMeasurementRMSVoltageMinPhaseC, Uint16, "rms_voltage_min_phase_c"},
			{AttrElectricalMeasurementRMSVoltageMaxPhaseC, Uint16, "rms_voltage_max_phase_c"},
			{AttrElectricalMeasurementRMSCurrentPhaseC, Uint16, "rms_current_phase_c"},
			{AttrElectricalMeasurementRMSCurrentMinPhaseC, Uint16, "rms_current_min_phase_c"},
			{AttrElectricalMeasurementRMSCurrentMaxPhaseC, Uint16, "rms_current_max_phase_c"},
			{AttrElectricalMeasurementActivePowerPhaseC, Int16, "active_power_phase_c"},
			{AttrElectricalMeasurementActivePowerMinPhaseC, Int16, "active_power_min_phase_c"},
			{AttrElectricalMeasurementActivePowerMaxPhaseC, Int16, "active_power_max_phase_c"},
			{AttrElectricalMeasurementReactivePowerPhaseC, Int16, "reactive_power_phase_c"},
			{AttrElectricalMeasurementApparentPowerPhaseC, Uint16, "apparent_power_phase_c"},
			{AttrElectricalMeasurementPowerFactorPhaseC, Int8, "power_factor_phase_c"},
		},
		received: []command{
			{CmdElectricalMeasurementGetProfileInfo, "get_profile_info"},
			{CmdElectricalMeasurementGetMeasurementProfile, "get_measurement_profile"},
		},
		generated: []command{
			{CmdElectricalMeasurementGetProfileInfoResponse, "get_profile_info_response"},
			{CmdElectricalMeasurementGetMeasurementProfileResponse, "get_measurement_profile_response"},
		},
	},
}
