package zigbee

import (
	"cmp"
	"net/http"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/ota"
	"hearth/drivers/zigbee/radio"
)

func (d *driver) firmwareRoutes() []route {
	return []route{
		{pattern: "GET /ota", do: d.getFirmware},
		{pattern: "POST /ota/check", do: d.postFirmwareCheck},
		{pattern: "POST /ota/{ieee}", do: d.postUpdate},
		{pattern: "DELETE /ota/{ieee}", do: d.deleteUpdate},
	}
}

// updateView is what there is to know of a device's firmware.
type updateView struct {
	Device    radio.IEEE   `json:"device"`
	Firmware  string       `json:"firmware"` // as the device calls it
	Version   *uint32      `json:"version"`  // as images are counted; null until the device has said it
	Available *imageView   `json:"available"`
	Upgrade   *ota.Upgrade `json:"upgrade"` // the last one, since the start
}

type imageView struct {
	Version uint32 `json:"version"`
	Notes   string `json:"notes"`
	Size    uint32 `json:"size"`
}

func (d *driver) getFirmware(*http.Request) (reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []updateView{}
	for _, dev := range d.devices {
		if v, updates := d.viewUpdate(dev); updates {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b updateView) int { return cmp.Compare(a.Device, b.Device) })
	return answer(all)
}

// viewUpdate shows a device's firmware, false if it cannot be updated; d.mu is held.
func (d *driver) viewUpdate(dev *device) (v updateView, updates bool) {
	_, updates = dev.updater()
	v = updateView{Device: dev.IEEE, Firmware: dev.Firmware}
	query, newer, known := d.firmware.server.Known(dev.IEEE)
	if known {
		v.Version = &query.Version
	}
	if newer != nil {
		v.Available = &imageView{newer.Version, newer.Notes, newer.Size}
	}
	if u, ok := d.firmware.server.Upgrade(dev.IEEE); ok {
		v.Upgrade = &u
	}
	return v, updates || known
}

// postFirmwareCheck has what there is read again, and devices say what they have, while the caller goes on.
func (d *driver) postFirmwareCheck(*http.Request) (reply, error) {
	s, err := d.live()
	if err != nil {
		return reply{}, err
	}
	if d.firmware.checking.CompareAndSwap(false, true) && !s.tasks.start(s.checkFirmware) {
		d.firmware.checking.Store(false)
		return reply{}, hearth.Errorf(hearth.CodeBusy, "too much goes on at once: try again later")
	}
	return reply{status: http.StatusAccepted}, nil
}

func (d *driver) postUpdate(r *http.Request) (reply, error) {
	var body struct {
		Force bool `json:"force"` // passes the guard of the battery
	}
	if err := readOptionalBody(r, &body); err != nil {
		return reply{}, err
	}
	s, dev, err := d.liveDevice(r)
	if err != nil {
		return reply{}, err
	}
	if err := s.update(r.Context(), dev, body.Force); err != nil {
		return reply{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	v, _ := d.viewUpdate(dev)
	return accepted(v)
}

func (d *driver) deleteUpdate(r *http.Request) (reply, error) {
	dev, err := d.named(r)
	if err != nil {
		return reply{}, err
	}
	if !d.firmware.server.Abort(dev.IEEE) {
		return reply{}, hearth.Errorf(hearth.CodeNotFound, "no update of %s is under way", dev.id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session != nil {
		d.session.tellUpdate(dev)
	}
	return finished(nil)
}
