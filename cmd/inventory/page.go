package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed" // for the parts of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"math/big"
	"slices"
	"strings"
	"time"
)

var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string
	//go:embed page/page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// pagePolicy returns a content security policy that allows only the page's own style and script.
func pagePolicy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return fmt.Sprintf("default-src 'none'; img-src data:; style-src %s; script-src %s; base-uri 'none'; form-action 'none'",
		hash(pageCSS), hash(pageJS))
}

// page is the data of the template, which escapes all texts.
type page struct {
	Policy          string
	Style           template.CSS
	Script          template.JS
	Created         string
	CreatedISO      string
	Summary         string
	Interrupt       string
	CodeInterrupted string
	IsDemo          bool
	ShowAccount     bool
	ShowName        bool
	Cards           []card
	Charts          []chart
	Failures        []failureGroup
	Totals          []pageTotal
	Filters         []filter
	Rows            []pageRow
}

type card struct {
	Label, Value, Note string
	Bad                bool
}

// chart is a list of bars.
type chart struct {
	Title, Note, Label, Unit string
	Bars                     []bar
}

// bar is a bar of a chart. Percent is its length relative to the longest bar.
type bar struct {
	Label, Title, Value, Note, Class string
	Percent                          float64
}

type failureGroup struct {
	Code, Reason, Advice string
	Count                int
}

type pageTotal struct {
	Account, Region, Pools, NotRead, Sessions, UnknownSessions, Storage, UnknownStorage string
}

type filter struct {
	Label, Key string
	Values     []option
}

type option struct{ Value, Text string }

type pageRow struct {
	Account, ID, Label, Name, Region     string
	Sessions, Storage, Modified          string
	RawSessions, RawStorage, RawModified string // "" if unknown
	UnknownSessions, UnknownStorage      bool
	UnknownModified                      bool
	Code, Reason, Advice                 string // Code is "read" without an error
}

// writePage writes the page of -html.
func (c *command) writePage(r *report, out *outputs) error {
	if out.pageFile == nil {
		return nil
	}
	w := bufio.NewWriter(out.pageFile)
	err := pageTemplate.Execute(w, newPage(r))
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = out.pageFile.commit()
	}
	if err != nil {
		return fmt.Errorf("-html: %w", err)
	}
	return nil
}

func newPage(r *report) *page {
	show := r.columns()
	p := &page{
		Policy:          pagePolicy(),
		Style:           template.CSS(pageCSS),
		Script:          template.JS(pageJS),
		Created:         r.created.Format("2 January 2006, 15:04 UTC"),
		CreatedISO:      r.created.Format(time.RFC3339),
		Summary:         r.summary(),
		Interrupt:       printable(r.interrupt),
		CodeInterrupted: codeInterrupted,
		IsDemo:          r.isDemo,
		ShowAccount:     show.account,
		ShowName:        show.name,
		Cards:           r.cards(),
		Failures:        r.failuresByReason(),
		Filters:         r.filters(show),
	}
	if r.all.Read > 0 {
		p.Charts = r.charts()
	}
	for _, t := range r.totals {
		p.Totals = append(p.Totals, pageTotal{
			Account: orDash(printable(t.Account)), Region: orDash(printable(t.Region)),
			Pools: group(int64(t.Pools)), NotRead: group(int64(t.NotRead)),
			Sessions: groupSum(&t.SyncSessions), UnknownSessions: unknownNote(t.UnknownSessions),
			Storage: groupSum(&t.DataStorage), UnknownStorage: unknownNote(t.UnknownStorage),
		})
	}
	for _, row := range r.rows {
		p.Rows = append(p.Rows, newPageRow(row))
	}
	return p
}

