package zcl

// Clusters that care for the device itself.
const (
	ClusterCommissioning             uint16 = 0x0015
	ClusterPartition                 uint16 = 0x0016
	ClusterOTA                       uint16 = 0x0019
	ClusterPowerProfile              uint16 = 0x001a
	ClusterApplianceControl          uint16 = 0x001b
	ClusterPulseWidthModulation      uint16 = 0x001c
	ClusterPollControl               uint16 = 0x0020
	ClusterGreenPower                uint16 = 0x0021
	ClusterMobileDeviceConfiguration uint16 = 0x0022
	ClusterNeighborCleaning          uint16 = 0x0023
	ClusterNearestGateway            uint16 = 0x0024
	ClusterKeepAlive                 uint16 = 0x0025
	ClusterDiagnostics               uint16 = 0x0b05
	ClusterTouchlink                 uint16 = 0x1000
)

// OTA (ZCL 11).
const (
	AttrOTAUpgradeServerID              uint16 = 0x0000
	AttrOTAFileOffset                   uint16 = 0x0001
	AttrOTACurrentFileVersion           uint16 = 0x0002
	AttrOTACurrentZigbeeStackVersion    uint16 = 0x0003
	AttrOTADownloadedFileVersion        uint16 = 0x0004
	AttrOTADownloadedZigbeeStackVersion uint16 = 0x0005
	AttrOTAImageUpgradeStatus           uint16 = 0x0006
	AttrOTAManufacturerID               uint16 = 0x0007
	AttrOTAImageTypeID                  uint16 = 0x0008
	AttrOTAMinimumBlockPeriod           uint16 = 0x0009
	AttrOTAImageStamp                   uint16 = 0x000a
	AttrOTAUpgradeActivationPolicy      uint16 = 0x000b
	AttrOTAUpgradeTimeoutPolicy         uint16 = 0x000c

	CmdOTAQueryNextImage          uint8 = 0x01
	CmdOTAImageBlock              uint8 = 0x03
	CmdOTAImagePage               uint8 = 0x04
	CmdOTAUpgradeEnd              uint8 = 0x06
	CmdOTAQueryDeviceSpecificFile uint8 = 0x08

	CmdOTAImageNotify                     uint8 = 0x00
	CmdOTAQueryNextImageResponse          uint8 = 0x02
	CmdOTAImageBlockResponse              uint8 = 0x05
	CmdOTAUpgradeEndResponse              uint8 = 0x07
	CmdOTAQueryDeviceSpecificFileResponse uint8 = 0x09
)

// Poll Control (ZCL 3.16).
const (
	AttrPollControlCheckInInterval     uint16 = 0x0000
	AttrPollControlLongPollInterval    uint16 = 0x0001
	AttrPollControlShortPollInterval   uint16 = 0x0002
	AttrPollControlFastPollTimeout     uint16 = 0x0003
	AttrPollControlCheckInIntervalMin  uint16 = 0x0004
	AttrPollControlLongPollIntervalMin uint16 = 0x0005
	AttrPollControlFastPollTimeoutMax  uint16 = 0x0006

	CmdPollControlCheckInResponse      uint8 = 0x00
	CmdPollControlFastPollStop         uint8 = 0x01
	CmdPollControlSetLongPollInterval  uint8 = 0x02
	CmdPollControlSetShortPollInterval uint8 = 0x03

	CmdPollControlCheckIn uint8 = 0x00
)

