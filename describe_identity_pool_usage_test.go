package cognitosync_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// TestUserAgent checks everything in the User-Agent that comes from this package.
func TestUserAgent(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.AppID = "inventory"
			o.Retryer = nil // the client's own has a mode
			o.Credentials = sourcedCredentials{o.Credentials}
		})
		_, err := tr.call(t.Context())
		require.NoError(t, err)
		agent := tr.server.Requests().Last().Header.Get("User-Agent")
		assert.Regexp(t, `^aws-sdk-go-v2/\d+\.\d+\.\d+ ua/2\.1 os/\S+ lang/go#\S+ md/GOOS#\S+ md/GOARCH#\S+ `+
			`(exec-env/\S+ )?api/cognitosync#`+cognitosync.Version+` lib/cognitosync-go#`+cognitosync.Version+` app/inventory m/E,n$`, agent)
	})
}

// TestRequestHeaders checks that a request has no other headers than those that a recorder
// must ignore when it matches requests.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
		_, err := describe(t.Context(), t, newClient(configOf(sent), path), poolID)
		require.NoError(t, err)
		requests := sent.Take()
		require.Len(t, requests, 1)
		assert.Equal(t, []string{"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Authorization", "User-Agent", "X-Amz-Date", "X-Amz-Security-Token"},
			slices.Sorted(maps.Keys(requests[0].Header)))
	})
}

// sourcedCredentials report where they come from.
type sourcedCredentials struct{ aws.CredentialsProvider }

func (sourcedCredentials) ProviderSources() []aws.CredentialSource {
	return []aws.CredentialSource{aws.CredentialSourceProfile}
}

func TestCancelDuringBackoff(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.Throttle(2))
		ctx, cancel := context.WithCancelCause(t.Context())
		cognitosync.SetSleep(tr.client, func(ctx context.Context, d time.Duration) error {
			_ = tr.naps.sleep(ctx, d)
			if len(tr.naps.all()) == 2 {
				cancel(errOwnCause)
			}
			return ctx.Err()
		})

		err := tr.fails(t, ctx)

		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, errOwnCause)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		requireAs[*aws.RequestCanceledError](t, err)
		assert.False(t, isA[*retry.MaxAttemptsError](err), "the attempts are not exhausted")
		assert.Equal(t, 2, tr.requests(), "no request follows the cancellation")
		assertThrottled(t, err, tr.server.Requests().Last(), 2)
	})
}

// TestCancelDuringAttempt cancels the call while its second attempt waits for a response.
func TestCancelDuringAttempt(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		tr := setupServer(t, path, cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
			o.OnRequest = func(r cognitosynctest.Request) {
				if r.Attempt == 2 {
					cancel(errOwnCause)
				}
			}
		}))
		tr.script(cognitosynctest.Throttle(1), cognitosynctest.Stall())

		err := tr.fails(t, ctx)

		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, errOwnCause)
		requireAs[*smithy.CanceledError](t, err)
		assert.False(t, isA[*cognitosync.AttemptTimeoutError](err), "the caller canceled the call")
		require.Equal(t, 2, tr.requests())
		assertThrottled(t, err, tr.server.Requests()[0], 2)
	})
}

// TestCancelDuringResponse cancels the call between the headers of a response and its body.
func TestCancelDuringResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
	}{
		{"success", cognitosynctest.OK().StallAfter(10)},
		{"failure", cognitosynctest.InternalError().StallAfter(10)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				ctx, cancel := context.WithCancelCause(t.Context())
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.HTTPClient = clienttest.Doer(func(req *http.Request) (*http.Response, error) {
						resp, err := http.DefaultTransport.RoundTrip(req)
						cancel(errOwnCause) // the headers were received
						return resp, err
					})
				})
				tr.script(cognitosynctest.Forever(test.step))

				err := tr.fails(t, ctx)

				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, errOwnCause)
				assert.Equal(t, 1, tr.requests())
			})
		})
	}
}

