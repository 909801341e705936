//go:build go1.25

package cognitosync_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

func init() { inBubble = synctest.Test }

// inFakeTime runs a test for each path that a call can take, in a synctest bubble. The trial
// is in memory, and waits between attempts.
func inFakeTime(t *testing.T, test func(t *testing.T, tr *trial), optFns ...func(*cognitosync.Options)) {
	t.Helper()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			tr := setupServer(t, path, cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true }),
				append([]func(*cognitosync.Options){func(o *cognitosync.Options) { o.AttemptTimeout = cognitosync.DefaultAttemptTimeout }}, optFns...)...)
			cognitosync.SetSleep(tr.client, smithytime.SleepWithContext)
			test(t, tr)
		})
	})
}

// between returns the time from each request to the next.
func between(requests cognitosynctest.Requests) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(requests); i++ {
		gaps = append(gaps, requests[i].Time.Sub(requests[i-1].Time))
	}
	return gaps
}

// assertWithin checks that got is between least and most.
func assertWithin(t *testing.T, least, most, got time.Duration) {
	t.Helper()
	assert.GreaterOrEqual(t, got, least)
	assert.LessOrEqual(t, got, most)
}

// TestDefaultAttemptTimeout checks that each attempt times out after 15 seconds.
func TestDefaultAttemptTimeout(t *testing.T) {
	t.Parallel()
	for _, slow := range slowSteps {
		t.Run(slow.name, func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				tr.script(cognitosynctest.Repeat(2, slow.step))

				tr.succeeds(t)

				gaps := between(tr.server.Requests())
				require.Len(t, gaps, 2)
				assertWithin(t, 15*time.Second, 15*time.Second+50*time.Millisecond, gaps[0])
				assertWithin(t, 15*time.Second, 15*time.Second+100*time.Millisecond, gaps[1])
			})
		})
	}
}

// TestAttemptTimeoutIsNotForTheCall checks that each attempt has its own timeout. The first
// two fail shortly before it, and the third succeeds shortly before it.
func TestAttemptTimeoutIsNotForTheCall(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(
			cognitosynctest.InternalError().After(14*time.Second),
			cognitosynctest.Stall(),
			cognitosynctest.OK().After(15*time.Second-time.Nanosecond),
		)
		tr.succeeds(t)
		assert.Equal(t, 3, tr.requests())
	})
}

// TestAttemptTimeoutOfAFailure stalls in the body of an error. The error contains what was
// received.
func TestAttemptTimeoutOfAFailure(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(cognitosynctest.Forever(cognitosynctest.InternalError().StallAfter(5)))
		started := time.Now()

		err := tr.fails(t, t.Context())

		assertWithin(t, 45*time.Second, 46*time.Second, time.Since(started))
		requireAs[*cognitosync.InternalErrorException](t, err)
		details := cognitosync.InspectError(err)
		assert.Equal(t, http.StatusInternalServerError, details.StatusCode)
		assert.Equal(t, tr.server.Requests().Last().RequestID, details.RequestID)
		assert.Equal(t, 3, tr.requests())
	})
}

func TestNoAttemptTimeout(t *testing.T) {
	t.Parallel()
	off := func(o *cognitosync.Options) { o.AttemptTimeout = -1 }
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(cognitosynctest.OK().After(10 * time.Hour))
		tr.succeeds(t, off)
		assert.Equal(t, 1, tr.requests())
	})
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(cognitosynctest.OK().After(10 * time.Hour))
		tr.succeeds(t)
		assert.Equal(t, 1, tr.requests())
	}, off)
}

// TestCallersDeadlineInFakeTime ends a call in its second attempt, and in the backoff before
// it.
func TestCallersDeadlineInFakeTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		first    cognitosynctest.Step
		limit    time.Duration
		requests int
	}{
		{"attempt", cognitosynctest.TooManyRequests(), 10 * time.Second, 2},
		{"attempt after a long backoff", cognitosynctest.TooManyRequests().WithHeader("Retry-After", "4"), 10 * time.Second, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				tr.script(test.first, cognitosynctest.Forever(cognitosynctest.Stall()))
				ctx, cancel := context.WithTimeoutCause(t.Context(), test.limit, errOwnCause)
				defer cancel()
				started := time.Now()

				err := tr.fails(t, ctx)

				assert.Equal(t, test.limit, time.Since(started))
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorIs(t, err, errOwnCause)
				require.Equal(t, test.requests, tr.requests())
				assertThrottled(t, err, tr.server.Requests()[0], 2)
			})
		})
	}
}

// TestCancelDuringRealBackoff cancels a call while the client sleeps.
func TestCancelDuringRealBackoff(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(cognitosynctest.Forever(cognitosynctest.TooManyRequests().WithHeader("Retry-After", "3")))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { cancel(errOwnCause) })
		started := time.Now()

		err := tr.fails(t, ctx)

		assert.Equal(t, 2*time.Second, time.Since(started))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, errOwnCause)
		require.Equal(t, 1, tr.requests())
		assertThrottled(t, err, tr.server.Requests().Last(), 1)
	})
}

// TestDeadlineBeforeDelayInFakeTime checks that a call fails immediately if the delay would
// exceed the deadline, and waits if it just fits.
func TestDeadlineBeforeDelayInFakeTime(t *testing.T) {
	t.Parallel()
	throttle := cognitosynctest.TooManyRequests().WithHeader("X-Amz-Retry-After", "3000")
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(throttle)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second-time.Nanosecond)
		defer cancel()
		started := time.Now()

		err := tr.fails(t, ctx)

		assert.Zero(t, time.Since(started))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assertThrottled(t, err, tr.server.Requests().Last(), 1)
	})
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(throttle)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second+time.Nanosecond)
		defer cancel()

		output, err := tr.call(ctx)

		require.NoError(t, err)
		assert.NotNil(t, output)
		assert.Equal(t, []time.Duration{3 * time.Second}, between(tr.server.Requests()))
	})
}

// TestBodyIsClosedAfterTimeout times out in the middle of a response.
func TestBodyIsClosedAfterTimeout(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		client := &clienttest.Tap{Transport: tr.server.RoundTripper()}
		tr.script(cognitosynctest.Forever(cognitosynctest.OK().StallAfter(10)))
		err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.HTTPClient = client })
		requireAttemptTimeout(t, err, 15*time.Second)
		assertClosed(t, client, 3)
	})
}

