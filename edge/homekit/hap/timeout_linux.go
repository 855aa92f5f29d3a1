package hap

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// giveUp ends a connection whose other end has not acknowledged anything for so long. Keep-alive alone does not notice:
// while something waits to be acknowledged the kernel sends it again instead, for a quarter of an hour.
func giveUp(c *net.TCPConn, after time.Duration) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
