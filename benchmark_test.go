//go:build !race

// The race detector makes allocations of its own.

package cognitosync_test

import (
	"context"
	"go/version"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/tracing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// TestAllocations keeps a call as cheap as it is. Of the 93 allocations of a direct
// call, 8 are the stub's and 44 the signer's; 7 are the metadata that the SDK's
// functions read, 5 the attempt's timeout, 14 encoding/json's. A stack costs its steps,
// their context values, the User-Agent's builder and three copies of the request.
//
// The figures are those of Go 1.26 on 64-bit machines: other allocations are made in
// crypto and encoding/json elsewhere.
func TestAllocations(t *testing.T) { // not parallel: allocations are counted for the whole process
	if version.Compare(runtime.Version(), "go1.26") < 0 || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("the figures are not those of %s on %s", runtime.Version(), runtime.GOARCH)
	}
	for name, test := range map[string]struct {
		option func(*cognitosync.Options)
		most   float64
	}{
		"direct": {func(*cognitosync.Options) {}, 93},
		"stack":  {cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil }), 186},
	} {
		t.Run(name, func(t *testing.T) {
			client := stubClient(test.option)
			input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(examplePool)}

			allocations := testing.AllocsPerRun(100, func() {
				_, err := client.DescribeIdentityPoolUsage(context.Background(), input)
				require.NoError(t, err)
			})

			assert.LessOrEqual(t, allocations, test.most)
		})
	}
}

func BenchmarkDescribeIdentityPoolUsage(b *testing.B) {
	for _, bench := range []struct {
		name   string
		option func(*cognitosync.Options)
	}{
		{"direct", func(*cognitosync.Options) {}},
		{"stack", cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil })},
	} {
		b.Run(bench.name, func(b *testing.B) {
			client := stubClient(bench.option)
			input := &cognitosync.DescribeIdentityPoolUsageInput{
				IdentityPoolId: aws.String("us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"),
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := client.DescribeIdentityPoolUsage(context.Background(), input)
				require.NoError(b, err)
			}
		})
	}
}

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
