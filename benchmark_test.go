//go:build !race

// The race detector allocates too.

package cognitosync_test

import (
	"context"
	"go/version"
	"log/slog"
	"net/http"
	"runtime"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/tracing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// stubClient returns a client whose calls immediately get the same usage.
func stubClient(optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	cfg := configOf(&http.Client{Transport: clienttest.Respond(http.StatusOK, http.Header{
		"Content-Type":     {"application/json"},
		"X-Amzn-Requestid": {"b1e5e2b2-9d3c-4f0e-8a9d-7d2f4f3b1c11"},
		"Date":             {"Mon, 13 Oct 2014 20:12:14 GMT"},
	}, stubBody)})
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
	})
	return cognitosync.NewFromConfig(cfg, optFns...)
}

// TestAllocations limits the allocations of a call. A direct call makes 87: 44 by the signer,
// 9 by encoding/json, 7 for the metadata that the SDK's functions read, 6 by the stub and 5
// for the attempt timeout. A stack also allocates its steps, their context values, the
// User-Agent's builder and three copies of the request. An option function adds copies of
// Options and of the settings.
//
// The numbers are for Go 1.26 on 64-bit machines. On others, crypto and encoding/json
// allocate differently.
func TestAllocations(t *testing.T) { // not parallel: allocations are counted for the whole process
	if version.Compare(runtime.Version(), "go1.26") < 0 || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("the figures are not those of %s on %s", runtime.Version(), runtime.GOARCH)
	}
	retryLess := func(o *cognitosync.Options) { o.RetryMaxAttempts = 2 }
	for name, test := range map[string]struct {
		option func(*cognitosync.Options)   // for the client
		optFns []func(*cognitosync.Options) // for the call
		most   float64
	}{
		"direct":          {func(*cognitosync.Options) {}, nil, 87},
		"option function": {func(*cognitosync.Options) {}, []func(*cognitosync.Options){retryLess}, 87 + 15},
		"stack":           {cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil }), nil, 214},
	} {
		t.Run(name, func(t *testing.T) {
			client := stubClient(test.option)
			input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)}

			allocations := testing.AllocsPerRun(100, func() {
				_, err := client.DescribeIdentityPoolUsage(context.Background(), input, test.optFns...)
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
				IdentityPoolId: aws.String(poolID),
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := client.DescribeIdentityPoolUsage(context.Background(), input)
				require.NoError(b, err)
			}
		})
	}
}

// TestTelemetrySwitchedOffCostsNothing compares the allocations of a client whose loggers,
// tracer and meter are turned off with those of a client without any, for calls that succeed
// and calls that fail. It is not parallel, because it counts the allocations of the process.
func TestTelemetrySwitchedOffCostsNothing(t *testing.T) {
	denied := clienttest.Respond(http.StatusForbidden, nil, `{"__type":"AccessDeniedException","message":"no"}`)
	for _, test := range []struct {
		name    string
		respond func(*cognitosync.Options)
	}{
		{"success", func(*cognitosync.Options) {}},
		{"failure", func(o *cognitosync.Options) { o.HTTPClient = denied }},
	} {
		for _, path := range paths {
			allocations := func(option func(*cognitosync.Options)) float64 {
				client := stubClient(test.respond, option, func(o *cognitosync.Options) { takePath(path, o) })
				return testing.AllocsPerRun(200, func() {
					_, err := describe(t.Context(), t, client, poolID)
					require.Equal(t, test.name == "success", err == nil, err)
				})
			}
			none := allocations(func(*cognitosync.Options) {})
			for name, off := range map[string]func(*cognitosync.Options){
				"StructuredLogger": func(o *cognitosync.Options) {
					o.StructuredLogger = slog.New(&clienttest.Records{Level: slog.LevelError})
				},
				"Logger":         func(o *cognitosync.Options) { o.Logger = &clienttest.Notes{} },
				"TracerProvider": func(o *cognitosync.Options) { o.TracerProvider = tracing.NopTracerProvider{} },
				"MeterProvider":  func(o *cognitosync.Options) { o.MeterProvider = &metrics.NopMeterProvider{} },
			} {
				t.Run(test.name+"/"+path+"/"+name, func(t *testing.T) {
					assert.LessOrEqual(t, allocations(off), none)
				})
			}
		}
	}
}
