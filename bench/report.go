package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// markdown returns the results as a Markdown document.
func markdown(r results) string {
	var b strings.Builder
	b.WriteString("# What a call costs\n\n")
	if r.plan.quick {
		b.WriteString("**From a brief run: the figures are rough.**\n\n")
	}
	fmt.Fprintf(&b, roundsText, r.when.Format("2 January 2006"), count(r.plan.costRounds, "round"), count(r.plan.rounds, "round"))
	fmt.Fprintf(&b, "- Machine: %s\n", r.machine)
	fmt.Fprintf(&b, "- Versions: %s\n", strings.Join(r.versions, ", "))
	for _, c := range r.clients {
		fmt.Fprintf(&b, "- **%s**: %s\n", c.name, c.what)
	}
	fmt.Fprintf(&b, "\n![Time and allocations of a call, and 256 goroutines over TLS](%s)\n", chartFile)

	b.WriteString("\n## Targets\n\n" +
		"The targets of " + directName + ". Time and allocations of a call are measured over a stubbed transport.\n\n")
	writeTable(&b, targetTable(r))

	b.WriteString("\n## One call over a stubbed transport\n\n" +
		"The stub responds immediately, without a connection. Its own allocations are included.\n\n")
	writeTable(&b, costTable(r, r.stub))

	b.WriteString("\n## Many goroutines over loopback, plain HTTP\n\n")
	fmt.Fprintf(&b, trafficText, r.plan.traffic)
	writeTable(&b, trafficTable(r, r.http))
	b.WriteString("\n## Many goroutines over loopback, TLS\n\nThe same over TLS 1.3 with HTTP/1.1. The service has a 2048-bit RSA certificate.\n\n")
	writeTable(&b, trafficTable(r, r.tls))

	b.WriteString("\n## A new client and its first call\n\n" +
		"Over the stub. The configuration is loaded beforehand.\n\n")
	writeTable(&b, costTable(r, r.first))
	b.WriteString("\n## Memory of a call in flight\n\nHeap and goroutine stack of a call that waits for its response, over the stub.\n\n")
	writeTable(&b, inFlightTable(r))
	b.WriteString("\n## The smallest program\n\nBuilt by `go build` without flags.\n\n")
	writeTable(&b, sizeTable(r))
	return b.String()
}

// roundsText takes the date and the numbers of rounds.
const roundsText = "Measured on %s by `go run .` in `bench/`. In each round, every client has a turn. " +
	"A figure is the median of its rounds: %s for the time and allocations of a call, %s for everything else. " +
	"A ratio (÷) is the median of the ratios within each round.\n\n"

// trafficText takes the duration.
const trafficText = "All goroutines share one client, which uses its default HTTP client, and make calls without a pause " +
	"for %s. Before that, each makes one call over a connection of its own. " +
	"Connections are all connections opened, including these. " +
	"The fake service runs in another process on the same machine; bytes and allocations are those of the client.\n\n"

// A table has rows of cells below a header.
type table struct {
	header []string
	rows   [][]string
}

// baselines are the clients to compare with, and their names in column headers.
var baselines = []struct{ client, column string }{
	{bareName, "bare"},
	{byHandName, "by hand"},
	{sdkV2Name, "v2 sibling"},
}

// ratioHeader returns the headers of the columns that compare a quantity with the baselines. The quantity is empty in a
// table that compares only one.
func ratioHeader(quantity string) []string {
	var header []string
	for _, base := range baselines {
		header = append(header, strings.TrimSpace(quantity+" ÷ "+base.column))
	}
	return header
}

// ratioCells returns the cells of a client for ratioHeader.
func ratioCells[T any](s samples[T], name string, get func(T) float64) []string {
	var cells []string
	for _, base := range baselines {
		cells = append(cells, decimals(medianNumber(s.ratios(name, base.client, get)), 2))
	}
	return cells
}

// costTable returns a table with a row for each client in costs.
func costTable(r results, costs samples[cost]) table {
	t := table{header: slices.Concat(
		[]string{"client", "time", "bytes", "allocations"}, ratioHeader("time"), ratioHeader("allocations"),
	)}
	for _, c := range r.clients {
		if len(costs[c.name]) == 0 {
			continue
		}
		t.rows = append(t.rows, slices.Concat(
			[]string{
				c.name, duration(costs.median(c.name, callTime)), thousands(costs.median(c.name, callBytes)),
				thousands(costs.median(c.name, callAllocs)),
			},
			ratioCells(costs, c.name, callTime), ratioCells(costs, c.name, callAllocs),
		))
	}
	return t
}

