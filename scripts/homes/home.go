package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"hearth"
)

// A member is one home of the load: a gateway with eight devices that have nothing to read.
type member struct {
	hearth.Claim
	o      options
	owned  []hearth.DeviceView // see devices
	client mqtt.Client
	http   *http.Client
	epoch  string
	seq    uint64
	rows   uint64
	zstd   *zstd.Encoder

	executed atomic.Pointer[executed] // nil: nobody counts
}

const lamp = hearth.ID("load:lamp")

// devices are what each home has: 25 properties, and two for each lamp more than one.
func devices(lamps int) []hearth.DeviceView {
	var views []hearth.DeviceView
	add := func(id hearth.ID, kind hearth.Type, model string, properties ...string) {
		view := hearth.DeviceView{ID: id, Name: model + " of the " + id.Address(), Room: "Kitchen", Type: kind, Driver: "load", DriverType: "zigbee", Vendor: "Load", Model: model, Reachable: true}
		for _, name := range properties {
			word, _ := hearth.Word(name)
			view.Properties = append(view.Properties, hearth.PropertyView{Property: word.AsWritable()})
		}
		views = append(views, view)
	}
	add(lamp, "light", "Lamp", "on", "brightness")
	for i := range lamps - 1 {
		add(hearth.ID(fmt.Sprintf("%s-%d", lamp, i+1)), "light", "Lamp", "on", "brightness")
	}
	for _, plug := range []hearth.ID{"load:washer", "load:dryer"} {
		add(plug, "outlet", "Plug", "on", "power", "energy", "voltage", "current")
	}
	for _, room := range []hearth.ID{"load:kitchen", "load:bath", "load:bed"} {
		add(room, "sensor", "Climate", "temperature", "humidity", "battery")
	}
	add("load:door", "sensor", "Motion", "motion", "illuminance")
	add("load:meter", "meter", "Meter", "power", "energy")
	return views
}

// join makes the homes and connects each as its gateway would.
func join(ctx context.Context, o options) ([]*member, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}, Timeout: 30 * time.Second}
	members, owned := make([]*member, o.homes), devices(o.lamps)
	var group errgroup.Group
	group.SetLimit(32)
	for i := range members {
		group.Go(func() error {
			m := &member{o: o, owned: owned, http: client, epoch: fmt.Sprintf("load%x", time.Now().UnixNano()), zstd: encoder}
			if err := m.join(ctx, i); err != nil {
				return fmt.Errorf("home %d: %w", i, err)
			}
			members[i] = m
			return nil
		})
	}
	return members, group.Wait()
}

func (m *member) join(ctx context.Context, i int) error {
	var added struct {
		Code string `json:"claim_code"`
	}
	name := fmt.Sprintf("Load %d %d", time.Now().UnixNano(), i)
	if err := m.call(ctx, m.o.token, "POST", "/api/v1/homes", map[string]string{"name": name}, &added); err != nil {
		return err
	}
	if err := m.call(ctx, "", "POST", "/api/v1/claim", map[string]string{"code": added.Code}, &m.Claim); err != nil {
		return err
	}
	if err := m.call(ctx, m.Token, "PUT", m.path("/devices"), m.owned, nil); err != nil {
		return err
	}
	return m.connect()
}

func (m *member) path(rest string) string { return "/api/v1/homes/" + m.Home + rest }

// connect opens the home's MQTT session and answers every command at once.
func (m *member) connect() error {
	broker := m.MQTT
	if broker == "" {
		broker = "ws" + strings.TrimPrefix(m.o.url, "http") + "/mqtt"
	}
	opts := mqtt.NewClientOptions().AddBroker(broker).SetClientID("load-"+m.Home).SetUsername(m.TokenName).SetPassword(m.Token).
		SetKeepAlive(30*time.Second).SetAutoReconnect(false).SetWill(hearth.TopicOnline(m.Home), "false", 1, true)
	m.client = mqtt.NewClient(opts)
	if token := m.client.Connect(); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	token := m.client.Subscribe(hearth.TopicDo(m.Home), 1, func(_ mqtt.Client, message mqtt.Message) {
		var cmd hearth.Command
		if json.Unmarshal(message.Payload(), &cmd) != nil {
			return
		}
		if all := m.executed.Load(); all != nil {
			all.note(m.Home, cmd)
		}
		now := hearth.Time{Time: time.Now()}
		result, _ := json.Marshal(hearth.Result{ID: cmd.ID, State: hearth.Confirmed, Final: true, History: []hearth.Step{{State: hearth.Confirmed, Time: now}}})
		m.client.Publish(hearth.TopicDone(m.Home), 1, false, result)
	})
	if token.Wait() && token.Error() != nil {
		return token.Error()
	}
	token = m.client.Publish(hearth.TopicOnline(m.Home), 1, true, "true")
	token.Wait()
	return token.Error()
}

// comeBack does what a gateway does that lost its receiver: it tries again after pauses that double up to a minute and
// are spread at random, and then asks how far the receiver is and what commands there are.
func (m *member) comeBack(ctx context.Context) error {
	m.client.Disconnect(0)
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		if err := pause(ctx, wait/10+rand.N(wait)); err != nil {
			return fmt.Errorf("home %s is not back: %w", m.Home, err)
		}
		var sync hearth.Sync
		if m.call(ctx, m.Token, "GET", m.path("/sync"), nil, &sync) != nil || m.connect() != nil {
			continue
		}
		if sync.Durable < m.seq {
			return fmt.Errorf("home %s: the receiver has %d batches and acknowledged %d", m.Home, sync.Durable, m.seq)
		}
		m.seq = sync.Durable // one more than was acknowledged may have arrived
		if m.call(ctx, m.Token, "GET", m.path("/commands?after=0"), nil, nil) == nil {
			return nil
		}
	}
}

func leave(homes []*member) {
	for _, m := range homes {
		if m != nil && m.client != nil {
			m.client.Disconnect(0)
		}
	}
}

// call sends JSON and reads JSON.
func (m *member) call(ctx context.Context, token, method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, m.o.url+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := m.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