// Green Power (document 14-0563).
const (
	AttrGreenPowerMaxSinkTableEntries   uint16 = 0x0000
	AttrGreenPowerSinkTable             uint16 = 0x0001
	AttrGreenPowerCommunicationMode     uint16 = 0x0002
	AttrGreenPowerCommissioningExitMode uint16 = 0x0003
	AttrGreenPowerCommissioningWindow   uint16 = 0x0004
	AttrGreenPowerSecurityLevel         uint16 = 0x0005
	AttrGreenPowerFunctionality         uint16 = 0x0006
	AttrGreenPowerActiveFunctionality   uint16 = 0x0007
	AttrGreenPowerMaxProxyTableEntries  uint16 = 0x0010
	AttrGreenPowerProxyTable            uint16 = 0x0011
	AttrGreenPowerSharedSecurityKeyType uint16 = 0x0020
	AttrGreenPowerSharedSecurityKey     uint16 = 0x0021
	AttrGreenPowerLinkKey               uint16 = 0x0022

	CmdGreenPowerNotification              uint8 = 0x00
	CmdGreenPowerPairingSearch             uint8 = 0x01
	CmdGreenPowerTunnelingStop             uint8 = 0x03
	CmdGreenPowerCommissioningNotification uint8 = 0x04
	CmdGreenPowerSinkCommissioningMode     uint8 = 0x05
	CmdGreenPowerTranslationTableUpdate    uint8 = 0x07
	CmdGreenPowerTranslationTableRequest   uint8 = 0x08
	CmdGreenPowerPairingConfiguration      uint8 = 0x09
	CmdGreenPowerSinkTableRequest          uint8 = 0x0a
	CmdGreenPowerProxyTableResponse        uint8 = 0x0b

	CmdGreenPowerNotificationResponse     uint8 = 0x00
	CmdGreenPowerPairing                  uint8 = 0x01
	CmdGreenPowerProxyCommissioningMode   uint8 = 0x02
	CmdGreenPowerResponse                 uint8 = 0x06
	CmdGreenPowerTranslationTableResponse uint8 = 0x08
	CmdGreenPowerSinkTableResponse        uint8 = 0x0a
	CmdGreenPowerProxyTableRequest        uint8 = 0x0b
)

// Keep Alive (ZCL 3.18).
const (
	AttrKeepAliveBase   uint16 = 0x0000
	AttrKeepAliveJitter uint16 = 0x0001
)

// Diagnostics (ZCL 3.15).
const (
	AttrDiagnosticsNumberOfResets                   uint16 = 0x0000
	AttrDiagnosticsPersistentMemoryWrites           uint16 = 0x0001
	AttrDiagnosticsMACRxBroadcast                   uint16 = 0x0100
	AttrDiagnosticsMACTxBroadcast                   uint16 = 0x0101
	AttrDiagnosticsMACRxUnicast                     uint16 = 0x0102
	AttrDiagnosticsMACTxUnicast                     uint16 = 0x0103
	AttrDiagnosticsMACTxUnicastRetry                uint16 = 0x0104
	AttrDiagnosticsMACTxUnicastFail                 uint16 = 0x0105
	AttrDiagnosticsAPSRxBroadcast                   uint16 = 0x0106
	AttrDiagnosticsAPSTxBroadcast                   uint16 = 0x0107
	AttrDiagnosticsAPSRxUnicast                     uint16 = 0x0108
	AttrDiagnosticsAPSTxUnicastSuccess              uint16 = 0x0109
	AttrDiagnosticsAPSTxUnicastRetry                uint16 = 0x010a
	AttrDiagnosticsAPSTxUnicastFail                 uint16 = 0x010b
	AttrDiagnosticsRouteDiscoveryInitiated          uint16 = 0x010c
	AttrDiagnosticsNeighborAdded                    uint16 = 0x010d
	AttrDiagnosticsNeighborRemoved                  uint16 = 0x010e
	AttrDiagnosticsNeighborStale                    uint16 = 0x010f
	AttrDiagnosticsJoinIndication                   uint16 = 0x0110
	AttrDiagnosticsChildMoved                       uint16 = 0x0111
	AttrDiagnosticsNWKFCFailure                     uint16 = 0x0112
	AttrDiagnosticsAPSFCFailure                     uint16 = 0x0113
	AttrDiagnosticsAPSUnauthorizedKey               uint16 = 0x0114
	AttrDiagnosticsNWKDecryptFailures               uint16 = 0x0115
	AttrDiagnosticsAPSDecryptFailures               uint16 = 0x0116
	AttrDiagnosticsPacketBufferAllocateFailures     uint16 = 0x0117
	AttrDiagnosticsRelayedUnicast                   uint16 = 0x0118
	AttrDiagnosticsPHYToMACQueueLimitReached        uint16 = 0x0119
	AttrDiagnosticsPacketValidateDropCount          uint16 = 0x011a
	AttrDiagnosticsAverageMACRetryPerAPSMessageSent uint16 = 0x011b
	AttrDiagnosticsLastMessageLQI                   uint16 = 0x011c
	AttrDiagnosticsLastMessageRSSI                  uint16 = 0x011d
)

