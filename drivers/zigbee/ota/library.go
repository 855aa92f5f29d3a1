package ota

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// Limits of what is read from outside.
const (
	maxIndex     = 8 << 20
	maxImages    = 10_000
	indexTime    = 30 * time.Second
	downloadTime = 10 * time.Minute
)

// A Source says where images are: files in a folder, and an index of more.
type Source struct {
	Dir   string // every image file in it is offered; also where downloads are kept
	Index string // a file or https:// address of a JSON list in the form that the zigbee-OTA project publishes; "": none
}

// An Image is one firmware that can be offered.
type Image struct {
	Header
	MinVersion uint32   `json:"-"` // of the firmware it may replace, 0: any
	MaxVersion uint32   `json:"-"` // 0: any
	Models     []string `json:"-"` // of the only devices it is for, by model or vendor; none: for all
	Notes      string   `json:"-"` // what is new, or where that stands

	path   string // "" while it is only in the index
	offset int64
	url    string
	hash   string // SHA-512 of the file, in hex; "" if not known
}

// A Library knows the images. It is safe for several goroutines.
type Library struct {
	source Source
	client *http.Client
	log    *slog.Logger

	mu     sync.Mutex
	images []Image
}

// NewLibrary returns an empty Library; see Refresh.
func NewLibrary(source Source, log *slog.Logger) *Library {
	return &Library{source: source, log: log, client: &http.Client{}}
}

// Refresh reads the folder and the index again. What cannot be read is in the error; the rest is offered.
func (l *Library) Refresh(ctx context.Context) error {
	local, err := l.readDir()
	listed, indexErr := l.readIndex(ctx)
	images := local
	for _, image := range listed {
		if !slices.ContainsFunc(local, func(have Image) bool { return have.hash == image.hash && image.hash != "" }) {
			images = append(images, image)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.images = images
	return errors.Join(err, indexErr)
}

// Find returns the newest image for a device that asks with that query, if there is one newer than what it has.
func (l *Library) Find(q Query, vendor, model string) (Image, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var best Image
	found := false
	for _, image := range l.images {
		if image.suits(q, vendor, model) && image.Version > q.Version && (!found || image.Version > best.Version) {
			best, found = image, true
		}
	}
	return best, found
}

func (i Image) suits(q Query, vendor, model string) bool {
	switch {
	case i.Manufacturer != q.Manufacturer || i.ImageType != q.ImageType:
		return false
	case i.Hardware && q.Hardware != nil && (*q.Hardware < i.MinHardware || *q.Hardware > i.MaxHardware):
		return false
	case q.Version < i.MinVersion || i.MaxVersion != 0 && q.Version > i.MaxVersion:
		return false
	}
	return len(i.Models) == 0 || slices.Contains(i.Models, model) || slices.Contains(i.Models, vendor)
}

// readDir returns the images of the folder.
func (l *Library) readDir() (images []Image, err error) {
	entries, err := os.ReadDir(l.source.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for firmware: %w", err)
	}
	var problems []error
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || len(images) >= maxImages {
			continue
		}
		image, err := readImage(filepath.Join(l.source.Dir, entry.Name()))
		if err != nil {
			problems = append(problems, fmt.Errorf("firmware %s: %w", entry.Name(), err))
			continue
		}
		images = append(images, image)
	}
	return images, errors.Join(problems...)
}

func readImage(path string) (Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return Image{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Image{}, err
	}
	if info.Size() > maxImage+maxWrapper {
		return Image{}, fmt.Errorf("it has %d bytes: too big for an image", info.Size())
	}
	header, offset, err := ReadHeader(f, info.Size())
	if err != nil {
		return Image{}, err
	}
	sum := sha512.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Image{}, err
	}
	return Image{Header: header, path: path, offset: offset, hash: hex.EncodeToString(sum.Sum(nil))}, nil
}

