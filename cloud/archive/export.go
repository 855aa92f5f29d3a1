package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"hearth"
	"hearth/cloud/series"
)

// Export writes all readings of a home as line protocol, packed with gzip: one series after the other, each by time,
// and its gap records at the end. Times are nanoseconds, so it is read in again with precision=ns. The home is no tag:
// the token decides into which home it is read.
func Export(ctx context.Context, w io.Writer, store *series.Store, home string) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("exporting the home %s: %w", home, err)
	}
	out := bufio.NewWriterSize(zip, 64<<10)
	err = export(ctx, out, store, home)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = zip.Close() // an unfinished file stays one: gunzip says so
	}
	if err != nil {
		return fmt.Errorf("exporting the home %s: %w", home, err)
	}
	return nil
}

func export(ctx context.Context, out *bufio.Writer, store *series.Store, home string) error {
	all, err := store.Last(home)
	if err != nil {
		return err
	}
	from, to := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	for _, one := range all {
		head := escapeControls(one.Series) + " " + escapeField(one.Field) + "="
		var failed error
		var line []byte
		err := store.Points(home, one.Series, one.Field, from, to, func(t int64, v hearth.Value) bool {
			line = appendLine(append(line[:0], head...), t, v)
			if _, failed = out.Write(line); failed == nil {
				failed = ctx.Err()
			}
			return failed == nil
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	gaps, err := store.Gaps(home, from, to)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		_, err := fmt.Fprintf(out, "%s count=%d,reason=%s,to=%d %d\n", hearth.GapMeasurement, g.Count, quote(g.Reason), g.To.UnixMilli(), g.From.UnixNano())
		if err != nil {
			return err
		}
	}
	return nil
}

// appendLine finishes a line that its series and field began.
func appendLine(dst []byte, t int64, v hearth.Value) []byte {
	switch v.Kind() {
	case hearth.Bool:
		dst = strconv.AppendBool(dst, v.Bool())
	case hearth.Text:
		dst = append(dst, quote(v.Text())...)
	default:
		dst = strconv.AppendFloat(dst, v.Number(), 'g', -1, 64)
	}
	return append(strconv.AppendInt(append(dst, ' '), t, 10), '\n')
}

// escapeControls finishes a series key, which is escaped but for what would end its line.
func escapeControls(key string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(key)
}

func escapeField(name string) string {
	return strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(name)
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
