package modbus

import "io"

// TestSlave is the slave of the tests of this package for those outside of it.
type TestSlave struct{ s *slave }

// NewTestSlave returns one with a relay board as unit 1 and a meter as unit 2.
func NewTestSlave() TestSlave {
	s := newSlave(1, 2)
	s.units[1].tables["coil"][0] = 0
	s.units[1].tables["discrete"][3] = 1
	for a := range uint16(6) {
		s.units[1].tables["holding"][a] = 0
	}
	for a := range uint16(80) {
		s.units[2].tables["input"][a] = 0
	}
	s.units[2].float("input", 0, 230.5)
	s.units[2].float("input", 0x156, 1234.5)
	return TestSlave{s}
}

// ServeRTU answers until rw fails.
func (s TestSlave) ServeRTU(rw io.ReadWriter) { s.s.serveRTU(rw) }

// ServeTCP answers until rw fails.
func (s TestSlave) ServeTCP(rw io.ReadWriter) { s.s.serveTCP(rw) }
