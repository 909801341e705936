package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/cognitosync/cognitosync-go/inventory"
)

// plainInterval is the time between two lines of progress without a terminal.
const plainInterval = 5 * time.Second

// meter shows the progress: a bar on a terminal, otherwise a line every few seconds, or nothing.
type meter struct {
	w       io.Writer
	bar     progress.Writer // nil if there is no terminal
	tracker *progress.Tracker
	ended   chan struct{} // closed when the bar has ended, or to end the lines; nil without progress
	wait    sync.WaitGroup

	mu        sync.Mutex
	all       int
	read      int
	failed    int
	throttled int // calls
	outages   int // calls

	lastLine time.Time // the time of the last line
	lastDone int       // the pools that were done then
}

// newMeter starts to show the progress of reading all pools.
func (c *command) newMeter(all int) *meter {
	m := &meter{w: c.stderr, all: all, lastLine: time.Now()}
	width, color := terminalOf(c.stderr)
	switch {
	case c.quiet || all == 0:
	case width > 0 && os.Getenv("TERM") != "dumb":
		m.startBar(width, color)
	default:
		m.startLines()
	}
	return m
}

func (m *meter) startBar(width int, color bool) {
	m.bar = progress.NewWriter()
	m.bar.SetOutputWriter(m.w)
	m.bar.SetUpdateFrequency(100 * time.Millisecond)
	m.bar.SetTerminalWidth(width)
	m.bar.SetTrackerLength(min(24, max(8, width/5)))
	style := progress.StyleDefault
	if color {
		style.Colors.Tracker = text.Colors{text.FgGreen}
		style.Colors.Error = text.Colors{text.FgRed}
	} else {
		style.Colors = progress.StyleColors{}
	}
	style.Options.DoneString, style.Options.ErrorString = "done", "ended early"
	style.Options.ETAString = "left"
	style.Options.SpeedSuffix = "/s"
	style.Options.ETAPrecision = time.Second
	style.Options.TimeInProgressPrecision = time.Second
	style.Visibility = progress.StyleVisibility{
		ETA: width >= 80, Percentage: true, Speed: true, Time: width >= 80, Tracker: true, Value: true,
	}
	m.bar.SetStyle(style)
	m.tracker = &progress.Tracker{Message: m.message(), Total: int64(m.all), AutoStopDisabled: true}
	m.bar.AppendTracker(m.tracker)
	m.ended = make(chan struct{})
	m.wait.Go(func() {
		defer close(m.ended)
		m.bar.Render()
	})
}

func (m *meter) startLines() {
	m.ended = make(chan struct{})
	m.wait.Go(func() {
		ticker := time.NewTicker(plainInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintf(m.w, "inventory: %s\n", m.line())
			case <-m.ended:
				return
			}
		}
	})
}

// done counts a pool whose row is final.
func (m *meter) done(r *row) {
	m.mu.Lock()
	if r.Error != nil {
		m.failed++
	} else {
		m.read++
	}
	m.mu.Unlock()
	m.update()
}

// retry counts a call that will be repeated.
func (m *meter) retry(r inventory.Retry) {
	m.mu.Lock()
	if r.Throttled {
		m.throttled++
	} else {
		m.outages++
	}
	m.mu.Unlock()
	m.update()
}

func (m *meter) update() {
	if m.tracker == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tracker.UpdateMessage(m.message())
	m.tracker.SetValue(int64(m.read + m.failed))
}

// message returns the counts that the bar does not show.
func (m *meter) message() string {
	s := fmt.Sprintf("%s failed, %s throttled", group(int64(m.failed)), group(int64(m.throttled)))
	if m.outages > 0 {
		s += fmt.Sprintf(", %s retried", group(int64(m.outages)))
	}
	return s
}

// line returns the progress in one line. The rate is the rate since the previous line.
func (m *meter) line() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	done := m.read + m.failed
	now := time.Now()
	rate := float64(done-m.lastDone) / now.Sub(m.lastLine).Seconds()
	m.lastLine, m.lastDone = now, done
	left := ""
	if rate > 0 {
		left = fmt.Sprintf(", about %v left", time.Duration(float64(m.all-done)/rate*float64(time.Second)).Round(time.Second))
	}
	return fmt.Sprintf("%s of %s, %.1f/s, %s%s", group(int64(done)), plural(m.all, "pool"), rate, m.message(), left)
}

// log prints a line without disturbing the bar.
func (m *meter) log(line string) {
	line = "inventory: " + printable(line)
	if m.bar != nil {
		m.bar.Log("%s", line)
		return
	}
	fmt.Fprintln(m.w, line)
}

// stop ends the display. It leaves the bar as it is.
func (m *meter) stop() {
	switch {
	case m.bar != nil:
		if m.read+m.failed < m.all {
			m.tracker.MarkAsErrored() // shown as "ended early"
		} else {
			m.tracker.MarkAsDone()
		}
		m.stopBar()
	case m.ended != nil:
		close(m.ended)
	}
	m.wait.Wait()
}

// stopBar stops the bar. Stop has no effect until Render has started, so it is repeated.
func (m *meter) stopBar() {
	for {
		m.bar.Stop()
		select {
		case <-m.ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
