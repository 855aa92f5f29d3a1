package zigbee

import (
	"strings"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
)

func TestChoose(t *testing.T) {
	kept := &network{Network: radio.Network{PAN: 1, Extended: 0xaa, Channel: 15, Coordinator: 9}}
	backup := &radio.Backup{Network: kept.Network}
	backup.Key = radio.Key{1}
	same := kept.Network
	otherKey := kept.Network
	otherKey.Key = radio.Key{2}
	other := radio.Network{PAN: 2, Extended: 0xbb, Channel: 20}
	replace := func(n radio.Network) NetworkConfig { return NetworkConfig{Replace: n.Extended.String()} }
	adopt := func(n radio.Network) NetworkConfig { return NetworkConfig{Adopt: n.Extended.String()} }
	tests := []struct {
		name   string
		cfg    NetworkConfig
		kept   *network
		backup *radio.Backup
		found  *radio.Network
		want   string
	}{
		{"all blank", NetworkConfig{}, nil, nil, nil, "form"},
		{"resume", NetworkConfig{}, kept, backup, &same, "resume"},
		{"resume without a backup", NetworkConfig{}, kept, nil, &same, "resume"},
		{"resume of a backup that was put there", NetworkConfig{}, nil, backup, &same, "resume"},
		{"blank stick", NetworkConfig{}, kept, backup, nil, "restore"},
		{"blank stick and a backup that was put there", NetworkConfig{}, nil, backup, nil, "restore"},
		{"blank stick without a backup", NetworkConfig{}, kept, nil, nil, "refuse"},
		{"blank stick, kept given up", replace(same), kept, nil, nil, "form"},
		{"foreign", NetworkConfig{}, kept, backup, &other, "refuse"},
		{"foreign, nothing kept", NetworkConfig{}, nil, nil, &other, "refuse"},
		{"foreign adopted", adopt(other), kept, backup, &other, "resume"},
		{"another adopted", adopt(same), kept, backup, &other, "refuse"},
		{"foreign replaced", replace(other), kept, backup, &other, "restore"},
		{"foreign replaced, nothing kept", replace(other), nil, nil, &other, "form"},
		{"another replaced", replace(radio.Network{Extended: 0xcc}), kept, backup, &other, "refuse"},
		{"foreign replaced without a backup", replace(other), kept, nil, &other, "refuse"},
		{"ours given up", replace(same), kept, backup, &same, "form"},
		{"ours under another key", NetworkConfig{}, kept, backup, &otherKey, "refuse"},
		{"ours under another key, replaced", replace(otherKey), kept, backup, &otherKey, "restore"},
		{"ours under another key, adopted", adopt(otherKey), kept, backup, &otherKey, "resume"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := choose(Config{Network: tt.cfg}, tt.kept, tt.backup, radio.Info{IEEE: 5, Network: tt.found}, time.Now())
			got := "resume"
			switch {
			case err != nil:
				got = "refuse"
			case c.plan.Form != nil:
				got = "form"
			case c.plan.Restore != nil:
				got = "restore"
			}
			if got != tt.want {
				t.Errorf("%s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestRestoreRaisesTheCounter(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	b := &radio.Backup{FrameCounter: 1000, Made: now.Add(-time.Hour)}
	if c := restore(b, now, ""); c.plan.Restore.FrameCounter != 1000+3600*framesPerSecond || b.FrameCounter != 1000 {
		t.Errorf("raised to %d", c.plan.Restore.FrameCounter)
	}
}

// TestBurnAddress: what uses up a stick's one address is allowed by the configuration, or by a word for that restore.
func TestBurnAddress(t *testing.T) {
	said := word{Replace: 0xdd, BurnAddress: true}
	if (word{Replace: 0xdd}).in(Config{}).Network.BurnAddress || !said.in(Config{}).Network.BurnAddress ||
		!(word{}).in(Config{Network: NetworkConfig{BurnAddress: true}}).Network.BurnAddress {
		t.Error("the word is not what was said")
	}
}

func TestConfigCheck(t *testing.T) {
	good := Config{Adapter: "auto", Network: NetworkConfig{Channel: 20, Extended: "dd00112233445566"}}
	good.Port = "/dev/ttyUSB0"
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"adapter":         func(c *Config) { c.Adapter = "deconz" },
		"channel":         func(c *Config) { c.Network.Channel = 27 },
		"extended_pan_id": func(c *Config) { c.Network.Extended = "dd" },
		"pan_id":          func(c *Config) { c.Network.PAN = hexNumber{0xffff, true} },
		"adopt":           func(c *Config) { c.Network.Adopt, c.Network.Replace = "dd00112233445566", "dd00112233445566" },
		"power":           func(c *Config) { c.Power = new(int); *c.Power = 99 },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
