package edge

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"hearth/drivers/serial"
	"hearth/edge/doctor"
)

// Examination is the tree of checks for this gateway, whether it runs or not.
func (c *Config) Examination() doctor.Check {
	running := c.Running()
	gateway := doctor.Check{Name: "gateway", Look: func(context.Context) (string, error) {
		if running {
			return "running", nil
		}
		return "not running", nil
	}}
	if running {
		gateway.Then = append(gateway.Then, doctor.Page(c.Web.Listen))
	}
	data := doctor.DataDir(c.Data, int64(c.Buffer.Cap))
	data.Then = []doctor.Check{gateway}
	drivers := doctor.Check{Name: "drivers"}
	for _, name := range slices.Sorted(maps.Keys(c.Drivers)) {
		driver := c.Drivers[name]
		check := doctor.Check{Name: name + " (" + driver.Type + ")"}
		if driver.port != "" {
			check.Then = []doctor.Check{doctor.Port(driver.port, running, func(ctx context.Context) error {
				port, err := serial.Open(ctx, serial.Config{Port: driver.port, Baud: 9600, Parity: serial.ParityNone, DataBits: 8, StopBits: 1})
				if err != nil {
					return err
				}
				return port.Close()
			})}
		}
		drivers.Then = append(drivers.Then, check)
	}
	config := doctor.Check{Name: "configuration", Look: func(context.Context) (string, error) { return c.path, nil }}
	config.Then = []doctor.Check{data, doctor.Clock(), drivers}
	cloud, err := c.receiver(slog.New(slog.DiscardHandler))
	switch {
	case err != nil:
		config.Then = append(config.Then, doctor.Check{Name: "cloud", Look: func(context.Context) (string, error) { return "", err }})
	case cloud != nil:
		config.Then = append(config.Then, doctor.Receiver(cloud.URL, cloud.Token))
	}
	return config
}
