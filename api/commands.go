package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"hearth"
)

// Commands are the commands of one home. Do returns the record of a command that it took; Wait returns a record once it
// is final, or as it is when ctx ends.
type Commands struct {
	Do   func(ctx context.Context, cmd hearth.Command) (hearth.Record, error)
	Wait func(ctx context.Context, id string) (hearth.Record, error)
}

// CommandsOf finds the commands that a request is about.
type CommandsOf func(r *http.Request) (Commands, error)

// SetPropertyRoute gives a command for the property {name} of the device {id}. The body is a Body, of which read takes
// the value and the command's deadline, zero for the home's own.
func SetPropertyRoute[Body any](path string, of CommandsOf, read func(Body) (hearth.Value, hearth.Time)) Route {
	return Route{
		Method: "PUT", Path: path, ID: "setProperty", Scope: hearth.ScopeControl,
		Summary: "Set one property and wait for what becomes of it; the status tells the final state, and a record is the answer whenever there is one",
		Query:   []Param{{Name: "wait", Summary: "how long to wait for a final state, at most 60s; 0 answers 202 at once"}},
		Request: *new(Body), Response: hearth.Record{},
		Statuses: []int{http.StatusOK, http.StatusAccepted, http.StatusUnprocessableEntity, http.StatusConflict, http.StatusBadGateway, http.StatusGatewayTimeout},
		Problems: []string{hearth.CodeNoDevice},
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			var body Body
			record, err := give(w, r, of, MaxWait, &body, func() hearth.Command {
				value, deadline := read(body)
				return hearth.Command{Device: hearth.ID(r.PathValue("id")), Set: map[string]hearth.Value{r.PathValue("name"): value}, Deadline: deadline}
			})
			if err != nil {
				return err
			}
			WriteJSON(w, StatusOfRecord(record), record)
			return nil
		},
	}
}

// StatusOfRecord returns the HTTP status that tells what became of a command.
func StatusOfRecord(r hearth.Record) int {
	if !r.Final {
		return http.StatusAccepted
	}
	switch r.State {
	case hearth.Rejected:
		return http.StatusUnprocessableEntity
	case hearth.Superseded:
		return http.StatusConflict
	case hearth.Failed:
		return http.StatusBadGateway
	case hearth.Expired:
		return http.StatusGatewayTimeout
	}
	return http.StatusOK
}

// A GiveCommand is a command as programs give it.
type GiveCommand struct {
	ID       string                  `json:"id,omitempty"` // the same id twice is the same command
	Device   hearth.ID               `json:"device"`
	Set      map[string]hearth.Value `json:"set"`
	Deadline hearth.Time             `json:"deadline,omitzero"` // default: the home's own
}

// Command returns it as given by somebody.
func (g GiveCommand) Command(by string) hearth.Command {
	return hearth.Command{ID: g.ID, Device: g.Device, Set: g.Set, Deadline: g.Deadline, By: by}
}

// WordsOf is a command in the words of an audit.
func WordsOf(cmd hearth.Command) string {
	set, err := json.Marshal(cmd.Set)
	if err != nil {
		panic(fmt.Sprintf("values are always JSON: %v", err))
	}
	return fmt.Sprintf("%s %s %s", cmd.ID, cmd.Device, set)
}

// GiveCommandRoute gives the command in the body. Its record is then found below path.
func GiveCommandRoute(path string, of CommandsOf) Route {
	return Route{
		Method: "POST", Path: path, ID: "giveCommand", Scope: hearth.ScopeControl,
		Summary: "Set one or several properties of a device at once; 202 and the record, or 200 once it is final",
		Query:   []Param{{Name: "wait", Summary: "how long to wait for a final state, at most 60s; without it the answer comes at once"}},
		Request: GiveCommand{}, Response: hearth.Record{},
		Statuses: []int{http.StatusAccepted, http.StatusOK},
		Problems: []string{hearth.CodeNoDevice, hearth.CodeConflict, hearth.CodeBadValue},
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			var body GiveCommand
			record, err := give(w, r, of, 0, &body, func() hearth.Command { return body.Command("") })
			if err != nil {
				return err
			}
			status := http.StatusAccepted
			if record.Final {
				status = http.StatusOK
			}
			w.Header().Set("Location", r.URL.Path+"/"+record.ID)
			WriteJSON(w, status, record)
			return nil
		},
	}
}

// give reads a body and gives the command made of it in the name of whoever asks, then waits for its final state as
// long as wait= says, or else unasked.
func give(w http.ResponseWriter, r *http.Request, of CommandsOf, unasked time.Duration, body any, made func() hearth.Command) (hearth.Record, error) {
	commands, err := of(r)
	if err != nil {
		return hearth.Record{}, err
	}
	wait, err := ParseWait(r.URL.Query(), unasked)
	if err != nil {
		return hearth.Record{}, err
	}
	if err := ReadJSON(w, r, body); err != nil {
		return hearth.Record{}, err
	}
	cmd := made()
	cmd.By = TokenOf(r.Context()).Name
	record, err := commands.Do(r.Context(), cmd)
	if err != nil {
		return record, err
	}
	if record.Final || wait == 0 {
		return record, nil
	}
	return commands.wait(r.Context(), record.ID, wait)
}

func (c Commands) wait(ctx context.Context, id string, wait time.Duration) (hearth.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return c.Wait(ctx, id)
}

// GetCommandRoute answers with the command {id}.
func GetCommandRoute(path string, of CommandsOf) Route {
	return Route{
		Method: "GET", Path: path, ID: "getCommand", Scope: hearth.ScopeRead,
		Summary:  "One command and what became of it",
		Query:    []Param{{Name: "wait", Summary: "how long to wait for a final state, at most 60s"}},
		Response: hearth.Record{}, Problems: []string{hearth.CodeNotFound, CodeBadRequest},
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			commands, err := of(r)
			if err != nil {
				return err
			}
			wait, err := ParseWait(r.URL.Query(), 0)
			if err != nil {
				return err
			}
			record, err := commands.wait(r.Context(), r.PathValue("id"), wait)
			if err != nil {
				return err
			}
			WriteJSON(w, http.StatusOK, record)
			return nil
		},
	}
}

// CommandFilter is what ParseCommandFilter reads.
func CommandFilter() []Param {
	names := make([]string, len(hearth.States))
	for i, s := range hearth.States {
		names[i] = string(s)
	}
	return []Param{
		{Name: "device", Summary: "only of this device"},
		{Name: "state", Summary: "only in this state", Options: names},
	}
}

// ParseCommandFilter reads device= and state=; "" is any. Errors: bad_request.
func ParseCommandFilter(query url.Values) (device hearth.ID, state hearth.State, err error) {
	state = hearth.State(query.Get("state"))
	if state != "" && !slices.Contains(hearth.States, state) {
		return "", "", BadRequest("state: want one of %v", hearth.States)
	}
	return hearth.ID(query.Get("device")), state, nil
}
