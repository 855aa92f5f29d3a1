package cloud_test

import (
	"bytes"
	"os"
	"path/filepath"
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
	if c != cloud.DefaultConfig() {
		t.Errorf("the reference does not show the defaults:\n%+v\n%+v", c, cloud.DefaultConfig())
	}
	for _, key := range []string{"data:", "log:", "listen:", "open_metrics:", "broker:", "public:", "username:", "password_file:", "rate:", "retention:", "database:", "database_file:"} {
		if !bytes.Contains(data, []byte(key)) {
			t.Errorf("the reference lacks %s", key)
		}
	}
}

func TestConfigurationMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"web: {listen: nowhere}":            "c:1:15: listen is an address",
		"dta: /x":                           "c:1:1: ",
		"mqtt: {username: me}":              "c:1:1: public, username",
		"mqtt: {broker: 'mqtt://a:b@c'}":    "c:1:16: want the address of a broker",
		"series: {retention: 1h}":           "c:1:21: retention",
		"ingest: {rate: 5}":                 "c:1:16: rate",
		"accounts: {database: 'mysql://x'}": "c:1:22: database",
		"accounts: {database: 'postgres://x', database_file: /x}": "database and database_file",
		"log: loud": "log is debug",
		"data: ''":  "data needs",
	} {
		_, err := cloud.ParseConfig("c", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
