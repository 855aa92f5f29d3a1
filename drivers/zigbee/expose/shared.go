package expose

import "hearth"

// Shared returns what an endpoint takes that endpoints of other devices take in the same words, by those words: what
// several can be told at once. The property itself has the name with which this device was announced.
func (m *Model) Shared(endpoint uint8) map[string]hearth.Property {
	shared := map[string]hearth.Property{}
	for _, s := range m.named {
		if s.endpoint == endpoint && s.naming == laterNumbered && s.Writable {
			shared[s.standard] = s.Property
		}
	}
	return shared
}
