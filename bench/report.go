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
		b.WriteString("**A brief run: the figures are rough.**\n\n")
	}
	fmt.Fprintf(&b, "Measured on %s by `go run .` in `bench/`: medians of %s, in which the clients take turns.\n\n",
		r.when.Format("2 January 2006"), count(r.plan.rounds, "round"))
	fmt.Fprintf(&b, "- Machine: %s\n", r.machine)
	fmt.Fprintf(&b, "- Versions: %s\n", strings.Join(r.versions, ", "))
	for _, c := range r.clients {
		fmt.Fprintf(&b, "- **%s**: %s\n", c.name, c.what)
	}
	fmt.Fprintf(&b, "\n![Time and allocations of a call, and 256 goroutines over TLS](%s)\n", chartFile)

	b.WriteString("\n## One call over a stubbed transport\n\n" +
		"The stub answers at once, without a connection, and its own allocations are included.\n\n")
	writeTable(&b, costTable(r, r.stub))

	b.WriteString("\n## Many goroutines over loopback, plain HTTP\n\n")
	fmt.Fprintf(&b, trafficText, r.plan.traffic)
	writeTable(&b, trafficTable(r, r.http))
	b.WriteString("\n## Many goroutines over loopback, TLS\n\nLikewise, over TLS 1.3 with HTTP/1.1; the service has an RSA certificate of 2048 bits.\n\n")
	writeTable(&b, trafficTable(r, r.tls))

	b.WriteString("\n## A new client and its first call\n\n" +
		"Constructed from a configuration that is loaded already; over the stub.\n\n")
	writeTable(&b, costTable(r, r.first))
	b.WriteString("\n## Memory of a call in flight\n\nHeap and goroutine stack while the answer is awaited, over the stub.\n\n")
	writeTable(&b, inFlightTable(r))
	b.WriteString("\n## The smallest program\n\nAs `go build` makes it, without flags.\n\n")
	writeTable(&b, sizeTable(r))
	return b.String()
}

// trafficText explains the tables of trafficTable; its verb is for the duration.
const trafficText = "All goroutines share one client, with the HTTP client that it has by default, " +
	"and call without a pause for %s. Before, each has made one call over a connection of its own; " +
	"connections are all that were opened, these included. " +
	"The fake service is another process on the same machine; bytes and allocations are the client's.\n\n"

// A table is rows of cells under a header.
type table struct {
	header []string
	rows   [][]string
}

// costTable has a row for each client.
func costTable(r results, costs []cost) table {
	bare, v2 := costs[r.indexOf(bareName)], costs[r.indexOf(sdkV2Name)]
	t := table{header: []string{
		"client", "time", "bytes", "allocations", "time ÷ bare", "time ÷ v2", "allocations ÷ bare", "allocations ÷ v2",
	}}
	for i, c := range costs {
		t.rows = append(t.rows, []string{
			r.clients[i].name, duration(c.nanoseconds), thousands(c.bytes), thousands(c.allocs),
			ratio(c.nanoseconds, bare.nanoseconds), ratio(c.nanoseconds, v2.nanoseconds),
			ratio(c.allocs, bare.allocs), ratio(c.allocs, v2.allocs),
		})
	}
	return t
}

// trafficTable has a row for each number of goroutines and client.
func trafficTable(r results, traffics map[int][]traffic) table {
	t := table{header: []string{
		"goroutines", "client", "calls/s", "÷ bare", "÷ v2", "p50", "p99", "connections", "bytes/call", "allocations/call",
	}}
	for _, n := range r.plan.goroutines {
		bare, v2 := traffics[n][r.indexOf(bareName)], traffics[n][r.indexOf(sdkV2Name)]
		for i, f := range traffics[n] {
			t.rows = append(t.rows, []string{
				strconv.Itoa(n), r.clients[i].name, thousands(f.perSecond),
				ratio(f.perSecond, bare.perSecond), ratio(f.perSecond, v2.perSecond),
				duration(f.p50), duration(f.p99), thousands(f.connections), thousands(f.bytes), thousands(f.allocs),
			})
		}
	}
	return t
}

// inFlightTable has a row for each client. The ratios are those of the last column of bytes.
func inFlightTable(r results) table {
	t := table{header: []string{"client"}}
	for _, n := range r.plan.inFlight {
		t.header = append(t.header, fmt.Sprintf("bytes, %d in flight", n))
	}
	t.header = append(t.header, "÷ bare", "÷ v2")
	most := r.inFlight[r.plan.inFlight[len(r.plan.inFlight)-1]]
	for i, c := range r.clients {
		row := []string{c.name}
		for _, n := range r.plan.inFlight {
			row = append(row, thousands(r.inFlight[n][i]))
		}
		t.rows = append(t.rows, append(row,
			ratio(most[i], most[r.indexOf(bareName)]), ratio(most[i], most[r.indexOf(sdkV2Name)])))
	}
	return t
}

// sizeTable has a row for each client that has a program of its own.
func sizeTable(r results) table {
	t := table{header: []string{"client", "bytes", "÷ bare", "÷ v2"}}
	for i, c := range r.clients {
		if c.program == "" {
			continue
		}
		t.rows = append(t.rows, []string{
			c.name, thousands(r.size[i]),
			ratio(r.size[i], r.size[r.indexOf(bareName)]), ratio(r.size[i], r.size[r.indexOf(sdkV2Name)]),
		})
	}
	return t
}

// indexOf returns the place of the client with that name.
func (r results) indexOf(name string) int {
	return slices.IndexFunc(r.clients, func(c client) bool { return c.name == name })
}

// writeTable writes t in Markdown. Columns of names are aligned to the left, all others to the right.
func writeTable(b *strings.Builder, t table) {
	writeRow := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	writeRow(t.header)
	rules := make([]string, len(t.header))
	for i, name := range t.header {
		rules[i] = "---:"
		if name == "client" {
			rules[i] = "---"
		}
	}
	writeRow(rules)
	for _, row := range t.rows {
		writeRow(row)
	}
}

// ratio returns a ÷ b with two decimals.
func ratio(a, b float64) string {
	return strconv.FormatFloat(a/b, 'f', 2, 64)
}

// duration returns nanoseconds with three digits and the unit that fits.
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

// thousands returns a rounded to a whole number, its digits in groups of three.
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

// count returns n and the noun in the number that goes with it.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