// TestContextDoneBefore makes calls whose context is already done.
func TestContextDoneBefore(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		canceled, cancel := context.WithCancelCause(t.Context())
		cancel(errOwnCause)
		late, cancelLate := context.WithDeadlineCause(t.Context(), time.Now().Add(-time.Hour), errOwnCause)
		defer cancelLate()

		for _, test := range []struct {
			ctx  context.Context
			want error
		}{{canceled, context.Canceled}, {late, context.DeadlineExceeded}} {
			err := tr.fails(t, test.ctx)
			assert.ErrorIs(t, err, test.want)
			assert.ErrorIs(t, err, errOwnCause)
			requireAs[*smithy.CanceledError](t, err)
			assert.Zero(t, cognitosync.InspectError(err).Attempts)
		}
		assert.Zero(t, tr.requests())
	})
}

// TestResultMetadata checks what the SDK's functions find in the metadata of an output.
func TestResultMetadata(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.Throttle(1), cognitosynctest.InternalError())
		output, err := tr.call(t.Context())
		require.NoError(t, err)
		requests := tr.server.Requests()
		require.Equal(t, 3, requests.Count())

		id, found := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata)
		assert.True(t, found)
		assert.Equal(t, requests.Last().RequestID, id)
		response, ok := awsmiddleware.GetRawResponse(output.ResultMetadata).(*smithyhttp.Response)
		if assert.True(t, ok, "a raw response") {
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, id, response.Header.Get("X-Amzn-Requestid"))
		}
		at, found := awsmiddleware.GetResponseAt(output.ResultMetadata)
		assert.True(t, found)
		assert.False(t, at.Before(requests.Last().Time), "response at %v, request at %v", at, requests.Last().Time)
		serverTime, found := awsmiddleware.GetServerTime(output.ResultMetadata)
		assert.True(t, found)
		assert.True(t, requests.Last().Time.UTC().Truncate(time.Second).Equal(serverTime), serverTime)
		skew, found := awsmiddleware.GetAttemptSkew(output.ResultMetadata)
		assert.True(t, found)
		assert.Equal(t, serverTime.Sub(at), skew)

		attempts, found := retry.GetAttemptResults(output.ResultMetadata)
		require.True(t, found)
		require.Len(t, attempts.Results, 3)
		for i, result := range attempts.Results {
			id, _ := awsmiddleware.GetRequestIDMetadata(result.ResponseMetadata)
			assert.Equal(t, requests[i].RequestID, id, "attempt %d", i+1)
			assert.Equal(t, i < 2, result.Retried, "attempt %d", i+1)
			assert.Equal(t, i < 2, result.Retryable, "attempt %d", i+1)
		}
		var throttled *cognitosync.TooManyRequestsException
		require.ErrorAs(t, attempts.Results[0].Err, &throttled)
		var failed *cognitosync.InternalErrorException
		require.ErrorAs(t, attempts.Results[1].Err, &failed)
		require.NoError(t, attempts.Results[2].Err)
	})
}

// TestMetadataOfOneAttempt checks the metadata of calls that succeed in their first
// attempt.
func TestMetadataOfOneAttempt(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		for range 2 {
			output, err := tr.call(t.Context())
			require.NoError(t, err)
			attempts, found := retry.GetAttemptResults(output.ResultMetadata)
			require.True(t, found)
			require.Len(t, attempts.Results, 1)
			require.NoError(t, attempts.Results[0].Err)
			assert.False(t, attempts.Results[0].Retryable)
			assert.False(t, attempts.Results[0].Retried)
			id, _ := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata) // the call's metadata, not the attempt's
			assert.Equal(t, tr.server.Requests().Last().RequestID, id)
		}
	})
}

// TestMetadataWithoutClock checks that the metadata contains no clock skew if its
// correction is disabled.
func TestMetadataWithoutClock(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) { o.DisableClockSkewCorrection = true })
		output, err := tr.call(t.Context())
		require.NoError(t, err)
		_, found := awsmiddleware.GetAttemptSkew(output.ResultMetadata)
		assert.False(t, found)
		_, found = awsmiddleware.GetServerTime(output.ResultMetadata)
		assert.True(t, found)
	})
}