// trafficTable returns a table with a row for each number of goroutines and client.
func trafficTable(r results, traffics map[int]samples[traffic]) table {
	t := table{header: slices.Concat(
		[]string{"goroutines", "client", "calls/s"}, ratioHeader(""),
		[]string{"p50", "p99", "connections", "bytes/call", "allocations/call"},
	)}
	for _, n := range r.plan.goroutines {
		for _, c := range fullyMeasured(r.clients) {
			median := func(get func(traffic) float64) float64 { return traffics[n].median(c.name, get) }
			t.rows = append(t.rows, slices.Concat(
				[]string{strconv.Itoa(n), c.name, thousands(median(callsPerSecond))},
				ratioCells(traffics[n], c.name, callsPerSecond),
				[]string{
					duration(median(func(t traffic) float64 { return t.p50 })),
					duration(median(func(t traffic) float64 { return t.p99 })),
					thousands(median(openedConnections)),
					thousands(median(func(t traffic) float64 { return t.bytes })),
					thousands(median(func(t traffic) float64 { return t.allocs })),
				},
			))
		}
	}
	return t
}

// inFlightTable returns a table with a row for each client. The ratios are those of the last column of bytes.
func inFlightTable(r results) table {
	t := table{header: []string{"client"}}
	for _, n := range r.plan.inFlight {
		t.header = append(t.header, fmt.Sprintf("bytes, %d in flight", n))
	}
	t.header = append(t.header, ratioHeader("")...)
	most := r.inFlight[r.plan.inFlight[len(r.plan.inFlight)-1]]
	for _, c := range fullyMeasured(r.clients) {
		row := []string{c.name}
		for _, n := range r.plan.inFlight {
			row = append(row, thousands(r.inFlight[n].median(c.name, plainNumber)))
		}
		t.rows = append(t.rows, append(row, ratioCells(most, c.name, plainNumber)...))
	}
	return t
}

// sizeTable returns a table with a row for each client that has a program of its own.
func sizeTable(r results) table {
	t := table{header: []string{"client", "bytes", "÷ bare", "÷ v2 sibling"}}
	for _, c := range r.clients {
		if c.program == "" {
			continue
		}
		t.rows = append(t.rows, []string{
			c.name, thousands(r.size.median(c.name, plainNumber)),
			decimals(medianNumber(r.size.ratios(c.name, bareName, plainNumber)), 2),
			decimals(medianNumber(r.size.ratios(c.name, sdkV2Name, plainNumber)), 2),
		})
	}
	return t
}

// plainNumber selects the measurement of samples that are plain numbers.
func plainNumber(number float64) float64 { return number }

// writeTable writes t in Markdown. It aligns columns of names to the left and all others to the right.
func writeTable(b *strings.Builder, t table) {
	writeRow := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	writeRow(t.header)
	rules := make([]string, len(t.header))
	for i, name := range t.header {
		rules[i] = "---:"
		if name == "client" || name == "what" {
			rules[i] = "---"
		}
	}
	writeRow(rules)
	for _, row := range t.rows {
		writeRow(row)
	}
}

// decimals returns a rounded to n decimals.
func decimals(a float64, n int) string {
	return strconv.FormatFloat(a, 'f', n, 64)
}

// duration returns a number of nanoseconds with three significant digits and a suitable unit.
func duration(nanoseconds float64) string {
	if nanoseconds <= 0 {
		return "0"
	}
	digits := math.Pow(10, math.Floor(math.Log10(nanoseconds))-2)
	rounded := math.Round(nanoseconds/digits) * digits
	unit, name := time.Nanosecond, "ns"
	switch {
	case rounded >= float64(time.Second):
		unit, name = time.Second, "s"
	case rounded >= float64(time.Millisecond):
		unit, name = time.Millisecond, "ms"
	case rounded >= float64(time.Microsecond):
		unit, name = time.Microsecond, "µs"
	}
	value := rounded / float64(unit)
	decimals := max(0, 2-int(math.Floor(math.Log10(value))))
	return strconv.FormatFloat(value, 'f', decimals, 64) + " " + name
}

// thousands returns a rounded to a whole number with commas between groups of three digits.
func thousands(a float64) string {
	digits := strconv.FormatFloat(math.Round(a), 'f', 0, 64)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// count returns n and the noun in the singular or plural.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
