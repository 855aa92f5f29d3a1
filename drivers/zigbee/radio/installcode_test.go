package radio

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// published are the examples of the Base Device Behavior specification and of chip makers' guides: a code of each length
// and the key that it stands for.
func published() map[string]string {
	return map[string]string{
		"83FED3407A932B70":                     "cd4fa064773f46941ec986c09963d1a8",
		"83FED3407A939738C552":                 "a833a77434f3bfbd7a7ab97942149287",
		"83FED3407A939723A5C639FF4C12":         "58c1828cf7f1c3fe29e7b1024ad84bfa",
		"83FED3407A939723A5C639B26916D505C3B5": "66b6900981e1ee3ca4206b6b861c02bb",
	}
}

func TestInstallCodeKeys(t *testing.T) {
	for text, want := range published() {
		c, err := ParseInstallCode(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if key := c.Key(); hex.EncodeToString(key[:]) != want {
			t.Errorf("%s: key %x, want %s", text, key[:], want)
		}
		if code := c.Code(); !strings.EqualFold(hex.EncodeToString(code), text) {
			t.Errorf("%s: code %x", text, code)
		}
		if c.Device != 0 {
			t.Errorf("%s: is said to be of %s", text, c.Device)
		}
	}
}

func TestInstallCodeLabels(t *testing.T) {
	const code = "83FED3407A939723A5C639B26916D505C3B5"
	const device = IEEE(0x0123456789abcdef)
	tests := map[string]struct {
		text   string
		device IEEE
	}{
		"spaces":         {" 83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5\n", 0},
		"dashes, small":  {"83fe-d340-7a93-9723-a5c6-39b2-6916-d505-c3b5", 0},
		"colons":         {"83:FE:D3:40:7A:93:97:23:A5:C6:39:B2:69:16:D5:05:C3:B5", 0},
		"shortest":       {"Z:0123456789ABCDEF$I:" + code, device},
		"more behind":    {"Z:0123456789abcdef$I:" + code + "%M:FFFE$D:01020304", device},
		"more before":    {"G$M:ABC%Z:0123456789ABCDEF$I:" + code + "%M:1246", device},
		"dollar behind":  {"Z:0123456789ABCDEF$I:" + code + "$D:202%B:0123456789AB$P:9%M:1220$F:002D", device},
		"Aqara":          {"G$M:69775$S:680S0000$D:0000000017B2335C%Z$A:0123456789ABCDEF$I:" + code, device},
		"Hue":            {"HUE:Z:" + code + " M:0123456789ABCDEF D:L3B A:1184", device},
		"pipe":           {"0123456789ABCDEF|" + code, device},
		"between pipes":  {"|0123456789ABCDEF|" + code + "|", device},
		"Bosch":          {"RB01SG" + strings.Repeat("0", 34) + "0123456789ABCDEFDLK" + code, device},
		"Bosch's plugs":  {"ZB10SG0D83101823480040000000000000000000" + "0123456789ABCDEFDLK" + code, device},
		"code, no owner": {"$I:" + code, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := ParseInstallCode(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if c.Device != test.device || !strings.EqualFold(hex.EncodeToString(c.Code()), code) {
				t.Errorf("device %s, code %x", c.Device, c.Code())
			}
			if key := c.Key(); hex.EncodeToString(key[:]) != published()[code] {
				t.Errorf("key %x", key[:])
			}
		})
	}
}

func TestInstallCodeThatIsAKey(t *testing.T) {
	c, err := ParseInstallCode("RB01SG" + strings.Repeat("0", 34) + "0123456789ABCDEFDLK000102030405060708090A0B0C0D0E0F")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}); c.Key() != want || c.Code() != nil {
		key := c.Key()
		t.Errorf("key %x, code %x", key[:], c.Code())
	}
}

func TestBadInstallCodes(t *testing.T) {
	tests := map[string]struct{ text, says string }{
		"empty":             {"", "0 hex digits"},
		"a digit wrong":     {"83FED3407A939723A5C639B26916D505C3B6", "check"},
		"two digits turned": {"83FED3407A939723A5C639B269 61D505C3B5", "check"},
		"no check":          {"83FED3407A939723A5C639B26916D505", "32 hex digits"},
		"odd":               {"83FED3407A939723A5C639B26916D505C3B", "hex"},
		"a letter O":        {"83FED34O7A939723A5C639B26916D505C3B5", "hex"},
		"short address":     {"Z:0123456789ABCD$I:83FED3407A939723A5C639B26916D505C3B5", "16 hex digits"},
		"no address":        {"|zz|83FED3407A939723A5C639B26916D505C3B5", "16 hex digits"},
		"no code":           {"Z:0123456789ABCDEF$I:", "0 hex digits"},
		"Hue without code":  {"HUE: M:0123456789ABCDEF", "0 hex digits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := ParseInstallCode(test.text)
			if err == nil {
				t.Fatalf("taken: %x", c.Code())
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
			if len(test.text) > 16 && strings.Contains(err.Error(), test.text[len(test.text)-12:]) {
				t.Errorf("%q shows the code", err)
			}
		})
	}
}

func TestInstallCodeNeverPrints(t *testing.T) {
	c, err := ParseInstallCode("83FED3407A939723A5C639B26916D505C3B5")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("code", "code", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("code", "code", c)
	shown := fmt.Sprintf("%v %+v %#v %x %s", c, c, c, c, c) + log.String()
	for _, secret := range []string{"83fed340", "131 254 211", "0x83", "66b69009", "102 182"} {
		if strings.Contains(strings.ToLower(shown), secret) {
			t.Errorf("%q is in %s", secret, shown)
		}
	}
}

func FuzzInstallCode(f *testing.F) {
	for text := range published() {
		f.Add(text)
		f.Add("Z:0123456789ABCDEF$I:" + text)
		f.Add("HUE:Z:" + text + " M:0123456789ABCDEF")
		f.Add("0123456789ABCDEF|" + text)
		f.Add("0123456789ABCDEFDLK" + text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseInstallCode(text)
		if err != nil || c.Code() == nil {
			return
		}
		again, err := ParseInstallCode(fmt.Sprintf("Z:%s$I:%X", c.Device, c.Code()))
		if err != nil || again.Device != c.Device || again.Key() != c.Key() {
			t.Errorf("%q: not the same again: %v", text, err)
		}
	})
}
