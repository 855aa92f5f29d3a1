package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// lookEvery is how long a new certificate may wait until it is seen. Its files are compared whole: who renews them may
// swap symbolic links, or keep the time of the copy.
const lookEvery = 10 * time.Second

// maxFile is how large a file of certificates or a key may be.
const maxFile = 1 << 20

// files are a certificate and its key that somebody else renews.
type files struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]

	cert, key []byte // as last read, good or bad
}

func openFiles(certFile, keyFile string, log *slog.Logger) (*files, error) {
	f := &files{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := f.look(); err != nil {
		return nil, err
	}
	return f, nil
}

// look reads the files and reports whether there is a new certificate in them. What cannot be used is told once.
func (f *files) look() (fresh bool, err error) {
	cert, err := readFile(f.certFile)
	if err != nil {
		return false, fmt.Errorf("reading the certificate (web.tls.cert_file): %w", err)
	}
	key, err := readFile(f.keyFile)
	if err != nil {
		return false, fmt.Errorf("reading the certificate's key (web.tls.key_file): %w", err)
	}
	if bytes.Equal(cert, f.cert) && bytes.Equal(key, f.key) {
		return false, nil
	}
	f.cert, f.key = cert, key
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("%s and %s are no certificate and its key: %w", f.certFile, f.keyFile, err)
	}
	f.current.Store(&pair)
	return true, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file of certificates or a key", path)
	}
	return os.ReadFile(path)
}

func (f *files) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		fresh, err := f.look()
		switch {
		case err != nil && err.Error() != told:
			f.log.Error("the new certificate cannot be used, so the old one stays", "err", err, "expires", f.expires())
			told = err.Error()
		case fresh:
			f.log.Info("a new certificate is in use", "file", f.certFile, "expires", f.expires())
			told = ""
		}
	}
}

func (f *files) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.current.Load(), nil
}

func (f *files) challenges(next http.Handler) http.Handler { return next }

func (f *files) expires() time.Time { return f.current.Load().Leaf.NotAfter }
