package ezsp

import (
	"context"
	"fmt"

	"hearth/drivers/zigbee/radio"
)

// A setting is one of the firmware's configuration values. They take memory, so it may refuse some: then it goes on
// with its own.
type setting struct {
	id    uint8
	value uint16
	grow  bool // the firmware's own is kept if it is larger
}

// settings must be made before endpoints are added, and those before the network starts (UG100 2.3.1).
func settings(d dialect) []setting {
	list := []setting{
		{id: configTrustCentreCache, value: 2, grow: true}, // devices that join at the same moment
		{id: configIndirectTimeout, value: 7680},           // ms, of a Zigbee PRO network
		{id: configMaxHops, value: 30},
		{id: configSupportedNetworks, value: 1},
		{id: configStackProfile, value: 2},  // Zigbee PRO
		{id: configSecurityLevel, value: 5}, // encryption, and four bytes of checksum
		{id: configMaxChildren, value: 32, grow: true},
		{id: configEndDevicePoll, value: 8}, // 2^8 minutes until a silent child is forgotten
		{id: configTransientKeyTimeout, value: 300},
		{id: configPANConflicts, value: 2},
		{id: configFragmentWindow, value: 1}, // each fragment is acknowledged by itself
		{id: configMulticastTable, value: 16, grow: true},
		{id: configAddressTable, value: 16, grow: true},
		{id: configKeyTable, value: 12, grow: true},
		{id: configSourceRouteTable, value: 200, grow: true},
	}
	if !d.wide() {
		list = append(list, setting{id: configPacketBuffers, value: 0xff}) // all memory that is left: it comes last
	}
	return list
}

// policies say what the trust centre does. Devices of Zigbee 3.0 ask for a key of their own and leave if they get none.
// New devices are let in by open only, whatever routers do.
func policies() [][2]uint8 {
	return [][2]uint8{
		{policyBinding, decideValidBindings},
		{policyMessageContents, decideTagOnly},
		{policyTCKeyRequest, decideSendTCKey},
		{policyAppKeyRequest, decideNoAppKeys},
		{policyTrustCentre, decideUnsecuredRejoins},
	}
}

// configureAll makes the settings that the firmware forgets when it restarts.
func (r *Radio) configureAll(ctx context.Context) error {
	for _, s := range settings(r.speaks()) {
		if err := r.set(ctx, s); err != nil {
			return err
		}
	}
	values := map[uint8][]byte{
		valueTransientDevice: put16(nil, 10000), // ms that a joining device is remembered
		valueForceTxAfterCCA: {1},
	}
	for _, id := range []uint8{valueTransientDevice, valueForceTxAfterCCA} {
		if err := r.tolerate(r.setValue(ctx, id, values[id])); err != nil {
			return err
		}
	}
	for _, p := range policies() {
		if err := r.configure(ctx, cmdSetPolicy, p[:]); err != nil {
			if !refused(err) {
				return err
			}
			r.log.Warn("the stick refuses a policy: devices may not be able to join", "policy", p[0], "decision", p[1], "reason", err)
		}
	}
	if _, err := r.call(ctx, cmdSetManufacturerCode, put16(nil, manufacturerSiliconLabs)); r.tolerate(err) != nil {
		return err
	}
	return r.addEndpoints(ctx)
}

func (r *Radio) set(ctx context.Context, s setting) error {
	if s.grow {
		in, err := r.call(ctx, cmdGetConfiguration, []byte{s.id})
		if err != nil && !refused(err) {
			return err
		}
		if err == nil && r.speaks().configStatus(in).ok() && in.u16() >= s.value && !in.short {
			return nil
		}
	}
	return r.tolerate(r.configure(ctx, cmdSetConfiguration, put16([]byte{s.id}, s.value)))
}

func (r *Radio) setValue(ctx context.Context, id uint8, value []byte) error {
	return r.configure(ctx, cmdSetValue, putCounted([]byte{id}, value))
}

func (r *Radio) setPolicy(ctx context.Context, policy, decision uint8) error {
	return r.configure(ctx, cmdSetPolicy, []byte{policy, decision})
}

// tolerate lets a refusal pass: the firmware goes on with its own values.
func (r *Radio) tolerate(err error) error {
	if refused(err) {
		r.log.Debug("the stick keeps its own setting", "reason", err)
		return nil
	}
	return err
}

