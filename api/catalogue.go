package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"hearth"
)

// An EventRow is one row of the table of all that programs can be told of, or say, without asking: the catalogue is made
// from it, and what really happens is checked against it.
type EventRow struct {
	Name    string // the kind; of live events also their event name, and of what a webhook is sent its kind
	Summary string
	Bodies  []any // values of the types that the body has; several where it is one of them

	Topic   string // on MQTT, with {home}, {tenant}, …; "" for none
	Payload any    // on MQTT, where it is another one than the body
	QoS     int
	Retain  bool
	Stream  bool         // among the live events of a home or tenant
	Webhook bool         // a webhook may be sent it
	Scope   hearth.Scope // what listening, or saying it, needs

	Takes bool // programs say it, and this program listens
}

// A Catalogue is the table of events and what its document says of it as a whole.
type Catalogue struct {
	Title, Version, Summary string
	Rows                    []EventRow
}

var parameter = regexp.MustCompile(`\{([a-z]+)\}`)

// Document returns the catalogue as an AsyncAPI 3.0 document. Events that have no topic are channels without an address:
// their messages say where they are found. It panics on a table that is wrong: two rows of one name, a type that is no
// JSON.
func (c Catalogue) Document() []byte {
	schemas := newSchemas()
	channels, operations, messages := object{}, object{}, object{}
	for _, row := range c.Rows {
		name := row.Name
		if _, taken := channels[name]; taken {
			panic(fmt.Sprintf("there are two events %q", name))
		}
		messages[name] = row.message(schemas)
		channels[name] = row.channel()
		action := "send"
		if row.Takes {
			action = "receive"
		}
		operations[action+strings.ToUpper(name[:1])+name[1:]] = object{
			"action": action, "summary": row.Summary, "channel": object{"$ref": "#/channels/" + name},
			"messages": []object{{"$ref": "#/channels/" + name + "/messages/" + name}},
			"bindings": object{"mqtt": object{"qos": row.QoS, "retain": row.Retain}},
			"security": []object{{"$ref": "#/components/securitySchemes/token"}},
		}
	}
	document := object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": c.Title, "version": c.Version, "description": c.Summary,
			"license": object{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		"defaultContentType": "application/json",
		"channels":           channels, "operations": operations,
		"components": object{
			"messages": messages, "schemas": schemas.named,
			"securitySchemes": object{"token": object{"type": "userPassword", "description": "the user name is the token's name, the password the token"}},
		},
	}
	body, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		panic(err)
	}
	return append(body, '\n')
}

func (row EventRow) channel() object {
	channel := object{"address": nil, "messages": object{row.Name: object{"$ref": "#/components/messages/" + row.Name}}}
	if row.Topic == "" {
		return channel
	}
	channel["address"] = row.Topic
	parameters := object{}
	for _, match := range parameter.FindAllStringSubmatch(row.Topic, -1) {
		parameters[match[1]] = object{"description": "the " + match[1] + "'s id, or its name where it has none"}
	}
	if len(parameters) > 0 {
		channel["parameters"] = parameters
	}
	return channel
}

func (row EventRow) message(schemas *schemas) object {
	bodies := row.Bodies
	if row.Payload != nil {
		bodies = []any{row.Payload}
	}
	message := object{"name": row.Name, "summary": row.Summary, "payload": oneOf(schemas, bodies), "x-scope": row.Scope}
	if row.Stream {
		message["x-stream-event"] = row.Name
	}
	if row.Webhook {
		message["x-webhook-kind"] = row.Name
	}
	if row.Payload != nil && (row.Stream || row.Webhook) {
		message["x-body"] = oneOf(schemas, row.Bodies) // of live events and webhooks
	}
	return message
}

func oneOf(schemas *schemas, bodies []any) object {
	list := make([]object, 0, len(bodies))
	for _, body := range bodies {
		list = append(list, schemas.of(body))
	}
	if len(list) == 1 {
		return list[0]
	}
	return object{"anyOf": list}
}
