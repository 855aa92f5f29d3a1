package web

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hearth"
	"hearth/api"
)

// mostSeries is how many series one file of data has.
const mostSeries = 100

// A wanted is one series that is asked for.
type wanted struct{ device, property string }

// parseSeries reads series=<device>/<property>, which may be given several times. Without any it is all that the home's
// devices say.
func (w *Web) parseSeries(home string, given []string) ([]wanted, error) {
	var list []wanted
	for _, text := range given {
		i := strings.LastIndexByte(text, '/')
		if i <= 0 || i == len(text)-1 {
			return nil, api.BadRequest("series: want DEVICE/PROPERTY, not %.100q", text)
		}
		list = append(list, wanted{text[:i], text[i+1:]})
	}
	if len(given) == 0 {
		for _, d := range w.o.Fleet.Devices(home) {
			for _, p := range d.Properties {
				if !p.WriteOnly {
					list = append(list, wanted{string(d.ID), p.Name})
				}
			}
		}
		return list, nil
	}
	if len(list) > mostSeries {
		return nil, api.BadRequest("series: %d of them; ask for at most %d at once", len(list), mostSeries)
	}
	return list, nil
}

// data streams stored readings as they are, one series after the other: what a spreadsheet or another database takes.
func (w *Web) data(rw http.ResponseWriter, r *http.Request) error {
	home, query := of(r), r.URL.Query()
	span, err := api.ParseRange(query, w.o.Now())
	if err != nil {
		return err
	}
	list, err := w.parseSeries(home, query["series"])
	if err != nil {
		return err
	}
	var out dataWriter
	switch format := query.Get("format"); format {
	case "csv", "":
		out = newCSVWriter(rw)
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="`+home+`.csv"`)
	case "line":
		out = &lineWriter{to: bufio.NewWriterSize(rw, 64<<10), home: home}
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="`+home+`.lp"`)
	default:
		return api.BadRequest("format: want csv or line, not %.100q", format)
	}
	control := http.NewResponseController(rw)
	for _, s := range list {
		// Each series gets as long as one request does: a year of everything takes its time, a client that stopped does not.
		_ = control.SetWriteDeadline(time.Now().Add(api.MaxWait + time.Minute))
		var failed error
		err := w.o.Series.Points(home, hearth.Measurement+",device="+s.device, s.property, span.From, span.To, func(t int64, v hearth.Value) bool {
			failed = out.write(hearth.Reading{Device: hearth.ID(s.device), Property: s.property, Value: v, Time: time.Unix(0, t).UTC()})
			return failed == nil && r.Context().Err() == nil
		})
		if err != nil {
			w.o.Log.Error("reading data for a file", "home", home, "err", err)
		}
		if err != nil || failed != nil || r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
	if out.flush() != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// A dataWriter writes readings in one form.
type dataWriter interface {
	write(hearth.Reading) error
	flush() error
}

type csvWriter struct{ to *csv.Writer }

func newCSVWriter(rw http.ResponseWriter) *csvWriter {
	to := csv.NewWriter(rw)
	_ = to.Write([]string{"time", "device", "property", "value"}) // what fails is seen at the end
	return &csvWriter{to}
}

func (w *csvWriter) write(r hearth.Reading) error {
	value := r.Value.String()
	if r.Value.Kind() == hearth.Text {
		value = harmless(r.Value.Text())
	}
	return w.to.Write([]string{r.Time.Format(hearth.TimeForm), harmless(string(r.Device)), harmless(r.Property), value})
}

// harmless puts an apostrophe before what a spreadsheet would carry out as a formula: a device says what it likes, and
// it is somebody else who opens the file.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (w *csvWriter) flush() error {
	w.to.Flush()
	return w.to.Error()
}

type lineWriter struct {
	to   *bufio.Writer
	home string
	line []byte
}

func (w *lineWriter) write(r hearth.Reading) error {
	line, err := hearth.AppendLines(w.line[:0], []hearth.Reading{r}, w.home)
	if err != nil {
		return fmt.Errorf("writing a line: %w", err)
	}
	w.line = line
	_, err = w.to.Write(line)
	return err
}

func (w *lineWriter) flush() error { return w.to.Flush() }