// Manufacturers that the stick says to be of.
const (
	manufacturerSiliconLabs = 0x1049
	manufacturerLumi        = 0x115f
)

// An endpoint is one of the coordinator's.
type endpoint struct {
	id              uint8
	profile, device uint16
	in, out         []uint16
}

const (
	profileHA         = 0x0104
	endpointMain      = 1
	endpointGreen     = 242
	groupGreenPower   = 0x0b84
	endpointVersion   = 1
	deviceCombined    = 0x0007 // combined interface
	deviceCIE         = 0x0400 // control and indicating equipment of alarms
	deviceGreenSink   = 0x0066
	deviceUnspecified = 0x0005 // configuration tool
)

// endpoints are those that devices look for, in the order in which they matter: the firmware has room for some only.
// All but the first ones stand here because devices of some maker insist on them.
func endpoints() []endpoint {
	plain := func(id uint8, profile uint16) endpoint {
		return endpoint{id: id, profile: profile, device: deviceUnspecified}
	}
	return []endpoint{
		{
			id: endpointMain, profile: profileHA, device: deviceCombined,
			in: []uint16{0x0000, 0x0003, 0x0006, 0x0008, 0x000a, 0x0019, 0x0300},
			out: []uint16{
				0x0000, 0x0003, 0x0004, 0x0005, 0x0006, 0x0008, 0x0020, 0x0102, 0x0201, 0x0300, 0x0400, 0x0402, 0x0405, 0x0406,
				0x0500, 0x0702, 0x0b04, 0x1000,
			},
		},
		{id: endpointGreen, profile: 0xa1e0, device: deviceGreenSink, in: []uint16{0x0021}, out: []uint16{0x0021}},
		{id: 11, profile: profileHA, device: deviceCIE, in: []uint16{0x0501, 0x000a}, out: []uint16{0x0500, 0x0502}},
		{id: 13, profile: profileHA, device: deviceUnspecified, in: []uint16{0x0019}},
		plain(2, 0x0101),
		plain(3, profileHA),
		plain(4, 0x0107),
		plain(5, 0x0108),
		plain(6, 0x0109),
		plain(8, profileHA),
		plain(10, profileHA),
		plain(110, profileHA),
		plain(12, 0xc05e),
		{id: 47, profile: profileHA, device: deviceUnspecified, in: []uint16{0x0019}},
		plain(239, profileShelly),
	}
}

const profileShelly = 0xc001

// needed is how many of the endpoints there must be.
const needed = 1

func (r *Radio) addEndpoints(ctx context.Context) error {
	for n, e := range endpoints() {
		err := r.configure(ctx, cmdAddEndpoint, e.append(nil))
		switch {
		case err == nil:
			continue
		case !refused(err):
			return err
		case n < needed:
			return fmt.Errorf("adding endpoint %d: %w", e.id, err)
		}
		r.log.Info("the stick has room for some endpoints only: some rare devices may not find what they look for", "endpoints", n, "reason", err)
		return nil
	}
	return nil
}

func (e endpoint) append(b []byte) []byte {
	b = put16(put16(append(b, e.id), e.profile), e.device)
	b = append(b, endpointVersion, byte(len(e.in)), byte(len(e.out)))
	for _, list := range [][]uint16{e.in, e.out} {
		for _, cluster := range list {
			b = put16(b, cluster)
		}
	}
	return b
}

// hearGroups fills the table of groups, without which the firmware drops what is sent to them.
func (r *Radio) hearGroups(ctx context.Context) error {
	r.mu.Lock()
	groups := append([]uint16(nil), r.groups...)
	r.mu.Unlock()
	for n, group := range append([]uint16{0, groupGreenPower}, groups...) {
		if err := r.hearGroup(ctx, n, group); err != nil {
			if !refused(err) {
				return err
			}
			r.log.Warn("the stick has no room to listen to a group", "group", group, "reason", err)
		}
	}
	return nil
}

const ownGroups = 2 // entries of the table that are not Hear's

func (r *Radio) hearGroup(ctx context.Context, index int, group uint16) error {
	listener := uint8(endpointMain)
	if group == groupGreenPower {
		listener = endpointGreen
	}
	if index > 0xff {
		return &radio.Failure{Class: radio.Refused, Doing: "listening to a group: there are too many"}
	}
	const network = 0
	return r.do(ctx, cmdSetMulticastTableEntry, append(put16([]byte{byte(index)}, group), listener, network))
}
