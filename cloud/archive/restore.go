package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"hearth/cloud/accounts"
	"hearth/cloud/series"
	"hearth/settings"
)

// Limits of what a file that calls itself a backup may ask for.
const (
	maxFiles = 1_000_000
	maxJSON  = 512 << 20 // bytes of checksums.json
	maxSmall = 1 << 20   // … of head.json, the configuration, a certificate
)

// ErrUnfinished says that a data directory holds half of a restore.
var ErrUnfinished = errors.New("a restore into this data directory did not come to its end: run hearth-cloud restore again")

// Finished returns ErrUnfinished if a restore into the data directory was interrupted: what is there is no receiver yet.
func Finished(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, restoringDir)); err == nil {
		return ErrUnfinished
	}
	return nil
}

// Restored is what a restore brought.
type Restored struct {
	Head
	Config string // where the configuration of that time is now; "" if the backup has none
}

// Restore unpacks a backup into the data directory dir, which must be empty or not there yet; one that an interrupted
// restore left behind counts as empty. Everything is checked before it takes its place. After an error the directory is as it was. accept may
// refuse by what the head says.
func Restore(ctx context.Context, from io.Reader, dir string, accept func(Head) error) (Restored, error) {
	made, err := clear(dir)
	if err != nil {
		return Restored{}, err
	}
	unpacked := filepath.Join(dir, restoringDir)
	undo := func(err error) (Restored, error) {
		left := os.RemoveAll(unpacked)
		if made && left == nil {
			left = os.Remove(dir)
		}
		return Restored{}, errors.Join(err, left)
	}
	if err := os.Mkdir(unpacked, 0o700); err != nil {
		return undo(fmt.Errorf("restoring: %w", err))
	}
	u := &unpacker{ctx: ctx, dir: unpacked, sums: map[string]sum{}, accept: accept}
	err = u.read(from)
	if err == nil {
		err = u.verify()
	}
	if err != nil {
		return undo(fmt.Errorf("nothing was restored: %w", err))
	}
	config, err := settle(dir)
	if err != nil {
		return Restored{}, fmt.Errorf("restoring: %w", err)
	}
	return Restored{Head: u.head, Config: config}, nil
}

// clear makes dir an empty directory, and refuses to where somebody's data is in it.
func clear(dir string) (made bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return false, fmt.Errorf("making the data directory: %w", err)
		}
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking into the data directory: %w", err)
	}
	if len(entries) == 0 {
		return false, nil
	}
	if Finished(dir) == nil {
		return false, fmt.Errorf("%s is not empty (%s is there): a backup is restored into an empty data directory only; stop hearth-cloud and move away what is there", dir, entries[0].Name())
	}
	for _, name := range slices.Concat(places(), []string{restoringDir}) { // restoring goes last: it is the mark
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return false, fmt.Errorf("removing what an interrupted restore left: %w", err)
		}
	}
	return false, nil
}

// places are what a restore puts into the data directory, in this order.
func places() []string { return []string{SeriesDir, CertsDir, configName, accounts.File} }

