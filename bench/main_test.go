package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	// The child processes of the tests run this test binary.
	if handled, err := runRole(os.Args, os.Stdin, os.Stdout); handled {
		exitOnError(err)
		return
	}
	exitOnError(clearAWSEnvironment())
	// With the race detector, a program waits a second before it exits, and there are many children.
	exitOnError(os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")))
	os.Exit(m.Run())
}

// briefPlan is a plan that measures everything as briefly as possible.
var briefPlan = plan{
	costRounds: 2,
	cost:       time.Nanosecond,
	rounds:     1,
	traffic:    time.Millisecond,
	goroutines: []int{1, 4},
	inFlight:   []int{2},
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	var out, progress bytes.Buffer

	_, err := run(t.Context(), briefPlan, dir, &out, &progress)

	require.NoError(t, err)

	written, err := os.ReadFile(filepath.Join(dir, markdownFile))
	require.NoError(t, err)
	assert.Equal(t, out.String(), string(written))
	assert.NotContains(t, out.String(), "NaN")
	assert.NotContains(t, out.String(), "Inf")
	for _, c := range clients {
		rows := strings.Count(out.String(), "| "+c.name+" |")
		want := 2 + 2*len(briefPlan.goroutines) + 1 // costs, traffic, in flight
		if c.stubOnly {
			want = 1
		}
		if c.program != "" {
			want++
		}
		assert.Equal(t, want, rows, c.name)
	}
	drawn, err := os.ReadFile(filepath.Join(dir, chartFile))
	require.NoError(t, err)
	requireXML(t, string(drawn))
	assert.Contains(t, progress.String(), "4 goroutines over TLS")
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer

	_, err := run(canceled, briefPlan, t.TempDir(), &out, io.Discard)

	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, out.String())
}

func TestPlans(t *testing.T) {
	t.Parallel()
	assert.True(t, quickPlan.quick)
	assert.False(t, fullPlan.quick)
	for _, p := range []plan{fullPlan, quickPlan} {
		assert.Equal(t, []int{1, 16, 64, 256}, p.goroutines)
		assert.Positive(t, p.costRounds)
		assert.Positive(t, p.rounds)
		assert.Positive(t, p.cost)
		assert.Positive(t, p.traffic)
		assert.NotEmpty(t, p.inFlight)
	}
}
