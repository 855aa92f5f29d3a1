package expose

import (
	"fmt"
	"maps"
	"math"

	"hearth/drivers/zigbee/zcl"
)

func factKey(endpoint uint8, cluster, attribute uint16) string {
	return fmt.Sprintf("%d/%04x/%04x", endpoint, cluster, attribute)
}

// pressKey is for a button that an endpoint has by a cluster's commands.
func pressKey(endpoint uint8, cluster uint16, button string) string {
	return fmt.Sprintf("%d/%04x>%s", endpoint, cluster, button)
}

// Learn keeps what an endpoint has answered to a Read of Facts, and reports whether any of it is new. Maps that a Model
// holds are not changed.
func (d *Description) Learn(endpoint uint8, cluster uint16, results []zcl.AttributeResult) bool {
	var n news
	for _, r := range results {
		if r.Status != zcl.Success {
			continue
		}
		key := factKey(endpoint, cluster, r.ID)
		if number, ok := factNumber(cluster, r.ID, r.Value); ok {
			if before, known := d.Facts[key]; !known || before != number {
				n.number(key, number)
			}
		} else if text := r.Value.Text(); text != "" && d.Texts[key] != text {
			n.text(key, text)
		}
	}
	return d.learn(n)
}

// factNumber returns a number that can be stored; a "not known" is none. In StartUpOnOff the same bits are a word, which
// is what most lamps come with: as before (ZCL 3.8.2.2.5).
func factNumber(cluster, attribute uint16, v zcl.Value) (float64, bool) {
	if cluster == zcl.ClusterOnOff && attribute == zcl.AttrOnOffStartUpOnOff && v.Type == zcl.Enum8 {
		return float64(v.Uint()), true
	}
	n, ok := v.Number()
	return n, ok && !math.IsInf(n, 0)
}

// news is what was heard and is not in the Description.
type news struct {
	numbers map[string]float64
	texts   map[string]string
	cluster place // that an endpoint serves without saying so; zero: none
}

func (n *news) number(key string, value float64) {
	if n.numbers == nil {
		n.numbers = map[string]float64{}
	}
	n.numbers[key] = value
}

func (n *news) text(key, value string) {
	if n.texts == nil {
		n.texts = map[string]string{}
	}
	n.texts[key] = value
}

func (n *news) none() bool { return n.numbers == nil && n.texts == nil && n.cluster == place{} }

func (d *Description) learn(n news) bool {
	if n.none() {
		return false
	}
	if n.numbers != nil {
		d.Facts = joined(d.Facts, n.numbers)
	}
	if n.texts != nil {
		d.Texts = joined(d.Texts, n.texts)
	}
	if n.cluster != (place{}) {
		endpoints := make([]Endpoint, len(d.Endpoints))
		for i, e := range d.Endpoints {
			if e.ID == n.cluster.endpoint {
				e.In = append(append([]uint16(nil), e.In...), n.cluster.cluster)
			}
			endpoints[i] = e
		}
		d.Endpoints = endpoints
	}
	return true
}

func joined[V any](old, more map[string]V) map[string]V {
	all := make(map[string]V, len(old)+len(more))
	maps.Copy(all, old)
	maps.Copy(all, more)
	return all
}
