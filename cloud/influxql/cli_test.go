package influxql_test

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"hearth"
)

// TestInfluxCommandLine runs Debian's `influx` of InfluxDB 1.x against us: it writes, reads, and shows what there is.
func TestInfluxCommandLine(t *testing.T) {
	command := needPeer(t, "influx")
	r := newRig(t)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(r.URL, "http://"))
	must(t, err)
	run := func(scope hearth.Scope, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), command, append([]string{"-host", host, "-port", port, "-database", "telegraf", "-precision", "rfc3339"}, args...)...)
		cmd.Env = append(cmd.Environ(), "INFLUX_USERNAME=anybody", "INFLUX_PASSWORD="+r.token[scope])
		out, err := cmd.Output() // it says errors a second time on stderr
		if err != nil && !strings.Contains(string(out), "ERR") {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run(hearth.ScopeWrite, "-execute", "CREATE DATABASE telegraf")
	run(hearth.ScopeWrite, "-execute", `INSERT weather,station=roof temp=3.5,sky="grey, mostly" 1773100800000000000`)
	run(hearth.ScopeWrite, "-execute", `INSERT weather,station=cellar temp=12 1773100860000000000`)
	tests := []struct{ args, want string }{
		{`SHOW DATABASES`, "name: databases\nname\n----\nhearth\n"},
		{`SELECT * FROM weather`, "name: weather\ntime                 sky          station temp\n----                 ---          ------- ----\n" +
			"2026-03-10T00:00:00Z grey, mostly roof    3.5\n2026-03-10T00:01:00Z              cellar  12\n"},
		{`SELECT mean(temp) FROM weather GROUP BY station`, "name: weather\ntags: station=cellar\ntime                 mean\n----                 ----\n1970-01-01T00:00:00Z 12\n\n" +
			"name: weather\ntags: station=roof\ntime                 mean\n----                 ----\n1970-01-01T00:00:00Z 3.5\n"},
		{`SHOW TAG VALUES WITH KEY = station`, "name: weather\nkey     value\n---     -----\nstation cellar\nstation roof\n"},
		{`SELECT foo(temp) FROM weather`, "ERR: undefined function foo()\n"},
		{`SELECT FROM weather`, "ERR: error parsing query: found FROM, expected identifier, string, number, bool at line 1, char 8\n"},
	}
	for _, test := range tests {
		if got := strings.TrimSpace(run(hearth.ScopeRead, "-execute", test.args)); got != strings.TrimSpace(test.want) {
			t.Errorf("%s\n%s\nwant\n%s", test.args, got, test.want)
		}
	}
	if got := run(hearth.ScopeWrite, "-execute", "SHOW DATABASES"); !strings.Contains(got, "not authorized") {
		t.Errorf("a writer reads: %s", got)
	}
	if got := run(hearth.ScopeRead, "-format", "csv", "-execute", "SELECT temp FROM weather"); got != "name,time,temp\nweather,2026-03-10T00:00:00Z,3.5\nweather,2026-03-10T00:01:00Z,12\n" {
		t.Errorf("csv: %q", got)
	}
}