// A hangingProvider returns credentials a number of times. Then it blocks, either forever or
// until its context is done.
type hangingProvider struct {
	calls, hangsFrom int
	credentials      aws.Credentials
}

func (p *hangingProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if p.calls++; p.calls >= p.hangsFrom {
		<-ctx.Done()
		return aws.Credentials{}, ctx.Err()
	}
	return p.credentials, nil
}

// TestCredentialsProviderHangs checks that an attempt ends in time if the provider blocks.
func TestCredentialsProviderHangs(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(map[bool]string{false: "provider", true: "cache"}[cached], func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				limited, cancel := context.WithTimeout(t.Context(), time.Hour) // for the test, not the call
				defer cancel()
				var provider aws.CredentialsProvider = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
					select {
					case <-ctx.Done():
						return aws.Credentials{}, ctx.Err()
					case <-limited.Done():
						return aws.Credentials{}, errors.New("nobody waits that long")
					}
				})
				if cached {
					provider = aws.NewCredentialsCache(provider)
				}
				started := time.Now()

				err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.Credentials = provider })

				assert.Equal(t, 5*time.Minute, time.Since(started), "once, for a caller without a deadline")
				requireAs[*v4.SigningError](t, err)
				assert.ErrorContains(t, err, "no credentials within 5m0s")
				assert.NotErrorIs(t, err, context.Canceled, "the caller did not cancel")
				assert.False(t, isA[*cognitosync.AttemptTimeoutError](err), "no attempt timed out")
				assert.False(t, cognitosync.InspectError(err).Retryable)
				assert.Zero(t, tr.requests())
			})
		})
	}
}

// TestCredentialsRenewalHangs blocks in the provider when expired credentials are renewed.
func TestCredentialsRenewalHangs(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(cognitosynctest.Forever(cognitosynctest.ExpiredToken()))
		credentials, err := cognitosynctest.DefaultCredentials().Provider().Retrieve(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		started := time.Now()

		err = tr.fails(t, ctx, func(o *cognitosync.Options) {
			o.Credentials = &hangingProvider{hangsFrom: 2, credentials: credentials}
		})

		assert.Equal(t, 5*time.Minute, time.Since(started), "the provider has its own limit")
		assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
		assert.ErrorContains(t, err, "no credentials within 5m0s")
	})
}

// TestBackoffInFakeTime measures the delays of the default client.
func TestBackoffInFakeTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
		base time.Duration
	}{
		{"server error", cognitosynctest.InternalError(), 50 * time.Millisecond},
		{"hangup", cognitosynctest.Hangup(), 50 * time.Millisecond},
		{"throttled", cognitosynctest.TooManyRequests(), time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				tr.script(cognitosynctest.Repeat(9, test.step))
				tr.succeeds(t)
				gaps := between(tr.server.Requests())
				require.Len(t, gaps, 9)
				var sum time.Duration
				for i, gap := range gaps {
					assertWithin(t, 0, min(test.base<<i, 20*time.Second), gap)
					sum += gap
				}
				assert.NotZero(t, sum)
			}, func(o *cognitosync.Options) { o.RetryMaxAttempts = 10 })
		})
	}
}

// TestServerDelayInFakeTime checks that the client waits as long as the service requests.
func TestServerDelayInFakeTime(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		date := time.Now().Add(2*time.Second + 4*time.Second).UTC() // fake time starts at a whole second
		tr.script(
			cognitosynctest.TooManyRequests().WithHeader("X-Amz-Retry-After", "2000"),
			cognitosynctest.TooManyRequests().WithHeader("Retry-After", date.Format(http.TimeFormat)),
			cognitosynctest.InternalError().WithHeader("Retry-After", "3"),
		)
		tr.succeeds(t)
		assert.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second, 3 * time.Second}, between(tr.server.Requests()))
	}, func(o *cognitosync.Options) { o.RetryMaxAttempts = 4 })
}

// TestServerDelayByTheServersClock checks a Retry-After date when the client's clock is ten
// minutes off. The delay is the difference to the service's clock.
func TestServerDelayByTheServersClock(t *testing.T) {
	t.Parallel()
	const ahead = 10 * time.Minute
	inFakeTime(t, func(t *testing.T, tr *trial) {
		date := time.Now().Add(ahead + 3*time.Second).UTC()
		tr.script(
			cognitosynctest.SkewedClock(ahead), // the client corrects its clock
			cognitosynctest.TooManyRequests().WithClock(ahead).WithHeader("Retry-After", date.Format(http.TimeFormat)),
			cognitosynctest.OK().WithClock(ahead),
		)
		tr.succeeds(t)
		tr.succeeds(t)
		requests := tr.server.Requests()
		require.Len(t, requests, 4)
		assert.Equal(t, 3*time.Second, between(requests)[2])
	})
}

// TestRetryQuotaOfTimeouts checks that a retry after a timeout costs as much as any other.
func TestRetryQuotaOfTimeouts(t *testing.T) { // not parallel: the SDK's costs depend on the environment
	t.Setenv("AWS_NEW_RETRIES_2026", "")
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true })
				testRetryQuota(t, setupServer(t, path, server), cognitosynctest.Stall(), retryCost)
			})
		})
	}
}

// settingTestsInTime test the settings whose effect is a time.
var settingTestsInTime = []settingTest{
	{
		setting: "AttemptTimeout",
		given:   func(s *scene, o *cognitosync.Options) { o.HTTPClient = s.clockedHTTPClient() },
		settle:  synctest.Wait,
		set:     func(_ *scene, o *cognitosync.Options) { o.AttemptTimeout = time.Minute },
		seen:    (*scene).firstNote,
		without: "15s",
		with:    "1m0s",
	},
	{
		setting: "AttemptTimeout", // disabled
		given:   func(s *scene, o *cognitosync.Options) { o.HTTPClient = s.clockedHTTPClient() },
		settle:  synctest.Wait,
		set:     func(_ *scene, o *cognitosync.Options) { o.AttemptTimeout = -1 },
		seen:    (*scene).firstNote,
		without: "15s",
		with:    "no limit",
	},
	{
		setting:  "DefaultsMode",
		given:    (*scene).clockDialing,
		set:      func(_ *scene, o *cognitosync.Options) { o.DefaultsMode = aws.DefaultsModeInRegion },
		inConfig: func(_ *scene, c *aws.Config) { c.DefaultsMode = aws.DefaultsModeInRegion },
		seen:     (*scene).firstNote,
		without:  "no limit",
		with:     "1.1s",
	},
	{
		setting: "RuntimeEnvironment",
		given: func(s *scene, o *cognitosync.Options) {
			s.clockDialing(o)
			o.DefaultsMode = aws.DefaultsModeAuto
		},
		set:      func(_ *scene, o *cognitosync.Options) { o.RuntimeEnvironment = inRegion },
		inConfig: func(_ *scene, c *aws.Config) { c.RuntimeEnvironment = inRegion },
		seen:     (*scene).firstNote,
		without:  "3.1s",
		with:     "1.1s",
	},
}

