package api

import (
	"fmt"
	"io"
	"net/http"
	"runtime/metrics"
	"strconv"
	"strings"
)

// Metrics collects samples and writes them in Prometheus' text form 0.0.4. It is written by hand because the form is a
// page long and the usual client keeps global registries; names follow its rules: base units, counters end in _total.
type Metrics struct {
	order    []string
	families map[string]*family
}

type family struct {
	kind, help string
	samples    strings.Builder
}

// Counter adds a sample of something that only grows. Labels are pairs of name and value.
func (m *Metrics) Counter(name, help string, value float64, labels ...string) {
	m.add(name, "counter", help, value, labels)
}

// Gauge adds a sample of something that goes up and down.
func (m *Metrics) Gauge(name, help string, value float64, labels ...string) {
	m.add(name, "gauge", help, value, labels)
}

// Runtime adds what the Go runtime says of the process.
func (m *Metrics) Runtime() {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/sched/goroutines:goroutines"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	m.Gauge("go_memory_bytes", "Memory mapped by the runtime.", float64(samples[0].Value.Uint64()))
	m.Gauge("go_goroutines", "Goroutines.", float64(samples[1].Value.Uint64()))
	m.Gauge("go_heap_live_bytes", "Heap that was live after the last collection.", float64(samples[2].Value.Uint64()))
}

func (m *Metrics) add(name, kind, help string, value float64, labels []string) {
	if len(labels)%2 != 0 {
		panic("metric " + name + ": labels come in pairs")
	}
	m.family(name, kind, help).add(name, value, labels)
}

// family returns the one of that name.
func (m *Metrics) family(name, kind, help string) *family {
	f := m.families[name]
	if f == nil {
		if m.families == nil {
			m.families = make(map[string]*family)
		}
		f = &family{kind: kind, help: help}
		m.families[name] = f
		m.order = append(m.order, name)
	}
	return f
}

func (f *family) add(name string, value float64, labels []string) {
	f.samples.WriteString(name)
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	separator := "{"
	for i := 0; i < len(labels); i += 2 {
		f.samples.WriteString(separator)
		separator = ","
		f.samples.WriteString(labels[i] + `="` + escape.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		f.samples.WriteByte('}')
	}
	f.samples.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

// WriteTo writes all families in the order of their first sample.
func (m *Metrics) WriteTo(w io.Writer) (int64, error) {
	var out strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	for _, name := range m.order {
		f := m.families[name]
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n%s", name, escape.Replace(f.help), name, f.kind, f.samples.String())
	}
	n, err := io.WriteString(w, out.String())
	return int64(n), err
}

// ServeMetrics answers with what fill adds.
func ServeMetrics(fill func(*Metrics)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var m Metrics
		fill(&m)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = m.WriteTo(w) // the caller may have gone
	})
}
