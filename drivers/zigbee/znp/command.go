package znp

import "fmt"

// A command is a subsystem and one of its commands, without the kind of frame.
type command uint16

// The commands in use (TI: Z-Stack Monitor and Test API).
const (
	rpcError command = 0x0000

	sysReset        command = 0x0100
	sysPing         command = 0x0101
	sysVersion      command = 0x0102
	sysGetAddress   command = 0x0104
	sysItemInit     command = 0x0107
	sysStackTune    command = 0x010f
	sysItemDelete   command = 0x0112
	sysItemLength   command = 0x0113
	sysSetPower     command = 0x0114
	sysItemRead     command = 0x011c
	sysItemWrite    command = 0x011d
	sysTableLength  command = 0x0132
	sysTableRead    command = 0x0133
	sysTableWrite   command = 0x0134
	sysResetHappens command = 0x0180

	afRegister    command = 0x0400
	afRequest     command = 0x0401
	afRequestExt  command = 0x0402
	afStore       command = 0x0411
	afRetrieve    command = 0x0412
	afConfirm     command = 0x0480
	afIncoming    command = 0x0481
	afIncomingExt command = 0x0482

	zdoNWKAddress      command = 0x0500
	zdoIEEEAddress     command = 0x0501
	zdoActiveEndpoints command = 0x0505
	zdoBind            command = 0x0521
	zdoUnbind          command = 0x0522
	zdoLeave           command = 0x0534
	zdoPermitJoining   command = 0x0536
	zdoNetworkUpdate   command = 0x0537
	zdoStartup         command = 0x0540
	zdoDiscoverRoute   command = 0x0545
	zdoCheckRoute      command = 0x0546
	zdoFindGroup       command = 0x054a
	zdoAddGroup        command = 0x054b
	zdoNetworkInfo     command = 0x0550

	zdoNWKAddressResponse  command = 0x0580
	zdoIEEEAddressResponse command = 0x0581
	zdoActiveEndpointsAre  command = 0x0585
	zdoStateChange         command = 0x05c0
	zdoAnnounce            command = 0x05c1
	zdoStatusError         command = 0x05c3
	zdoConcentrator        command = 0x05c8
	zdoLeft                command = 0x05c9
	zdoTrustCentreDevice   command = 0x05ca
	zdoMessage             command = 0x05ff

	utilDeviceInfo    command = 0x0700
	utilIEEEOf        command = 0x0741
	utilAssociation   command = 0x074a
	utilDisassociate  command = 0x0763
	utilAssociate     command = 0x0764
	debugMessage      command = 0x0880
	cnfInstallCode    command = 0x0f04
	cnfCommission     command = 0x0f05
	cnfSetChannels    command = 0x0f08
	cnfCommissionTold command = 0x0f80
)

// String returns the command's name as TI writes it.
func (c command) String() string {
	switch c >> 8 {
	case 0x01:
		return c.named("SYS_", sysNames)
	case 0x04:
		return c.named("AF_", afNames)
	case 0x05:
		return c.named("ZDO_", zdoNames)
	case 0x07:
		return c.named("UTIL_", utilNames)
	case 0x0f:
		return c.named("APP_CNF_", cnfNames)
	}
	return fmt.Sprintf("MT command 0x%04x", uint16(c))
}

func (c command) named(prefix string, names func(command) string) string {
	if name := names(c); name != "" {
		return prefix + name
	}
	return fmt.Sprintf("%scommand 0x%02x", prefix, byte(c))
}

func sysNames(c command) string {
	switch c {
	case sysReset:
		return "RESET_REQ"
	case sysPing:
		return "PING"
	case sysVersion:
		return "VERSION"
	case sysGetAddress:
		return "GET_EXTADDR"
	case sysItemInit:
		return "OSAL_NV_ITEM_INIT"
	case sysStackTune:
		return "STACK_TUNE"
	case sysItemDelete:
		return "OSAL_NV_DELETE"
	case sysItemLength:
		return "OSAL_NV_LENGTH"
	case sysSetPower:
		return "SET_TX_POWER"
	case sysItemRead:
		return "OSAL_NV_READ_EXT"
	case sysItemWrite:
		return "OSAL_NV_WRITE_EXT"
	case sysTableLength:
		return "NV_LENGTH"
	case sysTableRead:
		return "NV_READ"
	case sysTableWrite:
		return "NV_WRITE"
	}
	return ""
}

func afNames(c command) string {
	switch c {
	case afRegister:
		return "REGISTER"
	case afRequest:
		return "DATA_REQUEST"
	case afRequestExt:
		return "DATA_REQUEST_EXT"
	case afStore:
		return "DATA_STORE"
	case afRetrieve:
		return "DATA_RETRIEVE"
	}
	return ""
}

func zdoNames(c command) string {
	switch c {
	case zdoNWKAddress:
		return "NWK_ADDR_REQ"
	case zdoIEEEAddress:
		return "IEEE_ADDR_REQ"
	case zdoActiveEndpoints:
		return "ACTIVE_EP_REQ"
	case zdoBind:
		return "BIND_REQ"
	case zdoUnbind:
		return "UNBIND_REQ"
	case zdoLeave:
		return "MGMT_LEAVE_REQ"
	case zdoPermitJoining:
		return "MGMT_PERMIT_JOIN_REQ"
	case zdoNetworkUpdate:
		return "MGMT_NWK_UPDATE_REQ"
	case zdoStartup:
		return "STARTUP_FROM_APP"
	case zdoDiscoverRoute:
		return "EXT_ROUTE_DISC"
	case zdoCheckRoute:
		return "EXT_ROUTE_CHECK"
	case zdoFindGroup:
		return "EXT_FIND_GROUP"
	case zdoAddGroup:
		return "EXT_ADD_GROUP"
	case zdoNetworkInfo:
		return "EXT_NWK_INFO"
	}
	return ""
}

func utilNames(c command) string {
	switch c {
	case utilDeviceInfo:
		return "GET_DEVICE_INFO"
	case utilIEEEOf:
		return "ADDRMGR_NWK_ADDR_LOOKUP"
	case utilAssociation:
		return "ASSOC_GET_WITH_ADDRESS"
	case utilDisassociate:
		return "ASSOC_REMOVE"
	case utilAssociate:
		return "ASSOC_ADD"
	}
	return ""
}

func cnfNames(c command) string {
	switch c {
	case cnfInstallCode:
		return "BDB_ADD_INSTALLCODE"
	case cnfCommission:
		return "BDB_START_COMMISSIONING"
	case cnfSetChannels:
		return "BDB_SET_CHANNEL"
	}
	return ""
}