// inRegion is a runtime environment in the region of the tests.
var inRegion = aws.RuntimeEnvironment{EnvironmentIdentifier: "AWS_Lambda_go1.x", Region: "us-east-1"}

// limit returns how much time ctx leaves.
func limit(ctx context.Context) string {
	deadline, limited := ctx.Deadline()
	if !limited {
		return "no limit"
	}
	return time.Until(deadline).String()
}

// clockedHTTPClient records how much time each attempt has.
func (s *scene) clockedHTTPClient() cognitosync.HTTPClient {
	return clienttest.Doer(func(req *http.Request) (*http.Response, error) {
		started := time.Now()
		select {
		case <-req.Context().Done():
			s.notes.Add("%s", time.Since(started))
			return nil, req.Context().Err()
		case <-time.After(time.Hour):
			s.notes.Add("no limit")
			return s.server.RoundTripper().RoundTrip(req)
		}
	})
}

// clockDialing makes the client dial unsuccessfully, and records how much time it has.
func (s *scene) clockDialing(o *cognitosync.Options) {
	o.AttemptTimeout = -1
	o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy = nil
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			s.notes.Add("%s", limit(ctx))
			return nil, errBroken
		}
	})
}

func TestSettingsInTime(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range settingTestsInTime {
		test := &settingTestsInTime[i]
		names = append(names, test.setting)
		t.Run(test.setting, func(t *testing.T) {
			t.Parallel()
			test.run(t, synctest.Test)
		})
	}
	assert.Subset(t, names, settingsInTime, "settings that TestEverySettingIsTested relies on")
}

// TestConnectTimeouts checks the timeouts of each DefaultsMode when a connection is silent.
// The legacy mode has none, apart from the transport's.
func TestConnectTimeouts(t *testing.T) {
	t.Parallel()
	ownTransport := func(tr *http.Transport) { tr.TLSHandshakeTimeout = 7 * time.Second }
	for _, test := range []struct {
		name      string
		mode      aws.DefaultsMode
		transport func(*http.Transport)
		dial      string
		handshake time.Duration
	}{
		{name: "legacy", mode: aws.DefaultsModeLegacy, dial: "no limit", handshake: awshttp.DefaultHTTPTransportTLSHandleshakeTimeout},
		{name: "none", dial: "no limit", handshake: awshttp.DefaultHTTPTransportTLSHandleshakeTimeout},
		{name: "standard", mode: aws.DefaultsModeStandard, dial: "3.1s", handshake: 3100 * time.Millisecond},
		{name: "in-region", mode: aws.DefaultsModeInRegion, dial: "1.1s", handshake: 1100 * time.Millisecond},
		{name: "cross-region", mode: aws.DefaultsModeCrossRegion, dial: "3.1s", handshake: 3100 * time.Millisecond},
		{name: "mobile", mode: aws.DefaultsModeMobile, dial: "30s", handshake: 30 * time.Second},
		{name: "the caller's timeout is kept", mode: aws.DefaultsModeInRegion, transport: ownTransport, dial: "1.1s", handshake: 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, &settingTest{})
				options := s.options(direct)
				options.AttemptTimeout, options.RetryMaxAttempts, options.DefaultsMode = -1, 1, test.mode
				options.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
					tr.Proxy = nil
					tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
						s.notes.Add("%s", limit(ctx))
						near, far := net.Pipe()
						t.Cleanup(func() { _ = far.Close() })
						go func() { _, _ = far.Read(make([]byte, 4096)) }() // reads the greeting and stays silent
						return near, nil
					}
					if test.transport != nil {
						test.transport(tr)
					}
				})
				start := time.Now()
				_, err := describe(t.Context(), t, cognitosync.New(options), anyPool)
				require.ErrorContains(t, err, "TLS handshake timeout")
				assert.Equal(t, test.handshake, time.Since(start))
				assert.Equal(t, []string{test.dial}, s.notes.Take())
			})
		})
	}
}

// slowSigner waits before it signs.
type slowSigner struct{ *v4.Signer }

func (s slowSigner) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string,
	at time.Time, optFns ...func(*v4.SignerOptions),
) error {
	time.Sleep(100 * time.Millisecond)
	return s.Signer.SignHTTP(ctx, credentials, r, payloadHash, service, region, at, optFns...)
}

// TestDurations gives each part of a call a different duration, and checks where it is
// recorded.
func TestDurations(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
				o.InMemory, o.Pools = true, []cognitosynctest.Pool{poolUsage}
			})
			server.Script(poolID, cognitosynctest.Throttle(1).After(time.Second), cognitosynctest.OK().After(2*time.Second))
			meters, records := &clienttest.Meters{}, &clienttest.Records{Level: slog.LevelDebug}
			cfg := server.Config()
			client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
				takePath(path, o)
				o.MeterProvider, o.StructuredLogger = meters, slog.New(records)
				o.HTTPSignerV4 = slowSigner{v4.NewSigner()}
				o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
					time.Sleep(200 * time.Millisecond)
					return cfg.Credentials.Retrieve(ctx)
				})
				o.EndpointResolverV2 = resolverFunc(func(p cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
					time.Sleep(300 * time.Millisecond)
					return cognitosync.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), p)
				})
				o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 4 * time.Second, nil })
				})
			})
			start := time.Now()
			_, err := describe(t.Context(), t, client, poolID)
			require.NoError(t, err)
			whole := time.Since(start)

			points := map[string][]float64{}
			for name, all := range meters.Take() {
				for _, p := range all {
					points[name] = append(points[name], p.Value)
				}
			}
			assert.InDeltaSlice(t, []float64{whole.Seconds()}, points["client.call.duration"], 1e-9)
			assert.InDeltaSlice(t, []float64{0.2, 0.2}, points["client.call.auth.resolve_identity_duration"], 1e-9)
			assert.InDeltaSlice(t, []float64{0.1, 0.1}, points["client.call.auth.signing_duration"], 1e-9)
			assert.InDeltaSlice(t, []float64{0.3}, points["client.call.resolve_endpoint_duration"], 1e-9)
			assert.InDelta(t, 0, points["client.call.serialization_duration"][0], 1e-9)
			assert.InDeltaSlice(t, []float64{0, 0}, points["client.call.deserialization_duration"], 1e-9)

			first, second := 1300*time.Millisecond, 2300*time.Millisecond
			assert.InDeltaSlice(t, []float64{first.Seconds(), second.Seconds()}, points["client.call.attempt_duration"], 1e-9)
			var durations, delays []any
			for _, record := range records.Take() {
				durations, delays = append(durations, record["duration"]), append(delays, record["delay"])
			}
			assert.Equal(t, []any{first, second}, durations)
			assert.Equal(t, []any{4 * time.Second, time.Duration(0)}, delays)
		})
	})
}

