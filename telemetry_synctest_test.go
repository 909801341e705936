//go:build go1.25

package cognitosync_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// slowSigner takes its time.
type slowSigner struct{ *v4.Signer }

func (s slowSigner) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string,
	at time.Time, optFns ...func(*v4.SignerOptions),
) error {
	time.Sleep(100 * time.Millisecond)
	return s.Signer.SignHTTP(ctx, credentials, r, payloadHash, service, region, at, optFns...)
}

// TestDurations has every part of a call take a time of its own, and finds each in
// its place.
func TestDurations(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
				o.InMemory, o.Pools = true, []cognitosynctest.Pool{poolUsage}
			})
			server.Script(poolID, cognitosynctest.Throttle(1).After(time.Second), cognitosynctest.OK().After(2*time.Second))
			meters, records := &meterRecorder{}, &recordHandler{level: slog.LevelDebug}
			cfg := server.Config()
			client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
				goThrough(way, o)
				o.MeterProvider, o.StructuredLogger = meters, slog.New(records)
				o.HTTPSignerV4 = slowSigner{v4.NewSigner()}
				o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
					time.Sleep(200 * time.Millisecond)
					return cfg.Credentials.Retrieve(ctx)
				})
				o.EndpointResolverV2 = resolverFunc(func(p cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
					time.Sleep(300 * time.Millisecond)
					found, err := url.Parse(*p.Endpoint)
					return smithyendpoints.Endpoint{URI: *found}, err
				})
				o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 4 * time.Second, nil })
				})
			})
			start := time.Now()
			_, err := describe(t, client)
			require.NoError(t, err)
			whole := time.Since(start)

			points := map[string][]float64{}
			for name, all := range meters.take() {
				for _, p := range all {
					points[name] = append(points[name], p.value)
				}
			}
			assert.InDeltaSlice(t, []float64{whole.Seconds()}, points["client.call.duration"], 1e-9)
			assert.InDeltaSlice(t, []float64{0.2, 0.2}, points["client.call.auth.resolve_identity_duration"], 1e-9)
			assert.InDeltaSlice(t, []float64{0.1, 0.1}, points["client.call.auth.signing_duration"], 1e-9)
			assert.InDelta(t, 0.3, points["client.call.resolve_endpoint_duration"][0], 1e-9)
			assert.InDelta(t, 0, points["client.call.serialization_duration"][0], 1e-9)
			assert.InDeltaSlice(t, []float64{0, 0}, points["client.call.deserialization_duration"], 1e-9)

			// Where the endpoint is found is the difference between the two ways.
			endpoint := map[string]time.Duration{direct: 0, stack: 300 * time.Millisecond}[way]
			first, second := 1300*time.Millisecond+endpoint, 2300*time.Millisecond+endpoint
			assert.InDeltaSlice(t, []float64{first.Seconds(), second.Seconds()}, points["client.call.attempt_duration"], 1e-9)
			var durations, delays []any
			for _, record := range records.take() {
				durations, delays = append(durations, record["duration"]), append(delays, record["delay"])
			}
			assert.Equal(t, []any{first, second}, durations)
			assert.Equal(t, []any{4 * time.Second, time.Duration(0)}, delays)
		})
	})
}
