//go:build !race

// The race detector makes allocations of its own.

package cognitosync_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// TestTelemetrySwitchedOffCostsNothing compares a client that has loggers, a tracer
// and a meter which all are switched off with one that has none, in calls that
// succeed and in calls that fail. It is not parallel: allocations are counted for the
// whole process.
func TestTelemetrySwitchedOffCostsNothing(t *testing.T) {
	denied := doerFunc(func(*http.Request) (*http.Response, error) {
		const body = `{"__type":"AccessDeniedException","message":"no"}`
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	for _, test := range []struct {
		name   string
		answer func(*cognitosync.Options)
	}{
		{"success", func(*cognitosync.Options) {}},
		{"failure", func(o *cognitosync.Options) { o.HTTPClient = denied }},
	} {
		for _, way := range ways {
			allocations := func(option func(*cognitosync.Options)) float64 {
				client := stubClient(test.answer, option, func(o *cognitosync.Options) { goThrough(way, o) })
				return testing.AllocsPerRun(200, func() {
					_, err := describe(t, client)
					require.Equal(t, test.name == "success", err == nil, err)
				})
			}
			none := allocations(func(*cognitosync.Options) {})
			for name, off := range map[string]func(*cognitosync.Options){
				"StructuredLogger": func(o *cognitosync.Options) {
					o.StructuredLogger = slog.New(&recordHandler{level: slog.LevelError})
				},
				"Logger":         func(o *cognitosync.Options) { o.Logger = &notes{} },
				"TracerProvider": func(o *cognitosync.Options) { o.TracerProvider = tracing.NopTracerProvider{} },
				"MeterProvider":  func(o *cognitosync.Options) { o.MeterProvider = &metrics.NopMeterProvider{} },
			} {
				t.Run(test.name+"/"+way+"/"+name, func(t *testing.T) {
					assert.LessOrEqual(t, allocations(off), none)
				})
			}
		}
	}
}