// TestExpiredTokenOfManyCalls expires the credentials of a hundred concurrent calls.
func TestExpiredTokenOfManyCalls(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			const calls = 100
			var arrived sync.WaitGroup
			arrived.Add(calls)
			source := &rotation{sets: []any{expiredCredentials, freshCredentials}}
			tr := newRotationTrial(t, path, hesitantCache{aws.NewCredentialsCache(source)}, func(o *cognitosynctest.Options) {
				o.InMemory = true
				o.OnRequest = func(r cognitosynctest.Request) {
					if r.Attempt == 1 { // wait until all calls have sent their requests
						arrived.Done()
						arrived.Wait()
					}
				}
			})
			errs := make([]error, calls)
			var done sync.WaitGroup
			for i := range calls {
				done.Go(func() { _, errs[i] = tr.call(t.Context()) })
			}
			done.Wait()

			for _, err := range errs {
				assert.NoError(t, err)
			}
			assert.Equal(t, 2*calls, tr.requests())
			assert.EqualValues(t, 2, source.calls.Load(), "the first credentials, and one refresh")
		})
	})
}

// A hesitantCache lets other goroutines run first, to reveal races.
type hesitantCache struct{ *aws.CredentialsCache }

func (c hesitantCache) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := c.CredentialsCache.Retrieve(ctx)
	time.Sleep(time.Millisecond) // in fake time
	return credentials, err
}

// TestDelayBeyondDeadline requests a delay that exceeds the caller's deadline.
func TestDelayBeyondDeadline(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		cognitosync.SetSleep(tr.client, tr.naps.sleep)
		tr.script(cognitosynctest.Forever(cognitosynctest.TooManyRequests().WithHeader("Retry-After", "3600")))
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than the 5 s that the server may add
		defer cancel()

		err := tr.fails(t, ctx)

		require.NoError(t, ctx.Err(), "the call returns before the deadline")
		assert.Empty(t, tr.naps.all())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		requireAs[*aws.RequestCanceledError](t, err)
		assert.Equal(t, 1, tr.requests())
		assertThrottled(t, err, tr.server.Requests().Last(), 1)
	})
}

// TestCancelWhileRateLimited cancels the call while adaptive mode delays its second
// attempt. The delay is two seconds after the first 429.
func TestCancelWhileRateLimited(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		tr.script(cognitosynctest.Throttle(2))
		ctx, cancel := context.WithCancelCause(t.Context())
		cognitosync.SetSleep(tr.client, func(context.Context, time.Duration) error {
			time.AfterFunc(shortTimeout, func() { cancel(errOwnCause) })
			return nil
		})

		err := tr.fails(t, ctx)

		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, errOwnCause)
		requireAs[*smithy.CanceledError](t, err)
		assert.Equal(t, 1, tr.requests())
		assertThrottled(t, err, tr.server.Requests().Last(), 1)
	}, func(o *cognitosync.Options) { o.RetryMode = aws.RetryModeAdaptive })
}

// TestRenewalIsCanceled cancels the call that renews credentials, and calls that wait for it.
// Their errors report the expired token.
func TestRenewalIsCanceled(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			var calls atomic.Int32
			provider := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				if calls.Add(1) > 2 { // two calls have their first credentials
					time.AfterFunc(shortTimeout, func() { cancel(errOwnCause) })
					<-ctx.Done()
					return aws.Credentials{}, ctx.Err()
				}
				return expiredCredentials.Provider().Retrieve(ctx)
			})
			var arrived sync.WaitGroup
			arrived.Add(2)
			tr := newRotationTrial(t, path, provider, func(o *cognitosynctest.Options) {
				o.InMemory = true
				o.OnRequest = func(cognitosynctest.Request) {
					arrived.Done()
					arrived.Wait()
				}
			})
			errs := make(chan error, 2)
			for range 2 {
				go func() {
					_, err := tr.call(ctx)
					errs <- err
				}()
			}
			for range 2 {
				err := <-errs
				require.Error(t, err)
				assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
			}
			assert.Equal(t, 2, tr.requests())
		})
	})
}

// A person is a provider that takes a minute, like a person who enters a code.
type person struct{ asked atomic.Int32 }

func (p *person) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p.asked.Add(1)
	select {
	case <-ctx.Done():
		return aws.Credentials{}, ctx.Err()
	case <-time.After(time.Minute):
		return cognitosynctest.DefaultCredentials().Provider().Retrieve(ctx)
	}
}

// TestCredentialsOfAPerson checks that the client waits for the provider, calls it once per
// attempt, and does not count the wait towards the attempt timeout.
func TestCredentialsOfAPerson(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		cached   bool
		deadline time.Duration // of the caller's context; 0: none
		step     cognitosynctest.Step
		asked    int32
		requests int
		elapsed  time.Duration
	}{
		{"provider", false, 0, cognitosynctest.OK(), 1, 1, time.Minute},
		{"provider, deadline", false, time.Hour, cognitosynctest.OK(), 1, 1, time.Minute},
		{"cache", true, 0, cognitosynctest.OK(), 1, 1, time.Minute},
		{"then a slow response", false, 0, cognitosynctest.OK().After(14 * time.Second), 1, 1, 74 * time.Second},
		{"two attempts", false, 0, cognitosynctest.TooManyRequests().WithHeader("Retry-After", "1"), 2, 2, 121 * time.Second},
		{"two attempts, cache", true, 0, cognitosynctest.TooManyRequests().WithHeader("Retry-After", "1"), 1, 2, 61 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				someone := &person{}
				var provider aws.CredentialsProvider = someone
				if test.cached {
					provider = aws.NewCredentialsCache(provider)
				}
				ctx := t.Context()
				if test.deadline > 0 {
					limited, cancel := context.WithTimeout(ctx, test.deadline)
					defer cancel()
					ctx = limited
				}
				tr.script(test.step)
				started := time.Now()

				output, err := tr.call(ctx, func(o *cognitosync.Options) { o.Credentials = provider })

				require.NoError(t, err)
				require.NotNil(t, output)
				assertWithin(t, test.elapsed, test.elapsed+time.Second, time.Since(started))
				assert.Equal(t, test.asked, someone.asked.Load())
				assert.Equal(t, test.requests, tr.requests())
				assert.Equal(t, test.requests, tr.server.Requests().Last().Attempt)
			})
		})
	}
}

