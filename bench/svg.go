package main

import (
	"fmt"
	"html"
	"strings"
)

// Dimensions of the chart, in pixels. Texts need room to spare, because some systems have fonts that are a fifth wider.
const (
	panelWidth = 424
	chartEdge  = 24 // margin, and gap between panels
	chartWidth = 2*panelWidth + 3*chartEdge
	barsTop    = 46 // from the upper edge of the panel; title and hint are above
	barHeight  = 16
	barPitch   = 24
	barLeft    = 180 // from the left edge of the panel; names are to the left
	barLongest = 172
	lineHeight = 16
)

// chartStart begins the chart. The colors follow the reader's light or dark color scheme. The chart has a background of its
// own, so that it is legible on any page. The contrast is at least 3 to 1 for bars and 4.5 to 1 for text.
const chartStart = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="title desc">
<title id="title">What a DescribeIdentityPoolUsage call costs</title>
<desc id="desc">%[3]s</desc>
<style>
text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
.panel { font-size: 14px; font-weight: 600; }
.hint { fill: #59636e; }
.back { fill: #ffffff; }
.bar { fill: #8c959f; }
.ours { fill: #1f6feb; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.hint { fill: #9198a1; }
.back { fill: #0d1117; }
.bar { fill: #6e7681; }
.ours { fill: #58a6ff; }
}
</style>
<rect class="back" width="%[1]d" height="%[2]d" rx="6"/>
`

// chartNotes are the lines below the panels.
var chartNotes = []string{
	sdkV2Name + ": " + siblingName + ", a similar operation.",
	"It stands in for service/cognitosync of aws-sdk-go-v2, which could not be fetched.",
}

// A panel is one of the chart's bar charts.
type panel struct {
	title string
	hint  string
	bars  []bar
}

// A bar is the figure of one client.
type bar struct {
	name  string
	value float64
	text  string // value, formatted
	ours  bool
}

// chart returns the most important results as an SVG image.
func chart(r results) string {
	most := r.plan.goroutines[len(r.plan.goroutines)-1]
	bars := func(value func(name string) float64, text func(float64) string) []bar {
		var all []bar
		for _, c := range fullyMeasured(r.clients) {
			v := value(c.name)
			all = append(all, bar{name: c.name, value: v, text: text(v), ours: c.ours})
		}
		return all
	}
	panels := []panel{
		{
			"Time of a call", "stubbed transport; less is better",
			bars(func(name string) float64 { return r.stub.median(name, callTime) }, duration),
		},
		{
			"Allocations of a call", "stubbed transport; less is better",
			bars(func(name string) float64 { return r.stub.median(name, callAllocs) }, thousands),
		},
		{
			"Calls a second", count(most, "goroutine") + " over TLS; more is better",
			bars(func(name string) float64 { return r.tls[most].median(name, callsPerSecond) }, thousands),
		},
		{
			"Connections", fmt.Sprintf("%s over TLS, opened in %s; less is better", count(most, "goroutine"), r.plan.traffic),
			bars(func(name string) float64 { return r.tls[most].median(name, openedConnections) }, thousands),
		},
	}

	var described []string
	for _, p := range panels {
		described = append(described, p.describe())
	}
	described = append(described, chartNotes...)
	panelHeight := barsTop + len(panels[0].bars)*barPitch
	notesTop := chartEdge + (len(panels)+1)/2*(panelHeight+chartEdge)
	height := notesTop + len(chartNotes)*lineHeight + chartEdge
	var b strings.Builder
	fmt.Fprintf(&b, chartStart, chartWidth, height, html.EscapeString(strings.Join(described, " ")))
	for i, p := range panels {
		p.draw(&b, chartEdge+(i%2)*(panelWidth+chartEdge), chartEdge+(i/2)*(panelHeight+chartEdge))
	}
	for i, note := range chartNotes {
		fmt.Fprintf(&b, "<text class=\"hint\" x=\"%d\" y=\"%d\">%s</text>\n",
			chartEdge, notesTop+(i+1)*lineHeight-4, html.EscapeString(note))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// describe returns the panel as text, for screen readers.
func (p panel) describe() string {
	figures := make([]string, len(p.bars))
	for i, bar := range p.bars {
		figures[i] = bar.name + " " + bar.text
	}
	return fmt.Sprintf("%s (%s): %s.", p.title, p.hint, strings.Join(figures, "; "))
}

// draw writes the panel with its upper left corner at (x, y).
func (p panel) draw(b *strings.Builder, x, y int) {
	longest := 0.0
	for _, bar := range p.bars {
		longest = max(longest, bar.value)
	}
	fmt.Fprintf(b, "<g transform=\"translate(%d %d)\">\n", x, y)
	fmt.Fprintf(b, "<text class=\"panel\" x=\"0\" y=\"14\">%s</text>\n", html.EscapeString(p.title))
	fmt.Fprintf(b, "<text class=\"hint\" x=\"0\" y=\"32\">%s</text>\n", html.EscapeString(p.hint))
	for i, bar := range p.bars {
		top := barsTop + i*barPitch
		base := top + barHeight - 4
		length := 0.0
		if longest > 0 {
			length = bar.value / longest * barLongest
		}
		class := "bar"
		if bar.ours {
			class = "ours"
		}
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", barLeft-8, base, html.EscapeString(bar.name))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", class, barLeft, top, length, barHeight)
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", barLeft+length+6, base, html.EscapeString(bar.text))
	}
	b.WriteString("</g>\n")
}
