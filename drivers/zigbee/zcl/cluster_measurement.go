package zcl

// Clusters of sensors (ZCL 4).
const (
	ClusterIlluminanceMeasurement uint16 = 0x0400
	ClusterIlluminanceLevel       uint16 = 0x0401
	ClusterTemperatureMeasurement uint16 = 0x0402
	ClusterPressureMeasurement    uint16 = 0x0403
	ClusterFlowMeasurement        uint16 = 0x0404
	ClusterRelativeHumidity       uint16 = 0x0405
	ClusterOccupancySensing       uint16 = 0x0406
	ClusterLeafWetness            uint16 = 0x0407
	ClusterSoilMoisture           uint16 = 0x0408
	ClusterPHMeasurement          uint16 = 0x0409
	ClusterElectricalConductivity uint16 = 0x040a
	ClusterWindSpeed              uint16 = 0x040b
	ClusterCarbonMonoxide         uint16 = 0x040c
	ClusterCarbonDioxide          uint16 = 0x040d
	ClusterEthylene               uint16 = 0x040e
	ClusterEthyleneOxide          uint16 = 0x040f
	ClusterHydrogen               uint16 = 0x0410
	ClusterHydrogenSulfide        uint16 = 0x0411
	ClusterNitricOxide            uint16 = 0x0412
	ClusterNitrogenDioxide        uint16 = 0x0413
	ClusterOxygen                 uint16 = 0x0414
	ClusterOzone                  uint16 = 0x0415
	ClusterSulfurDioxide          uint16 = 0x0416
	ClusterDissolvedOxygen        uint16 = 0x0417
	ClusterBromate                uint16 = 0x0418
	ClusterChloramines            uint16 = 0x0419
	ClusterChlorine               uint16 = 0x041a
	ClusterFecalColiform          uint16 = 0x041b
	ClusterFluoride               uint16 = 0x041c
	ClusterHaloaceticAcids        uint16 = 0x041d
	ClusterTrihalomethanes        uint16 = 0x041e
	ClusterColiformBacteria       uint16 = 0x041f
	ClusterTurbidity              uint16 = 0x0420
	ClusterCopper                 uint16 = 0x0421
	ClusterLead                   uint16 = 0x0422
	ClusterManganese              uint16 = 0x0423
	ClusterSulfate                uint16 = 0x0424
	ClusterBromodichloromethane   uint16 = 0x0425
	ClusterBromoform              uint16 = 0x0426
	ClusterChlorodibromomethane   uint16 = 0x0427
	ClusterChloroform             uint16 = 0x0428
	ClusterSodium                 uint16 = 0x0429
	ClusterPM25                   uint16 = 0x042a
	ClusterFormaldehyde           uint16 = 0x042b
	ClusterPM1                    uint16 = 0x042c
	ClusterPM10                   uint16 = 0x042d
	ClusterTVOC                   uint16 = 0x042e
)

// The attributes that all measurements share (ZCL 4).
const (
	AttrMeasuredValue    uint16 = 0x0000
	AttrMinMeasuredValue uint16 = 0x0001
	AttrMaxMeasuredValue uint16 = 0x0002
	AttrTolerance        uint16 = 0x0003
)

// Illuminance Measurement (ZCL 4.2).
const (
	AttrIlluminanceMeasurementLightSensorType uint16 = 0x0004
)

// Illuminance Level (ZCL 4.3).
const (
	AttrIlluminanceLevelLevelStatus            uint16 = 0x0000
	AttrIlluminanceLevelLightSensorType        uint16 = 0x0001
	AttrIlluminanceLevelIlluminanceTargetLevel uint16 = 0x0010
)

// Pressure Measurement (ZCL 4.5).
const (
	AttrPressureMeasurementScaledValue     uint16 = 0x0010
	AttrPressureMeasurementMinScaledValue  uint16 = 0x0011
	AttrPressureMeasurementMaxScaledValue  uint16 = 0x0012
	AttrPressureMeasurementScaledTolerance uint16 = 0x0013
	AttrPressureMeasurementScale           uint16 = 0x0014
)