// TestManyCallsWaitForAPerson makes 60 calls that wait for one code. They do not use the
// retry quota, so it is complete afterwards.
func TestManyCallsWaitForAPerson(t *testing.T) {
	t.Parallel()
	someone := &person{}
	inFakeTime(t, func(t *testing.T, tr *trial) {
		const calls = 60
		wait := func(ctx context.Context) []error {
			errs := make([]error, calls)
			var done sync.WaitGroup
			for i := range calls {
				done.Go(func() { _, errs[i] = tr.call(ctx) })
			}
			done.Wait()
			return errs
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		for _, err := range wait(ctx) { // the deadline is too short for a person
			require.ErrorIs(t, err, context.DeadlineExceeded)
			requireAs[*v4.SigningError](t, err)
		}
		for _, err := range wait(t.Context()) {
			require.NoError(t, err)
		}
		assert.Equal(t, calls, tr.requests())

		cognitosync.SetSleep(tr.client, doNotSleep)
		tr.script(cognitosynctest.Forever(cognitosynctest.InternalError()))
		for range 500 / (2 * retryCost) {
			require.Equal(t, 3, cognitosync.InspectError(tr.fails(t, t.Context())).Attempts)
		}
	}, func(o *cognitosync.Options) { o.Credentials = aws.NewCredentialsCache(someone) })
}

// A deafProvider ignores its context after a number of calls.
type deafProvider struct {
	deafFrom int32
	calls    atomic.Int32
	end      chan struct{} // closed when the test ends
}

func (p *deafProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if p.calls.Add(1) >= p.deafFrom {
		<-p.end
		return aws.Credentials{}, errors.New("too late")
	}
	return expiredCredentials.Provider().Retrieve(ctx)
}

// TestProviderIgnoresContext checks that calls end in time if their provider ignores the
// context.
func TestProviderIgnoresContext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		deafFrom int32
		cached   bool
		deadline time.Duration // 0: none
		elapsed  time.Duration
	}{
		{"no deadline", 1, false, 0, 5 * time.Minute},
		{"deadline", 1, false, time.Second, time.Second},
		{"late deadline", 1, false, time.Hour, time.Hour},
		{"cache", 1, true, 0, 5 * time.Minute},
		{"cache, deadline", 1, true, time.Second, time.Second},
		{"renewal", 2, false, 0, 5 * time.Minute},
		{"renewal, deadline", 2, false, time.Second, time.Second},
		{"renewal of a cache", 2, true, 0, 5 * time.Minute},
		{"renewal of a cache, deadline", 2, true, time.Second, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				synctest.Test(t, func(t *testing.T) {
					deaf := &deafProvider{deafFrom: test.deafFrom, end: make(chan struct{})}
					defer close(deaf.end)
					var provider aws.CredentialsProvider = deaf
					if test.cached {
						provider = aws.NewCredentialsCache(deaf)
					}
					tr := newRotationTrial(t, path, provider, func(o *cognitosynctest.Options) { o.InMemory = true })
					ctx := t.Context()
					if test.deadline > 0 {
						limited, cancel := context.WithTimeoutCause(ctx, test.deadline, errOwnCause)
						defer cancel()
						ctx = limited
					}
					started := time.Now()

					err := tr.fails(t, ctx)

					assert.Equal(t, test.elapsed, time.Since(started))
					switch {
					case test.deafFrom > 1:
						assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
						assert.Equal(t, 1, tr.requests())
					case test.deadline > 0:
						requireAs[*v4.SigningError](t, err)
						assert.ErrorIs(t, err, context.DeadlineExceeded)
						assert.Zero(t, tr.requests())
					default:
						requireAs[*v4.SigningError](t, err)
						assert.Zero(t, tr.requests())
					}
					if test.deadline == 0 {
						assert.ErrorContains(t, err, "no credentials within 5m0s")
						assert.NotErrorIs(t, err, context.Canceled)
					}
					assert.False(t, isA[*cognitosync.AttemptTimeoutError](err))
					assert.False(t, cognitosync.InspectError(err).Retryable)
				})
			})
		})
	}
}

// An invalidated is a cache that counts how often it was invalidated.
type invalidated struct {
	*aws.CredentialsCache
	times atomic.Int32
}

func (c *invalidated) Invalidate() {
	c.times.Add(1)
	c.CredentialsCache.Invalidate()
}

// TestAlwaysExpired uses a service that rejects all credentials. Credentials that were just
// renewed are not renewed again.
func TestAlwaysExpired(t *testing.T) {
	t.Parallel()
	numbered := func(prefix string) aws.CredentialsProvider {
		var made atomic.Int32
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: fmt.Sprint(prefix, made.Add(1)), SecretAccessKey: "secret"}, nil
		})
	}
	for _, test := range []struct {
		name   string
		source func(prefix string) aws.CredentialsProvider
	}{
		{"others each time", numbered},
		{"always the same", func(string) aws.CredentialsProvider { return cognitosynctest.DefaultCredentials().Provider() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				synctest.Test(t, func(t *testing.T) {
					refusing := clienttest.Respond(http.StatusForbidden, nil, `{"__type":"ExpiredTokenException"}`)
					ours := &invalidated{CredentialsCache: aws.NewCredentialsCache(test.source("A"))}
					theirs := &invalidated{CredentialsCache: aws.NewCredentialsCache(test.source("B"))} // for single calls
					client := newClient(configOf(refusing), path, func(o *cognitosync.Options) { o.Credentials = ours })
					call := func(cache *invalidated) {
						_, err := describe(t.Context(), t, client, poolID, func(o *cognitosync.Options) { o.Credentials = cache })
						require.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
					}
					for minute := range int32(3) {
						var done sync.WaitGroup
						for range 100 {
							done.Go(func() { call(ours) })
						}
						done.Wait()
						for range 50 {
							call(theirs)
							call(ours)
						}
						assert.Equal(t, minute+1, ours.times.Load())
						if test.name == "others each time" { // else both have the same
							assert.Equal(t, minute+1, theirs.times.Load())
						}
						time.Sleep(time.Minute)
					}
				})
			})
		})
	}
}

