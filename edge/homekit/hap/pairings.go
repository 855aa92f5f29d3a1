package hap

import (
	"net/http"
	"slices"
)

// The methods of POST /pairings (table 5-3).
const (
	methodAdd    = 3
	methodRemove = 4
	methodList   = 5
)

// pairings answers POST /pairings: adding, removing and listing controllers, for administrators (sections 5.10 to 5.12).
func (c *conn) pairings(body []byte) response {
	message, err := parseTLV(body)
	state, ok := message.number(tlvState)
	if err != nil || !ok || state != 1 {
		return badRequest
	}
	answer := tlv(nil).state(2)
	if me, ok := c.s.keep.pairing(c.controller); !ok || !me.Admin {
		return pairing(http.StatusOK, answer.failed(errAuthentication))
	}
	method, _ := message.number(tlvMethod)
	switch method {
	case methodAdd:
		return c.addPairing(message)
	case methodRemove:
		return c.removePairing(message)
	case methodList:
		for i, p := range c.s.keep.all() {
			if i > 0 {
				answer = answer.with(tlvSeparator, nil)
			}
			answer = answer.with(tlvIdentifier, []byte(p.ID)).with(tlvPublicKey, p.PublicKey).with(tlvPermissions, []byte{admin(p.Admin)})
		}
		return pairing(http.StatusOK, answer)
	}
	return pairing(http.StatusOK, answer.failed(errUnknown))
}

func admin(is bool) byte {
	if is {
		return 1
	}
	return 0
}

func (c *conn) addPairing(message tlv) response {
	answer := tlv(nil).state(2)
	id, public := message.get(tlvIdentifier), message.get(tlvPublicKey)
	rights, ok := message.number(tlvPermissions)
	if !ok || rights > 1 || !validController(id, public) {
		return pairing(http.StatusOK, answer.failed(errUnknown))
	}
	if failed := c.s.keep.add(Pairing{ID: string(id), PublicKey: slices.Clone(public), Admin: rights == 1}); failed != 0 {
		return pairing(http.StatusOK, answer.failed(failed))
	}
	c.s.log.Info("homekit: a further controller", "controller", string(id), "admin", rights == 1, "by", c.controller)
	gone, err := c.s.keep.settle() // the last administrator may have given up its rights
	return c.without(answer, gone, err)
}

func (c *conn) removePairing(message tlv) response {
	answer := tlv(nil).state(2)
	id := message.get(tlvIdentifier)
	if len(id) == 0 {
		return pairing(http.StatusOK, answer.failed(errUnknown))
	}
	gone, err := c.s.keep.remove(string(id)) // one that is not there is no error
	return c.without(answer, gone, err)
}

// without closes the connections of controllers that are not paired any more; this one only after its answer.
func (c *conn) without(answer tlv, gone []string, err error) response {
	c.s.farewell(gone, c)
	if err != nil {
		c.s.log.Error("homekit: a pairing cannot be removed", "error", err)
		return pairing(http.StatusOK, answer.failed(errUnknown))
	}
	r := pairing(http.StatusOK, answer)
	r.last = slices.Contains(gone, c.controller)
	return r
}
