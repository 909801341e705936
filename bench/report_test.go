package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made are results that nobody measured, with figures that are easy to tell apart.
func made() results {
	return results{
		when: time.Date(2026, time.November, 5, 12, 0, 0, 0, time.UTC),
		plan: plan{
			rounds: 3, traffic: time.Second,
			goroutines: []int{1, 256}, inFlight: []int{8, 1024},
		},
		machine:  "a machine",
		versions: []string{"go1.2.3", "a module v4.5.6"},
		clients: []client{
			{name: bareName, what: "by hand", program: "a"},
			{name: sdkV2Name, what: "generated", program: "b"},
			{name: "us & them <tag>", what: "both", ours: true},
		},
		stub:  []cost{{10_000, 6_600, 77}, {30_000, 27_000, 325}, {11_000, 7_000, 80}},
		first: []cost{{20_000, 7_600, 87}, {60_000, 37_000, 425}, {22_000, 8_000, 90}},
		http: map[int][]traffic{
			1:   {{5_000, 200e3, 400e3, 1, 9_000, 110}, {2_500, 400e3, 800e3, 1, 30_000, 360}, {4_000, 250e3, 500e3, 1, 10_000, 115}},
			256: {{4_000, 60e6, 65e6, 520, 21_000, 160}, {5_000, 50e6, 66e6, 560, 41_000, 410}, {20_000, 9e6, 30e6, 256, 10_000, 115}},
		},
		tls: map[int][]traffic{
			1:   {{4_000, 250e3, 500e3, 1, 9_100, 112}, {2_000, 500e3, 900e3, 1, 30_100, 362}, {3_000, 330e3, 700e3, 1, 10_100, 117}},
			256: {{800, 280e6, 330e6, 510, 93_000, 626}, {1_000, 160e6, 280e6, 530, 108_000, 834}, {16_000, 10e6, 1.2e9, 257, 10_100, 117}},
		},
		inFlight: map[int][]float64{8: {8_000, 40_000, 9_000}, 1024: {10_000, 40_000, 10_500}},
		size:     []float64{9_000_000, 10_000_000, 0},
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := markdown(made())

	for _, want := range []string{
		"Measured on 5 November 2026",
		"medians of 3 rounds",
		"- Machine: a machine\n",
		"- Versions: go1.2.3, a module v4.5.6\n",
		"- **bare**: by hand\n",
		"](results.svg)\n",
		"without a pause for 1s.",
		// A table in full: header, alignment, rows.
		"| client | time | bytes | allocations | time ÷ bare | time ÷ v2 | allocations ÷ bare | allocations ÷ v2 |\n" +
			"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" +
			"| bare | 10.0 µs | 6,600 | 77 | 1.00 | 0.33 | 1.00 | 0.24 |\n" +
			"| aws-sdk-go-v2 | 30.0 µs | 27,000 | 325 | 3.00 | 1.00 | 4.22 | 1.00 |\n" +
			"| us & them <tag> | 11.0 µs | 7,000 | 80 | 1.10 | 0.37 | 1.04 | 0.25 |\n",
		"| us & them <tag> | 22.0 µs | 8,000 | 90 | 1.10 | 0.37 | 1.03 | 0.21 |\n",
		"| 256 | us & them <tag> | 20,000 | 5.00 | 4.00 | 9.00 ms | 30.0 ms | 256 | 10,000 | 115 |\n",
		"| 256 | us & them <tag> | 16,000 | 20.00 | 16.00 | 10.0 ms | 1.20 s | 257 | 10,100 | 117 |\n",
		"| client | bytes, 8 in flight | bytes, 1024 in flight | ÷ bare | ÷ v2 |\n",
		"| us & them <tag> | 9,000 | 10,500 | 1.05 | 0.26 |\n",
		"| aws-sdk-go-v2 | 10,000,000 | 1.11 | 1.00 |\n",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "brief run")
	assert.NotContains(t, text, "| us & them <tag> | 0 |", "a client without a program of its own has no size")

	quick := made()
	quick.plan.quick = true
	assert.Contains(t, markdown(quick), "A brief run: the figures are rough.")
}

func TestMarkdownTablesAreRectangular(t *testing.T) {
	t.Parallel()
	cells, tables := 0, 0
	for line := range strings.Lines(markdown(made())) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		if cells == 0 {
			cells = strings.Count(line, "|")
			tables++
		}
		assert.Equal(t, cells, strings.Count(line, "|"), line)
	}
	assert.Equal(t, 6, tables)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	durations := map[float64]string{
		0: "0", 1: "1.00 ns", 12.34: "12.3 ns", 999.4: "999 ns", 999.6: "1.00 µs", 15_244: "15.2 µs", 123_456: "123 µs",
		999_600: "1.00 ms", 1_350_000: "1.35 ms", 65e6: "65.0 ms", 1.5e9: "1.50 s", 123e9: "123 s",
	}
	for nanoseconds, want := range durations {
		assert.Equal(t, want, duration(nanoseconds))
	}
	numbers := map[float64]string{
		0: "0", 7: "7", 77.4: "77", 77.5: "78", 999: "999", 1_000: "1,000", 12_345: "12,345", 9_157_167: "9,157,167", -5_707: "-5,707",
	}
	for number, want := range numbers {
		assert.Equal(t, want, thousands(number))
	}
	assert.Equal(t, "0.30", ratio(30, 100))
	assert.Equal(t, "1 round", count(1, "round"))
	assert.Equal(t, "7 rounds", count(7, "round"))
}

