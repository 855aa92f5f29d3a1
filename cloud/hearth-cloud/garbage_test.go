package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 100, 20 << 20: 100, 32 << 20: 100, 64 << 20: 50, 80 << 20: 40, 1 << 40: 40} {
		if got := garbagePercent(inUse); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", inUse, got, want)
		}
	}
}
