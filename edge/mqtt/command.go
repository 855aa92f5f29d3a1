package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"hearth"
)

// Limits of a command's payload.
const (
	maxSet      = 64 << 10 // bytes
	maxSetNames = hearth.MaxProperties
)

// byMQTT is who gives a command where the broker does not say whose it is.
const byMQTT = "mqtt"

// command carries out what came on a set topic. What becomes of it is published with the device's commands; what cannot
// be one is answered there, too.
func (f *Face) command(topic string, payload []byte, retained bool, by string) {
	if len(payload) == 0 {
		return // a retained command being removed
	}
	id, ok := settable(topic)
	if !ok {
		f.count(func(s *Stats) { s.Refused++ })
		f.said.warn("topic", "", "a command for something that is no device id", "topic", clipped(topic), "by", by)
		return
	}
	if retained {
		f.count(func(s *Stats) { s.Refused++ })
		f.said.warn("retained", string(id), "a retained command is not carried out: it would be, again, after every restart; publish it without retain", "topic", topic, "by", by)
		f.answer(id, nil, by, hearth.Errorf(hearth.CodeBadValue, "a retained command is never carried out: publish it without retain"))
		return
	}
	set, err := parseSet(payload)
	if err == nil {
		_, err = f.o.Home.Do(hearth.Command{Device: id, Set: set, By: by})
	}
	if err != nil {
		f.count(func(s *Stats) { s.Refused++ })
		f.o.Log.Debug("a command was refused", "device", id, "by", by, "error", err)
		f.answer(id, set, by, err)
		return
	}
	f.count(func(s *Stats) { s.Commands++ })
}

// answer tells about a command that has no record, in the form of one.
func (f *Face) answer(id hearth.ID, set map[string]hearth.Value, by string, why error) {
	rec := hearth.Record{Command: hearth.Command{ID: hearth.NewCommandID(), Device: id, Set: set, By: by}}
	rec.Advance(hearth.Rejected, true, time.Now().UTC(), hearth.ErrorOf(why))
	data, err := json.Marshal(rec)
	if err != nil {
		f.o.Log.Error("an answer cannot be told", "error", err)
		return
	}
	select {
	case f.answers <- message{topic: f.topics.command(id), payload: data}:
	default:
		f.said.warn("answers", "", "more commands are refused than can be answered: further answers are dropped")
	}
}

// again has everything published anew.
func (f *Face) again() {
	select {
	case f.reborn <- struct{}{}:
	default: // it is about to be
	}
}

// parseSet reads the payload of a command: one JSON object of properties and their values, each once.
func parseSet(payload []byte) (map[string]hearth.Value, error) {
	if len(payload) > maxSet {
		return nil, hearth.Errorf(hearth.CodeBadValue, "the payload has %d bytes, more than %d", len(payload), maxSet)
	}
	if !utf8.Valid(payload) {
		return nil, hearth.Errorf(hearth.CodeBadValue, "the payload is no UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed(err)
	}
	set := map[string]hearth.Value{}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, malformed(err)
		}
		value, err := scalar(decoder, name)
		if err != nil {
			return nil, err
		}
		if _, twice := set[name]; twice {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s is there twice", clipped(name))
		}
		if set[name] = value; len(set) > maxSetNames {
			return nil, hearth.Errorf(hearth.CodeBadValue, "more than %d properties", maxSetNames)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, malformed(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, hearth.Errorf(hearth.CodeBadValue, `something follows the JSON object`)
	}
	return set, nil
}

// scalar reads one value, and no deeper: what is nested is refused at its first bracket.
func scalar(decoder *json.Decoder, name string) (hearth.Value, error) {
	token, err := decoder.Token()
	if err != nil {
		return hearth.Value{}, malformed(err)
	}
	switch v := token.(type) {
	case bool:
		return hearth.BoolOf(v), nil
	case float64:
		return hearth.NumberOf(v), nil
	case string:
		return hearth.TextOf(v), nil
	}
	return hearth.Value{}, hearth.Errorf(hearth.CodeBadValue, "%s takes true or false, a number or a text", clipped(name))
}

func malformed(err error) error {
	why := "it is something else"
	if err != nil {
		why = clipped(err.Error())
	}
	return hearth.Errorf(hearth.CodeBadValue, `want a JSON object, as in {"on":true}: %s`, why)
}

// clipped shortens what others wrote.
func clipped(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
