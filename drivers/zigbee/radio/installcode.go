package radio

import (
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// An InstallCode is what a label says so that a device can join without the key that everybody knows. It never prints.
type InstallCode struct {
	Device IEEE // 0 if the text does not say whose it is
	code   []byte
	key    Key
}

// Code returns the code with the two bytes of its check, nil if the label has the key itself.
func (c InstallCode) Code() []byte { return c.code }

// Key returns the link key that the device joins with.
func (c InstallCode) Key() Key { return c.key }

func (c InstallCode) String() string { return "(install code)" }

// Format implements fmt.Formatter: no verb shows a code.
func (c InstallCode) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("(install code)")) }

// LogValue implements slog.LogValuer.
func (c InstallCode) LogValue() slog.Value { return slog.StringValue("(install code)") }

// ParseInstallCode reads an install code as a person types it, in hex with or without spaces, dashes and colons, or what a
// label's QR code says:
//
//	…Z:<device>$I:<code>…            most
//	G$M:…$A:<device>$I:<code>        Aqara
//	HUE:Z:<code> M:<device> …        Hue
//	<device>|<code>, |<device>|<code>|
//	RB01SG…<device>DLK<code or key>  Bosch
//
// The error says what to look at and never shows the code.
func ParseInstallCode(text string) (InstallCode, error) {
	device, digits, isKey := splitLabel(strings.ToUpper(strings.TrimSpace(text)))
	var c InstallCode
	if device != "" {
		address, err := ParseIEEE(device)
		if err != nil {
			return InstallCode{}, errors.New("install code: the device's address in it is not 16 hex digits")
		}
		c.Device = address
	}
	code, err := hex.DecodeString(digits)
	if err != nil {
		return InstallCode{}, errors.New("install code: want hex digits, or all of what the QR code says")
	}
	if isKey && len(code) == len(c.key) {
		c.key = Key(code)
		return c, nil
	}
	switch len(code) {
	case 8, 10, 14, 18:
	default:
		return InstallCode{}, fmt.Errorf("install code: it has %d hex digits; want 36, or 16, 20 or 28, the last four of them its check", len(digits))
	}
	end := len(code) - 2
	if binary.LittleEndian.Uint16(code[end:]) != crcX25(code[:end]) {
		return InstallCode{}, errors.New("install code: its check does not fit: a digit is wrong, compare it with the label")
	}
	c.code, c.key = code, mmoHash(code)
	return c, nil
}

// splitLabel takes the device's address, if there is one, and the code out of the text; isKey: with 32 digits it is no
// code but the key.
func splitLabel(text string) (device, code string, isKey bool) {
	if hue, found := strings.CutPrefix(text, "HUE:"); found {
		for field := range strings.FieldsSeq(hue) {
			switch name, value, _ := strings.Cut(field, ":"); name {
			case "Z":
				code = value
			case "M":
				device = value
			}
		}
		return device, code, false
	}
	if before, after, found := strings.Cut(text, "$I:"); found {
		return addressAtEnd(before), hexAtStart(after), false
	}
	if before, after, found := strings.Cut(text, "DLK"); found {
		return addressAtEnd(before), after, true
	}
	if before, after, found := strings.Cut(strings.Trim(text, "|"), "|"); found {
		return before, after, false
	}
	return "", strings.NewReplacer(" ", "", "-", "", ":", "").Replace(text), false
}

func addressAtEnd(s string) string { return s[max(0, len(s)-16):] }

func hexAtStart(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEF", r) })
	if end < 0 {
		return s
	}
	return s[:end]
}

// crcX25 is the check of an install code (Base Device Behavior 13-0402, 10.1).
func crcX25(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8408
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

// mmoHash is the hash of Matyas, Meyer and Oseas with AES-128 (Zigbee specification, B.6), for less than 8 KiB.
func mmoHash(message []byte) Key {
	padded := append(append([]byte(nil), message...), 0x80)
	for len(padded)%aes.BlockSize != aes.BlockSize-2 {
		padded = append(padded, 0)
	}
	padded = binary.BigEndian.AppendUint16(padded, uint16(8*len(message)))
	var hash Key
	for ; len(padded) > 0; padded = padded[aes.BlockSize:] {
		cipher, err := aes.NewCipher(hash[:])
		if err != nil {
			panic(err) // only for another length of key
		}
		cipher.Encrypt(hash[:], padded[:aes.BlockSize])
		for i := range hash {
			hash[i] ^= padded[i]
		}
	}
	return hash
}
