package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"hearth"
)

const (
	maxConfig = 1 << 20     // bytes of the configuration's text
	stalled   = time.Minute // a reader that takes nothing for so long has gone
	maxPath   = 100         // bytes of a socket's path; the system takes 107
)

// Listen opens the socket on which other processes of this machine Ask: in the data directory, where nobody but the
// owner of the data and root gets to, so there are no tokens, addresses or certificates to mind. Serve comes next.
func (a *Archive) Listen(ctx context.Context) error {
	path, release, err := socketPath(a.o.Data)
	if err != nil {
		return fmt.Errorf("opening the control socket: %w", err)
	}
	defer release()
	for _, left := range []string{path, filepath.Join(a.o.Data, scratchDir)} { // of a process that was killed: the data are ours now
		if err := os.RemoveAll(left); err != nil {
			return fmt.Errorf("opening the control socket: %w", err)
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("opening the control socket: %w", err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // its path is gone by then if it was too long
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("opening the control socket: %w", err), listener.Close())
	}
	a.listener = listener
	return nil
}

// Serve answers until ctx ends.
func (a *Archive) Serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", a.serveBackup)
	server := &http.Server{
		Handler: mux, ReadTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(a.o.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(a.listener)
	a.busy.Lock() // who is still at it notices that nobody listens
	defer a.busy.Unlock()
	if ctx.Err() == nil {
		return fmt.Errorf("serving the control socket: %w", err)
	}
	if err := os.Remove(filepath.Join(a.o.Data, controlFile)); err != nil {
		return fmt.Errorf("closing the control socket: %w", err)
	}
	return nil
}

func (a *Archive) serveBackup(w http.ResponseWriter, r *http.Request) {
	config, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConfig))
	if err != nil {
		http.Error(w, "the configuration is too large", http.StatusRequestEntityTooLarge)
		return
	}
	out := &patient{to: w, control: http.NewResponseController(w)}
	err = a.Backup(r.Context(), out, config)
	switch {
	case err == nil:
		a.o.Log.Info("a backup was made", "bytes", out.bytes)
	case out.bytes == 0:
		a.o.Log.Error("a backup could not be made", "err", err)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(err.Error()) // who asked may have gone
	default:
		a.o.Log.Error("a backup broke off", "bytes", out.bytes, "err", err)
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
}

// patient gives each piece its own time: a large backup takes as long as it takes.
type patient struct {
	to      io.Writer
	control *http.ResponseController
	bytes   int64
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil {
		return 0, err
	}
	n, err := p.to.Write(b)
	p.bytes += int64(n)
	return n, err
}

// ErrNotRunning says that no daemon works on the data directory.
var ErrNotRunning = errors.New("no hearth-cloud runs on this data directory")

// Ask has the daemon that works on the data directory make a backup. It returns ErrNotRunning where there is none.
func Ask(ctx context.Context, data string, config []byte, w io.Writer) error {
	path, release, err := socketPath(data)
	if err != nil {
		return fmt.Errorf("asking hearth-cloud for a backup: %w", err)
	}
	defer release()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "unix", path)
		},
		DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hearth-cloud/backup", bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("asking hearth-cloud for a backup: %w", err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return hearth.Errorf(hearth.CodeDenied, "no permission on %s: run this as root, or as the user that hearth-cloud runs as", data)
	case err != nil:
		return fmt.Errorf("asking hearth-cloud for a backup: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said := "status " + strconv.Itoa(resp.StatusCode)
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said) // else the status has to do
		return fmt.Errorf("hearth-cloud: %s", said)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("taking the backup over from hearth-cloud (its log says more): %w", err)
	}
	return nil
}

// socketPath returns the path of the socket; one too long for the system goes by way of the open directory, until
// release is called.
func socketPath(data string) (path string, release func(), err error) {
	path = filepath.Join(data, controlFile)
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(data)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), controlFile), func() { dir.Close() }, nil
}