func newPageRow(r *row) pageRow {
	p := pageRow{
		Account:         printable(r.Account),
		ID:              printable(r.IdentityPoolID),
		Label:           poolOrRegion(r),
		Name:            printable(r.IdentityPoolName),
		Region:          printable(r.Region),
		Sessions:        grouped(r.SyncSessionsCount),
		Storage:         grouped(r.DataStorage),
		Modified:        unknown,
		RawSessions:     number(r.SyncSessionsCount),
		RawStorage:      number(r.DataStorage),
		RawModified:     date(r.LastModifiedDate, ""),
		UnknownSessions: r.SyncSessionsCount == nil,
		UnknownStorage:  r.DataStorage == nil,
		UnknownModified: r.LastModifiedDate == nil,
		Code:            "read",
	}
	if r.LastModifiedDate != nil {
		p.Modified = r.LastModifiedDate.UTC().Format("2006-01-02 15:04")
	}
	if r.Error != nil {
		p.Code, p.Reason, p.Advice = printable(r.Error.Code), printable(r.Error.Reason), printable(r.Error.Advice)
	}
	return p
}

func unknownNote(n int) string {
	if n == 0 {
		return ""
	}
	return group(int64(n)) + " unknown"
}

func (r *report) cards() []card {
	regions, accounts := map[string]bool{}, map[string]bool{}
	for _, t := range r.totals {
		regions[t.Region], accounts[t.Account] = true, true
	}
	return []card{
		{Label: "Pools", Value: group(int64(r.all.Pools)), Note: "in " + plural(len(regions), "region") + ", " + plural(len(accounts), "account")},
		{Label: "Read", Value: group(int64(r.all.Read))},
		{Label: "Not read", Value: group(int64(r.all.NotRead)), Bad: r.all.NotRead > 0},
		{Label: "Sync sessions", Value: groupSum(&r.all.SyncSessions), Note: unknownNote(r.all.UnknownSessions)},
		{Label: "Data storage", Value: groupSum(&r.all.DataStorage), Note: unknownNote(r.all.UnknownStorage)},
	}
}

const largest = 10 // pools in a chart of the largest

func (r *report) charts() []chart {
	storage := func(r *row) *int64 { return r.DataStorage }
	sessions := func(r *row) *int64 { return r.SyncSessionsCount }
	return []chart{
		r.regionChart("Data storage by region", "storage", func(t *total) (*big.Int, int) { return &t.DataStorage, t.UnknownStorage }),
		r.regionChart("Sync sessions by region", "sessions", func(t *total) (*big.Int, int) { return &t.SyncSessions, t.UnknownSessions }),
		r.largestChart("Largest pools by data storage", "storage", storage),
		r.largestChart("Largest pools by sync sessions", "sessions", sessions),
		r.ageChart(),
	}
}

// regionChart returns a bar for each region, over all accounts.
func (r *report) regionChart(title, class string, of func(*total) (*big.Int, int)) chart {
	type sum struct {
		region  string
		n       big.Int
		unknown int
	}
	sums := map[string]*sum{}
	var all []*sum
	for _, t := range r.totals {
		s := sums[t.Region]
		if s == nil {
			s = &sum{region: t.Region}
			sums[t.Region] = s
			all = append(all, s)
		}
		n, unknown := of(t)
		s.n.Add(&s.n, n)
		s.unknown += unknown
	}
	slices.SortStableFunc(all, func(a, b *sum) int { return b.n.Cmp(&a.n) })
	c := chart{Title: title, Label: "Region", Unit: class}
	for _, s := range all {
		c.Bars = append(c.Bars, bar{
			Label: orDash(printable(s.region)), Value: groupSum(&s.n), Note: unknownNote(s.unknown), Class: class,
			Percent: percent(&s.n, &all[0].n),
		})
	}
	return c
}

