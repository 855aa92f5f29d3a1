//go:build !linux

package hap

import (
	"net"
	"time"
)

// giveUp is for Linux; elsewhere the system's own patience counts.
func giveUp(*net.TCPConn, time.Duration) error { return nil }