// Occupancy Sensing (ZCL 4.8).
const (
	AttrOccupancySensingOccupancy                               uint16 = 0x0000
	AttrOccupancySensingSensorType                              uint16 = 0x0001
	AttrOccupancySensingSensorTypeBitmap                        uint16 = 0x0002
	AttrOccupancySensingPIROccupiedToUnoccupiedDelay            uint16 = 0x0010
	AttrOccupancySensingPIRUnoccupiedToOccupiedDelay            uint16 = 0x0011
	AttrOccupancySensingPIRUnoccupiedToOccupiedThreshold        uint16 = 0x0012
	AttrOccupancySensingUltrasonicOccupiedToUnoccupiedDelay     uint16 = 0x0020
	AttrOccupancySensingUltrasonicUnoccupiedToOccupiedDelay     uint16 = 0x0021
	AttrOccupancySensingUltrasonicUnoccupiedToOccupiedThreshold uint16 = 0x0022
	AttrOccupancySensingContactOccupiedToUnoccupiedDelay        uint16 = 0x0030
	AttrOccupancySensingContactUnoccupiedToOccupiedDelay        uint16 = 0x0031
	AttrOccupancySensingContactUnoccupiedToOccupiedThreshold    uint16 = 0x0032
)

var measuredUint16 = []attribute{
	{AttrMeasuredValue, Uint16, "measured_value"},
	{AttrMinMeasuredValue, Uint16, "min_measured_value"},
	{AttrMaxMeasuredValue, Uint16, "max_measured_value"},
	{AttrTolerance, Uint16, "tolerance"},
}

var measuredInt16 = []attribute{
	{AttrMeasuredValue, Int16, "measured_value"},
	{AttrMinMeasuredValue, Int16, "min_measured_value"},
	{AttrMaxMeasuredValue, Int16, "max_measured_value"},
	{AttrTolerance, Uint16, "tolerance"},
}

var measuredFloat32 = []attribute{
	{AttrMeasuredValue, Float32, "measured_value"},
	{AttrMinMeasuredValue, Float32, "min_measured_value"},
	{AttrMaxMeasuredValue, Float32, "max_measured_value"},
	{AttrTolerance, Float32, "tolerance"},
}

