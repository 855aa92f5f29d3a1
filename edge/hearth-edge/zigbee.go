package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hearth"
	"hearth/edge"
)

// dumpTime is how long a device may take: one that sleeps is asked attribute by attribute whenever it wakes.
const dumpTime = 10 * time.Minute

// dumpZigbee asks the daemon, which has the radio, by a token that is removed afterwards.
func dumpZigbee(c *call) (err error) {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	driver, device, err := zigbeeDevice(cfg, c.name, c.args[0])
	if err != nil {
		return err
	}
	file, err := c.tokenFile()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("zigbee-dump-%d", time.Now().UnixNano())
	secret, err := file.Add(name, hearth.ScopeControl)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Remove(name)) }()
	ctx, cancel := context.WithTimeout(context.Background(), dumpTime)
	defer cancel()
	address := "http://" + cfg.Web.Listen + "/api/v1/drivers/" + driver + "/devices/" + url.PathEscape(device) + "/dump"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the daemon, which must be running: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("the daemon answers %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	_, err = io.Copy(c.out, resp.Body)
	return err
}

// zigbeeDevice takes a device's id (radio:00158d…) or its address alone, where there is one radio.
func zigbeeDevice(cfg edge.Config, driver, device string) (string, string, error) {
	if id := hearth.ID(device); id.Address() != "" {
		driver, device = id.Driver(), id.Address()
	}
	var radios []string
	for name, d := range cfg.Drivers {
		if d.Type == "zigbee" && (driver == "" || name == driver) {
			radios = append(radios, name)
		}
	}
	switch len(radios) {
	case 1:
		return radios[0], device, nil
	case 0:
		return "", "", fmt.Errorf("the configuration has no driver %q of type zigbee", driver)
	}
	return "", "", usageError{"there are several radios: say which with -driver, or give the device's whole id"}
}