// Touchlink (ZCL 13).
const (
	CmdTouchlinkScan                 uint8 = 0x00
	CmdTouchlinkDeviceInformation    uint8 = 0x02
	CmdTouchlinkIdentify             uint8 = 0x06
	CmdTouchlinkResetToFactoryNew    uint8 = 0x07
	CmdTouchlinkNetworkStart         uint8 = 0x10
	CmdTouchlinkNetworkJoinRouter    uint8 = 0x12
	CmdTouchlinkNetworkJoinEndDevice uint8 = 0x14
	CmdTouchlinkNetworkUpdate        uint8 = 0x16
	CmdTouchlinkGetGroupIdentifiers  uint8 = 0x41
	CmdTouchlinkGetEndpointList      uint8 = 0x42

	CmdTouchlinkScanResponse                 uint8 = 0x01
	CmdTouchlinkDeviceInformationResponse    uint8 = 0x03
	CmdTouchlinkNetworkStartResponse         uint8 = 0x11
	CmdTouchlinkNetworkJoinRouterResponse    uint8 = 0x13
	CmdTouchlinkNetworkJoinEndDeviceResponse uint8 = 0x15
	CmdTouchlinkEndpointInformation          uint8 = 0x40
	CmdTouchlinkGetGroupIdentifiersResponse  uint8 = 0x41
	CmdTouchlinkGetEndpointListResponse      uint8 = 0x42
)

