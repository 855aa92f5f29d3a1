package ezsp

import "fmt"

// A command is a frame id of EZSP (UG100).
type command uint16

const (
	cmdVersion                 command = 0x0000
	cmdAddEndpoint             command = 0x0002
	cmdNop                     command = 0x0005
	cmdGetMfgToken             command = 0x000b
	cmdSetMfgToken             command = 0x000c
	cmdSetConcentrator         command = 0x0010
	cmdSetManufacturerCode     command = 0x0015
	cmdNetworkInit             command = 0x0017
	cmdNetworkState            command = 0x0018
	cmdFormNetwork             command = 0x001e
	cmdLeaveNetwork            command = 0x0020
	cmdPermitJoining           command = 0x0022
	cmdGetEUI64                command = 0x0026
	cmdGetNetworkParameters    command = 0x0028
	cmdMaximumPayloadLength    command = 0x0033
	cmdSendUnicast             command = 0x0034
	cmdSendBroadcast           command = 0x0036
	cmdSendMulticast           command = 0x0038
	cmdSendReply               command = 0x0039
	cmdGetChildData            command = 0x004a
	cmdGetConfiguration        command = 0x0052
	cmdSetConfiguration        command = 0x0053
	cmdSetPolicy               command = 0x0055
	cmdInvalidCommand          command = 0x0058
	cmdSetSourceRouteDiscovery command = 0x005a
	cmdLookupNodeID            command = 0x0060
	cmdSetMulticastTableEntry  command = 0x0064
	cmdAddOrUpdateKey          command = 0x0066
	cmdSetInitialSecurity      command = 0x0068
	cmdGetCurrentSecurity      command = 0x0069
	cmdGetKey                  command = 0x006a
	cmdClearTransientKeys      command = 0x006b
	cmdGetKeyTableEntry        command = 0x0071
	cmdSetExtendedTimeout      command = 0x007e
	cmdSetRadioPower           command = 0x0099
	cmdSetRadioChannel         command = 0x009a
	cmdGetValue                command = 0x00aa
	cmdSetValue                command = 0x00ab
	cmdSetChildData            command = 0x00ac
	cmdAddTransientKey         command = 0x00af
	cmdClearKeyTable           command = 0x00b1
	cmdGetTokenData            command = 0x0102
	cmdSetTokenData            command = 0x0103
	cmdImportLinkKey           command = 0x010e
	cmdExportLinkKey           command = 0x010f
	cmdImportTransientKey      command = 0x0111
	cmdExportKey               command = 0x0114
	cmdGetNetworkKeyInfo       command = 0x0116
)

// What the stick says without being asked.
const (
	sayStackStatus     command = 0x0019
	sayTrustCentreJoin command = 0x0024
	sayMessageSent     command = 0x003f
	sayMessage         command = 0x0045
	sayRouteRecord     command = 0x0059
	saySenderEUI64     command = 0x0062 // before version 14
	sayIDConflict      command = 0x007c
)

// String names a command as the specification does, for logs and errors.
func (c command) String() string {
	name, ok := map[command]string{
		cmdVersion: "version", cmdAddEndpoint: "addEndpoint", cmdNop: "nop", cmdGetMfgToken: "getMfgToken",
		cmdSetMfgToken: "setMfgToken", cmdSetConcentrator: "setConcentrator", cmdSetManufacturerCode: "setManufacturerCode",
		cmdNetworkInit: "networkInit", cmdNetworkState: "networkState", cmdFormNetwork: "formNetwork", cmdLeaveNetwork: "leaveNetwork",
		cmdPermitJoining: "permitJoining", cmdGetEUI64: "getEui64", cmdGetNetworkParameters: "getNetworkParameters",
		cmdMaximumPayloadLength: "maximumPayloadLength", cmdSendUnicast: "sendUnicast", cmdSendBroadcast: "sendBroadcast",
		cmdSendMulticast: "sendMulticast", cmdSendReply: "sendReply", cmdGetChildData: "getChildData",
		cmdGetConfiguration: "getConfigurationValue", cmdSetConfiguration: "setConfigurationValue", cmdSetPolicy: "setPolicy",
		cmdSetSourceRouteDiscovery: "setSourceRouteDiscoveryMode", cmdLookupNodeID: "lookupNodeIdByEui64",
		cmdSetMulticastTableEntry: "setMulticastTableEntry", cmdAddOrUpdateKey: "addOrUpdateKeyTableEntry",
		cmdSetInitialSecurity: "setInitialSecurityState", cmdGetCurrentSecurity: "getCurrentSecurityState", cmdGetKey: "getKey",
		cmdClearTransientKeys: "clearTransientLinkKeys", cmdGetKeyTableEntry: "getKeyTableEntry",
		cmdSetExtendedTimeout: "setExtendedTimeout", cmdSetRadioPower: "setRadioPower", cmdSetRadioChannel: "setRadioChannel",
		cmdGetValue: "getValue", cmdSetValue: "setValue", cmdSetChildData: "setChildData",
		cmdAddTransientKey: "addTransientLinkKey", cmdClearKeyTable: "clearKeyTable", cmdGetTokenData: "getTokenData",
		cmdSetTokenData: "setTokenData", cmdImportLinkKey: "importLinkKey", cmdExportLinkKey: "exportLinkKeyByIndex",
		cmdImportTransientKey: "importTransientKey", cmdExportKey: "exportKey", cmdGetNetworkKeyInfo: "getNetworkKeyInfo",
	}[c]
	if !ok {
		return fmt.Sprintf("command 0x%04x", uint16(c))
	}
	return name
}

