package zigbee

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/quirks"
	"hearth/settings"
)

// definitions are what is known of models beyond the standard: ours, and a person's own, which win. The person's folder
// is looked at every few seconds and read anew when it has changed; while it is not there, it is empty.
type definitions struct {
	library *quirks.Library
	folder  string // "" if there is none
	state   string // of the folder when it was read
	wrong   error  // what cannot be used of what is in the folder now
	part    bool   // the library is without it
}

const lookEvery = 5 * time.Second

func loadDefinitions(cfg Config) (*definitions, error) {
	if cfg.Definitions == "" {
		return readDefinitions("")
	}
	return readDefinitions(cfg.path(cfg.Definitions))
}

// readDefinitions reads ours and a person's. A file that is wrong is left out and told as such; the error is for what
// leaves nothing to use.
func readDefinitions(folder string) (*definitions, error) {
	known := &definitions{folder: folder}
	sources := []fs.FS{quirks.BuiltIn()}
	if folder != "" {
		if info, err := os.Stat(folder); err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, settings.At("definitions", "%s cannot be read as a folder (%v)", folder, err)
		} else if err == nil {
			known.state = folderState(folder)
			sources = append(sources, os.DirFS(folder))
		}
	}
	known.library, known.wrong = quirks.Load(sources...)
	known.part = known.wrong != nil
	return known, nil
}

// match returns the definition of a model, nil if the standard is all that is known of it.
func (k *definitions) match(d expose.Description) *quirks.Definition {
	return k.library.Match(d.Vendor, d.Model, func(cluster uint16) bool {
		return slices.ContainsFunc(d.Endpoints, func(e expose.Endpoint) bool {
			return slices.Contains(e.In, cluster) || slices.Contains(e.Out, cluster)
		})
	})
}

// folderState changes when a definition in the folder does.
func folderState(folder string) string {
	var state strings.Builder
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // what cannot be looked at is told by the reading
		}
		if info, err := entry.Info(); err == nil {
			fmt.Fprintf(&state, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return state.String()
}

// lookAtDefinitions reads a person's definitions anew when they have changed. What is wrong in them is said once.
func (s *session) lookAtDefinitions() {
	s.d.mu.Lock()
	known := s.d.definitions
	s.d.mu.Unlock()
	if known.folder == "" || folderState(known.folder) == known.state {
		return
	}
	if err := s.d.readDefinitionsAgain(known); err != nil {
		s.log.Error("something in the definitions cannot be used", "folder", known.folder, "error", err)
	}
}

// readDefinitionsAgain reads a person's definitions in place of the known ones. Where all were good and now one is wrong,
// those before go on: a slip of the pen changes no device.
func (d *driver) readDefinitionsAgain(known *definitions) error {
	next, err := readDefinitions(known.folder)
	if err == nil {
		err = next.wrong
	}
	if next == nil || err != nil && !known.part {
		next = &definitions{library: known.library, folder: known.folder, state: folderState(known.folder), wrong: err, part: known.part}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.definitions = next
	if err != nil && !next.part {
		return fmt.Errorf("%w\nThe definitions before go on until that is mended", err)
	}
	d.log.Info("the device definitions were read anew")
	for _, dev := range d.devices {
		dev.remodel()
		if d.session != nil {
			d.session.redefined(dev)
		}
	}
	return err
}

// refusedDefinitions says what cannot be used of a person's definitions, "" if nothing; d.mu is held.
func (d *driver) refusedDefinitions() string {
	if d.definitions.wrong == nil {
		return ""
	}
	return d.definitions.wrong.Error()
}

// redefined tells home what a device is by other definitions, and the device what it has to do; d.mu is held.
func (s *session) redefined(dev *device) {
	s.announceDevice(dev)
	if dev.known() && dev.Setup != "" && dev.Setup != fingerprint(dev.model.Setup()) {
		dev.Setup = ""
		s.interviewLater(dev, 0)
	}
}
