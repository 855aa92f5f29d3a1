package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"hearth"
)

// A member is one home of the load: a gateway that has nothing to read.
type member struct {
	hearth.Claim
	o      options
	client mqtt.Client
	http   *http.Client
	epoch  string
	seq    uint64
	rows   uint64
	zstd   *zstd.Encoder
}

const lamp = hearth.ID("load:lamp")

// join makes the homes and connects each as its gateway would.
func join(ctx context.Context, o options) ([]*member, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}, Timeout: 30 * time.Second}
	members := make([]*member, o.homes)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range members {
		group.Go(func() error {
			m, err := joinOne(ctx, o, client, encoder, i)
			if err != nil {
				return fmt.Errorf("home %d: %w", i, err)
			}
			members[i] = m
			return nil
		})
	}
	return members, group.Wait()
}

func joinOne(ctx context.Context, o options, client *http.Client, encoder *zstd.Encoder, i int) (*member, error) {
	m := &member{o: o, http: client, epoch: fmt.Sprintf("load%x", time.Now().UnixNano()), zstd: encoder}
	var added struct {
		Code string `json:"claim_code"`
	}
	name := fmt.Sprintf("Load %d %d", time.Now().UnixNano(), i)
	if err := m.call(ctx, o.token, "POST", "/api/v1/homes", map[string]string{"name": name}, &added); err != nil {
		return nil, err
	}
	if err := m.call(ctx, "", "POST", "/api/v1/claim", map[string]string{"code": added.Code}, &m.Claim); err != nil {
		return nil, err
	}
	on, _ := hearth.Word("on")
	inventory := []hearth.DeviceView{{ID: lamp, Name: "Lamp", Type: "light", Driver: "load", Reachable: true, Properties: []hearth.PropertyView{{Property: on.AsWritable()}}}}
	if err := m.call(ctx, m.Token, "PUT", "/api/v1/homes/"+m.Home+"/devices", inventory, nil); err != nil {
		return nil, err
	}
	return m, m.connect()
}

// connect opens the home's MQTT session and answers every command at once.
func (m *member) connect() error {
	broker := m.MQTT
	if broker == "" {
		broker = "ws" + strings.TrimPrefix(m.o.url, "http") + "/mqtt"
	}
	opts := mqtt.NewClientOptions().AddBroker(broker).SetClientID("load-"+m.Home).SetUsername(m.TokenName).SetPassword(m.Token).
		SetKeepAlive(30*time.Second).SetWill(hearth.TopicOnline(m.Home), "false", 1, true)
	m.client = mqtt.NewClient(opts)
	if token := m.client.Connect(); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	token := m.client.Subscribe(hearth.TopicDo(m.Home), 1, func(_ mqtt.Client, message mqtt.Message) {
		var cmd hearth.Command
		if json.Unmarshal(message.Payload(), &cmd) != nil {
			return
		}
		now := hearth.Time{Time: time.Now()}
		result, _ := json.Marshal(hearth.Result{ID: cmd.ID, State: hearth.Confirmed, Final: true, History: []hearth.Step{{State: hearth.Confirmed, Time: now}}})
		m.client.Publish(hearth.TopicDone(m.Home), 1, false, result)
	})
	if token.Wait() && token.Error() != nil {
		return token.Error()
	}
	m.client.Publish(hearth.TopicOnline(m.Home), 1, true, "true").Wait()
	return nil
}

func (m *member) leave() {
	if m != nil && m.client != nil {
		m.client.Disconnect(0)
	}
}

// send posts a batch every so often until ctx ends.
func (m *member) send(ctx context.Context, offset time.Duration, sent, refused *atomic.Int64) error {
	timer := time.NewTimer(offset)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		stored, err := m.post(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if stored {
			sent.Add(int64(m.o.rows))
		} else {
			refused.Add(1)
		}
		timer.Reset(m.o.every)
	}
}

// post sends the next batch; false means that the receiver asked to come again later.
func (m *member) post(ctx context.Context) (stored bool, err error) {
	readings := make([]hearth.Reading, m.o.rows)
	for i := range readings {
		readings[i] = hearth.Reading{
			Device: hearth.ID(fmt.Sprintf("load:meter-%d", i%5)), Property: []string{"power", "energy", "voltage", "current", "temperature"}[i/5%5],
			Value: hearth.NumberOf(float64(i%50) + float64(m.seq)), Time: time.Now().Add(time.Duration(i-m.o.rows) * time.Millisecond),
		}
	}
	lines, err := hearth.AppendLines(nil, readings, "")
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", m.o.url+"/api/v2/write?precision=ms", bytes.NewReader(m.zstd.EncodeAll(lines, nil)))
	if err != nil {
		return false, err
	}
	rows := uint64(m.o.rows)
	req.Header.Set("Authorization", "Token "+m.Token)
	req.Header.Set("Content-Encoding", "zstd")
	req.Header.Set(hearth.HeaderBatch, hearth.BatchID{Epoch: m.epoch, Seq: m.seq + 1}.String())
	req.Header.Set(hearth.HeaderLedger, hearth.Ledger{Produced: m.rows + rows, Backlog: rows, Durable: m.seq}.String())
	resp, err := m.http.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	switch resp.StatusCode {
	case http.StatusNoContent:
		m.seq++
		m.rows += rows
		return true, nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return false, nil
	}
	return false, fmt.Errorf("the receiver answered %s: %s", resp.Status, text)
}

// command switches lamps through the receiver at the rate asked for, and measures until each is confirmed.
func command(ctx context.Context, o options, homes []*member) (trips []time.Duration, lost int) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(200)
	limit := rate.NewLimiter(rate.Limit(o.commands), 1)
	for i := 0; o.commands > 0 && limit.Wait(ctx) == nil; i++ {
		home := homes[i%len(homes)]
		group.Go(func() error {
			began := time.Now()
			path := "/api/v1/homes/" + url.PathEscape(home.Home) + "/devices/" + string(lamp) + "/properties/on"
			var rec hearth.Record
			err := home.call(context.WithoutCancel(ctx), o.token, "PUT", path, map[string]bool{"value": i%2 == 0}, &rec)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || rec.State != hearth.Confirmed {
				lost++
			} else {
				trips = append(trips, time.Since(began))
			}
			return nil
		})
	}
	_ = group.Wait()
	return trips, lost
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
