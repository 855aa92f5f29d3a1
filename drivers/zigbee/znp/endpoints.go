package znp

const (
	profileHome       = 0x0104
	profileTouchlink  = 0xc05e
	profileGreenPower = 0xa1e0

	endpointHome       = 1
	endpointGreenPower = 242
)

// An endpoint is one of the coordinator's own.
type endpoint struct {
	id              uint8
	profile, device uint16
	in, out         []uint16
}

// endpoints are those that devices look for before they talk to a coordinator.
func endpoints() []endpoint {
	const controller = 0x0005
	return []endpoint{
		{id: endpointHome, profile: profileHome, device: controller},
		{id: 2, profile: 0x0101, device: controller},
		{id: 3, profile: profileHome, device: controller},
		{id: 4, profile: 0x0107, device: controller},
		{id: 5, profile: 0x0108, device: controller},
		{id: 6, profile: 0x0109, device: controller},
		{id: 8, profile: profileHome, device: controller},
		{id: 10, profile: profileHome, device: controller},
		{id: 11, profile: profileHome, device: 0x0400, in: []uint16{0x0501, 0x000a}, out: []uint16{0x0500, 0x0502}}, // alarm panel and clock
		{id: 12, profile: profileTouchlink, device: controller},
		{id: 13, profile: profileHome, device: controller, in: []uint16{0x0019}}, // firmware updates
		{id: 47, profile: profileHome, device: controller},                       // where some Insta devices look for updates
		{id: 110, profile: profileHome, device: controller},                      // Terncy
		{id: 239, profile: profileShelly, device: controller},
		{id: endpointGreenPower, profile: profileGreenPower, device: controller},
	}
}

const profileShelly = 0xc001

// registration is the data of AF_REGISTER.
func (e endpoint) registration() []byte {
	b := append16(append16([]byte{e.id}, e.profile), e.device)
	b = append(b, 0, 0) // version, latency
	for _, clusters := range [][]uint16{e.in, e.out} {
		b = append(b, byte(len(clusters)))
		for _, c := range clusters {
			b = append16(b, c)
		}
	}
	return b
}

// profilesOf returns the profiles of all endpoints: messages do not tell theirs.
func profilesOf(list []endpoint) (profiles [256]uint16) {
	for i := range profiles {
		profiles[i] = profileHome
	}
	for _, e := range list {
		profiles[e.id] = e.profile
	}
	return profiles
}

// endpointOf returns the endpoint of ours that speaks a profile.
func endpointOf(profile uint16) uint8 {
	for _, e := range endpoints() {
		if e.profile == profile {
			return e.id
		}
	}
	return endpointHome
}