// Configuration values (EzspConfigId).
const (
	configPacketBuffers       = 0x01
	configAddressTable        = 0x05
	configMulticastTable      = 0x06
	configStackProfile        = 0x0c
	configSecurityLevel       = 0x0d
	configMaxHops             = 0x10
	configMaxChildren         = 0x11
	configIndirectTimeout     = 0x12
	configEndDevicePoll       = 0x13
	configTrustCentreCache    = 0x19
	configSourceRouteTable    = 0x1a
	configFragmentWindow      = 0x1c
	configKeyTable            = 0x1e
	configPANConflicts        = 0x22
	configSupportedNetworks   = 0x2d
	configTransientKeyTimeout = 0x36
)

// Values (EzspValueId).
const (
	valueStackTokenWriting = 0x07
	valueExtendedSecurity  = 0x0a
	valueVersionInfo       = 0x11
	valueNWKFrameCounter   = 0x23
	valueAPSFrameCounter   = 0x24
	valueForceTxAfterCCA   = 0x3a
	valueTransientDevice   = 0x43
)

// Policies (EzspPolicyId) and what can be decided (EzspDecisionBitmask, EzspDecisionId).
const (
	policyTrustCentre     = 0x00
	policyBinding         = 0x01
	policyMessageContents = 0x04
	policyTCKeyRequest    = 0x05
	policyAppKeyRequest   = 0x06

	decideJoins            = 0x01
	decideUnsecuredRejoins = 0x02
	decideValidBindings    = 0x12
	decideTagOnly          = 0x40
	decideSendTCKey        = 0x51
	decideNoAppKeys        = 0x60
)

// Bits of EmberInitialSecurityBitmask and EmberExtendedSecurityBitmask.
const (
	securityGlobalLinkKey  = 0x0004
	securityHashedLinkKey  = 0x0084
	securityHavePreconfig  = 0x0100
	securityHaveNetworkKey = 0x0200
	securityEncryptedKey   = 0x0800
	securityKeepCounters   = 0x1000

	extendedJoinerGlobalKey = 0x0010
	extendedNoRemoteLeave   = 0x0100
)

// Kinds of keys: EmberKeyType before version 13, sl_zb_sec_man_key_type since then.
const (
	keyTrustCentre        = 1
	keyNetwork            = 3
	managedNetworkKey     = 1
	managedTrustCentreKey = 2
)

// Options of an EmberApsFrame.
const (
	apsRetry           = 0x0040
	apsDiscover        = 0x0100
	apsForceDiscover   = 0x0200
	apsDiscoverAddress = 0x1000
	apsFragment        = 0x8000
)

// EmberIncomingMessageType, EmberOutgoingMessageType.
const (
	incomingMulticast         = 2
	incomingMulticastLoopback = 3
	incomingBroadcast         = 4
	incomingBroadcastLoopback = 5
	outgoingDirect            = 0
)

// EmberDeviceUpdate, EmberJoinDecision, EmberNodeType.
const (
	updateLeft          = 2
	decisionDenyJoin    = 2
	nodeCoordinator     = 1
	nodeSleepyEndDevice = 4
)
