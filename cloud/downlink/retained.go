package downlink

import (
	"context"
	"strings"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

// retained is what was said last on each home's online topic, for those who subscribe later. It is not left to mochi,
// which copies all that it retains every second, gives a new subscriber no more than fits into the queue of a slow
// client, and looks for it while it is being changed.
type retained struct {
	mu     sync.Mutex
	online map[string]string // payloads by home
}

// set takes what is said of a home; an empty payload takes away what was.
func (k *retained) set(home string, payload []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(payload) == 0 {
		delete(k.online, home)
		return
	}
	k.online[home] = string(payload)
}

func (k *retained) of(home string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.online[home]
}

// owed is what a client that has subscribed is to be told once it knows that it has.
type owed struct {
	home, payload string
	subscription  int // its identifier, MQTT 5; 0: none
}

// OnSubscribe notes which subscriptions are not new.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	s := sessionOf(cl)
	s.had = map[string]bool{}
	for _, sub := range pk.Filters {
		_, s.had[sub.Filter] = cl.State.Subscriptions.Get(sub.Filter)
	}
	return pk
}

// OnSubscribed collects what is retained at the moment of a subscription: what is said later comes by itself.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, reasons []byte) {
	s := sessionOf(cl)
	for i, sub := range pk.Filters {
		unwanted := sub.RetainHandling == 2 || sub.RetainHandling == 1 && s.had[sub.Filter] // MQTT 5, 3.8.3.1
		if unwanted || reasons[i] > packets.CodeGrantedQos2.Code {
			continue
		}
		for _, home := range h.broker.homesOf(s.token, sub.Filter) {
			if payload := h.broker.retained.of(home); payload != "" {
				s.owed = append(s.owed, owed{home, payload, sub.Identifier})
			}
		}
	}
	s.had = nil
}

// OnPacketSent gives a client what is retained, at QoS 0: while the connection stands nothing of it is lost, and with
// the next one it is asked for again.
func (h *hook) OnPacketSent(cl *mqtt.Client, pk packets.Packet, _ []byte) {
	if pk.FixedHeader.Type != packets.Suback {
		return
	}
	s := sessionOf(cl)
	for _, o := range s.owed {
		if h.broker.pay(cl, o) != nil {
			break // it is gone
		}
	}
	s.owed = nil
}

// pay tells a client of a home, unless it has heard something newer, and again if something newer came before that.
func (e *embedded) pay(cl *mqtt.Client, o owed) error {
	if e.retained.of(o.home) != o.payload {
		return nil
	}
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: hearth.TopicOnline(o.home)}
	if o.subscription > 0 {
		pk.Properties.SubscriptionIdentifier = []int{o.subscription}
	}
	for sent := ""; sent != o.payload && o.payload != ""; o.payload = e.retained.of(o.home) {
		sent, pk.Payload = o.payload, []byte(o.payload)
		if err := cl.WritePacket(pk); err != nil {
			return err
		}
	}
	return nil
}

// homesOf returns the homes that token sees and whose online topic a filter is about.
func (e *embedded) homesOf(token hearth.Token, filter string) []string {
	parts := strings.Split(filter, "/")
	if !coversOnline(parts) {
		return nil
	}
	if home := parts[1]; home != "+" && home != "#" {
		if token.Home == home || e.sees(token, home) {
			return []string{home}
		}
		return nil
	}
	token, ok := e.still(token)
	if !ok {
		return nil
	}
	homes, err := e.accounts.Visible(context.Background(), token)
	if err != nil {
		e.log.Error("a subscriber could not be told which homes are online", "err", err)
	}
	ids := make([]string, 0, len(homes))
	for _, home := range homes {
		ids = append(ids, home.ID)
	}
	return ids
}

// coversOnline reports whether the levels of a filter match hearth/<home>/online for its home.
func coversOnline(levels []string) bool {
	topic := []string{"hearth", "", "online"}
	for i, level := range levels {
		switch {
		case level == "#" && i > 0:
			return true
		case i >= len(topic) || level != "+" && level != topic[i] && i != 1:
			return false
		}
	}
	return len(levels) == len(topic)
}
