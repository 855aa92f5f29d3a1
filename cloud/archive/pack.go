package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A sum is what checksums.json says of one file.
type sum struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// A packer writes an archive.
type packer struct {
	ctx  context.Context // of the one backup that it is made for
	time time.Time
	zip  *zstd.Encoder
	tar  *tar.Writer
	sums []sum
}

func newPacker(ctx context.Context, w io.Writer, t time.Time) (*packer, error) {
	// The series are packed already: more effort would bring little.
	zip, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &packer{ctx: ctx, time: t, zip: zip, tar: tar.NewWriter(zip)}, nil
}

func (p *packer) add(name string, data []byte) error {
	return p.write(name, int64(len(data)), bytes.NewReader(data))
}

func (p *packer) write(name string, size int64, from io.Reader) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	err := p.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: p.time, Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(p.tar, hash), io.LimitReader(from, size))
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%s became shorter while it was read", name)
	}
	p.sums = append(p.sums, sum{Name: name, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil))})
	return nil
}

func (p *packer) addFile(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return p.write(name, info.Size(), f)
}

// addFolder adds the files of a folder that has no others below it.
func (p *packer) addFolder(name, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !plainName(entry.Name()) {
			return fmt.Errorf("%s has no place among the series", entry.Name())
		}
		if err := p.addFile(name+"/"+entry.Name(), filepath.Join(path, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// close writes the checksums, which make the archive a whole one.
func (p *packer) close() error {
	text, err := json.Marshal(p.sums)
	if err != nil {
		return err
	}
	if err := p.add(checksumsName, text); err != nil {
		return err
	}
	if err := p.tar.Close(); err != nil {
		return err
	}
	return p.zip.Close()
}
