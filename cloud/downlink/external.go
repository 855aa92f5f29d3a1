package downlink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

const (
	publishTime = 5 * time.Second
	queued      = 4096 // messages waiting to be taken; beyond that the broker has to wait
	maxUnder    = 256  // events on their way to the broker
)

// external is a broker elsewhere, perhaps a cluster. Gateways' passwords and rights are its own affair: it must let a
// home's gateway do what the embedded one does, and this receiver everything below hearth/.
type external struct {
	o      External
	sink   sink
	log    *slog.Logger
	inbox  chan mqtt.Message
	under  chan mqtt.Token // events that the broker has not confirmed yet
	client mqtt.Client
	shared bool // there may be other receivers

	mu sync.Mutex
	up bool
}

func newExternal(o External, s sink, shared bool, log *slog.Logger) *external {
	e := &external{o: o, sink: s, shared: shared, log: log, inbox: make(chan mqtt.Message, queued), under: make(chan mqtt.Token, maxUnder)}
	options := mqtt.NewClientOptions()
	options.AddBroker(o.Broker)
	options.SetClientID("hearth-cloud-" + strings.ToLower(rand.Text()[:12]))
	options.SetUsername(o.Username)
	options.SetPassword(o.Password)
	options.SetCleanSession(true)
	options.SetKeepAlive(30 * time.Second)
	options.SetPingTimeout(10 * time.Second)
	options.SetConnectTimeout(10 * time.Second)
	options.SetWriteTimeout(10 * time.Second)
	options.SetConnectRetry(true)
	options.SetConnectRetryInterval(5 * time.Second)
	options.SetMaxReconnectInterval(time.Minute)
	options.SetAutoAckDisabled(true) // an answer is acknowledged once it is stored
	options.SetOrderMatters(true)
	options.SetOnConnectHandler(func(c mqtt.Client) { e.connected(c) })
	options.SetConnectionLostHandler(func(_ mqtt.Client, err error) { e.lost(err) })
	e.client = mqtt.NewClient(options)
	return e
}

// topics are what gateways, applications and devices without a gateway publish. Of events only the status is a gateway's:
// the others are what receivers tell. What must be done once goes to one of several receivers.
func (e *external) topics() map[string]byte {
	once := ""
	if e.shared {
		once = "$share/hearth-cloud/"
	}
	return map[string]byte{
		hearth.TopicDone("+"): 1, hearth.TopicOnline("+"): 1, hearth.TopicEvent("+", "status"): 0, "hearth/+/reading/#": 0,
		once + hearth.TopicCommand("+"): 1, once + hearth.TopicDirect("+", "+", "announce"): 1, once + hearth.TopicDirect("+", "+", "report"): 1,
	}
}

func (e *external) run(ctx context.Context) error {
	defer e.client.Disconnect(250)
	e.client.Connect() // tries for as long as it takes
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-e.inbox:
			e.take(ctx, m)
		}
	}
}

func (e *external) connected(c mqtt.Client) {
	e.log.Info("connected to the MQTT broker", "broker", redacted(e.o.Broker))
	token := c.SubscribeMultiple(e.topics(), func(_ mqtt.Client, m mqtt.Message) { e.inbox <- m })
	go func() {
		if !token.WaitTimeout(time.Minute) || token.Error() != nil {
			e.log.Error("the MQTT broker does not let the receiver subscribe below hearth/: give it the right to", "err", token.Error())
		}
	}()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.up = true
}

func (e *external) lost(err error) {
	e.log.Warn("the MQTT broker is gone; trying again", "broker", redacted(e.o.Broker), "err", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.up = false
}

// redacted is a broker's address without a password in it.
func redacted(broker string) string {
	scheme, rest, _ := strings.Cut(broker, "://")
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

func (e *external) take(ctx context.Context, m mqtt.Message) {
	home, kind, rest, ok := hearth.ParseTopic(m.Topic())
	switch {
	case !ok:
	case kind == "online":
		e.sink.session(ctx, home, isOnline(m.Payload()))
	case m.Retained(): // an answer or a value of long ago
	default:
		err := e.sink.message(ctx, message{home: home, kind: kind, rest: rest, payload: m.Payload()})
		if err != nil && !isRefusal(err) {
			// Not acknowledged, and asked again for what is still open the next time the gateway connects.
			e.log.Error("a message could not be stored", "home", home, "kind", kind, "err", err)
			return
		}
	}
	m.Ack()
}

// isOnline reads what gateways, and other programs that imitate one, say on the online topic.
func isOnline(payload []byte) bool {
	switch strings.ToLower(strings.TrimSpace(string(payload))) {
	case "", "false", "0", "offline", "off", "no":
		return false
	}
	return true
}

func (e *external) heard() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.up
}

// tell does not wait for the broker's word, but for room among those that it owes.
func (e *external) tell(ctx context.Context, topic string, payload []byte, qos byte) error {
	token := e.client.Publish(topic, qos, false, payload)
	select {
	case e.under <- token:
		return nil
	default:
	}
	select {
	case first := <-e.under:
		if !first.WaitTimeout(publishTime) {
			return errors.New("the broker has not confirmed an event")
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	e.under <- token // nobody else puts anything there
	return nil
}

func (e *external) publish(topic string, payload []byte) error {
	if !e.heard() {
		return errors.New("the broker is not connected")
	}
	token := e.client.Publish(topic, 1, false, payload)
	if !token.WaitTimeout(publishTime) {
		return errors.New("the broker has not confirmed it")
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("publishing on %s: %w", topic, err)
	}
	return nil
}

func (e *external) handler() http.Handler { return nil }

func (e *external) clients() int { return 0 }