// TestTraceID checks that a Lambda function sends its trace ID, so that AWS can detect
// recursive invocations. The test is not parallel, because it sets environment variables.
func TestTraceID(t *testing.T) {
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"
	for _, test := range []struct{ name, function, want string }{
		{"in Lambda", "inventory", trace},
		{"elsewhere", "", ""},
	} {
		for _, path := range paths {
			t.Run(test.name+"/"+path, func(t *testing.T) {
				t.Setenv("_X_AMZN_TRACE_ID", trace)
				t.Setenv("AWS_LAMBDA_FUNCTION_NAME", test.function) // restored when the test ends
				if test.function == "" {
					require.NoError(t, os.Unsetenv("AWS_LAMBDA_FUNCTION_NAME"))
				}
				tr := setup(t, path)
				_, err := tr.call(t.Context())
				require.NoError(t, err)
				assert.Equal(t, test.want, tr.server.Requests().Last().Header.Get("X-Amzn-Trace-Id"))
			})
		}
	}
}

// TestUnsendableIDs checks that IDs that could change the path of the request are rejected.
func TestUnsendableIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", " ", "\t", "\u00a0", ".", "..", "/", `\`, "a/b", `a\b`, "../identitypools", "a\x00", "a\r\nHost: evil", "\x7f", "\u0085",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				httpClient, dials := dialCounter()
				client := newClient(configOf(httpClient), path)
				for _, input := range []*cognitosync.DescribeIdentityPoolUsageInput{poolInput(id), {}, nil} {
					output, err := client.DescribeIdentityPoolUsage(t.Context(), input)
					requireFailure(t, output, err)
					invalid := requireAs[smithy.InvalidParamsError](t, err)
					assert.Equal(t, 1, invalid.Len())
					assert.Contains(t, err.Error(), "IdentityPoolId")
					assert.Zero(t, cognitosync.InspectError(err).Attempts)
				}
				assert.Zero(t, dials.Load())
			})
		})
	}
}

// TestResultsOfAnImmediateRetry checks that the metadata marks an attempt as retried if the
// retry has no delay.
func TestResultsOfAnImmediateRetry(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := newRotationTrial(t, path, &rotation{sets: []any{expiredCredentials, freshCredentials}})

		output, err := tr.call(t.Context())

		require.NoError(t, err)
		attempts, found := retry.GetAttemptResults(output.ResultMetadata)
		require.True(t, found)
		require.Len(t, attempts.Results, 2)
		assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(attempts.Results[0].Err).Code)
		assert.True(t, attempts.Results[0].Retried)
		assert.True(t, attempts.Results[0].Retryable)
		require.NoError(t, attempts.Results[1].Err)
		assert.False(t, attempts.Results[1].Retried)
		assert.False(t, attempts.Results[1].Retryable)
	})
}

// TestCancelAfterANetworkError checks that the error still wraps the network error if the
// caller cancels the call later.
func TestCancelAfterANetworkError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		during   int // the request during which the call is canceled; 0: before the second
		attempts int
	}{
		{"before the next attempt", 0, 1},
		{"during the next attempt", 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				ctx, cancel := context.WithCancelCause(t.Context())
				var requests atomic.Int32
				client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
					if requests.Add(1) == 1 {
						return nil, &net.OpError{Op: "read", Net: "tcp", Err: clienttest.ConnectionReset}
					}
					cancel(errOwnCause)
					<-req.Context().Done()
					return nil, req.Context().Err()
				})), path)
				cognitosync.SetSleep(client, func(ctx context.Context, _ time.Duration) error {
					if test.during == 0 {
						cancel(errOwnCause)
					}
					return ctx.Err()
				})

				output, err := describe(ctx, t, client, poolID)

				requireFailure(t, output, err)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, errOwnCause)
				require.ErrorIs(t, err, clienttest.ConnectionReset)
				requireAs[*smithyhttp.RequestSendError](t, err)
				assert.Equal(t, test.attempts, cognitosync.InspectError(err).Attempts)
				assert.EqualValues(t, test.attempts, requests.Load())
			})
		})
	}
}

