package uplink

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"hearth"
)

const (
	cloudAddr = "cloud.test:80"
	homeID    = "h1"
	secret    = "hearth_secret"
)

// fakeReceiver keeps the batch protocol to the letter, and breaks down as it is told.
type fakeReceiver struct {
	t      testing.TB
	server *http.Server

	mu       sync.Mutex
	faults   []string // one for each write to come; "" is none
	always   string   // the fault of every write
	token    string
	epoch    string
	durable  uint64
	rows     map[string]int // how often each row was stored
	seqs     map[uint64][]string
	gaps     []hearth.Gap
	bad      func(line string) bool
	rejected uint64
	ledger   hearth.Ledger
	writes   int
	syncs    []time.Time
	commands []string // what GET commands answers, JSON records
	devices  [][]byte
	refuse   uint64 // this seq with readings in it is answered 400
	stored   chan struct{}
	drain    int64 // bytes a second that it names while more than a block is left
	bodies   []int // bytes of each write
}

func newFakeReceiver(t testing.TB) *fakeReceiver {
	f := &fakeReceiver{t: t, token: secret, rows: map[string]int{}, seqs: map[uint64][]string{}, stored: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/homes/{home}/sync", f.sync)
	mux.HandleFunc("POST /api/v2/write", f.write)
	mux.HandleFunc("GET /api/v1/homes/{home}/commands", f.list)
	mux.HandleFunc("PUT /api/v1/homes/{home}/devices", f.inventory)
	mux.HandleFunc("GET /api/v1/whoami", func(w http.ResponseWriter, _ *http.Request) {
		f.json(w, hearth.Whoami{Home: homeID, Name: "Cabin", TokenName: "gateway-h1", Scope: hearth.ScopeGateway, MQTT: "mqtt://localhost"})
	})
	f.server = &http.Server{Handler: f.guard(mux)}
	return f
}

func (f *fakeReceiver) serve(l net.Listener) {
	go func() { _ = f.server.Serve(l) }()
	f.t.Cleanup(func() { f.server.Close() })
}

func (f *fakeReceiver) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(hearth.HeaderTime, strconv.FormatInt(time.Now().UnixMilli(), 10))
		f.mu.Lock()
		good := r.Header.Get("Authorization") == "Token "+f.token
		f.mu.Unlock()
		if !good {
			http.Error(w, `{"title":"unknown token"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (f *fakeReceiver) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Error(err)
	}
}

func (f *fakeReceiver) sync(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("home") != homeID {
		http.NotFound(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.syncs = append(f.syncs, time.Now())
	f.json(w, hearth.Sync{Epoch: f.epoch, Durable: f.durable})
}

func (f *fakeReceiver) list(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	fmt.Fprintf(w, "[%s]", strings.Join(f.commands[min(after, len(f.commands)):], ","))
}

func (f *fakeReceiver) inventory(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.devices = append(f.devices, body)
	w.WriteHeader(http.StatusNoContent)
}

func (f *fakeReceiver) nextFault() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.always != "" {
		return f.always
	}
	if len(f.faults) == 0 {
		return ""
	}
	fault := f.faults[0]
	f.faults = f.faults[1:]
	return fault
}

func (f *fakeReceiver) write(w http.ResponseWriter, r *http.Request) {
	name, argument, _ := strings.Cut(f.nextFault(), " ")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch name {
	case "hang":
		<-r.Context().Done()
		return
	case "reset":
		hijack(w, "HTTP/1.1 204 No Con")
		return
	case "slow":
		<-time.After(20 * time.Second)
	case "lost":
		f.store(discard{}, r, body)
		hijack(w, "")
		return
	case "portal":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<h1>Welcome to the hotel</h1>")
		return
	case "redirect":
		http.Redirect(w, r, "http://login.test/", http.StatusFound)
		return
	case "":
	default:
		if argument != "" {
			w.Header().Set("Retry-After", argument)
		}
		status, _ := strconv.Atoi(name)
		http.Error(w, `{"detail":"as told"}`, status)
		return
	}
	f.store(w, r, body)
}

func hijack(w http.ResponseWriter, say string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, say)
		conn.Close()
	}
}

// store does what a receiver does with a batch.
func (f *fakeReceiver) store(w http.ResponseWriter, r *http.Request, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, err := hearth.ParseBatchID(r.Header.Get(hearth.HeaderBatch))
	if err != nil {
		f.t.Errorf("batch: %v", err)
	}
	if f.ledger, err = hearth.ParseLedger(r.Header.Get(hearth.HeaderLedger)); err != nil {
		f.t.Errorf("ledger: %v", err)
	}
	if f.ledger.Durable >= id.Seq {
		f.t.Errorf("seq %d was sent although %d is known to be durable", id.Seq, f.ledger.Durable)
	}
	if id.Epoch != f.epoch {
		f.epoch, f.durable = id.Epoch, 0
	}
	if f.bodies = append(f.bodies, len(body)); f.drain > 0 && f.ledger.Backlog > 50 {
		w.Header().Set(hearth.HeaderDrain, strconv.FormatInt(f.drain, 10))
	}
	defer func() {
		select {
		case f.stored <- struct{}{}:
		default:
		}
	}()
	answer := func(status int) {
		w.Header().Set(hearth.HeaderDurable, hearth.BatchID{Epoch: f.epoch, Seq: f.durable}.String())
		w.WriteHeader(status)
	}
	switch {
	case id.Seq > f.durable+1:
		answer(http.StatusConflict)
		return
	case id.Seq <= f.durable:
		answer(http.StatusNoContent)
		return
	}
	rows, gaps, bad := f.decode(r, body)
	if f.refuse == id.Seq && len(rows) > 0 {
		answer(http.StatusBadRequest)
		return
	}
	for _, row := range rows {
		f.rows[row]++
	}
	f.seqs[id.Seq] = rows
	f.gaps = append(f.gaps, gaps...)
	f.rejected += bad
	f.durable = id.Seq
	if bad > 0 {
		w.Header().Set(hearth.HeaderRejected, strconv.FormatUint(bad, 10))
	}
	answer(http.StatusNoContent)
}

func (f *fakeReceiver) decode(r *http.Request, body []byte) (rows []string, gaps []hearth.Gap, bad uint64) {
	if len(body) == 0 {
		return nil, nil, 0
	}
	if got := r.Header.Get("Content-Encoding"); got != "zstd" {
		f.t.Errorf("the batch came as %q", got)
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		f.t.Fatal(err)
	}
	defer unpack.Close()
	text, err := unpack.DecodeAll(body, nil)
	if err != nil {
		f.t.Errorf("unpacking: %v", err)
	}
	each := func(l *hearth.Line) {
		if gap, ok := l.Gap(); ok {
			gaps = append(gaps, gap)
		}
		for _, reading := range l.Readings(nil) {
			row := fmt.Sprintf("%s %s %d", reading.Device, reading.Property, reading.Time.UnixMilli())
			if f.bad != nil && f.bad(row) {
				bad++
				continue
			}
			rows = append(rows, row)
		}
	}
	err = hearth.DecodeLines(text, "ms", time.Now(), each, func(_ int, err error) { f.t.Errorf("bad line: %v", err) })
	if err != nil {
		f.t.Error(err)
	}
	return rows, gaps, bad
}

// set changes the receiver.
func (f *fakeReceiver) set(change func(*fakeReceiver)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// restore is what a backup does that was taken when durable was lower.
func (f *fakeReceiver) restore(durable uint64) {
	for seq, rows := range f.seqs {
		if seq > durable {
			for _, row := range rows {
				delete(f.rows, row)
			}
			delete(f.seqs, seq)
		}
	}
	f.durable = durable
}

// count returns how many rows are stored, and how many of them more than once.
func (f *fakeReceiver) count() (rows, twice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.rows {
		if n > 1 {
			twice++
		}
	}
	return len(f.rows), twice
}

// discard is an answer that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
