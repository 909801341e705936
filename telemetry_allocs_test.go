//go:build !race

// The race detector makes allocations of its own.

package cognitosync_test

import (
	"log/slog"
	"testing"

	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// TestTelemetrySwitchedOffCostsNothing compares a client that has loggers, a tracer
// and a meter which all are switched off with one that has none. It is not parallel:
// allocations are counted for the whole process.
func TestTelemetrySwitchedOffCostsNothing(t *testing.T) {
	for _, way := range ways {
		allocations := func(optFns ...func(*cognitosync.Options)) float64 {
			client := stubClient(append(optFns, func(o *cognitosync.Options) { goThrough(way, o) })...)
			return testing.AllocsPerRun(200, func() {
				_, err := describe(t, client)
				require.NoError(t, err)
			})
		}
		none := allocations()
		for name, off := range map[string]func(*cognitosync.Options){
			"StructuredLogger": func(o *cognitosync.Options) {
				o.StructuredLogger = slog.New(&recordHandler{level: slog.LevelError})
			},
			"Logger":         func(o *cognitosync.Options) { o.Logger = &notes{} },
			"TracerProvider": func(o *cognitosync.Options) { o.TracerProvider = &tracing.NopTracerProvider{} },
			"MeterProvider":  func(o *cognitosync.Options) { o.MeterProvider = metrics.NopMeterProvider{} },
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				assert.LessOrEqual(t, allocations(off), none)
			})
		}
	}
}
