package cloud_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/cloud"
	"hearth/cloud/series"
)

// certified gives a configuration a certificate of its own for 127.0.0.1, and returns who trusts it.
func certified(t *testing.T, c *cloud.Config) *tls.Config {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hearth"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c.Web.TLS.CertFile, c.Web.TLS.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(c.Web.TLS.CertFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Web.TLS.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(cert)
	return &tls.Config{RootCAs: known}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Everything is spoken over TLS: pages with secure cookies, the API, MQTT over WebSocket and MQTT alone; the port without
// leads there.
func TestOverTLS(t *testing.T) {
	c := config(t.TempDir())
	trust := certified(t, &c)
	c.Web.TLS.HTTPListen, c.MQTT.Listen, c.MQTT.TLS = freePort(t), freePort(t), true
	r := start(t, c)
	address := strings.TrimPrefix(r.url, "http://")
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	get := func(url string) *http.Response {
		t.Helper()
		resp, err := client.Get(url)
		r.must(err)
		resp.Body.Close()
		return resp
	}
	login := get("https://" + address + "/?token=" + r.owner)
	if cookies := login.Cookies(); login.ProtoMajor != 2 || login.StatusCode >= 400 || len(cookies) != 1 || !cookies[0].Secure || login.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %d %v", login.Proto, login.StatusCode, login.Header)
	}
	asked, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+"/metrics", nil)
	r.must(err)
	asked.Header.Set("Authorization", "Bearer "+r.owner)
	resp, err := client.Do(asked)
	r.must(err)
	text, err := io.ReadAll(resp.Body)
	r.must(errors.Join(err, resp.Body.Close()))
	if !bytes.Contains(text, []byte("\nhearth_certificate_expiry_timestamp_seconds ")) {
		t.Errorf("%d, and nothing of the certificate's end", resp.StatusCode)
	}
	plain := "http://" + c.Web.TLS.HTTPListen
	for deadline := time.Now().Add(10 * time.Second); ; {
		if conn, err := net.Dial("tcp", c.Web.TLS.HTTPListen); err == nil {
			conn.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	_, port, _ := net.SplitHostPort(c.Web.Listen)
	if resp := get(plain + "/x?y=z"); resp.StatusCode != 302 || !strings.HasPrefix(resp.Header.Get("Location"), "https://127.0.0.1:"+port) {
		t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	for _, broker := range []string{"wss://" + address + "/mqtt", "ssl://" + c.MQTT.Listen} {
		o := paho.NewClientOptions().AddBroker(broker).SetUsername("first-link").SetPassword(r.owner).SetTLSConfig(trust.Clone()).SetConnectTimeout(10 * time.Second)
		mqtt := paho.NewClient(o)
		if token := mqtt.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Errorf("%s: %v", broker, token.Error())
			continue
		}
		mqtt.Disconnect(0)
	}
	if conn, err := net.Dial("tcp", c.MQTT.Listen); err == nil { // without TLS nobody is served
		conn.Write([]byte("\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"))
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, _ := io.ReadAll(conn)
		if bytes.HasPrefix(answer, []byte{0x20}) {
			t.Errorf("an answer without TLS: %x", answer)
		}
		conn.Close()
	}
}

func TestMetricsOfOperation(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	r.want(204, g.batch("e/1", "produced=8,dropped=0,backlog=8,durable=0", fmt.Sprintf("hearth,device=radio:1 on=false %d", time.Now().UnixMilli())))
	r.want(204, r.ask("PUT", "/api/v1/homes/"+g.Home+"/devices", g.Token, inventory, nil))
	r.want(200, r.ask("GET", "/api/v1/homes", r.owner, "", nil))
	r.want(401, r.ask("GET", "/api/v1/homes", "hearth_NOPE", "", nil))
	g.connect()
	r.want(202, r.ask("POST", "/api/v1/homes/"+g.Home+"/commands", r.owner, `{"id":"a","device":"radio:1","set":{"on":true}}`, nil))
	g.answer("a", hearth.Confirmed, true, nil)
	r.want(202, r.ask("POST", "/api/v1/homes/"+g.Home+"/commands", r.owner, `{"id":"b","device":"radio:1","set":{"on":true}}`, nil))
	var out bytes.Buffer
	r.must(cloud.Backup(t.Context(), c, nil, &out, "x", slog.New(slog.DiscardHandler)))
	resp, text := r.raw("GET", "/metrics", r.owner, "")
	r.want(200, resp)
	for _, line := range []string{
		`hearth_http_requests_total{class="write",status="204"} 1`, `hearth_http_requests_total{class="api",status="401"} 1`,
		`hearth_http_requests_total{class="mqtt",status="101"} 1`, `hearth_http_request_seconds_count{class="write"} 1`, `hearth_ingest_durable_seconds_count 1`,
		`hearth_commands_final_total{state="confirmed"} 1`, `hearth_commands_open 1`, `hearth_homes 1`, `hearth_homes_online 1`, `hearth_homes_dark 0`, `hearth_backlog_rows [1-9]`, `hearth_backlog_largest_rows [1-9]`,
		`hearth_sql_up 1`, `hearth_sql_errors_total 0`, `hearth_mqtt_clients 1`, `hearth_mqtt_untold_total 0`, `hearth_deliveries_waiting 0`, `hearth_deliveries_lost_total 0`,
		`hearth_ingest_rows_total 1`, `hearth_disk_free_bytes [1-9]`, `process_resident_memory_bytes [1-9]`, `hearth_backup_last_timestamp_seconds [1-9]`, `go_goroutines [1-9]`,
	} {
		if !regexp.MustCompile(`(?m)^` + strings.ReplaceAll(regexp.QuoteMeta(line), `\[1-9\]`, `[1-9]`)).Match(text) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if os.Getenv("HEARTH_E2E") == "" {
		return
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = bytes.NewReader(text)
	if said, err := check.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool: %v\n%s", err, said)
	}
}

// A backup of a receiver that takes writes is restored elsewhere: its gateways find out how far it is, send the rest
// again, and nothing is unexplained. A command that was under way is given once more; one that had its end keeps it.
func TestRestoredReceiverGoesOn(t *testing.T) {
	c := config(t.TempDir())
	c.Ingest.Rate = 0
	r := start(t, c)
	writers := make([]*writer, 5)
	for i := range writers {
		writers[i] = &writer{Claim: r.claim(fmt.Sprint("home ", i)), start: time.Now().Add(-24 * time.Hour).UnixMilli()}
	}
	g := &gateway{r: r, Claim: r.claim("Commanded")}
	base := "/api/v1/homes/" + g.Home
	r.want(204, r.ask("PUT", base+"/devices", g.Token, inventory, nil))
	r.want(202, r.ask("POST", base+"/commands", r.owner, `{"id":"done","device":"radio:1","set":{"on":true}}`, nil))
	r.want(202, r.ask("POST", base+"/commands", r.owner, `{"id":"open","device":"radio:1","set":{"brightness":5}}`, nil))
	g.connect()
	r.want(200, r.ask("GET", base+"/commands?after=0", g.Token, "", nil))
	g.answer("done", hearth.Confirmed, true, nil)
	var all sync.WaitGroup
	for _, w := range writers {
		all.Go(func() { w.write(r.url) })
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for slowest(writers) < 20 {
		<-tick.C
	}
	before := slowest(writers)
	var backup bytes.Buffer
	r.must(cloud.Backup(t.Context(), c, []byte("# mine"), &backup, "x", slog.New(slog.DiscardHandler)))
	for slowest(writers) < before+20 {
		<-tick.C
	}
	r.must(r.stop())
	all.Wait()

	fresh := config(t.TempDir())
	fresh.Ingest.Rate = 0
	restored, err := cloud.Restore(t.Context(), fresh, &backup)
	r.must(err)
	if text, err := os.ReadFile(restored.Config); err != nil || string(text) != "# mine" {
		t.Errorf("%q, %v", text, err)
	}
	again := start(t, fresh)
	again.owner = r.owner
	for _, w := range writers {
		var at hearth.Sync
		again.want(200, again.ask("GET", "/api/v1/homes/"+w.Home+"/sync", w.Token, "", &at))
		if at.Durable < before || at.Durable > w.acked.Load() {
			t.Errorf("%s: %d batches were acknowledged, %d before the backup, and %d are there", w.Name, w.acked.Load(), before, at.Durable)
		}
		w.acked.Store(at.Durable) // what a gateway does: it goes back to there
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, w := range writers {
		all.Go(func() { w.write(again.url) })
	}
	for slowest(writers) < before+40 && ctx.Err() == nil {
		<-tick.C
	}
	var list []hearth.Numbered
	again.want(200, again.ask("GET", base+"/commands?after=0", g.Token, "", &list))
	if len(list) != 1 || list[0].ID != "open" || list[0].State != hearth.Sent {
		t.Errorf("%+v", list)
	}
	var done hearth.Record
	again.want(200, again.ask("GET", base+"/commands/done", again.owner, "", &done))
	if done.State != hearth.Confirmed {
		t.Errorf("%+v", done)
	}
	again.must(again.stop())
	all.Wait()
	last := start(t, fresh)
	for _, w := range writers {
		var report series.LedgerReport
		last.want(200, last.ask("GET", "/api/v1/homes/"+w.Home+"/ledger", r.owner, "", &report))
		var at hearth.Sync
		last.want(200, last.ask("GET", "/api/v1/homes/"+w.Home+"/sync", w.Token, "", &at))
		if n := int64(at.Durable * rowsPerBatch); report.Total != (series.Counts{Produced: n, Received: n}) {
			t.Errorf("%s: the ledger is %+v of %d rows", w.Name, report.Total, n)
		}
	}
}

// Nobody starts a receiver on half of a restore.
func TestUnfinishedRestoreIsNoReceiver(t *testing.T) {
	c := config(t.TempDir())
	if err := os.Mkdir(filepath.Join(c.Data, "restoring"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := cloud.Run(t.Context(), c, cloud.Options{Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "restore again") {
		t.Errorf("%v", err)
	}
	if err := cloud.Backup(t.Context(), config(t.TempDir()), nil, io.Discard, "x", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "nothing to back up") {
		t.Errorf("%v", err)
	}
}

// Where no daemon runs, a backup is made all the same.
func TestBackupWithoutDaemon(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	home := r.claim("Cabin").Home
	r.must(r.stop())
	var backup bytes.Buffer
	r.must(cloud.Backup(t.Context(), c, nil, &backup, "x", slog.New(slog.DiscardHandler)))
	fresh := config(t.TempDir())
	_, err := cloud.Restore(t.Context(), fresh, &backup)
	r.must(err)
	again := start(t, fresh)
	again.want(200, again.ask("GET", "/api/v1/homes/"+home, r.owner, "", nil))
}