// An element is any element of an SVG image.
type element struct {
	XMLName  xml.Name
	Class    string    `xml:"class,attr"`
	Width    string    `xml:"width,attr"`
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// requireXML returns the root of a well-formed document.
func requireXML(t *testing.T, text string) element {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	var root element
	require.NoError(t, decoder.Decode(&root))
	_, err := decoder.Token()
	for err == nil {
		_, err = decoder.Token()
	}
	require.ErrorIs(t, err, io.EOF)
	return root
}

// find returns all elements below e with that name.
func (e element) find(name string) []element {
	var found []element
	for _, child := range e.Children {
		if child.XMLName.Local == name {
			found = append(found, child)
		}
		found = append(found, child.find(name)...)
	}
	return found
}

func TestChart(t *testing.T) {
	t.Parallel()
	root := requireXML(t, chart(made()))

	panels := root.find("g")
	require.Len(t, panels, 4)
	tests := []struct {
		title  string
		texts  []string
		widths []string // in proportion, the longest 190
	}{
		{"Time of a call", []string{"10.0 µs", "30.0 µs", "11.0 µs"}, []string{"63.3", "190.0", "69.7"}},
		{"Allocations of a call", []string{"77", "325", "80"}, []string{"45.0", "190.0", "46.8"}},
		{"Calls a second", []string{"800", "1,000", "16,000"}, []string{"9.5", "11.9", "190.0"}},
		{"Connections", []string{"510", "530", "257"}, []string{"182.8", "190.0", "92.1"}},
	}
	for i, test := range tests {
		spans := panels[i].find("tspan")
		require.Len(t, spans, 2)
		assert.Equal(t, test.title, spans[0].Text)
		var texts, widths, classes []string
		for _, text := range panels[i].find("text")[1:] {
			texts = append(texts, text.Text)
		}
		for _, rect := range panels[i].find("rect") {
			widths, classes = append(widths, rect.Width), append(classes, rect.Class)
		}
		assert.Equal(t, []string{
			"bare", test.texts[0], "aws-sdk-go-v2", test.texts[1], "us & them <tag>", test.texts[2],
		}, texts)
		assert.Equal(t, test.widths, widths, test.title)
		assert.Equal(t, []string{"bar", "bar", "ours"}, classes)
	}
	style := root.find("style")[0].Text
	assert.Contains(t, style, "@media (prefers-color-scheme: dark)")
	assert.NotContains(t, style, "url(")
	described := root.find("desc")[0].Text
	assert.Contains(t, described, "Calls a second (256 goroutines over TLS; more is better): bare 800; aws-sdk-go-v2 1,000; us & them <tag> 16,000.")
	assert.Contains(t, described, "opened in 1s")
}

func TestChartOfNothing(t *testing.T) {
	t.Parallel()
	r := made()
	for i := range r.stub {
		r.stub[i] = cost{}
	}
	text := chart(r)
	requireXML(t, text)
	assert.NotContains(t, text, "NaN")
}

func TestMedians(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 2.0, medianNumber([]float64{3, 1, 2}))
	assert.Equal(t, 2.5, medianNumber([]float64{4, 1, 3, 2}))
	assert.Equal(t, 7.0, medianNumber([]float64{7}))
	numbers := []float64{3, 1, 2}
	medianNumber(numbers)
	assert.Equal(t, []float64{3, 1, 2}, numbers, "the rounds stay in their order")
	assert.Equal(t, cost{2, 20, 200}, medianCost([]cost{{1, 30, 200}, {2, 20, 300}, {3, 10, 100}}))
	assert.Equal(t, traffic{2, 20, 200, 5, 50, 500},
		medianTraffic([]traffic{{1, 30, 200, 4, 60, 500}, {2, 20, 300, 5, 50, 600}, {3, 10, 100, 6, 40, 400}}))
}

