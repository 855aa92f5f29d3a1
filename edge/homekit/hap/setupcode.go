package hap

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// NewPIN returns a random setup code, written XXX-XX-XXX.
func NewPIN() string {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
		if err != nil {
			panic("hap: no random numbers: " + err.Error())
		}
		if pin, err := parsePIN(fmt.Sprintf("%08d", n)); err == nil {
			return pin
		}
	}
}

// CheckPIN says why a setup code cannot be used.
func CheckPIN(text string) error {
	_, err := parsePIN(text)
	return err
}

// parsePIN returns a setup code in the form it is proven in, XXX-XX-XXX. Codes that anyone would guess first are not
// allowed (section 4.2.1.1).
func parsePIN(text string) (string, error) {
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) != 8 || strings.Trim(digits, "0123456789") != "" {
		return "", fmt.Errorf("the setup code has to be eight digits, such as 031-45-154")
	}
	if digits == strings.Repeat(digits[:1], 8) || digits == "12345678" || digits == "87654321" {
		return "", fmt.Errorf("the setup code %s is one that Apple forbids", text)
	}
	return digits[:3] + "-" + digits[3:5] + "-" + digits[5:], nil
}

const setupIDLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// NewSetupID returns a random setup id: four of 0-9A-Z.
func NewSetupID() string {
	var id [4]byte
	for i := range id {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(setupIDLetters))))
		if err != nil {
			panic("hap: no random numbers: " + err.Error())
		}
		id[i] = setupIDLetters[n.Int64()]
	}
	return string(id[:])
}

func checkSetupID(id string) error {
	if len(id) != 4 || strings.Trim(id, setupIDLetters) != "" {
		return fmt.Errorf("the setup id has to be four of 0-9A-Z, not %q", id)
	}
	return nil
}

// setupURI is what the QR code says: nine digits of base 36 for the category, that it is an IP accessory, and the code.
func setupURI(category byte, pin, setupID string) string {
	code, err := strconv.ParseUint(strings.ReplaceAll(pin, "-", ""), 10, 27)
	if err != nil {
		return ""
	}
	const overIP = 2
	payload := strings.ToUpper(strconv.FormatUint(uint64(category)<<31|overIP<<27|code, 36))
	return "X-HM://" + strings.Repeat("0", max(0, 9-len(payload))) + payload + setupID
}

// setupHash is sh of the announcement: it lets a phone that has scanned the QR code find the accessory.
func setupHash(setupID, deviceID string) string {
	sum := sha512.Sum512([]byte(setupID + deviceID))
	return base64.StdEncoding.EncodeToString(sum[:4])
}
