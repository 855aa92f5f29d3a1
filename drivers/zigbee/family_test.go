package zigbee

import (
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
)

// Every device of the fake's family gets through its interview at once: none is stuck in its setup.
func TestTheFamilyIsReady(t *testing.T) {
	models, err := fake.Models()
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range models {
		t.Run(model.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, env := newStack(t, fake.ZNP), drivertest.NewEnv(t, "radio")
				defer s.mesh.Close()
				s.open(t, env, adapterZNP)
				if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(60)); err != nil {
					t.Fatal(err)
				}
				d, err := s.mesh.Add(model.Name, model)
				if err != nil {
					t.Fatal(err)
				}
				d.Pair(10 * time.Second)
				id := hearth.ID("radio:" + d.IEEE().String())
				began := time.Now()
				for s.last(id, "interview") != hearth.TextOf("done") && time.Since(began) < time.Minute {
					wait(time.Second)
				}
				if is := s.last(id, "interview"); is != hearth.TextOf("done") {
					t.Errorf("after %v its interview is at %s", time.Since(began), is)
				}
				t.Log(time.Since(began))
				s.close(t)
			})
		})
	}
}
