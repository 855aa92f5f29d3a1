package downlink

import (
	"bytes"
	"context"
	"slices"
	"strings"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

const (
	maxRetained = 256 // bytes of an online message
	maxFilter   = 512 // bytes of a topic or filter
)

// hook lets clients in, says what they may do, and takes what gateways publish before it is acknowledged.
type hook struct {
	mqtt.HookBase
	broker *embedded
}

// ID implements mqtt.Hook.
func (h *hook) ID() string { return "hearth" }

// Provides implements mqtt.Hook.
func (h *hook) Provides(b byte) bool {
	return slices.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnConnect, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnPublish}, b)
}

func sessionOf(cl *mqtt.Client) *session {
	s, ok := cl.Net.Conn.(*session)
	if !ok {
		panic("every client of this broker is a session")
	}
	return s
}

// OnConnect bounds what a client asks for. Sessions are never kept: what a gateway missed it asks for over HTTP.
func (h *hook) OnConnect(cl *mqtt.Client, _ packets.Packet) error {
	cl.Properties.Clean = true
	cl.Properties.Props.SessionExpiryInterval = 0
	if cl.State.Keepalive == 0 || cl.State.Keepalive > mostKeepAlive {
		cl.State.Keepalive, cl.State.ServerKeepalive = mostKeepAlive, true
	}
	return nil
}

// OnConnectAuthenticate takes the token as the password and its name as the user name.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	s := sessionOf(cl)
	token, ok, err := h.broker.accounts.Find(context.Background(), string(pk.Connect.Password))
	if err != nil {
		h.broker.log.Error("an MQTT client could not be let in", "err", err)
		return false
	}
	if !ok || token.Name != string(pk.Connect.Username) || !speaks(token.Scope) || !h.broker.admit(s, token) {
		h.broker.log.Debug("an MQTT client was refused", "remote", cl.Net.Remote)
		return false
	}
	if w := cl.Properties.Will; w.Flag == 1 && token.Scope == hearth.ScopeGateway && w.TopicName == hearth.TopicOnline(token.Home) && len(w.Payload) <= maxRetained {
		s.will = bytes.Clone(w.Payload)
	}
	// The broker itself sends wills whatever the token may publish, and also when the client is back already.
	cl.Properties.Will = mqtt.Will{}
	// Who has the same id takes a session over, with the messages in it: so an id is the token's own.
	cl.ID = token.Hash[:16] + "/" + cl.ID
	return true
}

// speaks reports whether tokens of that scope may use MQTT at all. Write is for data over HTTP and nothing else.
func speaks(s hearth.Scope) bool { return s == hearth.ScopeGateway || s.Allows(hearth.ScopeRead) }

// OnSessionEstablished implements mqtt.Hook.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	h.broker.established(sessionOf(cl))
}

// OnACLCheck says who may publish on a topic (write), or subscribe to a filter or receive from a topic.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	return h.broker.allowed(sessionOf(cl).token, topic, write)
}

func (e *embedded) allowed(token hearth.Token, topic string, write bool) bool {
	if len(topic) > maxFilter {
		return false
	}
	parts := strings.SplitN(topic, "/", 4)
	if len(parts) < 2 || parts[0] != "hearth" || parts[1] == "" {
		return false
	}
	home, kind, rest := parts[1], "", ""
	if len(parts) > 2 {
		kind = parts[2]
	}
	if len(parts) > 3 {
		rest = parts[3]
	}
	switch {
	case token.Scope == hearth.ScopeGateway && write:
		leaf := kind == "done" || kind == "online"
		branch := kind == "reading" || kind == "event"
		return home == token.Home && (leaf && len(parts) == 3 || branch && rest != "")
	case token.Scope == hearth.ScopeGateway:
		return home == token.Home && len(parts) == 3 && (kind == "do" || kind == "online")
	case write:
		return false // nobody but the receiver gives commands, and only gateways speak of themselves
	}
	return token.Scope.Allows(hearth.ScopeRead) && e.sees(token, home)
}

// sees reports whether token sees a home. A filter with a wildcard in place of one is anybody's: what comes of it is
// looked at by its topic.
func (e *embedded) sees(token hearth.Token, home string) bool {
	if (home == "+" || home == "#") && token.Home == "" {
		return true
	}
	scope, err := e.accounts.Scope(context.Background(), token, home)
	return err == nil && scope.Allows(hearth.ScopeRead)
}

// OnPublish takes a message before its sender gets an acknowledgement, so that an answer that was acknowledged is on
// disk. Nothing is retained but whether a gateway is online.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	home, kind, rest, ok := hearth.ParseTopic(pk.TopicName)
	if !ok || !h.broker.allowed(sessionOf(cl).token, pk.TopicName, true) { // with a topic alias it was not checked before
		return pk, packets.ErrRejectPacket
	}
	pk.FixedHeader.Retain = pk.FixedHeader.Retain && kind == "online" && len(pk.Payload) <= maxRetained
	if err := h.broker.sink.message(context.Background(), home, kind, rest, pk.Payload); err != nil {
		h.broker.log.Error("an answer could not be stored; its gateway is asked to come again", "home", home, "err", err)
		cl.Stop(packets.ErrServerUnavailable)
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}
