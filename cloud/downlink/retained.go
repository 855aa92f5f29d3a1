package downlink

import (
	"context"
	"slices"
	"strings"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

// retained is what was said last on each home's online topic. It is not left to mochi, which copies all that it retains
// every second and gives a new subscriber no more than fits into the queue of a slow client.
type retained struct {
	mu     sync.Mutex
	online map[string]string // payloads by home
}

// take moves a home's message from the broker to here. A broker that has none any more was asked by a later one, unless
// the payload is empty: that takes away what is retained.
func (k *retained) take(server *mqtt.Server, home, topic string, payload []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if pk, ok := server.Topics.Retained.Get(topic); ok {
		k.online[home] = string(pk.Payload)
		server.Topics.Retained.Delete(topic)
	} else if len(payload) == 0 {
		delete(k.online, home)
	}
}

func (k *retained) of(home string) (payload string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	payload, ok = k.online[home]
	return payload, ok
}

// OnRetainMessage implements mqtt.Hook.
func (h *hook) OnRetainMessage(_ *mqtt.Client, pk packets.Packet, _ int64) {
	if home, kind, _, ok := hearth.ParseTopic(pk.TopicName); ok && kind == "online" {
		h.broker.retained.take(h.broker.server, home, pk.TopicName, pk.Payload)
	}
}

// OnSubscribe notes for which filters the client gets what is retained once it was told that it has subscribed.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	s := sessionOf(cl)
	s.asked = slices.Clone(pk.Filters)
	for i, sub := range s.asked {
		if _, had := cl.State.Subscriptions.Get(sub.Filter); had && sub.RetainHandling == 1 {
			s.asked[i].RetainHandling = 2 // MQTT 5, 3.8.3.1: 2 is never
		}
	}
	return pk
}

// OnPacketSent gives a client what is retained, at QoS 0: while the connection stands nothing of it is lost, and with
// the next one it is asked for again.
func (h *hook) OnPacketSent(cl *mqtt.Client, pk packets.Packet, _ []byte) {
	if pk.FixedHeader.Type != packets.Suback {
		return
	}
	s := sessionOf(cl)
	for i, sub := range s.asked {
		if sub.RetainHandling == 2 || i >= len(pk.ReasonCodes) || pk.ReasonCodes[i] > packets.CodeGrantedQos2.Code {
			continue
		}
		if !h.broker.tellRetained(cl, s.token, sub) {
			break
		}
	}
	s.asked = nil
}

// tellRetained reports whether the client still listens.
func (e *embedded) tellRetained(cl *mqtt.Client, token hearth.Token, sub packets.Subscription) bool {
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}}
	if sub.Identifier > 0 {
		pk.Properties.SubscriptionIdentifier = []int{sub.Identifier}
	}
	for _, home := range e.homesOf(token, sub.Filter) {
		payload, ok := e.retained.of(home)
		if !ok {
			continue
		}
		pk.TopicName, pk.Payload = hearth.TopicOnline(home), []byte(payload)
		if cl.WritePacket(pk) != nil {
			return false
		}
	}
	return true
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
