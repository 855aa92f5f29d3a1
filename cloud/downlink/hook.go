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
	return slices.Contains([]byte{
		mqtt.OnConnectAuthenticate, mqtt.OnConnect, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnPublish,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnPacketSent,
	}, b)
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

// speaks reports whether tokens of that scope may use MQTT at all.
func speaks(s hearth.Scope) bool { return s.Allows(hearth.ScopeWrite) || s.Allows(hearth.ScopeRead) }

// OnSessionEstablished implements mqtt.Hook.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	h.broker.established(sessionOf(cl))
}

// OnACLCheck says who may publish on a topic (write), or subscribe to a filter or receive from a topic.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	token, ok := h.broker.still(sessionOf(cl).token)
	return ok && h.broker.allowed(token, topic, write)
}

// still returns an application's token as it is now; false if it was removed since. Gateways are too many for that, and
// what one of theirs may do concerns its home alone: review ends the connection.
func (e *embedded) still(token hearth.Token) (hearth.Token, bool) {
	if token.Scope == hearth.ScopeGateway {
		return token, true
	}
	token, ok, err := e.accounts.Again(context.Background(), token)
	return token, ok && err == nil
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
	if token.Scope == hearth.ScopeGateway {
		return home == token.Home && gatewayMay(kind, rest, len(parts), write)
	}
	switch {
	case write:
		return e.mayPublish(token, home, kind, rest, len(parts))
	case kind == "direct" && strings.HasSuffix(rest, "/refused"):
		return e.worth(token, home).Allows(hearth.ScopeWrite) || e.sees(token, home)
	}
	return e.sees(token, home) || home == "tenant" && e.seesTenant(token, kind)
}

func gatewayMay(kind, rest string, parts int, write bool) bool {
	if !write {
		return parts == 3 && (kind == "do" || kind == "online")
	}
	leaf := kind == "done" || kind == "online"
	branch := kind == "reading" || kind == "event"
	return leaf && parts == 3 || branch && rest != ""
}

// mayPublish says what others than gateways publish: commands, and what devices without a gateway say. Nobody but the
// receiver speaks to gateways, and only gateways speak of themselves.
func (e *embedded) mayPublish(token hearth.Token, home, kind, rest string, parts int) bool {
	switch {
	case kind == "command" && parts == 3:
		return e.worth(token, home).Allows(hearth.ScopeControl)
	case kind == "direct" && (strings.HasSuffix(rest, "/announce") || strings.HasSuffix(rest, "/report")):
		return e.worth(token, home).Allows(hearth.ScopeWrite)
	}
	return false
}

// worth is what token may do in a home, "" for nothing.
func (e *embedded) worth(token hearth.Token, home string) hearth.Scope {
	scope, err := e.accounts.Scope(context.Background(), token, home)
	if err != nil {
		return ""
	}
	return scope
}

// sees reports whether token sees a home. A filter with a wildcard in place of one is anybody's: what comes of it is
// looked at by its topic.
func (e *embedded) sees(token hearth.Token, home string) bool {
	if home == "+" || home == "#" {
		return token.Home == "" && token.Scope.Allows(hearth.ScopeRead)
	}
	return e.worth(token, home).Allows(hearth.ScopeRead)
}

func (e *embedded) seesTenant(token hearth.Token, tenant string) bool {
	if tenant == "+" || tenant == "#" {
		return token.Home == "" && token.Scope.Allows(hearth.ScopeRead)
	}
	scope, err := e.accounts.TenantScope(context.Background(), token, tenant)
	return err == nil && scope.Allows(hearth.ScopeRead)
}

// OnPublish takes a message before its sender gets an acknowledgement, so that an answer that was acknowledged is on
// disk. Nothing is retained but whether a gateway is online.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	m := message{payload: pk.Payload, address: cl.Net.Remote}
	var there, named bool
	m.token, there = h.broker.still(sessionOf(cl).token)
	m.home, m.kind, m.rest, named = hearth.ParseTopic(pk.TopicName)
	if !there || !named || !h.broker.allowed(m.token, pk.TopicName, true) { // with a topic alias it was not checked before
		return pk, packets.ErrRejectPacket
	}
	retain := pk.FixedHeader.Retain && m.kind == "online" && len(pk.Payload) <= maxRetained
	pk.FixedHeader.Retain = false
	err := h.broker.sink.message(context.Background(), m)
	switch {
	case isRefusal(err) && pk.FixedHeader.Qos == 1 && cl.Properties.ProtocolVersion == 5:
		return pk, reasonOf(err)
	case err != nil && !isRefusal(err):
		h.broker.log.Error("a message could not be stored; its sender is asked to come again", "home", m.home, "kind", m.kind, "err", err)
		cl.Stop(packets.ErrServerUnavailable)
		return pk, packets.ErrRejectPacket
	case m.kind == "command" || m.kind == "direct" || m.kind == "event" && m.rest != "status":
		return pk, packets.CodeSuccessIgnore // it was for the receiver, which tells others what came of it
	case retain:
		h.broker.retained.set(m.home, pk.Payload)
	}
	return pk, nil
}

// reasonOf is why a message was refused in the words of MQTT 5.
func reasonOf(err error) packets.Code {
	switch hearth.ErrorOf(err).Code {
	case hearth.CodeBusy:
		return packets.ErrQuotaExceeded
	case hearth.CodeBadValue:
		return packets.ErrPayloadFormatInvalid
	}
	return packets.ErrImplementationSpecificError
}