var deviceClusters = []cluster{
	{id: ClusterCommissioning, name: "commissioning"},
	{id: ClusterPartition, name: "partition"},
	{
		id: ClusterOTA, name: "ota_upgrade",
		attributes: []attribute{
			{AttrOTAUpgradeServerID, IEEEAddress, "upgrade_server_id"},
			{AttrOTAFileOffset, Uint32, "file_offset"},
			{AttrOTACurrentFileVersion, Uint32, "current_file_version"},
			{AttrOTACurrentZigbeeStackVersion, Uint16, "current_zigbee_stack_version"},
			{AttrOTADownloadedFileVersion, Uint32, "downloaded_file_version"},
			{AttrOTADownloadedZigbeeStackVersion, Uint16, "downloaded_zigbee_stack_version"},
			{AttrOTAImageUpgradeStatus, Enum8, "image_upgrade_status"},
			{AttrOTAManufacturerID, Uint16, "manufacturer_id"},
			{AttrOTAImageTypeID, Uint16, "image_type_id"},
			{AttrOTAMinimumBlockPeriod, Uint16, "minimum_block_period"},
			{AttrOTAImageStamp, Uint32, "image_stamp"},
			{AttrOTAUpgradeActivationPolicy, Enum8, "upgrade_activation_policy"},
			{AttrOTAUpgradeTimeoutPolicy, Enum8, "upgrade_timeout_policy"},
		},
		received: []command{
			{CmdOTAQueryNextImage, "query_next_image"},
			{CmdOTAImageBlock, "image_block"},
			{CmdOTAImagePage, "image_page"},
			{CmdOTAUpgradeEnd, "upgrade_end"},
			{CmdOTAQueryDeviceSpecificFile, "query_device_specific_file"},
		},
		generated: []command{
			{CmdOTAImageNotify, "image_notify"},
			{CmdOTAQueryNextImageResponse, "query_next_image_response"},
			{CmdOTAImageBlockResponse, "image_block_response"},
			{CmdOTAUpgradeEndResponse, "upgrade_end_response"},
			{CmdOTAQueryDeviceSpecificFileResponse, "query_device_specific_file_response"},
		},
	},
	{id: ClusterPowerProfile, name: "power_profile"},
	{id: ClusterApplianceControl, name: "appliance_control"},
	{id: ClusterPulseWidthModulation, name: "pulse_width_modulation"},
	{
		id: ClusterPollControl, name: "poll_control",
		attributes: []attribute{
			{AttrPollControlCheckInInterval, Uint32, "check_in_interval"},
			{AttrPollControlLongPollInterval, Uint32, "long_poll_interval"},
			{AttrPollControlShortPollInterval, Uint16, "short_poll_interval"},
			{AttrPollControlFastPollTimeout, Uint16, "fast_poll_timeout"},
			{AttrPollControlCheckInIntervalMin, Uint32, "check_in_interval_min"},
			{AttrPollControlLongPollIntervalMin, Uint32, "long_poll_interval_min"},
			{AttrPollControlFastPollTimeoutMax, Uint16, "fast_poll_timeout_max"},
		},
		received: []command{
			{CmdPollControlCheckInResponse, "check_in_response"},
			{CmdPollControlFastPollStop, "fast_poll_stop"},
			{CmdPollControlSetLongPollInterval, "set_long_poll_interval"},
			{CmdPollControlSetShortPollInterval, "set_short_poll_interval"},
		},
		generated: []command{
			{CmdPollControlCheckIn, "check_in"},
		},
	},
	{
		id: ClusterGreenPower, name: "green_power",
		attributes: []attribute{
			{AttrGreenPowerMaxSinkTableEntries, Uint8, "max_sink_table_entries"},
			{AttrGreenPowerSinkTable, LongOctetString, "sink_table"},
			{AttrGreenPowerCommunicationMode, Bitmap8, "communication_mode"},
			{AttrGreenPowerCommissioningExitMode, Bitmap8, "commissioning_exit_mode"},
			{AttrGreenPowerCommissioningWindow, Uint16, "commissioning_window"},
			{AttrGreenPowerSecurityLevel, Bitmap8, "security_level"},
			{AttrGreenPowerFunctionality, Bitmap24, "functionality"},
			{AttrGreenPowerActiveFunctionality, Bitmap24, "active_functionality"},
			{AttrGreenPowerMaxProxyTableEntries, Uint8, "max_proxy_table_entries"},
			{AttrGreenPowerProxyTable, LongOctetString, "proxy_table"},
			{AttrGreenPowerSharedSecurityKeyType, Bitmap8, "shared_security_key_type"},
			{AttrGreenPowerSharedSecurityKey, Key128, "shared_security_key"},
			{AttrGreenPowerLinkKey, Key128, "link_key"},
		},
		received: []command{
			{CmdGreenPowerNotification, "notification"},
			{CmdGreenPowerPairingSearch, "pairing_search"},
			{CmdGreenPowerTunnelingStop, "tunneling_stop"},
			{CmdGreenPowerCommissioningNotification, "commissioning_notification"},
			{CmdGreenPowerSinkCommissioningMode, "sink_commissioning_mode"},
			{CmdGreenPowerTranslationTableUpdate, "translation_table_update"},
			{CmdGreenPowerTranslationTableRequest, "translation_table_request"},
			{CmdGreenPowerPairingConfiguration, "pairing_configuration"},
			{CmdGreenPowerSinkTableRequest, "sink_table_request"},
			{CmdGreenPowerProxyTableResponse, "proxy_table_response"},
		},
		generated: []command{
			{CmdGreenPowerNotificationResponse, "notification_response"},
			{CmdGreenPowerPairing, "pairing"},
			{CmdGreenPowerProxyCommissioningMode, "proxy_commissioning_mode"},
			{CmdGreenPowerResponse, "response"},
			{CmdGreenPowerTranslationTableResponse, "translation_table_response"},
			{CmdGreenPowerSinkTableResponse, "sink_table_response"},
			{CmdGreenPowerProxyTableRequest, "proxy_table_request"},
		},
	},
	{id: ClusterMobileDeviceConfiguration, name: "mobile_device_configuration"},
	{id: ClusterNeighborCleaning, name: "neighbor_cleaning"},
	{id: ClusterNearestGateway, name: "nearest_gateway"},
	{
		id: ClusterKeepAlive, name: "keep_alive",
		attributes: []attribute{
			{AttrKeepAliveBase, Uint8, "base"},
			{AttrKeepAliveJitter, Uint16, "jitter"},
		},
	},
	{
		id: ClusterDiagnostics, name: "diagnostics",
		attributes: []attribute{
			{AttrDiagnosticsNumberOfResets, Uint16, "number_of_resets"},
			{AttrDiagnosticsPersistentMemoryWrites, Uint16, "persistent_memory_writes"},
			{AttrDiagnosticsMACRxBroadcast, Uint32, "mac_rx_broadcast"},
			{AttrDiagnosticsMACTxBroadcast, Uint32, "mac_tx_broadcast"},
			{AttrDiagnosticsMACRxUnicast, Uint32, "mac_rx_unicast"},
			{AttrDiagnosticsMACTxUnicast, Uint32, "mac_tx_unicast"},
			{AttrDiagnosticsMACTxUnicastRetry, Uint16, "mac_tx_unicast_retry"},
			{AttrDiagnosticsMACTxUnicastFail, Uint16, "mac_tx_unicast_fail"},
			{AttrDiagnosticsAPSRxBroadcast, Uint16, "aps_rx_broadcast"},
			{AttrDiagnosticsAPSTxBroadcast, Uint16, "aps_tx_broadcast"},
			{AttrDiagnosticsAPSRxUnicast, Uint16, "aps_rx_unicast"},
			{AttrDiagnosticsAPSTxUnicastSuccess, Uint16, "aps_tx_unicast_success"},
			{AttrDiagnosticsAPSTxUnicastRetry, Uint16, "aps_tx_unicast_retry"},
			{AttrDiagnosticsAPSTxUnicastFail, Uint16, "aps_tx_unicast_fail"},
			{AttrDiagnosticsRouteDiscoveryInitiated, Uint16, "route_discovery_initiated"},
			{AttrDiagnosticsNeighborAdded, Uint16, "neighbor_added"},
			{AttrDiagnosticsNeighborRemoved, Uint16, "neighbor_removed"},
			{AttrDiagnosticsNeighborStale, Uint16, "neighbor_stale"},
			{AttrDiagnosticsJoinIndication, Uint16, "join_indication"},
			{AttrDiagnosticsChildMoved, Uint16, "child_moved"},
			{AttrDiagnosticsNWKFCFailure, Uint16, "nwk_fc_failure"},
			{AttrDiagnosticsAPSFCFailure, Uint16, "aps_fc_failure"},
			{AttrDiagnosticsAPSUnauthorizedKey, Uint16, "aps_unauthorized_key"},
			{AttrDiagnosticsNWKDecryptFailures, Uint16, "nwk_decrypt_failures"},
			{AttrDiagnosticsAPSDecryptFailures, Uint16, "aps_decrypt_failures"},
			{AttrDiagnosticsPacketBufferAllocateFailures, Uint16, "packet_buffer_allocate_failures"},
			{AttrDiagnosticsRelayedUnicast, Uint16, "relayed_unicast"},
			{AttrDiagnosticsPHYToMACQueueLimitReached, Uint16, "phy_to_mac_queue_limit_reached"},
			{AttrDiagnosticsPacketValidateDropCount, Uint16, "packet_validate_drop_count"},
			{AttrDiagnosticsAverageMACRetryPerAPSMessageSent, Uint16, "average_mac_retry_per_aps_message_sent"},
			{AttrDiagnosticsLastMessageLQI, Uint8, "last_message_lqi"},
			{AttrDiagnosticsLastMessageRSSI, Int8, "last_message_rssi"},
		},
	},
	{
		id: ClusterTouchlink, name: "touchlink",
		received: []command{
			{CmdTouchlinkScan, "scan"},
			{CmdTouchlinkDeviceInformation, "device_information"},
			{CmdTouchlinkIdentify, "identify"},
			{CmdTouchlinkResetToFactoryNew, "reset_to_factory_new"},
			{CmdTouchlinkNetworkStart, "network_start"},
			{CmdTouchlinkNetworkJoinRouter, "network_join_router"},
			{CmdTouchlinkNetworkJoinEndDevice, "network_join_end_device"},
			{CmdTouchlinkNetworkUpdate, "network_update"},
			{CmdTouchlinkGetGroupIdentifiers, "get_group_identifiers"},
			{CmdTouchlinkGetEndpointList, "get_endpoint_list"},
		},
		generated: []command{
			{CmdTouchlinkScanResponse, "scan_response"},
			{CmdTouchlinkDeviceInformationResponse, "device_information_response"},
			{CmdTouchlinkNetworkStartResponse, "network_start_response"},
			{CmdTouchlinkNetworkJoinRouterResponse, "network_join_router_response"},
			{CmdTouchlinkNetworkJoinEndDeviceResponse, "network_join_end_device_response"},
			{CmdTouchlinkEndpointInformation, "endpoint_information"},
			{CmdTouchlinkGetGroupIdentifiersResponse, "get_group_identifiers_response"},
			{CmdTouchlinkGetEndpointListResponse, "get_endpoint_list_response"},
		},
	},
}
