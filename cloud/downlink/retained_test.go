package downlink

import (
	"fmt"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

// A new subscriber learns of every home that it sees whether it is online, however many there are.
func TestOnlineOfManyHomes(t *testing.T) {
	r := newRig(t)
	tenant, err := r.books.AddTenant(t.Context(), "Elsewhere")
	r.must(err)
	kept := &r.d.via.(*embedded).retained
	const many = 3 * maxWrites
	for i := range many {
		home, _, err := r.books.AddHome(t.Context(), tenant.ID, fmt.Sprint("Home ", i))
		r.must(err)
		kept.set(home.ID, []byte("true"))
	}
	kept.set(r.home.ID, []byte("false"))
	kept.set(r.other.ID, []byte("true"))
	kept.set(r.other.ID, nil) // takes it away
	of := func(token hearth.Token) string {
		secret, err := r.books.AddToken(t.Context(), token)
		r.must(err)
		return secret
	}
	for _, test := range []struct {
		name, secret, filter string
		want                 int
	}{
		{"all", of(hearth.Token{Name: "all", Scope: hearth.ScopeRead}), "hearth/+/online", many + 1},
		{"everything", of(hearth.Token{Name: "everything", Scope: hearth.ScopeRead}), "hearth/#", many + 1},
		{"tenant", of(hearth.Token{Name: "tenant", Scope: hearth.ScopeRead, Tenant: tenant.ID}), "hearth/+/online", many},
		{"home", of(hearth.Token{Name: "home", Scope: hearth.ScopeRead, Home: r.home.ID}), "hearth/" + r.home.ID + "/online", 1},
		{"gw", of(hearth.Token{Name: "gw", Scope: hearth.ScopeGateway, Home: r.home.ID}), "hearth/" + r.home.ID + "/online", 1},
		{"none", of(hearth.Token{Name: "none", Scope: hearth.ScopeRead}), "hearth/+/reading/#", 0},
	} {
		client, err := r.connect(r.options(test.name, test.secret))
		r.must(err)
		heard := make(chan string, many+10)
		hear := func(_ paho.Client, m paho.Message) {
			heard <- fmt.Sprint(m.Topic(), " ", string(m.Payload()), " ", m.Retained())
		}
		g := &gateway{Client: client, r: r}
		g.wait(client.Subscribe(test.filter, 1, hear))
		g.wait(client.Subscribe("hearth/"+r.home.ID+"/do", 1, nil)) // what was sent before has arrived with its acknowledgement
		r.until(test.name+" has heard of all", func() bool { return len(heard) >= test.want })
		if len(heard) != test.want {
			t.Errorf("%s heard of %d homes, want %d", test.name, len(heard), test.want)
		}
		for range len(heard) {
			m := <-heard
			if !strings.HasSuffix(m, " true true") && m != hearth.TopicOnline(r.home.ID)+" false true" {
				t.Errorf("%s heard %q", test.name, m)
			}
		}
	}
}

func TestFiltersThatCoverOnline(t *testing.T) {
	for filter, want := range map[string]bool{
		"hearth/+/online": true, "hearth/h1/online": true, "hearth/#": true, "hearth/h1/#": true, "hearth/+/+": true, "hearth/h1/online/#": true,
		"hearth/h1": false, "hearth": false, "#": false, "+/h1/online": true, "hearth/h1/do": false, "hearth/h1/online/x": false, "other/h1/online": false, "": false,
	} {
		if got := coversOnline(strings.Split(filter, "/")); got != want {
			t.Errorf("%q: %v", filter, got)
		}
	}
}
