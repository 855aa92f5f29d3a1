package quirks

import (
	"cmp"
	"maps"
	"slices"
)

// over returns the definition with what it leaves out as in base. Where both speak of the same property, or the same data
// point, it is d's that counts.
func (d *Definition) over(base *Definition) *Definition {
	made := *d
	made.Vendor = cmp.Or(d.Vendor, base.Vendor)
	made.Model = cmp.Or(d.Model, base.Model)
	made.Type = cmp.Or(d.Type, base.Type)
	made.Power = cmp.Or(d.Power, base.Power)
	made.Zone = cmp.Or(d.Zone, base.Zone)
	made.Endpoints = joined(base.Endpoints, d.Endpoints)
	made.Properties = joined(base.Properties, d.Properties)
	made.Ignore = slices.Concat(d.Ignore, base.Ignore)
	made.Facts = slices.Concat(d.Facts, base.Facts) // the first that fits counts
	made.Actions = besides(d.Actions, base.Actions, func(a, b *Action) bool { return a.Property == b.Property })
	made.Attributes = besides(d.Attributes, base.Attributes, func(a, b *Attribute) bool {
		return a.Property == b.Property || a.Cluster == b.Cluster && a.ID == b.ID && a.Endpoint == b.Endpoint
	})
	made.Commands = besides(d.Commands, base.Commands, func(a, b *Command) bool { return a.Property == b.Property })
	made.Tags = besides(d.Tags, base.Tags, func(a, b *Tag) bool {
		return a.Property == b.Property || a.Tag == b.Tag && a.List == b.List
	})
	if made.Tuya = cmp.Or(d.Tuya, base.Tuya); d.Tuya != nil && base.Tuya != nil {
		tuya := *d.Tuya
		tuya.Points = besides(d.Tuya.Points, base.Tuya.Points, func(a, b *DataPoint) bool {
			return a.Property == b.Property || a.DP == b.DP
		})
		made.Tuya = &tuya
	}
	made.Setup = d.Setup.over(base.Setup)
	made.agree()
	return &made
}

// over returns the setup with what it leaves out as in base.
func (s Setup) over(base Setup) Setup {
	return Setup{
		Quiet:    s.Quiet || base.Quiet,
		Bind:     append(slices.Clone(base.Bind), s.Bind...),
		Report:   append(slices.Clone(base.Report), s.Report...),
		Requests: append(slices.Clone(base.Requests), s.Requests...),
		Poll:     append(slices.Clone(base.Poll), s.Poll...),
	}
}

func joined[V any](base, own map[string]V) map[string]V {
	if len(base) == 0 {
		return own
	}
	both := maps.Clone(base)
	maps.Copy(both, own)
	return both
}

// besides returns whatever of base does not speak of the same as one of own, and own.
func besides[E any](own, base []E, same func(a, b *E) bool) []E {
	var all []E
	for i := range base {
		if !slices.ContainsFunc(own, func(e E) bool { return same(&e, &base[i]) }) {
			all = append(all, base[i])
		}
	}
	return append(all, own...)
}
