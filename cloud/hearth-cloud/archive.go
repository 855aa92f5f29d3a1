package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"hearth"
	"hearth/cloud"
)

// backup writes everything into one file, which is there as a whole or not at all.
func backup(c *call) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.config)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal()
	defer stop()
	write := func(w io.Writer) error {
		return cloud.Backup(ctx, config, text, w, version, newLog(config, c.errs))
	}
	if config.InPostgres() {
		fmt.Fprintln(c.errs, "the accounts are in PostgreSQL and not in this backup: pg_dump copies them, after this; here are the readings and the configuration")
	}
	if c.args[0] == "-" {
		out := bufio.NewWriterSize(c.out, 256<<10)
		return errors.Join(write(out), out.Flush())
	}
	return writeFile(c.args[0], write)
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	defer file.Cleanup() // of what was not finished
	if err := write(file); err != nil {
		return err
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

func restore(c *call) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := untilSignal()
	defer stop()
	return c.read(func(from io.Reader) error { return restoreFrom(ctx, c, config, from) })
}

func restoreFrom(ctx context.Context, c *call, config cloud.Config, from io.Reader) error {
	restored, err := cloud.Restore(ctx, config, from)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "restored the state of %s\n", restored.Time.Format(hearth.TimeForm))
	if restored.Config != "" {
		fmt.Fprintf(c.out, "the configuration of that time is %s\n", restored.Config)
	}
	if restored.InPostgres() {
		fmt.Fprintln(c.out, "the accounts are in PostgreSQL: restore that database with pg_restore")
	}
	return nil
}

// read opens the file that the call names.
func (c *call) read(use func(io.Reader) error) error {
	if c.args[0] == "-" {
		return use(c.in)
	}
	file, err := os.Open(c.args[0])
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	return errors.Join(use(file), file.Close())
}
