package cloud

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/cloud/notify"
)

// What the catalogue promises to webhooks is what they may choose, and what comes unasked.
func TestWebhooksAreInTheCatalogue(t *testing.T) {
	var promised []string
	for _, row := range catalogue("1").Rows {
		if row.Webhook {
			promised = append(promised, row.Name)
		}
	}
	kept := append(notify.Kinds(), notify.KindSummary, notify.KindTest)
	slices.Sort(promised)
	slices.Sort(kept)
	if !slices.Equal(promised, kept) {
		t.Errorf("the catalogue has %q, webhooks receive %q", promised, kept)
	}
}

func TestMailMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"mail: {host: a}":                                 "both host and from",
		"mail: {from: a@example.org}":                     "both host and from",
		"mail: {host: a, from: nobody}":                   "from is an e-mail address",
		"mail: {host: a, from: a@b.org, tls: maybe}":      "tls is starttls",
		"mail: {host: a, from: a@b.org, port: 70000}":     "port is 1 to 65535",
		"mail: {host: a, from: a@b.org, username: a}":     "username and password_file",
		`mail: {host: a, from: "Hearth <h@b.org>"}`:       "",
		"notify: {private: true}\nmail: {tls: none}":      "",
		"mail: {host: a, from: a@b.org, pasword_file: x}": "pasword_file",
	} {
		_, err := ParseConfig("c", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestTheReceiverItself(t *testing.T) {
	well := self{data: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	for _, c := range well.wrong() {
		if c.Kind != hearth.AlertReceiver || c.About != "disk" {
			t.Errorf("%+v", c)
		}
	}
	lost := self{data: "/nowhere", log: slog.New(slog.DiscardHandler)}
	if got := lost.wrong(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
