package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 100, 20 << 20: 100, 96 << 20: 100, 192 << 20: 50, 240 << 20: 40, 1 << 40: 40} {
		if got := garbagePercent(inUse); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", inUse, got, want)
		}
	}
}
