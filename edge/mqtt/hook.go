package mqtt

import (
	"slices"
	"strings"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

const (
	maxTopic         = 512 // bytes of a topic or filter
	maxLevels        = 32  // of it
	maxSubscriptions = 4096
	mostKeepAlive    = 300             // s
	checkEvery       = 2 * time.Second // a token, while its client speaks
)

// hook lets clients in, says what they may do, and takes what is for the gateway.
type hook struct {
	mochi.HookBase
	e *embedded
}

// ID implements mochi.Hook.
func (h *hook) ID() string { return "hearth" }

// Provides implements mochi.Hook.
func (h *hook) Provides(b byte) bool {
	return slices.Contains([]byte{
		mochi.OnConnectAuthenticate, mochi.OnConnect, mochi.OnACLCheck, mochi.OnPacketRead, mochi.OnSubscribe, mochi.OnPublish, mochi.OnWill, mochi.OnRetainedExpired,
	}, b)
}

// sessionOf returns the connection of a client, nil for the gateway itself.
func sessionOf(cl *mochi.Client) *session {
	s, _ := cl.Net.Conn.(*session)
	return s
}

// OnConnect bounds what a client asks for. Sessions end with their connections.
func (h *hook) OnConnect(cl *mochi.Client, _ packets.Packet) error {
	cl.Properties.Clean = true
	cl.Properties.Props.SessionExpiryInterval = 0
	cl.Properties.Props.TopicAliasMaximum = 0
	cl.Properties.Will.WillDelayInterval = 0
	if cl.State.Keepalive == 0 || cl.State.Keepalive > mostKeepAlive {
		cl.State.Keepalive, cl.State.ServerKeepalive = mostKeepAlive, true
	}
	return nil
}

// OnConnectAuthenticate takes the token as the password and its name as the user name. Who is wrong waits for the
// answer, and longer the more often.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	s := sessionOf(cl)
	if s == nil || len(cl.ID) > maxTopic {
		return false
	}
	token, ok := h.e.f.o.Tokens(string(pk.Connect.Password))
	if !ok || token.Name != string(pk.Connect.Username) || !token.Scope.Allows(hearth.ScopeRead) {
		h.e.f.said.warn("password", s.address, "an MQTT client was refused: the user name is a token's name, the password the token", "remote", cl.Net.Remote, "username", clipped(string(pk.Connect.Username)))
		h.e.guesses.wait(s)
		return false
	}
	h.e.guesses.right(s.address)
	if w := cl.Properties.Will; w.Flag == 1 && (!allowed(token, w.TopicName, true) || isSet(w.TopicName)) {
		cl.Properties.Will = mochi.Will{} // the broker itself would send it whatever the token may publish
	}
	h.e.admit(s, token)
	s.secret, s.checked = string(pk.Connect.Password), time.Now()
	// Who has the same id takes a session over: so an id is the token's own.
	cl.ID = token.Hash[:16] + "/" + cl.ID
	return true
}

// OnPacketRead has every packet paid for, and ends the sessions of tokens that were removed.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if s := sessionOf(cl); s != nil {
		if s.secret != "" && time.Since(s.checked) > checkEvery {
			if token, ok := h.e.f.o.Tokens(s.secret); !ok || token.Hash != s.token.Hash || token.Scope != s.token.Scope {
				cl.Stop(packets.ErrNotAuthorized)
				return pk, packets.ErrRejectPacket
			}
			s.checked = time.Now()
		}
		cost := packetCost
		switch {
		case pk.FixedHeader.Type == packets.Subscribe:
			cost = subscribeCost + packetCost*len(pk.Filters)
		case pk.FixedHeader.Type == packets.Publish && isSet(pk.TopicName):
			cost = setCost
		}
		s.spend(cost)
	}
	return pk, nil
}

// OnACLCheck says who may publish on a topic (write), or subscribe to a filter or receive from a topic.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	s := sessionOf(cl)
	return s != nil && allowed(s.token, topic, write)
}

// OnSubscribe implements mochi.Hook. Filters beyond the bound are made ones that no broker takes.
func (h *hook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	room := maxSubscriptions - cl.State.Subscriptions.Len()
	if len(pk.Filters) <= room {
		return pk
	}
	pk.Filters = slices.Clone(pk.Filters)
	for i := max(room, 0); i < len(pk.Filters); i++ {
		pk.Filters[i].Filter = ""
	}
	return pk
}

// allowed: everybody may hear everything. Below hearth/ is the gateway's: there a token of scope control commands
// devices, and nothing else. Everything else is anybody's who may control.
func allowed(token hearth.Token, topic string, write bool) bool {
	switch {
	case topic == "" || len(topic) > maxTopic || strings.Count(topic, "/") >= maxLevels || strings.ContainsRune(topic, 0):
		return false
	case !write:
		return token.Scope.Allows(hearth.ScopeRead)
	case !token.Scope.Allows(hearth.ScopeControl):
		return false
	case strings.HasPrefix(topic, root) || topic == strings.TrimSuffix(root, "/"):
		return token.Scope == hearth.ScopeAdmin || isSet(topic)
	}
	return true
}

// OnPublish takes commands before their sender gets an acknowledgement, so that one that was acknowledged is on disk.
// They are never retained. What is one too many to be kept is delivered all the same.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	s := sessionOf(cl)
	if s == nil {
		return pk, nil
	}
	if !allowed(s.token, pk.TopicName, true) {
		return pk, packets.ErrRejectPacket
	}
	switch {
	case isSet(pk.TopicName):
		h.e.f.command(pk.TopicName, pk.Payload, pk.FixedHeader.Retain, s.token.Name)
		pk.FixedHeader.Retain = false
	case pk.TopicName == h.e.f.topics.birth() && string(pk.Payload) == online:
		h.e.f.again()
	}
	if pk.FixedHeader.Retain {
		pk.FixedHeader.Retain = h.keep(pk.TopicName, len(pk.Payload))
	}
	return pk, nil
}

// OnWill implements mochi.Hook: a will is retained within the same bounds as anything else.
func (h *hook) OnWill(_ *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if will.Retain {
		will.Retain = h.keep(will.TopicName, len(will.Payload))
	}
	return will, nil
}

func (h *hook) keep(topic string, size int) bool {
	kept, count := h.e.retained.take(topic, size)
	h.e.f.count(func(s *Stats) { s.Retained = count })
	return kept
}

// OnRetainedExpired implements mochi.Hook.
func (h *hook) OnRetainedExpired(topic string) {
	_, count := h.e.retained.take(topic, 0)
	h.e.f.count(func(s *Stats) { s.Retained = count })
}
