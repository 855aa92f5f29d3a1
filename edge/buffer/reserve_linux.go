package buffer

import (
	"errors"
	"os"
	"syscall"
)

// reserve makes an empty file for which the disk sets room aside, where it can.
func reserve(path string, size int64) error {
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), keepSize, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINTR) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
