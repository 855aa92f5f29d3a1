package zigbee

import (
	"errors"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// A word is what a person has said of the network while the driver runs: the same as adopt and replace say in the
// configuration. It is kept until a network is up, and no longer: nobody thinks of it later.
type word struct {
	Adopt   radio.IEEE `json:"adopt,omitzero"`
	Replace radio.IEEE `json:"replace,omitzero"`

	BurnAddress bool `json:"burn_address,omitzero"` // while the network that is kept takes the place of the other
}

// in returns the configuration as it is with the word, which is the newer of the two.
func (w word) in(cfg Config) Config {
	n := &cfg.Network
	switch {
	case w.Adopt != 0:
		n.Adopt = w.Adopt.String()
		if n.Replace == n.Adopt {
			n.Replace = ""
		}
	case w.Replace != 0:
		n.Replace = w.Replace.String()
		if n.Adopt == n.Replace {
			n.Adopt = ""
		}
	}
	n.BurnAddress = n.BurnAddress || w.BurnAddress
	return cfg
}

// A refusal says that the network does not come up before a person has decided something.
type refusal struct {
	error
	found *radio.Network  // on the stick; nil if there is none
	again <-chan struct{} // closed when somebody has
}

func (r *refusal) Unwrap() error { return r.error }

// Again implements what hearth.Driver says of errors.
func (r *refusal) Again() <-chan struct{} { return r.again }

// refused gives a refusal to bring the network up what a person has to know.
func refused(err error, info radio.Info, again <-chan struct{}) error {
	if !errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}) {
		return err
	}
	r := &refusal{error: err, again: again}
	if info.Network != nil {
		found := *info.Network
		found.Key = radio.Key{}
		if found.Coordinator == 0 {
			found.Coordinator = info.IEEE
		}
		r.found = &found
	}
	return r
}

// spoken returns the word that is kept, and what is closed when another is given.
func (d *driver) spoken() (word, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.word, d.again
}

// refusedNetwork returns the network on the stick that Run ended over, nil if it was something else; d.mu is held.
func (d *driver) refusedNetwork() *radio.Network {
	var r *refusal
	if errors.As(d.trouble, &r) {
		return r.found
	}
	return nil
}

// give keeps a word and has the next try begin.
func (d *driver) give(w word) error {
	d.mu.Lock()
	found, kept := d.refusedNetwork(), d.network
	d.mu.Unlock()
	isFound := func(id radio.IEEE) bool { return found != nil && found.Extended == id }
	switch {
	case (w.Adopt == 0) == (w.Replace == 0):
		return hearth.Errorf(hearth.CodeBadValue, "want one of adopt and replace, with the extended PAN id of a network")
	case w.Adopt != 0 && !isFound(w.Adopt):
		return hearth.Errorf(hearth.CodeConflict, "the stick has not been refused for a network %s: there is nothing to adopt", w.Adopt)
	case w.Replace != 0 && !isFound(w.Replace) && (kept == nil || kept.Extended != w.Replace):
		return hearth.Errorf(hearth.CodeConflict, "%s is neither the network that is kept nor the one that was found on the stick", w.Replace)
	}
	if w.BurnAddress && (w.Replace == 0 || !isFound(w.Replace) || kept == nil) {
		return hearth.Errorf(hearth.CodeBadValue, "burn_address goes with replace, and the kept network in place of another one only")
	}
	if err := d.put(wordKey, w); err != nil {
		return err
	}
	d.log.Warn("a person has decided about the network", "adopt", w.Adopt, "replace", w.Replace, "burn_address", w.BurnAddress)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.word = w
	close(d.again)
	d.again = make(chan struct{})
	return nil
}

// heed forgets a word that a network has come up with, if there is no newer one.
func (d *driver) heed(w word) error {
	d.mu.Lock()
	done := d.word != word{} && d.word == w
	if done {
		d.word = word{}
	}
	d.mu.Unlock()
	if !done {
		return nil
	}
	return d.env.Store.Delete(wordKey)
}

// errDecided ends a session whose network a person has decided about meanwhile.
var errDecided = errors.New("somebody has decided about the network: it is brought up anew")
