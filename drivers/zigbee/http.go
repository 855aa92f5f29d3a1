package zigbee

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// The driver's own HTTP: what properties cannot hold. The gateway lets in who may read, and admins to the rest; nothing
// secret is told to a GET.

const (
	requestTime = 20 * time.Second // for what a request does, unless its route says otherwise
	maxBody     = 64 << 10
)

// A route is one thing that can be asked for.
type route struct {
	pattern string        // of http.ServeMux
	takes   time.Duration // at most; 0: requestTime
	do      func(*http.Request) (reply, error)
}

// A reply is the answer to a request: a body that becomes JSON, a text in YAML, or nothing.
type reply struct {
	status int
	body   any
	yaml   string
}

func answer(body any) (reply, error) { return reply{status: http.StatusOK, body: body}, nil }

// accepted is the answer to what goes on by itself.
func accepted(body any) (reply, error) { return reply{status: http.StatusAccepted, body: body}, nil }

// finished is the answer to what is done, if err is nil.
func finished(err error) (reply, error) { return reply{status: http.StatusNoContent}, err }

// routes lists all that can be asked for.
func (d *driver) routes() []route {
	return slices.Concat(d.networkRoutes(), d.deviceRoutes(), d.firmwareRoutes(), d.mapRoutes(), d.groupRoutes(), d.bindingRoutes())
}

// ServeHTTP implements http.Handler.
func (d *driver) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.http.ServeHTTP(w, r) }

func (d *driver) handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range d.routes() {
		mux.Handle(rt.pattern, d.serve(rt))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		said := headersOnly{}
		refuse.ServeHTTP(said, r)
		if allow := said.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			d.fail(w, r, hearth.Errorf(codeMethod, "%s takes %s, not %s", instance(r), allow, r.Method))
			return
		}
		d.fail(w, r, hearth.Errorf(hearth.CodeNotFound, "there is nothing at %s", instance(r)))
	})
}

// headersOnly is a ResponseWriter of which only the headers are of interest.
type headersOnly http.Header

func (h headersOnly) Header() http.Header       { return http.Header(h) }
func (headersOnly) WriteHeader(int)             {}
func (headersOnly) Write(b []byte) (int, error) { return len(b), nil }

func (d *driver) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		takes := cmp.Or(rt.takes, requestTime)
		ctx, cancel := context.WithTimeout(r.Context(), takes)
		defer cancel()
		if rt.takes > 0 { // the server's own limits may be shorter; where it has none this changes nothing
			limits := http.NewResponseController(w)
			_, _ = limits.SetReadDeadline(time.Time{}), limits.SetWriteDeadline(time.Now().Add(takes+requestTime))
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		said, err := rt.do(r.WithContext(ctx))
		switch {
		case err == nil:
			said.write(w)
		case r.Context().Err() == nil: // else nobody is there to be told
			d.fail(w, r, err)
		}
	}
}

func (a reply) write(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case a.yaml != "":
		w.Header().Set("Content-Type", "text/yaml; charset=utf-8")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.yaml) // the caller may have gone
	case a.body != nil:
		writeJSON(w, a.status, "application/json", a.body)
	default:
		w.WriteHeader(a.status)
	}
}

func writeJSON(w http.ResponseWriter, status int, mime string, body any) {
	w.Header().Set("Content-Type", mime)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may have gone
}

// Codes of errors that only HTTP knows; see package api.
const (
	codeBadRequest = "bad_request"
	codeMethod     = "method_not_allowed"
	codeTooLarge   = "too_large"
)

// A problem is the body of every error (RFC 9457), as everywhere in the gateway.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Code     string `json:"code"`
}

// problemOf returns what an error's code is over HTTP.
func problemOf(code string) (status int, title string) {
	switch code {
	case codeBadRequest:
		return http.StatusBadRequest, "The request cannot be understood"
	case hearth.CodeNotFound:
		return http.StatusNotFound, "There is no such thing"
	case hearth.CodeNoDevice:
		return http.StatusNotFound, "There is no such device or property"
	case codeMethod:
		return http.StatusMethodNotAllowed, "This path takes other methods"
	case hearth.CodeConflict:
		return http.StatusConflict, "It conflicts with what is there"
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge, "The body is too large"
	case hearth.CodeBadValue:
		return http.StatusUnprocessableEntity, "The value is not one that it takes"
	case hearth.CodeReadOnly:
		return http.StatusUnprocessableEntity, "It cannot be set"
	case hearth.CodeBusy:
		return http.StatusTooManyRequests, "Too much at once"
	case hearth.CodeOffline:
		return http.StatusServiceUnavailable, "The device does not answer"
	}
	return http.StatusBadGateway, "The device refused or broke off"
}

func (d *driver) fail(w http.ResponseWriter, r *http.Request, err error) {
	coded := hearth.ErrorOf(err)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		coded = &hearth.Error{Code: codeTooLarge, Message: "the body is larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"}
	case coded.Code == hearth.CodeFailed && errors.Is(err, context.DeadlineExceeded):
		coded = &hearth.Error{Code: hearth.CodeOffline, Message: "it was not done in time: " + err.Error()}
	}
	status, title := problemOf(coded.Code)
	d.log.Debug("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	writeJSON(w, status, "application/problem+json", problem{"/problems/" + coded.Code, title, status, coded.Message, instance(r), coded.Code})
}

// instance is the path as it was asked for, before the gateway took its own part off.
func instance(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}

// readBody reads one JSON value and nothing that is not known.
func readBody(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, io.EOF):
		return hearth.Errorf(codeBadRequest, "the body is empty: want JSON")
	case err != nil:
		return hearth.Errorf(codeBadRequest, "the body cannot be read: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return hearth.Errorf(codeBadRequest, "something follows the JSON in the body")
	}
	return nil
}

// readOptionalBody is readBody for a body that may be missing.
func readOptionalBody(r *http.Request, into any) error {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil
	}
	return readBody(r, into)
}

// flag reads a parameter that is true, false or missing.
func flag(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	is, err := strconv.ParseBool(text)
	if err != nil {
		return false, hearth.Errorf(codeBadRequest, "%s: want true or false, not %.80q", name, text)
	}
	return is, nil
}

// live returns the session, which is there while Run has the line.
func (d *driver) live() (*session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == nil {
		return nil, hearth.Errorf(hearth.CodeOffline, "the radio %s is not connected", d.env.Name)
	}
	return d.session, nil
}

// named returns the device that a path names.
func (d *driver) named(r *http.Request) (*device, error) {
	ieee, err := d.addressOf(r.PathValue("ieee"))
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := d.devices[ieee]
	if dev == nil {
		return nil, hearth.Errorf(hearth.CodeNoDevice, "there is no device %s in this network", ieee)
	}
	return dev, nil
}

// liveDevice returns the session and the device that a path names.
func (d *driver) liveDevice(r *http.Request) (*session, *device, error) {
	dev, err := d.named(r)
	if err != nil {
		return nil, nil, err
	}
	s, err := d.live()
	return s, dev, err
}
