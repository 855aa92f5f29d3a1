package zigbee

import (
	"net/http"
	"strconv"

	"hearth"
)

func (d *driver) groupRoutes() []route {
	const takes = memberTime + requestTime/2 // members that do not answer are not waited for longer
	return []route{
		{pattern: "GET /groups", do: d.getGroups},
		{pattern: "POST /groups", takes: takes, do: d.postGroup},
		{pattern: "PATCH /groups/{group}", takes: takes, do: d.patchGroup},
		{pattern: "DELETE /groups/{group}", takes: takes, do: d.removeGroup},
		{pattern: "POST /groups/{group}/scenes", takes: takes, do: d.postScene},
		{pattern: "DELETE /groups/{group}/scenes/{scene}", takes: takes, do: d.deleteScene},
	}
}

func (d *driver) getGroups(*http.Request) (reply, error) { return answer(d.listGroups()) }

func (d *driver) postGroup(r *http.Request) (reply, error) {
	var want groupWanted
	if err := readBody(r, &want); err != nil {
		return reply{}, err
	}
	view, err := d.createGroup(r.Context(), want)
	return reply{status: http.StatusCreated, body: view}, err
}

func (d *driver) patchGroup(r *http.Request) (reply, error) {
	number, err := groupOfPath(r)
	if err != nil {
		return reply{}, err
	}
	var want groupWanted
	if err := readBody(r, &want); err != nil {
		return reply{}, err
	}
	view, err := d.changeGroup(r.Context(), number, want)
	if err != nil {
		return reply{}, err
	}
	return answer(view)
}

func (d *driver) removeGroup(r *http.Request) (reply, error) {
	number, err := groupOfPath(r)
	if err != nil {
		return reply{}, err
	}
	return finished(d.deleteGroup(r.Context(), number))
}

func (d *driver) postScene(r *http.Request) (reply, error) {
	number, err := groupOfPath(r)
	if err != nil {
		return reply{}, err
	}
	var body struct {
		ID   uint8  `json:"id"` // 0 or missing: the first free one
		Name string `json:"name"`
	}
	if err := readBody(r, &body); err != nil {
		return reply{}, err
	}
	stored, err := d.storeScene(r.Context(), number, body.ID, body.Name)
	if err != nil {
		return reply{}, err
	}
	return answer(stored)
}

func (d *driver) deleteScene(r *http.Request) (reply, error) {
	number, err := groupOfPath(r)
	if err != nil {
		return reply{}, err
	}
	id, err := strconv.ParseUint(r.PathValue("scene"), 10, 8)
	if err != nil {
		return reply{}, hearth.Errorf(hearth.CodeNotFound, "there is no scene %.80q", r.PathValue("scene"))
	}
	removed, err := d.removeScene(r.Context(), number, uint8(id))
	if err != nil {
		return reply{}, err
	}
	return answer(removed)
}

// groupOfPath returns the number of the group that a path names.
func groupOfPath(r *http.Request) (uint16, error) {
	number, err := strconv.ParseUint(r.PathValue("group"), 10, 16)
	if err != nil {
		return 0, hearth.Errorf(hearth.CodeNotFound, "there is no group %.80q", r.PathValue("group"))
	}
	return uint16(number), nil
}
