package znp

import "hearth/drivers/zigbee/radio"

// The statuses that are decided on (ZComDef.h, nwk_mgr, mac_api.h of Z-Stack).
const (
	statusSuccess      = 0x00
	statusItemCreated  = 0x09 // of an NV item: it was not there before
	statusDuplicate    = 0xb8
	statusNotConnected = 0xc2 // NWK_INVALID_REQUEST: the network is not started
	statusExpired      = 0xf0
)

// classOf returns what a status of AF_DATA_REQUEST, its confirmation or another request means.
func classOf(status byte) radio.Class {
	switch status {
	case 0x10, 0x11, 0x13, 0x1a, 0xb2, 0xc7, 0xf1: // MEM_ERROR, BUFFER_FULL, MAC_MEM, MAC_NO_RESOURCES, APS and NWK TABLE_FULL, MAC OVERFLOW
		return radio.Busy
	case 0xc8, 0xcd: // NWK_UNKNOWN_DEVICE, NWK_NO_ROUTE
		return radio.NoRoute
	case 0xb7, 0xcc, 0xe9, 0xeb: // APS_NO_ACK, NWK_NO_ACK, MAC_NO_ACK, MAC_NO_DATA
		return radio.NoAck
	case 0x1d, 0xe1: // MAC_TX_ABORTED, MAC_CHANNEL_ACCESS_FAILURE
		return radio.ChannelAccess
	case statusExpired:
		return radio.Expired
	case 0x19, statusNotConnected: // MAC_BAD_STATE
		return radio.Down
	}
	return radio.Refused
}

// refusal is the failure of a command that the firmware answered with a status.
func refusal(c command, status byte) *radio.Failure {
	return &radio.Failure{Class: classOf(status), Status: uint32(status), Doing: c.String()}
}
