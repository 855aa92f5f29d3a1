package zigbee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"hearth/drivers/zigbee/radio"
)

// The backups. The newest is backupFile; network-backup.1.json is the one before it, and so on. They hold the network's
// key, so nobody else may read them.
const (
	backupFile     = "network-backup.json"
	olderBackup    = "network-backup.%d.json"
	backupVersions = 5
	backupSource   = "hearth"

	backupPause = 5 * time.Second  // after the last of several changes
	backupLast  = 30 * time.Second // after the first of them
	backupEvery = 24 * time.Hour   // for the frame counters
	backupTime  = 60 * time.Second
	backupRetry = 10 * time.Minute
)

// backupState is when the next backup is made.
type backupState struct {
	next    time.Time
	changed time.Time // the first change that no backup has; zero: none
	running bool
}

// wanted has a backup made soon, if there is a reason.
func (b *backupState) wanted(reason bool) {
	if !reason {
		return
	}
	now := time.Now()
	if b.changed.IsZero() {
		b.changed = now
	}
	b.next = now.Add(backupPause)
	if last := b.changed.Add(backupLast); last.Before(b.next) {
		b.next = last
	}
}

// urgent has a backup made at once: until then the frame counter in the last one is too low to be restored again.
func (b *backupState) urgent() { b.next = time.Now() }

// due reports whether a backup is to be made now, which then is under way.
func (b *backupState) due(now time.Time) bool {
	if b.next.IsZero() {
		b.next = now.Add(backupEvery)
	}
	if b.running || now.Before(b.next) {
		return false
	}
	b.running, b.next, b.changed = true, now.Add(backupEvery), time.Time{}
	return true
}

// makeBackup reads the network from the stick and writes it down.
func (s *session) makeBackup() {
	ctx, cancel := context.WithTimeout(s.ctx, backupTime)
	defer cancel()
	_, err := s.backUp(ctx)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.backup.running = false
	switch {
	case err == nil:
		s.log.Debug("the network is backed up")
	case s.ctx.Err() == nil:
		s.log.Error("the network could not be backed up", "error", err)
		s.backup.next = time.Now().Add(backupRetry)
	}
}

// backUp reads the network from the stick, writes it down and returns it.
func (s *session) backUp(ctx context.Context) (radio.Backup, error) {
	r, err := s.ready(ctx)
	if err != nil {
		return radio.Backup{}, err
	}
	s.d.backing.Lock()
	defer s.d.backing.Unlock()
	b, err := r.Backup(ctx)
	if err != nil {
		return b, fmt.Errorf("reading the network from the stick: %w", err)
	}
	b.Source, b.Made = backupSource, s.d.now()
	s.complete(&b)
	old, err := s.d.readBackup()
	if err != nil {
		s.log.Error("the last backup cannot be read: it is kept beside the new one", "error", err)
	}
	if old == nil || !sameBackup(*old, b) {
		if err := s.d.rotate(); err != nil {
			return b, err
		}
	}
	if err := s.d.writeFile(backupFile, b); err != nil {
		return b, err
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.backedUp = factsOf(b)
	return b, nil
}

// complete adds the devices that the stick keeps nothing of, so that the backup names all members of the network.
func (s *session) complete(b *radio.Backup) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	there := map[radio.IEEE]int{}
	for i, known := range b.Devices {
		there[known.IEEE] = i
	}
	for _, dev := range s.d.devices {
		i, ok := there[dev.IEEE]
		switch {
		case ok && b.Devices[i].NWK == radio.Unknown:
			b.Devices[i].NWK = dev.NWK
		case !ok && dev.NWK != radio.Unknown:
			b.Devices = append(b.Devices, radio.KnownDevice{NWK: dev.NWK, IEEE: dev.IEEE})
		}
	}
	slices.SortFunc(b.Devices, func(x, y radio.KnownDevice) int {
		if x.IEEE < y.IEEE {
			return -1
		}
		return 1
	})
}

// lacks reports whether a device joined after the backup was made, and the driver stopped before the next; d.mu is held.
func (d *driver) lacks(b *radio.Backup) bool {
	there := map[radio.IEEE]bool{}
	for _, known := range b.Devices {
		there[known.IEEE] = true
	}
	for address, dev := range d.devices {
		if !there[address] && dev.NWK != radio.Unknown {
			return true
		}
	}
	return false
}

// sameBackup reports whether nothing but counters lies between two backups: then the newer takes the older's place.
func sameBackup(a, b radio.Backup) bool {
	if a.Network != b.Network || len(a.Devices) != len(b.Devices) {
		return false
	}
	keys := map[radio.IEEE]radio.KnownDevice{}
	for _, d := range a.Devices {
		keys[d.IEEE] = d
	}
	for _, d := range b.Devices {
		old, ok := keys[d.IEEE]
		if !ok || old.NWK != d.NWK || (old.LinkKey == nil) != (d.LinkKey == nil) || d.LinkKey != nil && *old.LinkKey != *d.LinkKey {
			return false
		}
	}
	return true
}

// readBackup returns the newest backup, nil if there is none. A damaged one is passed over for the one before it.
func (d *driver) readBackup() (*radio.Backup, error) {
	var problems []error
	for version := range backupVersions + 1 {
		path := filepath.Join(d.env.Dir, backupName(version))
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			var b radio.Backup
			if b, err = radio.ParseBackup(data); err == nil {
				return &b, nil
			}
		}
		problems = append(problems, fmt.Errorf("reading the backup %s: %w", path, err))
	}
	return nil, errors.Join(problems...)
}

func backupName(version int) string {
	if version == 0 {
		return backupFile
	}
	return fmt.Sprintf(olderBackup, version)
}

// rotate makes room for a new backup: each becomes one older, the oldest goes. The newest stays until it is replaced.
func (d *driver) rotate() error {
	path := func(version int) string { return filepath.Join(d.env.Dir, backupName(version)) }
	for version := backupVersions - 1; version > 0; version-- {
		if err := os.Rename(path(version), path(version+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keeping the backups before: %w", err)
		}
	}
	data, err := os.ReadFile(path(0))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = renameio.WriteFile(path(1), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping the backup before: %w", err)
	}
	return nil
}

// writeFile writes a backup into the driver's directory, all of it or nothing.
func (d *driver) writeFile(name string, b radio.Backup) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	if err := os.MkdirAll(d.env.Dir, 0o700); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(d.env.Dir, name), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}