// largestChart returns a bar for each of the largest pools.
func (r *report) largestChart(title, class string, of func(*row) *int64) chart {
	var known []*row
	for _, row := range r.rows {
		if of(row) != nil {
			known = append(known, row)
		}
	}
	slices.SortStableFunc(known, func(a, b *row) int { return cmp.Compare(*of(b), *of(a)) })
	known = known[:min(len(known), largest)]
	c := chart{Title: title, Label: "Pool", Unit: class}
	for _, row := range known {
		label := row.IdentityPoolID
		if row.IdentityPoolName != "" {
			label = row.IdentityPoolName
		}
		c.Bars = append(c.Bars, bar{
			Label: printable(label), Title: printable(row.IdentityPoolID), Value: group(*of(row)), Class: class,
			Percent: percent(big.NewInt(*of(row)), big.NewInt(*of(known[0]))),
		})
	}
	return c
}

// ages are the classes of the histogram. below is in days.
var ages = []struct {
	label string
	below int
}{
	{"in the last week", 7}, {"in the last month", 31}, {"1 to 3 months ago", 92}, {"3 to 6 months ago", 183},
	{"6 to 12 months ago", 366}, {"1 to 2 years ago", 731}, {"2 to 3 years ago", 1096}, {"3 to 5 years ago", 1827},
	{"over 5 years ago", 1 << 30},
}

// ageChart returns a histogram of the dates of the last modification.
func (r *report) ageChart() chart {
	counts := make([]int, len(ages)+1) // the last one counts unknown dates
	for _, row := range r.rows {
		if row.IdentityPoolID == "" {
			continue
		}
		class := len(ages)
		if row.LastModifiedDate != nil {
			days := int(r.created.Sub(*row.LastModifiedDate).Hours() / 24)
			class = slices.IndexFunc(ages, func(a struct {
				label string
				below int
			}) bool {
				return days < a.below
			})
		}
		counts[class]++
	}
	most := big.NewInt(int64(slices.Max(counts)))
	c := chart{Title: "Last modified", Label: "When", Unit: "pools"}
	for i, count := range counts {
		b := bar{Label: unknown, Class: "unknown", Value: group(int64(count)), Percent: percent(big.NewInt(int64(count)), most)}
		if i < len(ages) {
			b.Label, b.Class = ages[i].label, "age"
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// percent returns n as a percentage of whole. It is large enough to be visible unless n is 0.
func percent(n, whole *big.Int) float64 {
	if n.Sign() <= 0 || whole.Sign() <= 0 {
		return 0
	}
	part, _ := new(big.Rat).SetFrac(n, whole).Float64()
	return max(0.5, float64(int(part*10_000))/100)
}

// failuresByReason groups the failures by code and advice, the most frequent first.
func (r *report) failuresByReason() []failureGroup {
	groups := map[[2]string]*failureGroup{}
	var all []*failureGroup
	for _, row := range r.failed() {
		key := [2]string{row.Error.Code, row.Error.Advice}
		if groups[key] == nil {
			groups[key] = &failureGroup{Code: printable(row.Error.Code), Reason: printable(row.Error.Reason), Advice: printable(row.Error.Advice)}
			all = append(all, groups[key])
		}
		groups[key].Count++
	}
	slices.SortStableFunc(all, func(a, b *failureGroup) int { return cmp.Compare(b.Count, a.Count) })
	var sorted []failureGroup
	for _, g := range all {
		sorted = append(sorted, *g)
	}
	return sorted
}

// filters returns the filters of the list of pools, with the values that occur.
func (r *report) filters(show columns) []filter {
	values := func(of func(*row) string) []option {
		seen := map[string]bool{}
		for _, row := range r.rows {
			seen[printable(of(row))] = true
		}
		var options []option
		for value := range seen {
			options = append(options, option{Value: value, Text: orDash(value)})
		}
		slices.SortFunc(options, func(a, b option) int { return strings.Compare(a.Value, b.Value) })
		return options
	}
	filters := []filter{
		{"Region", "region", values(func(r *row) string { return r.Region })},
		{"Status", "status", values(func(r *row) string {
			if r.Error != nil {
				return r.Error.Code
			}
			return "read"
		})},
	}
	if show.account {
		filters = append([]filter{{"Account", "account", values(func(r *row) string { return r.Account })}}, filters...)
	}
	return filters
}
