package ingest

import (
	"encoding/json"
	"net/http"
	"strings"
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

// Query serves /query. It answers CREATE DATABASE, which Telegraf sends before it writes, and nothing else.
func (in *Ingest) Query(w http.ResponseWriter, r *http.Request) {
	if _, err := in.identify(r); err != nil {
		formV1.fail(w, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	q := strings.TrimSpace(r.FormValue("q"))
	words := strings.Fields(q)
	switch {
	case q == "":
		formV1.fail(w, refuse(http.StatusBadRequest, "invalid", `missing required parameter "q"`))
	case len(words) >= 3 && strings.EqualFold(words[0], "CREATE") && strings.EqualFold(words[1], "DATABASE"):
		writeJSON(w, http.StatusOK, map[string]any{"results": []any{map[string]int{"statement_id": 0}}})
	default:
		formV1.fail(w, refuse(http.StatusBadRequest, "invalid",
			"error parsing query: %s is not answered here, only CREATE DATABASE: read through /api/v1/homes/{home}/history", clip(words[0])))
	}
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