var measurementClusters = []cluster{
	{
		id: ClusterIlluminanceMeasurement, name: "illuminance_measurement",
		attributes: []attribute{
			{AttrMeasuredValue, Uint16, "measured_value"},
			{AttrMinMeasuredValue, Uint16, "min_measured_value"},
			{AttrMaxMeasuredValue, Uint16, "max_measured_value"},
			{AttrTolerance, Uint16, "tolerance"},
			{AttrIlluminanceMeasurementLightSensorType, Enum8, "light_sensor_type"},
		},
	},
	{
		id: ClusterIlluminanceLevel, name: "illuminance_level_sensing",
		attributes: []attribute{
			{AttrIlluminanceLevelLevelStatus, Enum8, "level_status"},
			{AttrIlluminanceLevelLightSensorType, Enum8, "light_sensor_type"},
			{AttrIlluminanceLevelIlluminanceTargetLevel, Uint16, "illuminance_target_level"},
		},
	},
	{id: ClusterTemperatureMeasurement, name: "temperature_measurement", attributes: measuredInt16},
	{
		id: ClusterPressureMeasurement, name: "pressure_measurement",
		attributes: []attribute{
			{AttrMeasuredValue, Int16, "measured_value"},
			{AttrMinMeasuredValue, Int16, "min_measured_value"},
			{AttrMaxMeasuredValue, Int16, "max_measured_value"},
			{AttrTolerance, Uint16, "tolerance"},
			{AttrPressureMeasurementScaledValue, Int16, "scaled_value"},
			{AttrPressureMeasurementMinScaledValue, Int16, "min_scaled_value"},
			{AttrPressureMeasurementMaxScaledValue, Int16, "max_scaled_value"},
			{AttrPressureMeasurementScaledTolerance, Uint16, "scaled_tolerance"},
			{AttrPressureMeasurementScale, Int8, "scale"},
		},
	},
	{id: ClusterFlowMeasurement, name: "flow_measurement", attributes: measuredUint16},
	{id: ClusterRelativeHumidity, name: "relative_humidity", attributes: measuredUint16},
	{
		id: ClusterOccupancySensing, name: "occupancy_sensing",
		attributes: []attribute{
			{AttrOccupancySensingOccupancy, Bitmap8, "occupancy"},
			{AttrOccupancySensingSensorType, Enum8, "sensor_type"},
			{AttrOccupancySensingSensorTypeBitmap, Bitmap8, "sensor_type_bitmap"},
			{AttrOccupancySensingPIROccupiedToUnoccupiedDelay, Uint16, "pir_occupied_to_unoccupied_delay"},
			{AttrOccupancySensingPIRUnoccupiedToOccupiedDelay, Uint16, "pir_unoccupied_to_occupied_delay"},
			{AttrOccupancySensingPIRUnoccupiedToOccupiedThreshold, Uint8, "pir_unoccupied_to_occupied_threshold"},
			{AttrOccupancySensingUltrasonicOccupiedToUnoccupiedDelay, Uint16, "ultrasonic_occupied_to_unoccupied_delay"},
			{AttrOccupancySensingUltrasonicUnoccupiedToOccupiedDelay, Uint16, "ultrasonic_unoccupied_to_occupied_delay"},
			{AttrOccupancySensingUltrasonicUnoccupiedToOccupiedThreshold, Uint8, "ultrasonic_unoccupied_to_occupied_threshold"},
			{AttrOccupancySensingContactOccupiedToUnoccupiedDelay, Uint16, "contact_occupied_to_unoccupied_delay"},
			{AttrOccupancySensingContactUnoccupiedToOccupiedDelay, Uint16, "contact_unoccupied_to_occupied_delay"},
			{AttrOccupancySensingContactUnoccupiedToOccupiedThreshold, Uint8, "contact_unoccupied_to_occupied_threshold"},
		},
	},
	{id: ClusterLeafWetness, name: "leaf_wetness", attributes: measuredUint16},
	{id: ClusterSoilMoisture, name: "soil_moisture", attributes: measuredUint16},
	{id: ClusterPHMeasurement, name: "ph", attributes: measuredUint16},
	{id: ClusterElectricalConductivity, name: "electrical_conductivity", attributes: measuredUint16},
	{id: ClusterWindSpeed, name: "wind_speed", attributes: measuredUint16},
	{id: ClusterCarbonMonoxide, name: "carbon_monoxide", attributes: measuredFloat32},
	{id: ClusterCarbonDioxide, name: "carbon_dioxide", attributes: measuredFloat32},
	{id: ClusterEthylene, name: "ethylene", attributes: measuredFloat32},
	{id: ClusterEthyleneOxide, name: "ethylene_oxide", attributes: measuredFloat32},
	{id: ClusterHydrogen, name: "hydrogen", attributes: measuredFloat32},
	{id: ClusterHydrogenSulfide, name: "hydrogen_sulfide", attributes: measuredFloat32},
	{id: ClusterNitricOxide, name: "nitric_oxide", attributes: measuredFloat32},
	{id: ClusterNitrogenDioxide, name: "nitrogen_dioxide", attributes: measuredFloat32},
	{id: ClusterOxygen, name: "oxygen", attributes: measuredFloat32},
	{id: ClusterOzone, name: "ozone", attributes: measuredFloat32},
	{id: ClusterSulfurDioxide, name: "sulfur_dioxide", attributes: measuredFloat32},
	{id: ClusterDissolvedOxygen, name: "dissolved_oxygen", attributes: measuredFloat32},
	{id: ClusterBromate, name: "bromate", attributes: measuredFloat32},
	{id: ClusterChloramines, name: "chloramines", attributes: measuredFloat32},
	{id: ClusterChlorine, name: "chlorine", attributes: measuredFloat32},
	{id: ClusterFecalColiform, name: "fecal_coliform", attributes: measuredFloat32},
	{id: ClusterFluoride, name: "fluoride", attributes: measuredFloat32},
	{id: ClusterHaloaceticAcids, name: "haloacetic_acids", attributes: measuredFloat32},
	{id: ClusterTrihalomethanes, name: "trihalomethanes", attributes: measuredFloat32},
	{id: ClusterColiformBacteria, name: "coliform_bacteria", attributes: measuredFloat32},
	{id: ClusterTurbidity, name: "turbidity", attributes: measuredFloat32},
	{id: ClusterCopper, name: "copper", attributes: measuredFloat32},
	{id: ClusterLead, name: "lead", attributes: measuredFloat32},
	{id: ClusterManganese, name: "manganese", attributes: measuredFloat32},
	{id: ClusterSulfate, name: "sulfate", attributes: measuredFloat32},
	{id: ClusterBromodichloromethane, name: "bromodichloromethane", attributes: measuredFloat32},
	{id: ClusterBromoform, name: "bromoform", attributes: measuredFloat32},
	{id: ClusterChlorodibromomethane, name: "chlorodibromomethane", attributes: measuredFloat32},
	{id: ClusterChloroform, name: "chloroform", attributes: measuredFloat32},
	{id: ClusterSodium, name: "sodium", attributes: measuredFloat32},
	{id: ClusterPM25, name: "pm25", attributes: measuredFloat32},
	{id: ClusterFormaldehyde, name: "formaldehyde", attributes: measuredFloat32},
	{id: ClusterPM1, name: "pm1", attributes: measuredFloat32},
	{id: ClusterPM10, name: "pm10", attributes: measuredFloat32},
	{id: ClusterTVOC, name: "tvoc", attributes: measuredFloat32},
}