// TestRenewalInProgress makes a call with credentials that another call's renewal has just put
// into the cache, and rejects them before that renewal has finished.
func TestRenewalInProgress(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			cache := &slowCache{number: 1}
			client := newClient(configOf(clienttest.Respond(http.StatusForbidden, nil, `{"__type":"ExpiredTokenException"}`)), path,
				func(o *cognitosync.Options) { o.Credentials = cache })
			var done sync.WaitGroup
			for i := range 20 {
				done.Go(func() {
					time.Sleep(time.Duration(i) * 100 * time.Millisecond)
					_, err := describe(t.Context(), t, client, poolID)
					assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
				})
			}
			done.Wait()
			assert.Equal(t, 2, cache.number, "the first credentials, and one renewal")
		})
	})
}

// A slowCache returns other credentials each time after it was invalidated. Only the first
// caller has to wait, for a second.
type slowCache struct {
	mu     sync.Mutex
	number int
	empty  bool
}

func (c *slowCache) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.empty = true
}

func (c *slowCache) Retrieve(context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	renews := c.empty
	if renews {
		c.number++
		c.empty = false
	}
	credentials := aws.Credentials{AccessKeyID: fmt.Sprint("AKID", c.number), SecretAccessKey: "secret"}
	c.mu.Unlock()
	if renews {
		time.Sleep(time.Second)
	}
	return credentials, nil
}

// TestManyCallsRenewUncached expires the credentials of 300 calls, with a provider that takes
// ten seconds and caches nothing. They share one renewal.
func TestManyCallsRenewUncached(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			const calls = 300
			var asked atomic.Int32
			var arrived sync.WaitGroup
			arrived.Add(calls)
			tr := newRotationTrial(t, path, aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				if asked.Add(1) <= calls {
					return expiredCredentials.Provider().Retrieve(ctx)
				}
				time.Sleep(10 * time.Second)
				return freshCredentials.Provider().Retrieve(ctx)
			}), func(o *cognitosynctest.Options) {
				o.InMemory = true
				o.OnRequest = func(r cognitosynctest.Request) {
					if r.Attempt == 1 {
						arrived.Done()
						arrived.Wait()
					}
				}
			})
			started := time.Now()
			errs := make([]error, calls)
			var done sync.WaitGroup
			for i := range calls {
				done.Go(func() {
					_, errs[i] = tr.call(t.Context(), func(o *cognitosync.Options) { o.AttemptTimeout = cognitosync.DefaultAttemptTimeout })
				})
			}
			done.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
			assert.Equal(t, 10*time.Second, time.Since(started))
			assert.EqualValues(t, calls+1, asked.Load())
		})
	})
}

// A foreverBody is a body that ignores the request's context. Its reads block or return
// nothing.
type foreverBody struct {
	block chan struct{} // nil: reads return nothing
	text  string
}

func (b *foreverBody) Read(p []byte) (int, error) {
	if b.text != "" {
		n := copy(p, b.text)
		b.text = b.text[n:]
		return n, nil
	}
	if b.block != nil {
		<-b.block
	} else {
		time.Sleep(time.Second) // in fake time, which would not advance otherwise
	}
	return 0, nil
}

func (b *foreverBody) Close() error { return nil }

// TestHTTPClientIgnoresContext checks that calls end in time if the HTTP client ignores the
// context.
func TestHTTPClientIgnoresContext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(end chan struct{}, req *http.Request) *http.Response
	}{
		{"no response", func(end chan struct{}, _ *http.Request) *http.Response {
			<-end
			return nil
		}},
		{"blocked body", func(end chan struct{}, req *http.Request) *http.Response {
			resp := clienttest.Response(req, http.StatusOK, nil, "")
			resp.Body = &foreverBody{block: end}
			return resp
		}},
		{"blocked body of known length", func(end chan struct{}, req *http.Request) *http.Response {
			resp := clienttest.Response(req, http.StatusOK, nil, stubBody)
			resp.Body = &foreverBody{block: end, text: stubBody[:10]}
			return resp
		}},
		{"empty reads", func(_ chan struct{}, req *http.Request) *http.Response {
			resp := clienttest.Response(req, http.StatusOK, nil, "")
			resp.Body = &foreverBody{}
			return resp
		}},
		{"endless whitespace", func(_ chan struct{}, req *http.Request) *http.Response {
			resp := clienttest.Response(req, http.StatusOK, nil, "")
			resp.Body = io.NopCloser(slowly{strings.NewReader(strings.Repeat(" ", 1<<20))})
			return resp
		}},
	} {
		for _, ended := range []struct {
			name    string
			timeout time.Duration // of an attempt
			limit   time.Duration // of the caller's context
			elapsed time.Duration
		}{
			{"by the attempt's timeout", 15 * time.Second, time.Hour, 45 * time.Second},
			{"by the caller's deadline", -1, 20 * time.Second, 20 * time.Second},
			{"by either", 15 * time.Second, 20 * time.Second, 20 * time.Second},
		} {
			t.Run(test.name+" "+ended.name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					synctest.Test(t, func(t *testing.T) {
						end := make(chan struct{})
						defer time.Sleep(2 * time.Second) // lets an abandoned read return
						defer close(end)
						client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
							if resp := test.do(end, req); resp != nil {
								return resp, nil
							}
							return nil, errBroken
						})), path, func(o *cognitosync.Options) { o.AttemptTimeout = ended.timeout })
						ctx, cancel := context.WithTimeoutCause(t.Context(), ended.limit, errOwnCause)
						defer cancel()
						started := time.Now()

						output, err := describe(ctx, t, client, poolID)

						requireFailure(t, output, err)
						assertWithin(t, ended.elapsed, ended.elapsed, time.Since(started))
						if ended.elapsed < ended.limit {
							requireAttemptTimeout(t, err, ended.timeout)
						} else {
							assert.ErrorIs(t, err, context.DeadlineExceeded)
							assert.ErrorIs(t, err, errOwnCause)
							requireAs[*smithy.CanceledError](t, err)
						}
					})
				})
			})
		}
	}
}