func TestInterleaved(t *testing.T) {
	t.Parallel()
	var order []string
	medians, err := interleaved(3, medianNumber, func(c client) (float64, error) {
		order = append(order, c.name)
		return float64(len(order)), nil
	})

	require.NoError(t, err)
	n := len(clients)
	require.Len(t, order, 3*n)
	for round := range 3 {
		assert.Equal(t, clients[round].name, order[round*n], "another client begins")
		var names []string
		for _, c := range clients {
			names = append(names, c.name)
		}
		assert.ElementsMatch(t, names, order[round*n:(round+1)*n])
	}
	// The first client was first, then last, then last but one.
	assert.Equal(t, float64(2*n), medians[0])

	_, err = interleaved(1, medianNumber, func(c client) (float64, error) {
		if c.name == sdkV2Name {
			return 0, errNo
		}
		return 1, nil
	})
	require.ErrorIs(t, err, errNo)
	require.ErrorContains(t, err, sdkV2Name)
	assert.Error(t, errors.Unwrap(err))
}

func TestMachine(t *testing.T) {
	t.Parallel()
	assert.Contains(t, describeMachine(), "GOMAXPROCS")
	assert.NotRegexp(t, `^,|, ,`, describeMachine())

	file := filepath.Join(t.TempDir(), "facts")
	require.NoError(t, os.WriteFile(file, []byte("a line\nmodel name\t: A B C\nmodel name : D\nPRETTY_NAME=\"X 1\"\n"), 0o600))
	tests := []struct{ file, key, separator, want string }{
		{file, "model name", ":", "A B C"},
		{file, "PRETTY_NAME", "=", `"X 1"`},
		{file, "absent", ":", ""},
		{file + "-absent", "model name", ":", ""},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, valueIn(test.file, test.key, test.separator), fmt.Sprint(test))
	}
}

func TestVersionsNameEveryModule(t *testing.T) {
	t.Parallel()
	versions := strings.Join(describeVersions(), "\n")
	for _, want := range []string{
		`^go\d`, `(?m)^cognitosync-go \S+$`, `(?m)^aws-sdk-go v1\.`, `(?m)^aws-sdk-go-v2 v1\.`,
		`(?m)^aws-sdk-go-v2/config v1\.`, `(?m)^aws-sdk-go-v2/service/codeguruprofiler v1\.`, `(?m)^smithy-go v1\.`,
	} {
		assert.Regexp(t, want, versions)
	}
}

func TestProgramSizeFails(t *testing.T) {
	t.Parallel()
	_, err := programSize(t.Context(), client{program: "internal/smallest/absent"})
	require.ErrorContains(t, err, "internal/smallest/absent")
}
