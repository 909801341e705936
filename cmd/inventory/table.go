package main

import (
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

const unknown = "unknown"

// writeTable writes the pools, the totals and the failures. width is the width of the terminal, 0 if
// there is none.
func writeTable(w io.Writer, r *report, width int, color bool) {
	if len(r.rows) == 0 {
		fmt.Fprintln(w, "no pools")
		return
	}
	writePools(w, r, color)
	writeTotals(w, r, color)
	writeFailed(w, r, width, color)
}

// newTable returns an empty table. right contains the numbers, from 1, of right-aligned columns.
func newTable(w io.Writer, color bool, right ...int) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleDefault
	style.Options = table.Options{}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatUpper
	if color {
		style.Color.Header = text.Colors{text.Bold}
	}
	t.SetStyle(style)
	var columns []table.ColumnConfig
	for _, n := range right {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	t.SuppressTrailingSpaces()
	return t
}

// columns selects the optional columns. A column without any value is left out.
type columns struct{ account, name bool }

func (r *report) columns() columns {
	return columns{
		account: slices.ContainsFunc(r.rows, func(r *row) bool { return r.Account != "" }),
		name:    slices.ContainsFunc(r.rows, func(r *row) bool { return r.IdentityPoolName != "" }),
	}
}

func writePools(w io.Writer, r *report, color bool) {
	show := r.columns()
	first := 2 // the first column of counts
	header := table.Row{"pool"}
	if show.account {
		header = append(table.Row{"account"}, header...)
		first++
	}
	if show.name {
		header = append(header, "name")
		first++
	}
	t := newTable(w, color, first, first+1)
	t.AppendHeader(append(header, "sync sessions", "data storage", "last modified", "status"))
	for _, pool := range r.rows {
		var cells table.Row
		if show.account {
			cells = append(cells, orDash(shorten(printable(pool.Account), 30)))
		}
		cells = append(cells, poolOrRegion(pool))
		if show.name {
			cells = append(cells, orDash(shorten(printable(pool.IdentityPoolName), 30)))
		}
		if pool.Error != nil {
			cells = append(cells, "-", "-", "-", paint(printable(pool.Error.Code), color, text.FgRed))
		} else {
			cells = append(cells, grouped(pool.SyncSessionsCount), grouped(pool.DataStorage),
				date(pool.LastModifiedDate, unknown), paint("read", color, text.FgGreen))
		}
		t.AppendRow(cells)
	}
	t.Render()
}

// poolOrRegion returns the label of a row.
func poolOrRegion(r *row) string {
	if r.IdentityPoolID == "" {
		return printable(r.Region) + ": pools not listed"
	}
	return printable(r.IdentityPoolID)
}

func writeTotals(w io.Writer, r *report, color bool) {
	fmt.Fprintln(w)
	show := r.columns()
	first := 2
	header := table.Row{"region"}
	if show.account {
		header = append(table.Row{"account"}, header...)
		first++
	}
	t := newTable(w, color, first, first+1, first+2, first+3, first+4, first+5, first+6)
	t.AppendHeader(append(header, "pools", "read", "not read", "sync sessions", "unknown", "data storage", "unknown"))
	row := func(account, region string, sum *total) {
		var cells table.Row
		if show.account {
			cells = append(cells, shorten(printable(account), 30))
		}
		notRead := group(int64(sum.NotRead))
		if sum.NotRead > 0 {
			notRead = paint(notRead, color, text.FgRed)
		}
		t.AppendRow(append(cells, printable(region), group(int64(sum.Pools)), group(int64(sum.Read)), notRead,
			groupSum(&sum.SyncSessions), group(int64(sum.UnknownSessions)), groupSum(&sum.DataStorage), group(int64(sum.UnknownStorage))))
	}
	for _, sum := range r.totals {
		row(orDash(sum.Account), orDash(sum.Region), sum)
	}
	if show.account {
		row("all", "", &r.all)
	} else {
		row("", "all", &r.all)
	}
	t.Render()
}

func writeFailed(w io.Writer, r *report, width int, color bool) {
	failed := r.failed()
	if len(failed) == 0 {
		return
	}
	fmt.Fprintln(w, "\n"+paint("Not read:", color, text.Bold))
	for _, pool := range failed {
		who := poolOrRegion(pool)
		if pool.Account != "" {
			who = printable(pool.Account) + " " + who
		}
		p := pool.Error
		fmt.Fprintf(w, "  %s  %s\n", who, paint(printable(p.Code), color, text.FgRed))
		for _, line := range []string{printable(p.Reason), "-> " + printable(p.Advice)} {
			fmt.Fprintln(w, indent(line, width))
		}
	}
}

// indent indents a text and wraps it to the width of a terminal.
func indent(s string, width int) string {
	const margin = "      "
	if width > 40 {
		s = text.WrapSoft(s, width-len(margin))
	}
	return margin + strings.ReplaceAll(s, "\n", "\n"+margin)
}

func paint(s string, color bool, colors ...text.Color) string {
	if !color {
		return s
	}
	return text.Colors(colors).Sprint(s)
}

func grouped(n *int64) string {
	if n == nil {
		return unknown
	}
	return group(*n)
}

func groupSum(n *big.Int) string { return groupDigits(n.String()) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
