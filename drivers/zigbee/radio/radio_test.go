package radio

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestIEEE(t *testing.T) {
	const a = IEEE(0x00158d0001a2b3c4)
	text, err := json.Marshal(map[string]IEEE{"device": a})
	if err != nil || string(text) != `{"device":"00158d0001a2b3c4"}` {
		t.Errorf("%s, %v", text, err)
	}
	var back map[string]IEEE
	if err := json.Unmarshal(text, &back); err != nil || back["device"] != a {
		t.Errorf("%v, %v", back, err)
	}
	if upper, err := ParseIEEE("00158D0001A2B3C4"); err != nil || upper != a {
		t.Errorf("upper case: %s, %v", upper, err)
	}
	for _, bad := range []string{"", "158d0001a2b3c4", "0x158d0001a2b3c4", "00158d0001a2b3c40", "00158d0001a2b3cg", "+0158d0001a2b3c4"} {
		if got, err := ParseIEEE(bad); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

func TestNWK(t *testing.T) {
	for a, broadcast := range map[NWK]bool{
		Coordinator: false, 0x1234: false, 0xfff7: false, 0xfffb: false,
		BroadcastRouters: true, BroadcastAwake: true, Unknown: false, BroadcastAll: true,
	} {
		if a.Broadcast() != broadcast {
			t.Errorf("%s: %v", a, a.Broadcast())
		}
	}
}

func TestFailure(t *testing.T) {
	says := map[string]bool{}
	for class := Refused; class <= Timeout; class++ {
		says[class.String()] = true
	}
	if len(says) != int(Timeout)+1 {
		t.Errorf("classes with the same name: %v", says)
	}
	err := fmt.Errorf("setting the lamp: %w", &Failure{Class: NoAck, Status: 0xe9, Doing: "sending"})
	if want := "setting the lamp: sending: no acknowledgement (status 0xe9)"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	var failure *Failure
	if !errors.As(err, &failure) || failure.Class != NoAck {
		t.Errorf("%v is not found again", failure)
	}
	if want := "SYS_PING: no answer from the stick"; (&Failure{Class: Timeout, Doing: "SYS_PING"}).Error() != want {
		t.Errorf("want %q", want)
	}
}
