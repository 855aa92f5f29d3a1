package fake

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

//go:embed models
var builtIn embed.FS

// usualFile is no model but what clusters have in general.
const usualFile = "usual.yaml"

// Models reads the family: every *.yaml of the file systems, or, without any, the models that come with the package.
func Models(from ...fs.FS) ([]*Model, error) {
	if len(from) == 0 {
		own, err := fs.Sub(builtIn, "models")
		if err != nil {
			return nil, err
		}
		from = []fs.FS{own}
	}
	var all []*Model
	for _, files := range from {
		names, err := fs.Glob(files, "*.yaml")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if path.Base(name) == usualFile {
				continue
			}
			models, err := read(files, name)
			if err != nil {
				return nil, err
			}
			all = append(all, models...)
		}
	}
	slices.SortStableFunc(all, func(a, b *Model) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(all); i++ {
		if all[i].Name == all[i-1].Name {
			return nil, fmt.Errorf("there are two models %q", all[i].Name)
		}
	}
	return all, nil
}

func read(files fs.FS, name string) ([]*Model, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("reading models: %w", err)
	}
	var file struct {
		Models []*Model `yaml:"models"`
	}
	if err := settings.Parse(name, text, &file); err != nil {
		return nil, err
	}
	return file.Models, nil
}

// readUsual reads what clusters have in general.
func readUsual() (map[Cluster][]preset, error) {
	text, err := builtIn.ReadFile("models/" + usualFile)
	if err != nil {
		return nil, err
	}
	var file struct {
		Clusters map[Cluster]map[string]Literal `yaml:"clusters"`
	}
	if err := settings.Parse(usualFile, text, &file); err != nil {
		return nil, err
	}
	all := make(map[Cluster][]preset, len(file.Clusters))
	for cluster, attributes := range file.Clusters {
		if all[cluster], err = presets(cluster, attributes); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", usualFile, zcl.ClusterName(uint16(cluster)), err)
		}
	}
	return all, nil
}

// usual is what the cluster has on the device before its model adds to it.
func (d *Device) usual(c Cluster) []preset {
	if uint16(c) != zcl.ClusterBasic {
		return d.mesh.usual[c]
	}
	text := func(id uint16, s string) preset { return preset{id: id, value: zcl.TextOf(s), absent: s == ""} }
	return append(slices.Clone(d.mesh.usual[c]),
		text(zcl.AttrBasicManufacturerName, d.model.Vendor),
		text(zcl.AttrBasicModelIdentifier, d.model.Product),
		text(zcl.AttrBasicDateCode, d.model.Date),
		text(zcl.AttrBasicSWBuildID, d.model.Firmware),
		preset{id: zcl.AttrBasicPowerSource, value: zcl.UintOf(zcl.Enum8, uint64(d.model.Power))},
	)
}
