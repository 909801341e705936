package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// outputs are the files that the command writes at the end. They are created before the first
// request, so that an hour of queries does not end in "permission denied".
type outputs struct {
	results  *results
	file     *atomicFile // of -o; nil for standard output
	pageFile *atomicFile // of -html; nil for none
}

func (c *command) openOutputs() (_ *outputs, err error) {
	out := &outputs{results: &results{w: bufio.NewWriter(c.stdout)}}
	if c.output != "" {
		if out.file, err = createAtomic(c.output, 0o644); err != nil {
			return nil, fmt.Errorf("-o: %w", err)
		}
		out.results.w = bufio.NewWriter(out.file)
	}
	if c.html != "" {
		if out.pageFile, err = createAtomic(c.html, 0o644); err != nil {
			out.discard()
			return nil, fmt.Errorf("-html: %w", err)
		}
	}
	return out, nil
}

// discard removes unfinished files.
func (o *outputs) discard() {
	o.file.discard()
	o.pageFile.discard()
}

// writeResults writes the results, unless they were streamed. If the file of -o cannot be written,
// it writes them to standard output, so that they are not lost.
func (c *command) writeResults(r *report, out *outputs, streamErr error) error {
	if out.file == nil {
		if c.streams() {
			return nil // already written, or standard output is closed
		}
		if err := c.writeReport(out.results.w, r, c.stdout); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
		return nil
	}
	err := streamErr
	if err == nil && !c.streams() {
		err = c.writeReport(out.results.w, r, out.file)
	}
	if err == nil {
		err = out.file.commit()
	}
	if err == nil {
		return nil
	}
	fallback := bufio.NewWriter(c.stdout)
	if second := c.writeReport(fallback, r, c.stdout); second != nil {
		return fmt.Errorf("-o: %w; then standard output: %w", err, second)
	}
	return fmt.Errorf("-o: %w; the results are on standard output", err)
}

// writeReport writes a report in the format of the command line.
func (c *command) writeReport(w *bufio.Writer, r *report, destination io.Writer) error {
	var err error
	switch c.format {
	case "csv":
		err = writeCSV(w, r.rows)
	case "json":
		err = writeJSON(w, r)
	case "ndjson":
		out := results{w: w}
		for _, row := range r.rows {
			if err = out.writeRow(row); err != nil {
				break
			}
		}
	default:
		width, color := terminalOf(destination)
		writeTable(w, r, width, color)
	}
	if err != nil {
		return err
	}
	return w.Flush()
}

// terminalOf returns the width of a terminal, 0 if w is not one, and whether to use colors.
func terminalOf(w io.Writer) (width int, color bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// results writes rows as they become known.
type results struct{ w *bufio.Writer }

// writeRow writes a row as one line of JSON.
func (r *results) writeRow(row *row) error {
	line, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if _, err := r.w.Write(append(escapeJSON(line), '\n')); err != nil {
		return err
	}
	return r.w.Flush()
}

// writeJSON writes a document with the rows and their totals.
func writeJSON(w io.Writer, r *report) error {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(struct {
		Created     time.Time `json:"created"`
		Interrupted string    `json:"interrupted,omitempty"`
		Pools       []*row    `json:"pools"`
		Totals      []*total  `json:"totals"`
		Total       *total    `json:"total"`
	}{r.created, r.interrupt, orEmpty(r.rows), orEmpty(r.totals), &r.all})
	if err != nil {
		return err
	}
	_, err = w.Write(escapeJSON(document.Bytes()))
	return err
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{} // [] instead of null
	}
	return s
}

var csvHeader = []string{
	"account", "region", "identity_pool_id", "identity_pool_name", "sync_sessions_count", "data_storage",
	"last_modified_date", "attempts", "error_code", "error_reason", "advice", "request_id",
}

// writeCSV writes the rows. Unknown values are empty fields.
func writeCSV(w io.Writer, rows []*row) error {
	out := csv.NewWriter(w)
	records := [][]string{csvHeader}
	for _, r := range rows {
		p := r.Error
		if p == nil {
			p = &problem{}
		}
		records = append(records, []string{
			csvText(r.Account), csvText(r.Region), csvText(r.IdentityPoolID), csvText(r.IdentityPoolName),
			number(r.SyncSessionsCount), number(r.DataStorage), date(r.LastModifiedDate, ""), strconv.Itoa(r.Attempts),
			csvText(p.Code), csvText(p.Reason), csvText(p.Advice), csvText(p.RequestID),
		})
	}
	return out.WriteAll(records)
}

// csvText prefixes a text with "'" if a spreadsheet would interpret it as a formula.
func csvText(s string) string {
	if strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") || strings.HasPrefix(strings.TrimSpace(s), "=") ||
		s != "" && strings.ContainsRune("+-@", []rune(strings.TrimSpace(s) + " ")[0]) {
		s = "'" + s
	}
	return printable(s)
}

// number formats a count, "" if it is unknown.
func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// date formats a date. It returns unknown for nil.
func date(t *time.Time, unknown string) string {
	if t == nil {
		return unknown
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z")
}

// group formats a number with commas between groups of three digits.
func group(n int64) string { return groupDigits(strconv.FormatInt(n, 10)) }

func groupDigits(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
