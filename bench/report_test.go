package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sampleResults returns invented results with figures that are easy to tell apart.
func sampleResults() results {
	return results{
		when: time.Date(2026, time.November, 5, 12, 0, 0, 0, time.UTC),
		plan: plan{
			costRounds: 9, rounds: 3, traffic: time.Second,
			goroutines: []int{1, 256}, inFlight: []int{8, 1024},
		},
		machine:  "a machine",
		versions: []string{"go1.2.3", "a module v4.5.6"},
		clients: []client{
			{name: bareName, what: "the least", program: "a"},
			{name: byHandName, what: "a little more"},
			{name: sdkV2Name, what: "generated", program: "b"},
			{name: directName, what: "this module", ours: true},
			{name: optionName, what: "the same with an option", ours: true, stubOnly: true},
			{name: stackName, what: "the same through a stack", ours: true},
		},
		stub: samples[cost]{
			bareName: {{10_000, 6_600, 77}}, byHandName: {{12_500, 8_000, 100}},
			sdkV2Name: {{30_000, 27_000, 325}}, directName: {{11_000, 7_000, 80}}, optionName: {{12_000, 9_000, 98}}, stackName: {{15_000, 12_000, 180}},
		},
		first: samples[cost]{
			bareName: {{20_000, 7_600, 87}}, byHandName: {{22_000, 9_000, 110}},
			sdkV2Name: {{60_000, 37_000, 425}}, directName: {{22_000, 8_000, 90}}, stackName: {{27_000, 13_000, 190}},
		},
		http: map[int]samples[traffic]{
			1: {
				bareName: {{5_000, 200e3, 400e3, 1, 9_000, 110}}, byHandName: {{4_500, 220e3, 420e3, 1, 10_500, 130}},
				sdkV2Name: {{2_500, 400e3, 800e3, 1, 30_000, 360}}, directName: {{4_000, 250e3, 500e3, 1, 10_000, 115}},
				stackName: {{3_600, 280e3, 560e3, 1, 16_000, 220}},
			},
			256: {
				bareName: {{4_000, 60e6, 65e6, 520, 21_000, 160}}, byHandName: {{3_200, 62e6, 67e6, 525, 22_500, 180}},
				sdkV2Name: {{5_000, 50e6, 66e6, 560, 41_000, 410}}, directName: {{20_000, 9e6, 30e6, 256, 10_000, 115}},
				stackName: {{15_000, 12e6, 40e6, 256, 16_000, 220}},
			},
		},
		tls: map[int]samples[traffic]{
			1: {
				bareName: {{4_000, 250e3, 500e3, 1, 9_100, 112}}, byHandName: {{3_500, 270e3, 520e3, 1, 10_600, 132}},
				sdkV2Name: {{2_000, 500e3, 900e3, 1, 30_100, 362}}, directName: {{3_000, 330e3, 700e3, 1, 10_100, 117}},
				stackName: {{2_800, 360e3, 750e3, 1, 16_100, 222}},
			},
			256: {
				bareName: {{800, 280e6, 330e6, 510, 93_000, 626}}, byHandName: {{640, 290e6, 340e6, 500, 94_500, 646}},
				sdkV2Name: {{1_000, 160e6, 280e6, 530, 108_000, 834}}, directName: {{16_000, 10e6, 1.2e9, 257, 10_100, 117}},
				stackName: {{12_000, 14e6, 1.3e9, 256, 16_100, 222}},
			},
		},
		inFlight: map[int]samples[float64]{
			8:    {bareName: {8_000}, byHandName: {8_500}, sdkV2Name: {40_000}, directName: {9_000}, stackName: {20_000}},
			1024: {bareName: {10_000}, byHandName: {10_000}, sdkV2Name: {40_000}, directName: {10_500}, stackName: {20_000}},
		},
		size: samples[float64]{bareName: {9_000_000}, sdkV2Name: {10_000_000}},
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := markdown(sampleResults())

	for _, want := range []string{
		"Measured on 5 November 2026",
		"9 rounds for the time and allocations of a call, 3 rounds for everything else",
		"- Machine: a machine\n",
		"- Versions: go1.2.3, a module v4.5.6\n",
		"- **bare**: the least\n",
		"](results.svg)\n",
		"without a pause for 1s.",
		// A table in full: header, alignment, rows.
		"| client | time | bytes | allocations | time ÷ bare | time ÷ by hand | time ÷ v2 sibling |" +
			" allocations ÷ bare | allocations ÷ by hand | allocations ÷ v2 sibling |\n" +
			"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" +
			"| bare | 10.0 µs | 6,600 | 77 | 1.00 | 0.80 | 0.33 | 1.00 | 0.77 | 0.24 |\n" +
			"| by hand | 12.5 µs | 8,000 | 100 | 1.25 | 1.00 | 0.42 | 1.30 | 1.00 | 0.31 |\n" +
			"| aws-sdk-go-v2 sibling | 30.0 µs | 27,000 | 325 | 3.00 | 2.40 | 1.00 | 4.22 | 3.25 | 1.00 |\n" +
			"| cognitosync-go | 11.0 µs | 7,000 | 80 | 1.10 | 0.88 | 0.37 | 1.04 | 0.80 | 0.25 |\n",
		"| cognitosync-go, option | 12.0 µs | 9,000 | 98 |",
		"| cognitosync-go | 22.0 µs | 8,000 | 90 | 1.10 | 1.00 | 0.37 | 1.03 | 0.82 | 0.21 |\n",
		"| 256 | cognitosync-go | 20,000 | 5.00 | 6.25 | 4.00 | 9.00 ms | 30.0 ms | 256 | 10,000 | 115 |\n",
		"| 256 | cognitosync-go | 16,000 | 20.00 | 25.00 | 16.00 | 10.0 ms | 1.20 s | 257 | 10,100 | 117 |\n",
		"| client | bytes, 8 in flight | bytes, 1024 in flight | ÷ bare | ÷ by hand | ÷ v2 sibling |\n",
		"| cognitosync-go | 9,000 | 10,500 | 1.05 | 1.05 | 0.26 |\n",
		"| aws-sdk-go-v2 sibling | 10,000,000 | 1.11 | 1.00 |\n",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "brief run")
	_, sizes, found := strings.Cut(text, "## The smallest program")
	require.True(t, found)
	assert.NotContains(t, sizes, "us & them", "a client without a program of its own has no size")

	quick := sampleResults()
	quick.plan.quick = true
	assert.Contains(t, markdown(quick), "From a brief run: the figures are rough.")
}

func TestMarkdownTablesAreRectangular(t *testing.T) {
	t.Parallel()
	cells, tables := 0, 0
	for line := range strings.Lines(markdown(sampleResults())) {
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
	assert.Equal(t, 7, tables)
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
	assert.Equal(t, "0.30", decimals(0.299, 2))
	assert.Equal(t, "-1", decimals(-1.2, 0))
	assert.Equal(t, "1 round", count(1, "round"))
	assert.Equal(t, "7 rounds", count(7, "round"))
}

// An element is any element of an SVG image.
type element struct {
	XMLName  xml.Name
	Class    string    `xml:"class,attr"`
	X        float64   `xml:"x,attr"`
	Y        float64   `xml:"y,attr"`
	Width    float64   `xml:"width,attr"`
	Height   float64   `xml:"height,attr"`
	Anchor   string    `xml:"text-anchor,attr"`
	Place    string    `xml:"transform,attr"`
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
	root := requireXML(t, chart(sampleResults()))

	panels := root.find("g")
	require.Len(t, panels, 4)
	// Proportional to the figures, with the longest as wide as possible.
	const longest = barLongest
	tests := []struct {
		title  string
		texts  []string
		widths []float64
	}{
		{
			"Time of a call",
			[]string{"10.0 µs", "12.5 µs", "30.0 µs", "11.0 µs", "15.0 µs"},
			[]float64{longest / 3.0, longest / 2.4, longest, longest * 11 / 30.0, longest / 2.0},
		},
		{
			"Allocations of a call",
			[]string{"77", "100", "325", "80", "180"},
			[]float64{longest * 77 / 325.0, longest * 100 / 325.0, longest, longest * 80 / 325.0, longest * 180 / 325.0},
		},
		{
			"Calls a second",
			[]string{"800", "640", "1,000", "16,000", "12,000"},
			[]float64{longest / 20.0, longest / 25.0, longest / 16.0, longest, longest * 0.75},
		},
		{
			"Connections",
			[]string{"510", "500", "530", "257", "256"},
			[]float64{longest * 510 / 530.0, longest * 500 / 530.0, longest, longest * 257 / 530.0, longest * 256 / 530.0},
		},
	}
	for i, test := range tests {
		var texts, classes []string
		for _, text := range panels[i].find("text") {
			texts = append(texts, text.Text)
		}
		assert.Equal(t, test.title, texts[0])
		assert.Equal(t, []string{
			bareName, test.texts[0], byHandName, test.texts[1], sdkV2Name, test.texts[2], directName, test.texts[3],
			stackName, test.texts[4],
		}, texts[2:])
		var widths []float64
		for _, rect := range panels[i].find("rect") {
			widths, classes = append(widths, rect.Width), append(classes, rect.Class)
		}
		assert.InDeltaSlice(t, test.widths, widths, 0.06, test.title)
		assert.Equal(t, []string{"bar", "bar", "bar", "ours", "ours"}, classes)
	}
	style := root.find("style")[0].Text
	assert.Contains(t, style, "@media (prefers-color-scheme: dark)")
	assert.NotContains(t, style, "url(")
	described := root.find("desc")[0].Text
	assert.Contains(t, described, "Calls a second (256 goroutines over TLS; more is better): bare 800; by hand 640; "+sdkV2Name+" 1,000; cognitosync-go 16,000; cognitosync-go, stack 12,000.")
	assert.Contains(t, described, "opened in 1s")
	assert.Contains(t, described, "could not be fetched", "the chart says that the sibling stands in for the SDK")
}

func TestPanelEscapes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	panel{title: "a & b", hint: "<c>", bars: []bar{{name: "d & e", value: 1, text: "<1"}}}.draw(&b, 0, 0)

	var texts []string
	for _, text := range requireXML(t, b.String()).find("text") {
		texts = append(texts, text.Text)
	}
	assert.Equal(t, []string{"a & b", "<c>", "d & e", "<1"}, texts)
}

// The longest names and figures fit into the chart, even in a wide font.
func TestChartFits(t *testing.T) {
	t.Parallel()
	r := sampleResults()
	r.clients = clients
	r.plan = fullPlan
	for _, c := range clients {
		r.stub[c.name] = []cost{{nanoseconds: 123e3, allocs: 1_234}}
		r.tls[256][c.name] = []traffic{{perSecond: 123_456, connections: 123_456}}
	}
	root := requireXML(t, chart(r))

	requireFits(t, root, 0, root.Width)
	bottom := 0.0
	for _, g := range root.find("g") {
		var x, y float64
		_, err := fmt.Sscanf(g.Place, "translate(%g %g)", &x, &y)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, x, float64(chartEdge))
		assert.LessOrEqual(t, x+panelWidth, root.Width-chartEdge)
		requireFits(t, g, 0, panelWidth)
		for _, text := range g.Children {
			bottom = max(bottom, y+text.Y+text.Height)
		}
	}
	notes := 0
	for _, text := range root.Children {
		if text.XMLName.Local == "text" {
			notes++
			assert.Greater(t, text.Y-lineHeight, bottom-1, text.Text)
			assert.Less(t, text.Y+chartEdge/2, root.Height, text.Text)
			bottom = text.Y
		}
	}
	assert.Equal(t, len(chartNotes), notes)
}