// slowly is a reader that needs a second for each byte.
type slowly struct{ io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.Reader.Read(p[:1])
}

// TestEmptyReads checks that a call fails immediately if the reads of a body keep
// returning no data.
func TestEmptyReads(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			resp := clienttest.Response(req, http.StatusOK, nil, "")
			resp.Body = io.NopCloser(emptyReader{})
			return resp, nil
		})), path)
		output, err := describe(t.Context(), t, client, poolID)
		requireFailure(t, output, err)
		assert.ErrorIs(t, err, io.ErrNoProgress)
		requireAs[*smithyhttp.RequestSendError](t, err)
	})
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// A forgetful connection drops all data after its network has forgotten it.
type forgetful struct {
	net.Conn
	forgotten *atomic.Bool
}

func (c forgetful) Write(p []byte) (int, error) {
	if c.forgotten.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestForgottenConnection uses a network that forgets an HTTP/2 connection. The client detects
// that within half a minute, whatever its timeouts, and dials again.
func TestForgottenConnection(t *testing.T) {
	t.Parallel()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	t.Cleanup(certificate.Close)
	roots := certificate.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs

	for _, test := range []struct {
		name    string
		timeout time.Duration
		limit   time.Duration
	}{
		{"default timeout", cognitosync.DefaultAttemptTimeout, 16 * time.Second},
		{"no timeout", -1, 16 * time.Second},
		{"long timeout", time.Hour, 16 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				synctest.Test(t, func(t *testing.T) {
					listener := newPipeListener()
					var protocols clienttest.Notes
					server := &http.Server{
						TLSConfig: certificate.TLS.Clone(),
						ErrorLog:  log.New(io.Discard, "", 0),
						Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							protocols.Add("%s", r.Proto)
							_, _ = io.WriteString(w, stubBody)
						}),
					}
					server.TLSConfig.NextProtos = []string{"h2"}
					go func() { _ = server.ServeTLS(listener, "", "") }()
					defer server.Close()

					var dials atomic.Int32
					var network *atomic.Bool // of the last connection
					buildable := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
						tr.Proxy = nil
						tr.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
						tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
							dials.Add(1)
							conn, err := listener.dial(ctx, "", "")
							network = new(atomic.Bool)
							return forgetful{conn, network}, err
						}
					})
					client := newClient(configOf(buildable), path, func(o *cognitosync.Options) { o.AttemptTimeout = test.timeout })
					for range 2 {
						_, err := describe(t.Context(), t, client, poolID)
						require.NoError(t, err)
					}
					require.EqualValues(t, 1, dials.Load())
					network.Store(true)
					started := time.Now()

					output, err := describe(t.Context(), t, client, poolID)

					require.NoError(t, err)
					require.NotNil(t, output)
					assert.LessOrEqual(t, time.Since(started), test.limit)
					assert.EqualValues(t, 2, dials.Load())
					assert.Equal(t, []string{"HTTP/2.0", "HTTP/2.0", "HTTP/2.0"}, protocols.Take())
				})
			})
		})
	}
}

// TestRateOfARegion throttles a client in adaptive mode in one region. Calls in another region
// are not delayed.
func TestRateOfARegion(t *testing.T) {
	t.Parallel()
	for _, limited := range []bool{false, true} { // whether each call sets RetryMaxAttempts
		t.Run(fmt.Sprintf("limited=%v", limited), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				synctest.Test(t, func(t *testing.T) {
					tr := setupWorld(t, path, "us-east-1", usePoolRegion, func(o *cognitosync.Options) { o.RetryMode = aws.RetryModeAdaptive })
					const throttled, free = "eu-west-1:1", "ap-southeast-2:1"
					for _, pool := range []string{throttled, free} {
						tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: pool})
					}
					tr.server.Script(throttled, cognitosynctest.Throttle(1))
					call := func(ctx context.Context, pool string) error {
						_, err := tr.callPool(ctx, pool, func(o *cognitosync.Options) {
							if limited {
								o.RetryMaxAttempts = 5
							}
						})
						return err
					}
					// In fake time the SDK may wait forever for the rate, because it rounds the
					// rest of a delay down to zero.
					for range 2 {
						ctx, cancel := context.WithTimeout(t.Context(), shortTimeout)
						defer cancel()
						require.ErrorIs(t, call(ctx, throttled), context.DeadlineExceeded)
					}
					assert.Equal(t, 1, tr.server.Requests().ByPool(throttled).Count(), "the rate delays the second attempt and the second call")

					started := time.Now()
					for range 20 {
						require.NoError(t, call(t.Context(), free))
					}
					assert.Zero(t, time.Since(started))
				})
			})
		})
	}
}

// TestThrottledByStatusAlone checks that a 429 without a code slows down a client in
// adaptive mode, and that other failures do not.
func TestThrottledByStatusAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		step     cognitosynctest.Step
		mode     aws.RetryMode
		requests int
	}{
		{"empty 429", cognitosynctest.Reply(http.StatusTooManyRequests, nil, ""), aws.RetryModeAdaptive, 1},
		{"HTML 429", cognitosynctest.Reply(http.StatusTooManyRequests, nil, "<p>slow down</p>"), aws.RetryModeAdaptive, 1},
		{"empty 503", cognitosynctest.ServiceUnavailable(), aws.RetryModeAdaptive, 2},
		{"empty 429 in the standard mode", cognitosynctest.Reply(http.StatusTooManyRequests, nil, ""), aws.RetryModeStandard, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				cognitosync.SetSleep(tr.client, doNotSleep)
				tr.script(test.step)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				time.AfterFunc(shortTimeout, cancel)

				_, err := tr.call(ctx)

				assert.Equal(t, test.requests, tr.requests())
				if test.requests == 1 {
					require.ErrorIs(t, err, context.Canceled, "delayed by the rate")
				} else {
					require.NoError(t, err)
				}
			}, func(o *cognitosync.Options) { o.RetryMode = test.mode })
		})
	}
}

