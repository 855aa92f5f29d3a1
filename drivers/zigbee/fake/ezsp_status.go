package fake

// An ezspStatus is an sl_status, which versions before 14 say as a one-byte EmberStatus.
type ezspStatus uint32

// The statuses the firmware uses.
const (
	statusOK                 ezspStatus = 0x0000
	statusFail               ezspStatus = 0x0001
	statusInvalidState       ezspStatus = 0x0002
	statusBusy               ezspStatus = 0x0004
	statusNotAvailable       ezspStatus = 0x000e
	statusNetworkUp          ezspStatus = 0x0015
	statusNetworkDown        ezspStatus = 0x0016
	statusNotJoined          ezspStatus = 0x0017
	statusFull               ezspStatus = 0x001c
	statusInvalidParameter   ezspStatus = 0x0021
	statusInvalidIndex       ezspStatus = 0x0027
	statusNotFound           ezspStatus = 0x002d
	statusMessageTooLong     ezspStatus = 0x0038
	statusWriteInhibited     ezspStatus = 0x003b
	statusIndirectTimeout    ezspStatus = 0x0041
	statusCCAFailure         ezspStatus = 0x004c
	statusInvalidChannelMask ezspStatus = 0x004f
	statusDeliveryFailed     ezspStatus = 0x0c02
	statusMessageLimit       ezspStatus = 0x0c03
	statusSecurityNotSet     ezspStatus = 0x0c0b
	statusSourceRouteFailure ezspStatus = 0x0c13
	statusManyToOneFailure   ezspStatus = 0x0c14
	statusPANChanged         ezspStatus = 0x0c16
	statusChannelChanged     ezspStatus = 0x0c17
	statusNetworkOpened      ezspStatus = 0x0c18
	statusNetworkClosed      ezspStatus = 0x0c19
	statusEZSPError          ezspStatus = 0x0c1e
)

// ember is the EmberStatus of old.
func (s ezspStatus) ember() uint8 {
	switch s {
	case statusOK:
		return 0x00
	case statusInvalidParameter:
		return 0x02
	case statusNotFound:
		return 0x03
	case statusInvalidChannelMask:
		return 0x35
	case statusIndirectTimeout:
		return 0x42
	case statusWriteInhibited:
		return 0x46
	case statusDeliveryFailed:
		return 0x66
	case statusInvalidState:
		return 0x70
	case statusMessageLimit:
		return 0x72
	case statusMessageTooLong:
		return 0x74
	case statusCCAFailure:
		return 0x8d
	case statusNetworkUp:
		return 0x90
	case statusNetworkDown:
		return 0x91
	case statusNotJoined:
		return 0x93
	case statusPANChanged:
		return 0x9a
	case statusChannelChanged:
		return 0x9b
	case statusNetworkOpened:
		return 0x9c
	case statusNetworkClosed:
		return 0x9d
	case statusBusy:
		return 0xa1
	case statusSecurityNotSet:
		return 0xa8
	case statusSourceRouteFailure:
		return 0xa9
	case statusManyToOneFailure:
		return 0xaa
	case statusInvalidIndex:
		return 0xb1
	case statusFull:
		return 0xb4
	case statusNotAvailable:
		return 0xb5
	}
	return 0x01 // ERR_FATAL
}

// An ezspConfigStatus is an EzspStatus: of commands about the connection of host and stick.
type ezspConfigStatus uint8

// The ones the firmware uses.
const (
	ezspConfigOK       ezspConfigStatus = 0x00
	ezspVersionNotSet  ezspConfigStatus = 0x30
	ezspInvalidFrameID ezspConfigStatus = 0x31
	ezspOutOfMemory    ezspConfigStatus = 0x35
	ezspInvalidValue   ezspConfigStatus = 0x36
	ezspInvalidID      ezspConfigStatus = 0x37
	ezspInvalidCall    ezspConfigStatus = 0x38
)
