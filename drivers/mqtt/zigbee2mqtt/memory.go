package zigbee2mqtt

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"slices"
	"strings"

	"hearth/drivers/mqtt/dialect"
)

// A broker may lose what it has kept when it is killed, and Zigbee2MQTT says it again only when something changes or it
// is started. So what it said last is kept here, and taken for true until it says otherwise: info/<base>,
// devices/<base> and groups/<base>, packed.

// keep has the Store hold what was said, if it does not yet.
func (in *instance) keep(word string, payload []byte) {
	sum := sha256.Sum256(payload)
	if in.kept[word] == sum {
		return
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(payload)
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = in.d.env.Store.Put(word+"/"+in.base, packed.Bytes())
	}
	if err != nil {
		in.d.env.Log.Error("what Zigbee2MQTT said could not be kept", "what", word, "error", err)
		return
	}
	in.kept[word] = sum
}

// remember takes in what was kept; d.mu is held.
func (d *Dialect) remember() {
	kept := map[string]map[string][]byte{}
	err := d.env.Store.Each(func(key string, value []byte) error {
		word, base, _ := strings.Cut(key, "/")
		if len(d.cfg.BaseTopics) > 0 && !slices.Contains(d.cfg.BaseTopics, base) {
			return nil
		}
		if kept[base] == nil {
			kept[base] = map[string][]byte{}
		}
		kept[base][word] = bytes.Clone(value)
		return nil
	})
	if err != nil {
		d.env.Log.Error("what is kept of Zigbee2MQTT cannot be read", "error", err)
	}
	for base, words := range kept {
		in := d.instance(base)
		if in == nil {
			continue
		}
		in.remembered = true
		for _, word := range []string{"info", "devices", "groups"} {
			payload, err := unpack(words[word])
			if err == nil && payload != nil {
				in.kept[word] = sha256.Sum256(payload)
				in.handle(word, dialect.Message{Topic: base + "/bridge/" + word, Payload: payload, Retained: true})
			}
			if err != nil {
				d.env.Log.Error("what is kept of Zigbee2MQTT cannot be read", "what", word, "error", err)
			}
		}
	}
}

func unpack(packed []byte) ([]byte, error) {
	if packed == nil {
		return nil, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxInventory))
}
