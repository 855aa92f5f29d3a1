package zigbee

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

func (d *driver) networkRoutes() []route {
	return []route{
		{pattern: "GET /{$}", do: d.getOverview},
		{pattern: "POST /permit", do: d.postPermit},
		{pattern: "POST /network", do: d.postNetwork},
		{pattern: "POST /channel", do: d.postChannel},
		{pattern: "POST /backup", takes: backupTime, do: d.postBackup},
		{pattern: "POST /definitions", do: d.postDefinitions},
		{pattern: "DELETE /bans/{ieee}", do: d.deleteBan},
	}
}

func (d *driver) deviceRoutes() []route {
	return []route{
		{pattern: "GET /devices/{ieee}", do: d.getDevice},
		{pattern: "GET /devices/{ieee}/dump", takes: dumpTime, do: d.getDump},
		{pattern: "POST /devices/{ieee}/interview", do: d.postInterview},
		{pattern: "POST /devices/{ieee}/configure", do: d.postConfigure},
		{pattern: "DELETE /devices/{ieee}", do: d.deleteDevice},
	}
}

// longestPermit is what the air has room for: 255 would be for ever.
const longestPermit = 254

func (d *driver) postPermit(r *http.Request) (reply, error) {
	var body struct {
		Seconds     *int   `json:"seconds"`
		Router      string `json:"router"`       // only there
		InstallCode string `json:"install_code"` // of the one device that is to come
		IEEE        string `json:"ieee"`         // whose code that is, where the code does not say it
	}
	if err := readBody(r, &body); err != nil {
		return reply{}, err
	}
	if body.Seconds == nil || *body.Seconds < 0 || *body.Seconds > longestPermit {
		return reply{}, hearth.Errorf(hearth.CodeBadValue, "seconds: want 0, which closes the network, to %d", longestPermit)
	}
	s, err := d.live()
	if err != nil {
		return reply{}, err
	}
	if body.InstallCode != "" {
		if err := s.trust(r.Context(), strings.TrimSpace(body.IEEE+" "+body.InstallCode)); err != nil {
			return reply{}, err
		}
	}
	if body.Router == "" {
		err = s.permit(r.Context(), uint8(*body.Seconds))
	} else {
		err = s.permitRouter(r.Context(), body.Router, uint8(*body.Seconds))
	}
	if err != nil {
		return reply{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return answer(s.pairingView())
}

// permitRouter lets devices join at the router of that address or id.
func (s *session) permitRouter(ctx context.Context, address string, seconds uint8) error {
	ieee, err := s.d.addressOf(address)
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	dev := s.d.devices[ieee]
	isRouter := dev != nil && dev.Router
	s.d.mu.Unlock()
	if !isRouter {
		return hearth.Errorf(hearth.CodeBadValue, "router: there is no router %s in this network", ieee)
	}
	return refusalOf(dev, s.permitAt(ctx, dev, seconds))
}

func (d *driver) postNetwork(r *http.Request) (reply, error) {
	var body struct {
		Adopt   string `json:"adopt"`
		Replace string `json:"replace"`

		BurnAddress bool `json:"burn_address"`
	}
	if err := readBody(r, &body); err != nil {
		return reply{}, err
	}
	adopt, adoptErr := extendedPAN(body.Adopt)
	replace, replaceErr := extendedPAN(body.Replace)
	if err := errors.Join(adoptErr, replaceErr); err != nil {
		return reply{}, err
	}
	w := word{Adopt: adopt, Replace: replace, BurnAddress: body.BurnAddress}
	if err := d.give(w); err != nil {
		return reply{}, err
	}
	return accepted(w)
}

// extendedPAN reads an extended PAN id, 0 for none.
func extendedPAN(text string) (radio.IEEE, error) {
	if text == "" {
		return 0, nil
	}
	id, err := radio.ParseIEEE(text)
	if err != nil {
		return 0, hearth.Errorf(hearth.CodeBadValue, "want an extended PAN id: %v", err)
	}
	return id, nil
}

func (d *driver) postChannel(r *http.Request) (reply, error) {
	var body struct {
		Channel uint8 `json:"channel"`
	}
	if err := readBody(r, &body); err != nil {
		return reply{}, err
	}
	if body.Channel < 11 || body.Channel > 26 {
		return reply{}, hearth.Errorf(hearth.CodeBadValue, "channel: want 11 to 26, not %d", body.Channel)
	}
	s, err := d.live()
	if err != nil {
		return reply{}, err
	}
	return finished(s.move(r.Context(), body.Channel))
}

func (d *driver) postBackup(r *http.Request) (reply, error) {
	s, err := d.live()
	if err != nil {
		return reply{}, err
	}
	b, err := s.backUp(r.Context())
	if err != nil {
		return reply{}, err
	}
	return answer(b)
}

func (d *driver) postDefinitions(*http.Request) (reply, error) {
	d.mu.Lock()
	known := d.definitions
	d.mu.Unlock()
	if known.folder == "" {
		return reply{}, hearth.Errorf(hearth.CodeConflict, "the configuration names no folder of your own definitions: set definitions: for the driver %s", d.env.Name)
	}
	if err := d.readDefinitionsAgain(known); err != nil {
		return reply{}, hearth.Errorf(hearth.CodeBadValue, "%v", err)
	}
	return finished(nil)
}

func (d *driver) deleteBan(r *http.Request) (reply, error) {
	ieee, err := d.addressOf(r.PathValue("ieee"))
	if err != nil {
		return reply{}, err
	}
	d.mu.Lock()
	banned := d.banned[ieee]
	d.mu.Unlock()
	if !banned {
		return reply{}, hearth.Errorf(hearth.CodeNotFound, "%s is not banned", ieee)
	}
	return finished(d.setBanned(ieee, false))
}

func (d *driver) postInterview(r *http.Request) (reply, error) {
	s, dev, err := d.liveDevice(r)
	if err != nil {
		return reply{}, err
	}
	if err := s.reinterview(r.Context(), dev); err != nil {
		return reply{}, err
	}
	return d.acceptedDevice(dev)
}

func (d *driver) acceptedDevice(dev *device) (reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return accepted(dev.view())
}

// postConfigure has a device told again what it has to do.
func (d *driver) postConfigure(r *http.Request) (reply, error) {
	s, dev, err := d.liveDevice(r)
	if err != nil {
		return reply{}, err
	}
	d.mu.Lock()
	dev.Setup, dev.Tries, dev.next = "", 0, time.Time{}
	s.touch(dev)
	if dev.known() {
		s.setStage(dev, stageSetup)
	}
	s.interviewLater(dev, 0)
	d.mu.Unlock()
	return d.acceptedDevice(dev)
}

func (d *driver) deleteDevice(r *http.Request) (reply, error) {
	ban, banErr := flag(r, "ban")
	force, forceErr := flag(r, "force")
	if err := errors.Join(banErr, forceErr); err != nil {
		return reply{}, err
	}
	if ban { // who is not in the network can be kept out of it too
		ieee, err := d.addressOf(r.PathValue("ieee"))
		if err == nil {
			err = d.setBanned(ieee, true)
		}
		if err != nil {
			return reply{}, err
		}
	}
	s, dev, err := d.liveDevice(r)
	switch {
	case ban && errors.Is(err, &hearth.Error{Code: hearth.CodeNoDevice}):
		return finished(nil)
	case err != nil:
		return reply{}, err
	}
	if force {
		return finished(s.remove(r.Context(), dev))
	}
	return finished(s.dismiss(r.Context(), dev))
}

// dismiss asks a device to leave, and forgets it when it says that it does.
func (s *session) dismiss(ctx context.Context, dev *device) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime/2)
	defer cancel()
	if err := s.askToLeave(ctx, dev); err != nil {
		return refusalOf(dev, err)
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.forget(dev)
	return nil
}
