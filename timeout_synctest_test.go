//go:build go1.25

package cognitosync_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	smithytime "github.com/aws/smithy-go/time"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

func init() { inBubble = synctest.Test }

// inFakeTime runs a test for each way that a call can take, in a bubble where time
// passes only when all wait. Its trial is in memory, and does wait between attempts.
func inFakeTime(t *testing.T, test func(t *testing.T, tr *trial), optFns ...func(*cognitosync.Options)) {
	t.Helper()
	eachWay(t, func(t *testing.T, way string) {
		synctest.Test(t, func(t *testing.T) {
			tr := trialOf(t, way, cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true }), optFns...)
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

// assertWithin checks that got is from least to most.
func assertWithin(t *testing.T, least, most, got time.Duration) {
	t.Helper()
	assert.GreaterOrEqual(t, got, least)
	assert.LessOrEqual(t, got, most)
}

// TestDefaultAttemptTimeout gives each attempt 15 seconds, and the next one a chance.
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

// TestAttemptTimeoutIsNotForTheCall has two attempts fail late and the third succeed
// just in time: each has its own clock.
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

// TestAttemptTimeoutOfAFailure has the body of an error stall: what is known of it by
// then is the error.
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

// TestCallersDeadlineInFakeTime ends a call in its second attempt, and during the
// backoff before.
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

// TestCancelDuringRealBackoff ends the client's own sleep.
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

// TestDeadlineBeforeDelayInFakeTime shows that no time passes before the call gives
// up on a delay that is too long, and that one that just fits is waited out.
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

// TestBodyIsClosedAfterTimeout ends attempts in the midst of an answer.
func TestBodyIsClosedAfterTimeout(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		client := &watchingClient{RoundTripper: tr.server.RoundTripper()}
		tr.script(cognitosynctest.Forever(cognitosynctest.OK().StallAfter(10)))
		err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.HTTPClient = client })
		requireAttemptTimeout(t, err, 15*time.Second)
		client.assertClosed(t, 3)
	})
}

// A hangingProvider gives credentials until it hangs for good, or as long as its
// context lives.
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

// TestCredentialsProviderHangs has an attempt end in time also when it is the
// provider that takes it.
func TestCredentialsProviderHangs(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(map[bool]string{false: "provider", true: "cache"}[cached], func(t *testing.T) {
			t.Parallel()
			inFakeTime(t, func(t *testing.T, tr *trial) {
				limited, cancel := context.WithTimeout(t.Context(), time.Hour) // of the test, not the call
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

				assertWithin(t, 45*time.Second, 46*time.Second, time.Since(started))
				requireAs[*v4.SigningError](t, err)
				requireAs[*cognitosync.AttemptTimeoutError](t, err)
				requireAs[*retry.MaxAttemptsError](t, err)
				assert.False(t, isA[*aws.RequestCanceledError](err), "as if the caller had given up")
				assert.Zero(t, tr.requests())
			})
		})
	}
}

// TestCredentialsRenewalHangs has the provider hang when it is asked for other
// credentials than those that have expired.
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

		assert.Less(t, time.Since(started), time.Minute)
		assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
	})
}
