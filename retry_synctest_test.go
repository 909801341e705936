//go:build go1.25

package cognitosync_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// TestBackoffInFakeTime measures the waits of the default client.
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

// TestServerDelayInFakeTime waits exactly as long as the service asks for.
func TestServerDelayInFakeTime(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, tr *trial) {
		date := time.Now().Add(2*time.Second + 4*time.Second).UTC() // fake time begins with a whole second
		tr.script(
			cognitosynctest.TooManyRequests().WithHeader("X-Amz-Retry-After", "2000"),
			cognitosynctest.TooManyRequests().WithHeader("Retry-After", date.Format(http.TimeFormat)),
			cognitosynctest.InternalError().WithHeader("Retry-After", "3"),
		)
		tr.succeeds(t)
		assert.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second, 3 * time.Second}, between(tr.server.Requests()))
	}, func(o *cognitosync.Options) { o.RetryMaxAttempts = 4 })
}

// TestServerDelayByTheServersClock has the service name a date while the client's
// clock is ten minutes off: what counts is how far the date is ahead for the service.
func TestServerDelayByTheServersClock(t *testing.T) {
	t.Parallel()
	const ahead = 10 * time.Minute
	inFakeTime(t, func(t *testing.T, tr *trial) {
		date := time.Now().Add(ahead + 3*time.Second).UTC()
		tr.script(
			cognitosynctest.SkewedClock(ahead), // the client learns of it
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

// TestRetryQuotaOfTimeouts shows that a retry after a timeout costs as much as any other.
func TestRetryQuotaOfTimeouts(t *testing.T) { // not parallel: the SDK's costs depend on the environment
	t.Setenv("AWS_NEW_RETRIES_2026", "")
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true })
				testRetryQuota(t, trialOf(t, way, server), cognitosynctest.Stall(), retryCost)
			})
		})
	}
}
