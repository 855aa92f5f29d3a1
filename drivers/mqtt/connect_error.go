package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"hearth"
)

// connectError says what a person can do about it. What time alone may mend is of code offline, and said in the same
// words each time.
func connectError(broker *url.URL, ca string, err error) error {
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return hearth.Errorf(hearth.CodeDenied, "the MQTT broker %s does not take username and password: see username and password_file", broker.Host)
	case errors.As(err, &verify):
		return distrust(broker, ca, verify)
	}
	why := reason(err)
	var on *net.OpError
	reached := !errors.As(err, &on) || on.Op != "dial"
	away := func(format string) error {
		return hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s "+format+" (%s)", broker.Host, why)
	}
	switch {
	case errors.As(err, new(tls.RecordHeaderError)):
		return away("does not speak TLS there: write mqtt:// or ws://, or its TLS port")
	case strings.Contains(why, "non-CONNACK"): // errors that the libraries do not name
		return away("answers, but not in MQTT: is it another port, or ws:// there?")
	case strings.Contains(why, "bad handshake"):
		return away("answers, but has no MQTT over WebSocket there: is the path right (often /mqtt), or is it another port?")
	case reached && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)):
		return away("takes the connection and does not answer: does it hang, or is it another port?")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		// Which of them it is changes from one time to the next.
		return hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s ends the connection at once: is it %s:// there, with TLS only where the name ends in s?", broker.Host, broker.Scheme)
	}
	return hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s is away: %s", broker.Host, why)
}

// reason is err without what differs from one time to the next: the port that was dialled from.
func reason(err error) string {
	var on *net.OpError
	if errors.As(err, &on) && on.Source != nil {
		return fmt.Sprintf("%s: %v", on.Op, on.Err)
	}
	return strings.TrimPrefix(err.Error(), "network Error : ") // the library's own words
}

// distrust says why a broker's certificate is not believed, and what would be.
func distrust(broker *url.URL, ca string, why *tls.CertificateVerificationError) error {
	var invalid x509.CertificateInvalidError
	var named x509.HostnameError
	switch {
	case errors.As(why, &invalid) && invalid.Reason == x509.Expired:
		return hearth.Errorf(hearth.CodeOffline, "the certificate of the MQTT broker %s is valid from %s to %s: renew it, or set this machine's clock",
			broker.Host, invalid.Cert.NotBefore.UTC().Format(time.DateTime), invalid.Cert.NotAfter.UTC().Format(time.DateTime))
	case errors.As(why, &named):
		return fmt.Errorf("the certificate of the MQTT broker %s is for %s: write that in broker, or give it a certificate for %s", broker.Host, names(named.Certificate), broker.Hostname())
	case ca != "" && errors.As(why, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("the certificate of the MQTT broker %s is not signed by the authority in %s: name the file of the one that has signed it in ca: %w", broker.Host, ca, why)
	}
	return fmt.Errorf("the MQTT broker %s is not trusted: name its certificate authority in ca: %w", broker.Host, why)
}

const mostNames = 5

// names are the hosts that a certificate is for.
func names(c *x509.Certificate) string {
	all := c.DNSNames
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host (it has no subjectAltName)"
	}
	return strings.ToValidUTF8(strings.Join(all[:min(len(all), mostNames)], ", "), "\uFFFD")
}