// requireFits checks that the text children of e are within the bounds.
func requireFits(t *testing.T, e element, left, right float64) {
	t.Helper()
	for _, text := range e.Children {
		if text.XMLName.Local != "text" {
			continue
		}
		// An upper bound of the average width of a character in DejaVu Sans, the widest common font: regular at 12 pixels,
		// bold at 14.
		width := 7.5 * float64(utf8.RuneCountInString(text.Text))
		if text.Class == "panel" {
			width = 10 * float64(utf8.RuneCountInString(text.Text))
		}
		begin := text.X
		if text.Anchor == "end" {
			begin -= width
		}
		require.GreaterOrEqual(t, begin, left, text.Text)
		require.LessOrEqual(t, begin+width, right, text.Text)
	}
}

func TestChartOfNothing(t *testing.T) {
	t.Parallel()
	r := sampleResults()
	for name := range r.stub {
		r.stub[name] = []cost{{}}
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
	assert.Equal(t, []float64{3, 1, 2}, numbers, "the argument is not sorted in place")
}

func TestSamples(t *testing.T) {
	t.Parallel()
	// The machine was ten times slower in the second round and twice as slow in the third.
	s := samples[cost]{
		"a": {{100, 1, 7}, {1_000, 2, 7}, {220, 3, 7}},
		"b": {{200, 1, 14}, {2_500, 2, 14}, {400, 3, 14}},
	}
	assert.Equal(t, []float64{100, 1_000, 220}, s.values("a", callTime))
	assert.Equal(t, 220.0, s.median("a", callTime))
	assert.Equal(t, 2.0, s.median("b", callBytes))
	assert.Equal(t, []float64{0.5, 0.4, 0.55}, s.ratios("a", "b", callTime), "one ratio for each round")
	assert.Equal(t, []float64{0.5, 0.5, 0.5}, s.ratios("a", "b", callAllocs))
	assert.Equal(t, []float64{100, 1_000, 220}, s.values("a", callTime), "ratios does not modify the samples")
	assert.Equal(t, []float64{7, 7, 7}, s.differences("b", "a", callAllocs))
	assert.Empty(t, s.values("nobody", callTime))
}

func TestInterleaved(t *testing.T) {
	t.Parallel()
	three := []client{{name: "a"}, {name: "b"}, {name: "c"}}
	var order []string
	all, err := interleaved(4, three, func(c client) (int, error) {
		order = append(order, c.name)
		return len(order), nil
	})

	require.NoError(t, err)
	assert.Equal(t, "abcbcacababc", strings.Join(order, ""), "each round begins with another client")
	assert.Equal(t, samples[int]{"a": {1, 6, 8, 10}, "b": {2, 4, 9, 11}, "c": {3, 5, 7, 12}}, all)

	_, err = interleaved(1, three, func(c client) (int, error) {
		if c.name == "b" {
			return 0, errNo
		}
		return 1, nil
	})
	require.ErrorIs(t, err, errNo)
	require.ErrorContains(t, err, "b: ")
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