// TestRenewalOutlivesACall cancels the call that began a renewal while another call waits
// for it. The other call gets the credentials.
func TestRenewalOutlivesACall(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			provider := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				if calls.Add(1) != 2 { // the second is the renewal
					return expiredCredentials.Provider().Retrieve(ctx)
				}
				select {
				case <-ctx.Done():
					return aws.Credentials{}, ctx.Err()
				case <-time.After(10 * time.Second):
					return freshCredentials.Provider().Retrieve(ctx)
				}
			})
			tr := newRotationTrial(t, path, provider, func(o *cognitosynctest.Options) { o.InMemory = true })
			ctx, cancel := context.WithCancel(t.Context())
			errs := make(chan error)
			go func() {
				_, err := tr.call(ctx)
				errs <- err
			}()
			synctest.Wait() // until the renewal has begun
			go func() {
				_, err := tr.call(t.Context())
				errs <- err
			}()
			synctest.Wait() // until the other call waits for it
			require.EqualValues(t, 3, calls.Load())
			cancel()

			err := <-errs
			require.Error(t, err)
			assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
			assert.False(t, isA[*cognitosync.ConfigurationError](err), "there are no unusable credentials")
			require.NoError(t, <-errs)
			assert.EqualValues(t, 3, calls.Load(), "one renewal")
		})
	})
}

// TestAbandonedRenewal checks that a later call does not wait for a canceled
// renewal, even if its provider ignores the cancellation.
func TestAbandonedRenewal(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			release := make(chan struct{})
			provider := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				switch calls.Add(1) {
				case 2: // the first renewal
					<-release
					return aws.Credentials{}, errBroken
				case 4: // the second
					return freshCredentials.Provider().Retrieve(ctx)
				}
				return expiredCredentials.Provider().Retrieve(ctx)
			})
			tr := newRotationTrial(t, path, provider, func(o *cognitosynctest.Options) { o.InMemory = true })
			ctx, cancel := context.WithCancel(t.Context())
			errs := make(chan error)
			go func() {
				_, err := tr.call(ctx)
				errs <- err
			}()
			synctest.Wait()
			cancel()
			require.Error(t, <-errs)

			tr.succeeds(t)

			assert.EqualValues(t, 4, calls.Load())
			close(release)
		})
	})
}

// TestIndependentRenewals checks that calls with different credentials renew them
// independently.
func TestIndependentRenewals(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached=%v", cached), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				synctest.Test(t, func(t *testing.T) {
					done := make(chan struct{})
					slow := &rotation{sets: []any{expiredCredentials, freshCredentials}}
					gone := cognitosynctest.Credentials{AccessKeyID: "AKIDGONE", SecretAccessKey: "secret-4", SessionToken: "token-4", Expired: true}
					quick := &rotation{sets: []any{gone, renewedCredentials}}
					use := func(provider aws.CredentialsProvider) func(*cognitosync.Options) {
						if cached {
							provider = aws.NewCredentialsCache(provider)
						}
						return func(o *cognitosync.Options) { o.Credentials = provider }
					}
					tr := newRotationTrial(t, path, nil, func(o *cognitosynctest.Options) { o.InMemory = true })
					tr.server.SetCredentials(gone)
					errs := make(chan error, 1)
					go func() {
						_, err := tr.call(t.Context(), use(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
							if slow.calls.Load() == 1 {
								<-done
							}
							return slow.Retrieve(ctx)
						})))
						errs <- err
					}()
					synctest.Wait()

					tr.succeeds(t, use(quick))

					close(done)
					require.NoError(t, <-errs)
					assert.EqualValues(t, 2, slow.calls.Load())
					assert.EqualValues(t, 2, quick.calls.Load())
				})
			})
		})
	}
}

// TestRenewalsAreRemembered uses more caches than the client remembers renewals of. The
// oldest is forgotten, so its cache is invalidated again.
func TestRenewalsAreRemembered(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			client := newClient(configOf(clienttest.Respond(http.StatusForbidden, nil, `{"__type":"ExpiredTokenException"}`)), path)
			var caches []*invalidated
			call := func(i int) {
				_, err := describe(t.Context(), t, client, poolID, func(o *cognitosync.Options) { o.Credentials = caches[i] })
				require.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
			}
			const remembered = 16
			for i := range remembered + 1 {
				made := 0
				caches = append(caches, &invalidated{CredentialsCache: aws.NewCredentialsCache(aws.CredentialsProviderFunc(
					func(context.Context) (aws.Credentials, error) {
						made++
						return aws.Credentials{AccessKeyID: fmt.Sprint("AKID", i, "-", made), SecretAccessKey: "secret"}, nil
					}))})
				call(i)
			}
			for i := 1; i <= remembered; i++ {
				call(i)
				assert.EqualValues(t, 1, caches[i].times.Load(), i)
			}
			call(0)
			assert.EqualValues(t, 2, caches[0].times.Load())
			for i := 2; i <= remembered; i++ {
				call(i)
				assert.EqualValues(t, 1, caches[i].times.Load(), i)
			}
		})
	})
}

// TestRenewedOnce checks that a call renews credentials only once, however long it takes.
func TestRenewedOnce(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			made, requests := 0, 0
			client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
				requests++
				time.Sleep(2 * time.Minute) // so long that credentials no longer count as new
				return clienttest.Response(req, http.StatusForbidden, http.Header{"X-Amzn-Errortype": {"ExpiredTokenException"}}, ""), nil
			})), path, func(o *cognitosync.Options) {
				o.RetryMaxAttempts = 5
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					made++
					return aws.Credentials{AccessKeyID: fmt.Sprint("AKID", made), SecretAccessKey: "secret"}, nil
				})
			})

			output, err := describe(t.Context(), t, client, poolID)

			requireFailure(t, output, err)
			assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
			assert.Equal(t, 2, requests)
			assert.Equal(t, 2, made)
		})
	})
}

// TestModeAndLimitOfACall checks that a call that sets RetryMode and RetryMaxAttempts gets
// a retryer of its mode.
func TestModeAndLimitOfACall(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		cognitosync.SetSleep(tr.client, doNotSleep)
		tr.script(cognitosynctest.Throttle(1))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(shortTimeout, cancel)

		err := tr.fails(t, ctx, func(o *cognitosync.Options) { o.RetryMode, o.RetryMaxAttempts = aws.RetryModeAdaptive, 5 })

		require.ErrorIs(t, err, context.Canceled, "delayed by the rate")
		assert.Equal(t, 1, tr.requests())
	})
}
