package ingest

import (
	"encoding/json"
	"net/http"

	"hearth"
)

// influxVersion is the InfluxDB that clients may take this for: one that serves both generations of the API.
const influxVersion = "v2.7.11"

// Ping serves /ping.
func (in *Ingest) Ping(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Influxdb-Version", influxVersion)
	w.Header().Set("X-Influxdb-Build", "hearth")
	if verbose := r.URL.Query().Get("verbose"); verbose != "" && verbose != "0" && verbose != "false" {
		writeJSON(w, http.StatusOK, map[string]string{"version": influxVersion})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Health serves /health.
func (in *Ingest) Health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"name": "hearth-cloud", "message": "ready for queries and writes", "status": "pass", "checks": []any{},
		"version": influxVersion, "commit": in.o.Version,
	})
}

// Admit finds the token of a request to /query, which another room answers, or answers it itself and returns false.
func (in *Ingest) Admit(w http.ResponseWriter, r *http.Request) (hearth.Token, bool) {
	w.Header().Set("X-Influxdb-Version", influxVersion)
	w.Header().Set("X-Influxdb-Build", "hearth")
	token, refused := in.identify(r)
	if refused != nil {
		formV1.fail(w, refused)
		return hearth.Token{}, false
	}
	return token, true
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may have gone
}
