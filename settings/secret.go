package settings

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
)

// Secret reads a secret from the file at path, or, where path is env:NAME, from that environment variable. White space
// around it is cut off; an empty one is an error. A file that everybody may read is used, with a warning to log. Neither
// the error nor the log holds the secret.
func Secret(path string, log *slog.Logger) (string, error) {
	if name, ok := strings.CutPrefix(path, "env:"); ok {
		if secret := strings.TrimSpace(os.Getenv(name)); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set or empty: it should hold a secret", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	if info.Mode().Perm()&0o004 != 0 && log != nil {
		log.Warn("everybody on this machine may read a secret: chmod o-r it", "file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", fmt.Errorf("%s is empty: it should hold a secret", path)
	}
	return secret, nil
}

// GiveTo gives path to the owner of the directory dir, when root works on what belongs to the program's own user. What
// cannot be given stays root's: the program will say that it cannot read it.
func GiveTo(dir string, paths ...string) {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	for _, path := range paths {
		if ok {
			_ = os.Lchown(path, int(owner.Uid), int(owner.Gid))
		}
	}
}
