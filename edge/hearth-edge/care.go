package main

import (
	"context"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"hearth"
	"hearth/drivers/serial"
	"hearth/edge"
	"hearth/edge/doctor"
	"hearth/edge/tokens"
	"hearth/edge/uplink"
)

func ports(c *call) error {
	found, err := serial.List()
	if err != nil {
		return err
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(c.out, "no serial ports")
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, p := range found {
		what := p.What
		if what == "" {
			what = strings.TrimSpace(p.Manufacturer + " " + p.Description)
		}
		fit := strings.Join(p.Drivers, " or ")
		if p.Adapter != "" {
			fit += " (" + p.Adapter + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, dash(fit), dash(what))
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func examine(c *call) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	tree := doctor.Check{Name: "configuration", Look: func(context.Context) (string, error) { return "", nil }}
	if cfg, err := c.load(); err != nil {
		tree.Look = func(context.Context) (string, error) { return "", err }
	} else {
		tree = cfg.Examination()
	}
	result := doctor.Examine(ctx, tree)
	result.Print(c.out)
	if err := result.Broken(); err != nil {
		fmt.Fprintln(c.out, "first broken:", firstLine(err))
		return errSaid
	}
	return nil
}

func claim(c *call) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if cfg.Cloud != nil {
		return fmt.Errorf("%s names a cloud already, and it comes before a claim: take cloud: out first", c.config)
	}
	if err := cfg.EnsureData(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	url := strings.TrimRight(c.args[0], "/")
	got, err := uplink.Claim(ctx, url, c.args[1], c.insecure)
	if err != nil {
		return err
	}
	if err := cfg.SaveClaim(url, c.insecure, got); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "joined %s (home %s)\n", got.Name, got.Home)
	return err
}

// tokenFile opens the tokens of the gateway that the call names.
func (c *call) tokenFile() (*tokens.File, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	if err := cfg.EnsureData(); err != nil {
		return nil, err
	}
	return tokens.Open(filepath.Join(cfg.Data, edge.TokensFile))
}

func addToken(c *call) error {
	if c.name == "" {
		return usageError{"token add needs -name, what to call it"}
	}
	switch hearth.Scope(c.scope) {
	case hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeAdmin:
	default:
		return usageError{fmt.Sprintf("scope %q: want read, control or admin", c.scope)}
	}
	file, err := c.tokenFile()
	if err != nil {
		return err
	}
	secret, err := file.Add(c.name, hearth.Scope(c.scope))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, secret)
	return err
}

func listTokens(c *call) error {
	file, err := c.tokenFile()
	if err != nil {
		return err
	}
	all, err := file.List()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, t := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\n", t.Name, t.Scope, t.Created.UTC().Format(hearth.TimeForm))
	}
	return table.Flush()
}

func removeToken(c *call) error {
	if c.name == "" {
		return usageError{"token remove needs -name"}
	}
	file, err := c.tokenFile()
	if err != nil {
		return err
	}
	return file.Remove(c.name)
}

func backup(c *call) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return cfg.Backup(c.args[0], version)
}

func restore(c *call) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	old, err := cfg.Restore(c.args[0])
	if err != nil {
		return err
	}
	if old != "" {
		fmt.Fprintln(c.out, "what was there before is in", old)
	}
	_, err = fmt.Fprintln(c.out, "restored")
	return err
}
