package cloud_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hearth/cloud"
)

func TestReferenceConfiguration(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "configs", "cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cloud.ParseConfig("cloud.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, cloud.DefaultConfig()) {
		t.Errorf("the reference does not show the defaults:\n%+v\n%+v", c, cloud.DefaultConfig())
	}
	for _, key := range []string{"data:", "log:", "listen:", "open_metrics:", "broker:", "public:", "username:", "password_file:", "rate:", "drain:", "cert_file:", "key_file:", "hosts:", "email:", "directory:", "ca_file:", "http_listen:", "retention:", "forward:", "read:", "kind:", "before:", "only_numbers:", "database:", "database_file:"} {
		if !bytes.Contains(data, []byte(key)) {
			t.Errorf("the reference lacks %s", key)
		}
	}
}

func TestConfigurationMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"web: {listen: nowhere}":                                         "c:1:15: listen is an address",
		"dta: /x":                                                        "c:1:1: ",
		"mqtt: {username: me}":                                           "c:1:1: public, username",
		"mqtt: {broker: 'mqtt://a:b@c'}":                                 "c:1:16: want the address of a broker",
		"series: {retention: 1h}":                                        "c:1:21: retention",
		"series: {log: 1m}":                                              "c:1:15: log is",
		"series: {forward: [{url: x}]}":                                  "c:1:26: url is the address",
		"series: {forward: [{url: 'http://a:b@c'}]}":                     "url is the address",
		"series: {forward: [{url: 'http://a', bucket: b}]}":              "give database",
		"series: {forward: [{url: 'http://a', username: b}]}":            "username and password_file",
		"series: {read: {url: 'http://a', kind: x}}":                     "kind is",
		"series: {read: {url: 'http://a', before: 1h}}":                  "before is",
		"ingest: {rate: 5}":                                              "c:1:16: rate",
		"accounts: {database: 'mysql://x'}":                              "c:1:22: database",
		"accounts: {database: 'postgres://x', database_file: /x}":        "database and database_file",
		"ingest: {drain: 5kB}":                                           "c:1:17: drain",
		"web: {public: hearth.example}":                                  "c:1:15: public",
		"mqtt: {tls: true}":                                              "tls uses the certificates",
		"web: {tls: {cert_file: a}}":                                     "belong together",
		"web: {tls: {http_listen: ':80'}}":                               "c:1:26: http_listen",
		"web: {tls: {acme: {hosts: [a]}}}":                               "c:1:20: hosts",
		"web: {tls: {acme: {hosts: ['*.a.de']}}}":                        "c:1:20: hosts",
		"web: {tls: {acme: {hosts: [10.0.0.1]}}}":                        "c:1:20: hosts",
		"web: {tls: {cert_file: a, key_file: b, acme: {hosts: [a.de]}}}": "one of them",
		"web: {tls: {acme: {hosts: [a.de], directory: 'http://a.de'}}}":  "directory",
		"log: loud": "log is debug",
		"data: ''":  "data needs",
	} {
		_, err := cloud.ParseConfig("c", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestURL(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                               "http://127.0.0.1:8480",
		"web: {listen: ':80'}":             "http://localhost:80",
		"web: {listen: '[::]:1'}":          "http://localhost:1",
		"web: {public: 'https://a.de/x/'}": "https://a.de/x",
		"web: {listen: ':443', tls: {cert_file: a, key_file: b}}":     "https://localhost",
		"web: {listen: ':443', tls: {acme: {hosts: [a.de, b.de]}}}":   "https://a.de",
		"web: {listen: '10.0.0.1:444', tls: {acme: {hosts: [a.de]}}}": "https://a.de:444",
	} {
		c, err := cloud.ParseConfig("c", []byte(text))
		if err != nil || c.URL() != want {
			t.Errorf("%s: %s, want %s, %v", text, c.URL(), want, err)
		}
	}
}
