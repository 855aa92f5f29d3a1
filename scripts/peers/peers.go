// Package peers finds the foreign programs that tests talk to and that are npm's. scripts/install-peers installs them.
package peers

import (
	"os"
	"path/filepath"
	"testing"
)

// Node returns the folder of one of them, absolute. Without HEARTH_E2E=1 the test is skipped.
func Node(t testing.TB, name string) (folder string) {
	t.Helper()
	if os.Getenv("HEARTH_E2E") == "" {
		t.Skipf("SKIPPED: %s is a foreign program; `make e2e` installs it and runs this", name)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for ; root != "/"; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
	}
	folder = filepath.Join(root, "scripts", "peers", name)
	if _, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json")); err != nil {
		t.Fatalf("%s is not installed: scripts/install-peers does it", name)
	}
	return folder
}
