package people

import (
	"archive/zip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"hearth/api"
	"hearth/cloud/accounts"
)

// exportHome sends the archive as it is made. Half of one must not look like a whole one: what fails cuts it off.
func (p *People) exportHome(w http.ResponseWriter, r *http.Request) error {
	home, err := p.o.Accounts.Home(r.Context(), r.PathValue("home"))
	if err != nil {
		return err
	}
	p.audit(r, accounts.AuditEntry{Home: home.ID, Tenant: home.Tenant, Who: asker(r).Name, Action: "exportHome", Detail: home.Name})
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+home.ID+`.zip"`)
	w.Header().Set("Cache-Control", "no-store")
	if err := p.writeExport(r.Context(), patient{w}, home.ID); err != nil {
		if r.Context().Err() == nil {
			p.o.Log.Error("a home could not be exported", "home", home.ID, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (p *People) writeExport(ctx context.Context, to io.Writer, home string) error {
	archive := zip.NewWriter(to)
	name, file := "", io.Writer(nil)
	create := func(next string) (err error) {
		name = next
		file, err = archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.o.Now().UTC()})
		return err
	}
	err := p.o.Accounts.ExportHome(ctx, home, func(part string, row map[string]any) error {
		if part += ".jsonl"; part != name {
			if err := create(part); err != nil {
				return err
			}
		}
		line, err := json.Marshal(row)
		if err == nil {
			_, err = file.Write(append(line, '\n'))
		}
		return err
	})
	if err == nil && p.o.Readings != nil {
		if err = create("readings.lp"); err == nil {
			err = p.o.Readings(ctx, home, file)
		}
	}
	if err != nil {
		return err
	}
	return archive.Close()
}

// patient gives each write as long as a request has: years of readings take their time, a client that stopped does not.
type patient struct{ http.ResponseWriter }

// Write implements io.Writer.
func (w patient) Write(b []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(api.MaxWait + time.Minute))
	return w.ResponseWriter.Write(b)
}
