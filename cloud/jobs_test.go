package cloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/cloud/jobs"
)

// A doer is a home whose gateway does at once what it is told, once: it knows the ids of what it has done, as real ones do.
type doer struct {
	hearth.Claim

	mu   sync.Mutex
	mqtt paho.Client
	done map[string]hearth.ID // commands
}

// connect joins the receiver at url and asks for what it has missed.
func (d *doer) connect(url string) error {
	o := paho.NewClientOptions().AddBroker("ws" + strings.TrimPrefix(url, "http") + "/mqtt").SetClientID("hearth-" + d.Home).
		SetUsername(d.TokenName).SetPassword(d.Token).SetAutoReconnect(false).SetConnectTimeout(20 * time.Second)
	client := paho.NewClient(o)
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	d.mu.Lock()
	d.mqtt = client
	d.mu.Unlock()
	if token := client.Subscribe(hearth.TopicDo(d.Home), 1, func(_ paho.Client, m paho.Message) {
		var cmd hearth.Command
		if json.Unmarshal(m.Payload(), &cmd) == nil {
			d.do(client, cmd)
		}
	}); token.Wait() && token.Error() != nil {
		return token.Error()
	}
	client.Publish(hearth.TopicOnline(d.Home), 1, true, "true").Wait()
	req, err := http.NewRequest("GET", url+"/api/v1/homes/"+d.Home+"/commands?after=0", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var missed []hearth.Numbered
	if err := json.NewDecoder(resp.Body).Decode(&missed); err != nil {
		return err
	}
	for _, r := range missed {
		d.do(client, r.Command)
	}
	return nil
}

func (d *doer) do(client paho.Client, cmd hearth.Command) {
	d.mu.Lock()
	d.done[cmd.ID] = cmd.Device
	d.mu.Unlock()
	body, _ := json.Marshal(hearth.Result{ID: cmd.ID, State: hearth.Confirmed, Final: true})
	client.Publish(hearth.TopicDone(d.Home), 1, false, body) // what is lost is asked for again
}

func count(doers []*doer) (n int) {
	for _, d := range doers {
		d.mu.Lock()
		n += len(d.done)
		d.mu.Unlock()
	}
	return n
}

// TestAJobSurvivesKills kills the receiver in the middle of a job of 1000 commands over 200 homes, again and again: each
// device is told once, and each command has its one final state.
func TestAJobSurvivesKills(t *testing.T) {
	const homes, lamps = 200, 5
	dir := t.TempDir()
	c := spawn(t, dir, "")
	var inventory []string
	for i := range lamps {
		inventory = append(inventory, fmt.Sprintf(`{"id":"radio:%d","type":"light","driver":"radio","properties":[{"name":"on","kind":"bool","writable":true}]}`, i))
	}
	doers, books := make([]*doer, homes), openBooks(t, config(dir)).now
	for i := range doers {
		home, _, err := books.AddHome(t.Context(), "", fmt.Sprintf("Home %03d", i))
		c.must(err)
		token := hearth.Token{Name: "gateway-" + home.ID, Scope: hearth.ScopeGateway, Home: home.ID}
		secret, err := books.AddToken(t.Context(), token)
		c.must(err)
		doers[i] = &doer{Claim: hearth.Claim{Home: home.ID, Name: home.Name, Token: secret, TokenName: token.Name}, done: map[string]hearth.ID{}}
		c.want(204, c.ask("PUT", "/api/v1/homes/"+doers[i].Home+"/devices", doers[i].Token, "["+strings.Join(inventory, ",")+"]", nil))
	}
	connect := func() {
		t.Helper()
		var all sync.WaitGroup
		places := make(chan struct{}, 20)
		for _, d := range doers {
			places <- struct{}{}
			all.Go(func() {
				defer func() { <-places }()
				if err := d.connect(c.url); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	connect()
	t.Cleanup(func() {
		for _, d := range doers {
			d.mqtt.Disconnect(0)
		}
	})
	const wish = `{"id":"all-on","set":{"on":true},"select":{"all":true,"type":"light"},"rate":500,"within":"10m"}`
	var job jobs.Job
	c.want(202, c.ask("POST", "/api/v1/tenants/main/jobs", c.owner, wish, &job))
	if job.Total != homes*lamps {
		t.Fatalf("%+v", job)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for _, kill := range []int{50, 300, 700} {
		for range tick.C {
			if count(doers) >= kill {
				break
			}
		}
		c.kill()
		c = spawn(t, dir, c.owner)
		c.want(202, c.ask("POST", "/api/v1/tenants/main/jobs", c.owner, wish, &job)) // asked for again, it is the same one
		connect()
	}
	c.eventually("the end of the job", func() bool {
		c.want(200, c.ask("GET", "/api/v1/tenants/main/jobs/all-on", c.owner, "", &job))
		return !job.Ended.IsZero()
	})
	if job.States["confirmed"] != homes*lamps || job.Total != homes*lamps || job.Phase != jobs.Done {
		t.Errorf("%+v", job)
	}
	for _, d := range doers {
		told := map[hearth.ID]int{}
		for _, device := range d.done {
			told[device]++
		}
		var records []hearth.Record
		c.want(200, c.ask("GET", "/api/v1/homes/"+d.Home+"/commands", c.owner, "", &records))
		if len(told) != lamps || len(d.done) != lamps || len(records) != lamps {
			t.Errorf("%s: %d devices were told %d times, %d records", d.Name, len(told), len(d.done), len(records))
		}
		for _, record := range records {
			if record.State != hearth.Confirmed || !record.Final || record.Job != "all-on" || d.done[record.ID] != record.Device {
				t.Errorf("%s: %+v", d.Name, record)
			}
		}
	}
}
