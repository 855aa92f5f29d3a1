package mqtt

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

const (
	unacknowledged = 100              // messages on their way to the broker; then it is waited for
	publishTime    = 10 * time.Second // for the broker to acknowledge one
	commands       = 256              // waiting to be taken; more are refused
	goodbye        = 250              // ms
	idKey          = "client"
)

// external is a broker elsewhere. Who may do what there is its own affair.
type external struct {
	f      *Face
	client paho.Client
	gone   chan error
	way    []paho.Token // of messages that are not acknowledged yet, oldest first
	inbox  chan paho.Message
	cancel context.CancelFunc
	done   chan struct{}
}

// connect connects to the broker and subscribes to what is for the gateway.
func connect(ctx context.Context, f *Face) (*external, error) {
	e := &external{f: f, gone: make(chan error, 1), inbox: make(chan paho.Message, commands), done: make(chan struct{})}
	options, err := e.options()
	if err != nil {
		return nil, err
	}
	e.client = paho.NewClient(options)
	token := e.client.Connect()
	select {
	case <-ctx.Done():
	case <-token.Done():
	}
	if err := token.Error(); err != nil || ctx.Err() != nil {
		e.client.Disconnect(0)
		return nil, hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s: %v", f.o.Broker, err)
	}
	taking, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	go e.take(taking)
	if err := e.subscribe(); err != nil {
		e.close()
		return nil, err
	}
	f.o.Log.Info("connected to the MQTT broker", "broker", f.o.Broker)
	return e, nil
}

func (e *external) options() (*paho.ClientOptions, error) {
	id, err := e.clientID()
	if err != nil {
		return nil, err
	}
	o := paho.NewClientOptions()
	o.AddBroker(dialable(e.f.o.Broker))
	o.SetClientID(id)
	o.SetUsername(e.f.o.Username)
	if e.f.o.Password != nil {
		password, err := e.f.o.Password()
		if err != nil {
			return nil, fmt.Errorf("mqtt.password_file: %w", err)
		}
		o.SetPassword(password)
	}
	o.SetCleanSession(true)
	o.SetAutoReconnect(false) // who runs the face tries again
	o.SetConnectRetry(false)
	o.SetKeepAlive(30 * time.Second)
	o.SetPingTimeout(10 * time.Second)
	o.SetConnectTimeout(10 * time.Second)
	o.SetWriteTimeout(publishTime)
	o.SetDialer(&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second})
	o.SetOrderMatters(true)
	o.SetAutoAckDisabled(true) // a command is acknowledged once it is on disk
	o.SetBinaryWill(gatewayTopic, []byte(offline), 1, true)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { e.receive(m) })
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		e.lose(hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s is gone: %v", e.f.o.Broker, err))
	})
	return o, nil
}

// dialable is a broker's URL with the schemes that paho knows.
func dialable(broker string) string {
	scheme, rest, _ := strings.Cut(broker, "://")
	switch scheme {
	case "mqtt":
		return "tcp://" + rest
	case "mqtts":
		return "ssl://" + rest
	}
	return broker
}

// clientID is the same for good: so a broker takes a connection that has died for this one's, and its last will comes
// before what is said now.
func (e *external) clientID() (string, error) {
	id, err := e.f.o.Store.Get(idKey)
	if err == nil && len(id) == 0 {
		id = []byte("hearth-" + strings.ToLower(rand.Text()[:12]))
		err = e.f.o.Store.Put(idKey, id)
	}
	if err != nil {
		return "", fmt.Errorf("the client id for the MQTT broker: %w", err)
	}
	return string(id), nil
}

func (e *external) subscribe() error {
	filters := map[string]byte{deviceRoot + "+/set": 1, gatewayTopic: 1}
	if birth := e.f.topics.birth(); birth != "" {
		filters[birth] = 1
	}
	token := e.client.SubscribeMultiple(filters, nil)
	if !token.WaitTimeout(publishTime) {
		return hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s does not answer", e.f.o.Broker)
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("the MQTT broker does not let the gateway subscribe to %s+/set and %s: give its user the right to: %w", deviceRoot, gatewayTopic, err)
	}
	for filter, code := range token.(*paho.SubscribeToken).Result() {
		if code > 2 {
			return fmt.Errorf("the MQTT broker does not let the gateway subscribe to %s: give its user the right to", filter)
		}
	}
	return nil
}

// receive is called by the connection's own goroutine, which must not wait.
func (e *external) receive(m paho.Message) {
	select {
	case e.inbox <- m:
	default:
		m.Ack()
		e.f.count(func(s *Stats) { s.Refused++ })
		if id, ok := settable(m.Topic()); ok {
			e.f.answer(id, nil, byMQTT, hearth.Errorf(hearth.CodeBusy, "%d commands are waiting already: try again later", commands))
		}
	}
}

func (e *external) take(ctx context.Context) {
	defer close(e.done)
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-e.inbox:
			e.handle(m)
			m.Ack()
		}
	}
}

func (e *external) handle(m paho.Message) {
	switch topic := m.Topic(); {
	case isSet(topic):
		e.f.command(topic, m.Payload(), m.Retained(), byMQTT)
		if m.Retained() && len(m.Payload()) > 0 {
			e.client.Publish(topic, 1, true, "") // it would come again every time
		}
	case topic == gatewayTopic && !m.Retained() && string(m.Payload()) != online:
		e.client.Publish(gatewayTopic, 1, true, online) // the last will of a connection that is long gone
	case topic == e.f.topics.birth() && !m.Retained() && string(m.Payload()) == online:
		e.f.again()
	}
}

// publish implements link.
func (e *external) publish(m message) error {
	for len(e.way) > 0 {
		select {
		case <-e.way[0].Done():
		default:
			if len(e.way) < unacknowledged {
				return e.send(m)
			}
			if !e.way[0].WaitTimeout(publishTime) {
				return hearth.Errorf(hearth.CodeOffline, "the MQTT broker %s does not acknowledge what is published", e.f.o.Broker)
			}
		}
		if err := e.way[0].Error(); err != nil {
			return hearth.Errorf(hearth.CodeOffline, "publishing to the MQTT broker %s: %v", e.f.o.Broker, err)
		}
		e.way = e.way[1:]
	}
	return e.send(m)
}

func (e *external) send(m message) error {
	e.way = append(e.way, e.client.Publish(m.topic, 1, m.retain, m.payload))
	return nil
}

func (e *external) lose(why error) {
	select {
	case e.gone <- why:
	default:
	}
}

func (e *external) lost() <-chan error { return e.gone }

// close implements link. A clean goodbye takes the last will with it, so that is said first.
func (e *external) close() {
	e.cancel()
	<-e.done
	if e.client.IsConnected() {
		e.client.Publish(gatewayTopic, 1, true, offline).WaitTimeout(goodbye * time.Millisecond)
	}
	e.client.Disconnect(goodbye)
}