// TestNestedInvalidID checks that the error for an ID can be nested in that of another
// operation, as with smithy's own errors.
func TestNestedInvalidID(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		_, err := tr.callPool(t.Context(), "a/b")
		invalid := requireAs[smithy.InvalidParamsError](t, err)
		assert.Contains(t, err.Error(), "DescribeIdentityPoolUsageInput.IdentityPoolId")

		outer := smithy.InvalidParamsError{Context: "InventoryInput"}
		outer.AddNested("Pools[0]", invalid)

		assert.Contains(t, outer.Error(), "InventoryInput.Pools[0].IdentityPoolId")
		assert.NotContains(t, outer.Error(), "DescribeIdentityPoolUsageInput")
	})
}

// TestUnlimitedAttempts checks that the Amz-Sdk-Request header has no maximum if attempts
// are unlimited.
func TestUnlimitedAttempts(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int][]string{
		0: {"attempt=1", "attempt=2"},
		2: {"attempt=1; max=2", "attempt=2; max=2"},
		3: {"attempt=1; max=3", "attempt=2; max=3"},
	} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path, func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), limit) })
				tr.script(cognitosynctest.InternalError())
				tr.succeeds(t)
				var got []string
				for _, request := range tr.server.Requests() {
					got = append(got, request.Header.Get("Amz-Sdk-Request"))
				}
				assert.Equal(t, want, got)
			})
		})
	}
}

// TestNoRandomness checks that a call fails if no invocation ID can be generated. It only
// uses the direct path, because in a stack a step of the SDK generates the ID. The test is
// not parallel, because it replaces the random source of the process.
func TestNoRandomness(t *testing.T) {
	tr := setup(t, direct)
	before := rand.Reader
	defer func() { rand.Reader = before }()
	rand.Reader = iotest.ErrReader(errBroken)
	err := tr.fails(t, t.Context())
	require.ErrorIs(t, err, errBroken)
	assert.Zero(t, tr.requests())
	assert.Zero(t, cognitosync.InspectError(err).Attempts)
}

// TestCanceledIsReportedOnce checks that the error contains "context canceled" only once if
// the caller set no cause.
func TestCanceledIsReportedOnce(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := tr.fails(t, ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1, strings.Count(err.Error(), context.Canceled.Error()), err)
	})
}

// TestAttemptContextEnds checks that the context of an attempt ends with the attempt, and
// that a single attempt is numbered, too.
func TestAttemptContextEnds(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		var requests []*http.Request
		client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			requests = append(requests, req)
			return clienttest.Response(req, http.StatusOK, nil, stubBody), nil
		})), path, func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 })

		_, err := describe(t.Context(), t, client, poolID)

		require.NoError(t, err)
		require.Len(t, requests, 1)
		require.ErrorIs(t, requests[0].Context().Err(), context.Canceled)
		assert.Equal(t, "attempt=1; max=1", requests[0].Header.Get("Amz-Sdk-Request"))
	})
}

// TestUserAgentOfACall checks that the User-Agent reflects the settings of the call.
func TestUserAgentOfACall(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
		client := newClient(configOf(sent), path)
		agent := func(optFns ...func(*cognitosync.Options)) string {
			_, err := describe(t.Context(), t, client, poolID, optFns...)
			require.NoError(t, err)
			return sent.Take()[0].Header.Get("User-Agent")
		}
		ofClient := agent()
		standard := agent(func(o *cognitosync.Options) { o.Retryer = retry.NewStandard() })
		adaptive := agent(func(o *cognitosync.Options) { o.Retryer = retry.NewAdaptiveMode() })
		other := agent(func(o *cognitosync.Options) { o.Retryer = aws.NopRetryer{} })
		sourced := agent(func(o *cognitosync.Options) { o.Credentials = sourcedCredentials{o.Credentials} })

		assert.Equal(t, ofClient, standard, "same retry mode")
		assert.Equal(t, agent(func(o *cognitosync.Options) { o.RetryMode = aws.RetryModeAdaptive }), adaptive)
		assert.Len(t, slices.Compact(slices.Sorted(slices.Values([]string{ofClient, adaptive, other, sourced}))), 4)
		assert.Equal(t, ofClient, agent(), "the next call")
	})
}