// settle moves what was unpacked to its place. A process killed on the way leaves the mark of an unfinished restore.
func settle(dir string) (config string, err error) {
	unpacked := filepath.Join(dir, restoringDir)
	for _, name := range places() {
		from, to := filepath.Join(unpacked, name), filepath.Join(dir, name)
		err := os.Rename(from, to)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if name == configName {
			config = to
		}
		err = filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
			settings.GiveTo(dir, path)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	if err := syncFolder(dir); err != nil {
		return "", err
	}
	if err := os.RemoveAll(unpacked); err != nil {
		return "", err
	}
	return config, syncFolder(dir)
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// An unpacker reads an archive into a directory.
type unpacker struct {
	ctx    context.Context // of the one restore that it is made for
	dir    string
	accept func(Head) error

	head    Head
	sums    map[string]sum // of what was read
	folders []string
	listed  []sum // what checksums.json says
}

var errBroken = errors.New("the file is damaged, or not whole")

func (u *unpacker) read(from io.Reader) error {
	buffered := bufio.NewReaderSize(from, 1<<20)
	if magic, err := buffered.Peek(4); err != nil || string(magic) != "\x28\xb5\x2f\xfd" {
		return errors.New("this is no backup of hearth-cloud")
	}
	zip, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(32<<20))
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	defer zip.Close()
	members := tar.NewReader(zip)
	for n := 0; ; n++ {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = u.ctx.Err()
		}
		if err == nil && n > maxFiles {
			err = errors.New("too many files")
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		if (n == 0) != (header.Name == headName) {
			return errors.New("this is no backup of hearth-cloud")
		}
		if u.listed != nil {
			return fmt.Errorf("%w: something follows its end", errBroken)
		}
		if err := u.member(header, members); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, zip); err != nil { // its own checksum comes last
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return nil
}

// member takes one file.
func (u *unpacker) member(header *tar.Header, from io.Reader) error {
	name := header.Name
	if header.Typeflag != tar.TypeReg || !known(name) {
		return fmt.Errorf("%w: %.100q has no place in a backup", errBroken, name)
	}
	if _, twice := u.sums[name]; twice {
		return fmt.Errorf("%w: %s is in it twice", errBroken, name)
	}
	if limit := limitOf(name); limit > 0 && header.Size > limit {
		return fmt.Errorf("%w: %s has %d bytes", errBroken, name, header.Size)
	}
	switch name {
	case headName:
		data, err := u.small(name, from)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &u.head); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		return u.checkHead()
	case checksumsName:
		data, err := u.small(name, from)
		if err != nil {
			return err
		}
		delete(u.sums, name) // it does not name itself
		u.listed = []sum{}
		if err := json.Unmarshal(data, &u.listed); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		return nil
	}
	return u.store(name, from)
}

// known reports whether a backup has a file of that name.
func known(name string) bool {
	folder, rest, nested := strings.Cut(name, "/")
	if nested {
		return (folder == SeriesDir || folder == CertsDir) && plainName(rest)
	}
	return slices.Contains([]string{headName, configName, checksumsName, accounts.File}, name)
}

// limitOf is how large a file may be; 0: as large as the disk.
func limitOf(name string) int64 {
	switch {
	case name == checksumsName:
		return maxJSON
	case name == headName, name == configName, strings.HasPrefix(name, CertsDir+"/"):
		return maxSmall
	}
	return 0
}

func (u *unpacker) checkHead() error {
	switch {
	case u.head.Program != "hearth-cloud" || u.head.Format < 1:
		return errors.New("this is no backup of hearth-cloud")
	case u.head.Format > format:
		return fmt.Errorf("it was made by a newer hearth-cloud (%s): install that one", u.head.Version)
	}
	return u.accept(u.head)
}

func (u *unpacker) small(name string, from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	hash := sha256.Sum256(data)
	u.sums[name] = sum{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(hash[:])}
	return data, nil
}

func (u *unpacker) store(name string, from io.Reader) error {
	path := filepath.Join(u.dir, filepath.FromSlash(name))
	if folder := filepath.Dir(path); folder != u.dir && !slices.Contains(u.folders, folder) {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		u.folders = append(u.folders, folder)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	hash, source := sha256.New(), &failing{from: from}
	n, err := io.Copy(io.MultiWriter(f, hash), source)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if source.err != nil {
		return fmt.Errorf("%w: %w", errBroken, source.err)
	}
	u.sums[name] = sum{Name: name, Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}
	return err
}

// failing tells an error of the source from one of the disk that is written to.
type failing struct {
	from io.Reader
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// verify holds what was read against the checksums, and has it opened by those who will use it.
func (u *unpacker) verify() error {
	if u.listed == nil || len(u.listed) != len(u.sums) {
		return errBroken
	}
	for _, want := range u.listed {
		if u.sums[want.Name] != want {
			return fmt.Errorf("%w: %.100q is not what it was", errBroken, want.Name)
		}
	}
	for _, folder := range append(u.folders, u.dir) {
		if err := syncFolder(folder); err != nil {
			return err
		}
	}
	if err := series.Verify(filepath.Join(u.dir, SeriesDir)); err != nil {
		return err
	}
	if u.head.InPostgres() {
		return nil
	}
	_, err := accounts.Verify(u.ctx, filepath.Join(u.dir, accounts.File))
	return err
}
