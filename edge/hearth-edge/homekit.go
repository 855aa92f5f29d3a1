package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"hearth"
	"hearth/edge"
	"hearth/edge/homekit"
)

// homekitTime is how long the daemon may take to answer.
const homekitTime = 15 * time.Second

// showHomeKit prints how to pair, and who is paired. While the daemon runs it is asked, by a token that is removed
// afterwards; otherwise what it keeps is read.
func showHomeKit(c *call) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if cfg.HomeKit == nil {
		return fmt.Errorf("%s does not switch HomeKit on: add a line homekit: {} to it", c.config)
	}
	if cfg.Running() {
		return c.askHomeKit(cfg)
	}
	return cfg.HomeKitAtRest(version, func(b *homekit.Bridge) error {
		if c.reset {
			if err := b.Reset(); err != nil {
				return err
			}
		}
		return printHomeKit(c.out, b.State(), b.Setup())
	})
}

func (c *call) askHomeKit(cfg edge.Config) (err error) {
	file, err := c.tokenFile()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("homekit-%d", time.Now().UnixNano())
	secret, err := file.Add(name, hearth.ScopeAdmin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Remove(name)) }()
	ctx, cancel := context.WithTimeout(context.Background(), homekitTime)
	defer cancel()
	base := "http://" + localAddress(cfg.Web.Listen) + "/api/v1/homekit"
	if c.reset {
		if err := ask(ctx, http.MethodPost, base+"/reset", secret, nil); err != nil {
			return err
		}
	}
	var state homekit.State
	var setup homekit.Setup
	if err := ask(ctx, http.MethodGet, base, secret, &state); err != nil {
		return err
	}
	if err := ask(ctx, http.MethodGet, base+"/setup", secret, &setup); err != nil {
		return err
	}
	return printHomeKit(c.out, state, setup)
}

// localAddress is where this machine reaches what listens on an address.
func localAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func ask(ctx context.Context, method, url, secret string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the daemon: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("asking the daemon: %w", err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the daemon answers %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

func printHomeKit(w io.Writer, state homekit.State, setup homekit.Setup) error {
	var out bytes.Buffer
	if state.Error != "" {
		fmt.Fprintln(&out, "it does not run:", state.Error)
	}
	fmt.Fprintln(&out, "pin", setup.PIN)
	for i, b := range setup.Bridges {
		fmt.Fprintf(&out, "\nbridge %s\nuri %s\n", b.Name, b.URI)
		code, err := homekit.Blocks(b.URI)
		if err != nil {
			return err
		}
		out.WriteString(code)
		if i >= len(state.Bridges) {
			continue
		}
		s := state.Bridges[i]
		fmt.Fprintf(&out, "listen %s\naccessories %d\n", dash(s.Address), s.Accessories)
		if len(s.Pairings) == 0 {
			fmt.Fprintln(&out, "not paired")
		}
		for _, p := range s.Pairings {
			rights := "user"
			if p.Admin {
				rights = "admin"
			}
			fmt.Fprintln(&out, "paired", p.ID, rights)
		}
	}
	for _, left := range state.LeftOut {
		fmt.Fprintf(&out, "\nnot in HomeKit: %s (%s): %s", left.Name, left.ID, left.Why)
	}
	if len(state.LeftOut) > 0 {
		fmt.Fprintln(&out)
	}
	_, err := w.Write(out.Bytes())
	return err
}
