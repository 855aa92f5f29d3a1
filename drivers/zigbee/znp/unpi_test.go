package znp

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scanAll feeds pieces and returns all frames found.
func scanAll(s *scanner, pieces ...[]byte) (found []frame) {
	for _, piece := range pieces {
		for len(piece) > 0 {
			n := copy(s.space(), piece)
			s.filled(n)
			piece = piece[n:]
			for f, ok := s.next(); ok; f, ok = s.next() {
				f.data = slices.Clone(f.data)
				found = append(found, f)
			}
		}
	}
	return found
}

func TestScanner(t *testing.T) {
	const ping = "fe 02 61 01 79 05 1e"   // SRSP of SYS_PING
	const state = "fe 01 45 c0 09 8d"     // AREQ of ZDO_STATE_CHANGE_IND
	const empty = "fe 00 61 01 60"        // without data
	const inside = "fe 06 44 81 " + state // begins in a frame that lies
	tests := map[string]struct {
		pieces  []string
		want    string // commands
		partial bool
		junk    int
	}{
		"one":                       {[]string{ping}, "0101", false, 0},
		"empty":                     {[]string{empty}, "0101", false, 0},
		"two at once":               {[]string{ping + state}, "0101 05c0", false, 0},
		"in pieces":                 {[]string{"fe", "02 61", "01 79 05", "1e"}, "0101", false, 0},
		"half":                      {[]string{"fe 02 61 01 79"}, "", true, 0},
		"junk before":               {[]string{"00 11 7e " + ping}, "0101", false, 3},
		"fe ff":                     {[]string{"fe ff " + ping + state}, "0101 05c0", false, 2},
		"length 251":                {[]string{"fe fb " + state}, "05c0", false, 2},
		"length 251, else right":    {[]string{"fe fb 45 c0 " + state}, "05c0", false, 4},
		"start bytes in a row":      {[]string{"fe fe fe " + state}, "05c0", false, 3},
		"bad check":                 {[]string{"fe 01 45 c0 09 00" + state}, "05c0", false, 6},
		"no kind of a stick":        {[]string{"fe 20 21 " + state}, "05c0", false, 3},
		"kind in the next piece":    {[]string{"fe 20", "21 " + state}, "05c0", false, 3},
		"legal frame inside junk":   {[]string{inside + ping}, "05c0 0101", false, 4},
		"false start waits":         {[]string{"fe 50 45 " + state}, "", true, 0},
		"start byte in data":        {[]string{"fe 02 61 01 fe fe 62"}, "0101", false, 0},
		"only the beginning of one": {[]string{"fe"}, "", true, 0},
		"length 250":                {[]string{hex.EncodeToString(appendFrame(nil, kindIndication, afIncoming, make([]byte, maxData)))}, "0481", false, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var s scanner
			var pieces [][]byte
			for _, p := range tt.pieces {
				pieces = append(pieces, unhex(t, p))
			}
			var got []string
			for _, f := range scanAll(&s, pieces...) {
				got = append(got, hex.EncodeToString([]byte{byte(f.command >> 8), byte(f.command)}))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("found %v, want %s", got, tt.want)
			}
			if _, partial := s.partial(); partial != tt.partial || s.junk != tt.junk {
				t.Errorf("partial %v, junk %d; want %v, %d", partial, s.junk, tt.partial, tt.junk)
			}
		})
	}
}

func TestScannerGivesUp(t *testing.T) {
	var s scanner
	state := unhex(t, "fe 01 45 c0 09 8d")
	if got := scanAll(&s, unhex(t, "fe 50 45"), state, state); len(got) != 0 {
		t.Fatalf("found %v in a frame that is not complete", got)
	}
	s.giveUp()
	if got := scanAll(&s, []byte{0}); len(got) != 2 || got[1].command != zdoStateChange {
		t.Errorf("found %v after giving up", got)
	}
}

func TestFrameBytes(t *testing.T) {
	got := appendFrame([]byte{0xaa}, kindRequest, afRequest, []byte{1, 2})
	if want := unhex(t, "aa fe 02 24 01 01 02 24"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add(unhex(f, "fe02610179051e"), 3)
	f.Add(unhex(f, "feff fe0145c0098d"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if len(b) > 2000 {
			return
		}
		cut = min(max(cut, 0), len(b))
		var s scanner
		whole := scanAll(&s, b[:cut], b[cut:])
		taken := s.junk
		for _, f := range whole {
			again := appendFrame(nil, f.kind, f.command, f.data)
			if !bytes.Contains(b, again) {
				t.Fatalf("%x was found, and is not in %x", again, b)
			}
			taken += len(again)
		}
		if at, _ := s.partial(); at != taken {
			t.Fatalf("%d bytes passed, %d in frames and junk", at, taken)
		}
		var other scanner
		if got := scanAll(&other, b); len(got) != len(whole) {
			t.Fatalf("%d frames at once, %d when cut at %d", len(got), len(whole), cut)
		}
	})
}
