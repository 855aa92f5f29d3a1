package uplink

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth"
)

func TestClaim(t *testing.T) {
	const good = `{"home":"h1","name":"Cabin","token":"hearth_x","token_name":"gateway-h1","mqtt":""}`
	tests := []struct {
		name   string
		status int
		body   string
		wants  string // in the error; "" is success
	}{
		{"good", 200, good, ""},
		{"created", 201, good, ""},
		{"used", 404, `{"detail":"no such code"}`, "works once"},
		{"gone", 410, "", "works once"},
		{"too often", 429, "", "wait a minute"},
		{"trouble", 500, `{"title":"oops"}`, "in trouble (500: oops)"},
		{"elsewhere", 302, "", "redirect"},
		{"no receiver", 200, "<html>", "does not answer like a receiver"},
		{"no token", 200, `{"home":"h1"}`, "does not answer like a receiver"},
		{"a home that is a path", 200, `{"home":"../x","token":"t"}`, "cannot be one"},
		{"endless", 200, strings.Repeat(" ", 1<<20), "does not answer like a receiver"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Method != http.MethodPost || r.URL.Path != "/base/api/v1/claim" || string(body) != `{"code":"AB-12"}` || r.Header.Get("Authorization") != "" {
					t.Errorf("%s %s %s", r.Method, r.URL, body)
				}
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			defer server.Close()
			got, err := Claim(t.Context(), server.URL+"/base/", " AB-12\n", false)
			switch {
			case tt.wants == "" && (err != nil || got.Home != "h1" || got.Token != "hearth_x" || got.TokenName != "gateway-h1"):
				t.Errorf("%+v, %v", got, err)
			case tt.wants != "" && (err == nil || !strings.Contains(err.Error(), tt.wants)):
				t.Errorf("error %v, want one about %q", err, tt.wants)
			}
		})
	}
}

func TestClaimOfNobody(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	if _, err := Claim(t.Context(), server.URL, "x", false); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	tests := []struct {
		url      string
		insecure bool
		ok       bool
	}{
		{"https://hearth.example", false, true},
		{"https://hearth.example:8480/base", false, true},
		{"http://127.0.0.1:8480", false, true},
		{"http://[::1]:8480", false, true},
		{"http://localhost:8480", false, true},
		{"http://hearth.example", false, false},
		{"http://hearth.example", true, true},
		{"http://localhost.example", false, false},
		{"ftp://hearth.example", true, false},
		{"hearth.example", false, false},
		{"https://", false, false},
		{"https://me:pass@hearth.example", false, false},
		{"https://hearth.example?token=1", false, false},
		{"https://hearth.example/%zz", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		err := CheckURL(tt.url, tt.insecure)
		if (err == nil) != tt.ok {
			t.Errorf("CheckURL(%q, %v): %v", tt.url, tt.insecure, err)
		}
		if err != nil && !errors.Is(err, &hearth.Error{Code: hearth.CodeBadValue}) {
			t.Errorf("CheckURL(%q): %v has no code", tt.url, err)
		}
	}
}

func TestBrokerURL(t *testing.T) {
	tests := []struct {
		cloud, named string
		insecure     bool
		want         string // "" is refused
	}{
		{"https://hearth.example", "", false, "wss://hearth.example/mqtt"},
		{"https://hearth.example/base/", "", false, "wss://hearth.example/base/mqtt"},
		{"http://127.0.0.1:8480", "", false, "ws://127.0.0.1:8480/mqtt"},
		{"http://hearth.example", "", false, "ws://hearth.example/mqtt"},
		{"https://hearth.example", "mqtts://mq.example", false, "mqtts://mq.example:8883"},
		{"https://hearth.example", "mqtts://mq.example:1", false, "mqtts://mq.example:1"},
		{"https://hearth.example", "mqtts://[2001:db8::1]", false, "mqtts://[2001:db8::1]:8883"},
		{"https://hearth.example", "mqtt://127.0.0.1", false, "mqtt://127.0.0.1:1883"},
		{"https://hearth.example", "mqtt://mq.example", false, ""},
		{"https://hearth.example", "mqtt://mq.example", true, "mqtt://mq.example:1883"},
		{"https://hearth.example", "ws://mq.example/x", false, ""},
		{"https://hearth.example", "wss://u:p@mq.example/x", false, "wss://mq.example/x"},
		{"https://hearth.example", "unix:///run/x", true, ""},
		{"https://hearth.example", "mq.example", false, ""},
	}
	for _, tt := range tests {
		got, err := brokerURL(&Cloud{URL: tt.cloud, Insecure: tt.insecure}, tt.named)
		if (err == nil) != (tt.want != "") || err == nil && got.String() != tt.want {
			t.Errorf("brokerURL(%q, %q) = %v, %v, want %q", tt.cloud, tt.named, got, err, tt.want)
		}
	}
}

func FuzzBrokerURL(f *testing.F) {
	f.Add("mqtts://mq.example:8883")
	f.Add("ws://[::1]/mqtt")
	f.Fuzz(func(t *testing.T, named string) {
		u, err := brokerURL(&Cloud{URL: "https://hearth.example"}, named)
		if err == nil && (u.Scheme == "mqtt" || u.Scheme == "ws") && !loopback(u.Hostname()) {
			t.Errorf("%q would be spoken to without TLS", named)
		}
	})
}