// An entry is one image in an index.
type entry struct {
	FileVersion      uint32
	FileSize         uint32
	URL              string
	ImageType        uint16
	ManufacturerCode uint16
	SHA512           string
	Description      string  `json:"otaHeaderString"`
	HardwareMin      *uint16 `json:"hardwareVersionMin"`
	HardwareMax      *uint16 `json:"hardwareVersionMax"`
	MinFileVersion   uint32
	MaxFileVersion   uint32
	ModelID          string
	ManufacturerName []string
	ReleaseNotes     string
}

func (l *Library) readIndex(ctx context.Context) ([]Image, error) {
	if l.source.Index == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	r, err := l.open(ctx, l.source.Index)
	if err != nil {
		return nil, fmt.Errorf("reading the index of firmware: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxIndex+1))
	if err != nil {
		return nil, fmt.Errorf("reading the index of firmware: %w", err)
	}
	if len(data) > maxIndex {
		return nil, fmt.Errorf("the index of firmware has more than %d bytes", maxIndex)
	}
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("reading the index of firmware: %w", err)
	}
	images := make([]Image, 0, min(len(entries), maxImages))
	for _, e := range entries[:cap(images)] {
		if url, ok := l.locate(e.URL); ok && e.SHA512 != "" { // what cannot be checked is not offered
			e.URL = url
			images = append(images, e.image())
		}
	}
	return images, nil
}

// locate returns where the image of an index entry is. Only an index that is a file may name files, beside itself.
func (l *Library) locate(url string) (string, bool) {
	switch {
	case remote(url):
		return url, true
	case remote(l.source.Index) || !filepath.IsLocal(url):
		return "", false
	}
	return filepath.Join(filepath.Dir(l.source.Index), url), true
}

func remote(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

func (e entry) image() Image {
	i := Image{
		Header:     Header{Manufacturer: e.ManufacturerCode, ImageType: e.ImageType, Version: e.FileVersion, Description: e.Description, Size: e.FileSize},
		MinVersion: e.MinFileVersion, MaxVersion: e.MaxFileVersion, Notes: e.ReleaseNotes,
		Models: e.ManufacturerName, url: e.URL, hash: strings.ToLower(e.SHA512),
	}
	if e.ModelID != "" {
		i.Models = []string{e.ModelID}
	}
	if e.HardwareMin != nil && e.HardwareMax != nil {
		i.Hardware, i.MinHardware, i.MaxHardware = true, *e.HardwareMin, *e.HardwareMax
	}
	return i
}

// open reads a file or a web address.
func (l *Library) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !remote(name) {
		return os.Open(name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answers %s", name, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}

// Fetch brings an image of the index into the folder and checks it; one that is there already is returned as it is.
func (l *Library) Fetch(ctx context.Context, i Image) (Image, error) {
	if i.path != "" {
		return i, nil
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	r, err := l.open(ctx, i.url)
	if err != nil {
		return i, fmt.Errorf("fetching firmware: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxImage+maxWrapper+1))
	if err != nil {
		return i, fmt.Errorf("fetching firmware: %w", err)
	}
	if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != i.hash {
		return i, fmt.Errorf("the firmware from %s is not what the index says: its checksum differs", i.url)
	}
	path := filepath.Join(l.source.Dir, fmt.Sprintf("%04x-%04x-%08x-%s.ota", i.Manufacturer, i.ImageType, i.Version, i.hash[:8]))
	if err := errors.Join(os.MkdirAll(l.source.Dir, 0o700), renameio.WriteFile(path, data, 0o600)); err != nil {
		return i, fmt.Errorf("keeping firmware: %w", err)
	}
	have, err := readImage(path)
	if err != nil {
		return i, fmt.Errorf("the firmware from %s: %w", i.url, errors.Join(err, os.Remove(path)))
	}
	if have.Manufacturer != i.Manufacturer || have.ImageType != i.ImageType || have.Version != i.Version {
		return i, errors.Join(fmt.Errorf("the firmware from %s is another than the index says", i.url), os.Remove(path))
	}
	i.path, i.offset, i.Size = have.path, have.offset, have.Size
	return i, nil
}
