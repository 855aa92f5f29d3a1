package downlink

import (
	"errors"
	"io"
	"net"

	"github.com/gorilla/websocket"

	"hearth"
)

// A session is one connection to the embedded broker.
type session struct {
	net.Conn
	token    hearth.Token // zero until admitted
	admitted bool
	live     bool            // it is a gateway's and counted as such
	will     []byte          // what the gateway wants said when it is gone
	had      map[string]bool // of the filters in the SUBSCRIBE that is being worked on: whether it had them
	owed     []owed          // what is retained for it, until the SUBACK is sent
}

func (s *session) name() string { return s.token.Name }

// farewell is what is said on a home's online topic when its gateway has gone.
func (s *session) farewell() []byte {
	if len(s.will) > 0 {
		return s.will
	}
	return []byte("false")
}

// webConn is MQTT over WebSocket as a stream. Deadlines and Close are those of the connection below.
type webConn struct {
	net.Conn
	messages *websocket.Conn
	reader   io.Reader // the rest of the current message
}

var errText = errors.New("MQTT over WebSocket uses binary messages")

func (c *webConn) Read(p []byte) (int, error) {
	for {
		if c.reader == nil {
			kind, reader, err := c.messages.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errText
			}
			c.reader = reader
		}
		n, err := c.reader.Read(p)
		if errors.Is(err, io.EOF) {
			c.reader, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends p as one message; the broker calls it from one goroutine at a time.
func (c *webConn) Write(p []byte) (int, error) {
	if err := c.messages.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
