package influxql_test

import (
	"os"
	"strings"
	"testing"
)

// A question is a query and how it is compared.
type question struct {
	set   string // the heading that it stands under
	query string
	once  bool   // it is asked as it is, not in other forms as well
	why   string // not "": it is answered otherwise than by InfluxDB, for this reason
}

const (
	threeHours = `time >= '2026-03-10T00:00:00Z' AND time < '2026-03-10T03:00:00Z'`
	oneHour    = `time >= 1773100800000ms and time <= 1773104400000ms`
)

// questions reads testdata/questions.txt, which says how it is written.
func questions(t *testing.T) []question {
	t.Helper()
	data, err := os.ReadFile("testdata/questions.txt")
	must(t, err)
	ranges := strings.NewReplacer("{three hours}", threeHours, "{one hour}", oneHour)
	var all []question
	set, once, why := "", false, ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "# "):
			set, once = strings.CutSuffix(line[2:], " (once)")
		case strings.HasPrefix(line, "~ "):
			why = line[2:]
		default:
			all = append(all, question{set, ranges.Replace(line), once, why})
			why = ""
		}
	}
	return all
}

func (q question) forms() []map[string]string {
	if q.once {
		return []map[string]string{{}}
	}
	return []map[string]string{{}, {"epoch": "ms"}, {"chunked": "true", "chunk_size": "7"}}
}
