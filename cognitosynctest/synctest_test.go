//go:build go1.25

package cognitosynctest_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// In a bubble, the server's delays take exactly as long as scripted, and no real time.
func TestServer_inBubble(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		step    cognitosynctest.Step
		timeout time.Duration
		took    time.Duration
		err     error
	}{
		{"After", cognitosynctest.OK().After(time.Hour), 2 * time.Hour, time.Hour, nil},
		{"After, given up", cognitosynctest.OK().After(time.Hour), time.Minute, time.Minute, context.DeadlineExceeded},
		{"Drip", cognitosynctest.Reply(200, nil, "body").Drip(time.Minute), time.Hour, 4 * time.Minute, nil},
		{"Drip, given up", cognitosynctest.OK().Drip(time.Minute), time.Hour, time.Hour, context.DeadlineExceeded},
		{"Stall", cognitosynctest.Stall(), time.Hour, time.Hour, context.DeadlineExceeded},
		{"StallAfter", cognitosynctest.OK().StallAfter(5), time.Hour, time.Hour, context.DeadlineExceeded},
		{
			"all at once", cognitosynctest.Reply(200, nil, "body").After(time.Hour).Drip(time.Minute).CutAfter(3), 2 * time.Hour,
			time.Hour + 3*time.Minute, io.ErrUnexpectedEOF,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, client := newMemoryServer(t)
				server.Script("", test.step)
				ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
				defer cancel()
				start := time.Now()
				r := newRequest(t, ctx, server, poolID)
				sign(t, r)

				got := do(client, r)

				assert.Equal(t, test.took, time.Since(start))
				if got.err == nil {
					got.err = got.bodyErr
				}
				require.ErrorIs(t, got.err, test.err)
			})
		})
	}
}

// In a bubble, the client's backoffs and timeouts take no real time.
func TestServer_inBubbleWithClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		step      cognitosynctest.Step
		atLeast   time.Duration
		atMost    time.Duration
		exhausted bool
	}{
		{"backoff", cognitosynctest.Throttle(2), time.Nanosecond, 3 * time.Second, false},
		{"silence", cognitosynctest.Stall(), 10 * time.Second, 10*time.Second + 50*time.Millisecond, false},
		{"silence for ever", cognitosynctest.Forever(cognitosynctest.OK().Drip(time.Minute)), 30 * time.Second, 31 * time.Second, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, _ := newMemoryServer(t)
				server.Script("", test.step)
				cfg := server.Config()
				cfg.Retryer = nil
				client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { o.AttemptTimeout = 10 * time.Second })
				start := time.Now()

				_, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{
					IdentityPoolId: aws.String(poolID),
				})

				if test.exhausted {
					require.ErrorAs(t, err, new(*retry.MaxAttemptsError))
				} else {
					require.NoError(t, err)
				}
				assert.GreaterOrEqual(t, time.Since(start), test.atLeast)
				assert.LessOrEqual(t, time.Since(start), test.atMost)
			})
		})
	}
}

// A server in memory from outside a bubble also serves clients inside.
func TestServer_fromOutside(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	server.Script("", cognitosynctest.OK().After(time.Hour), cognitosynctest.Stall())
	for _, want := range []time.Duration{time.Hour, 2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
			defer cancel()
			start := time.Now()
			r := newRequest(t, ctx, server, poolID)
			sign(t, r)
			_ = do(client, r)
			assert.Equal(t, want, time.Since(start))
		})
	}
}

// A server with a socket would hang in a bubble, so it does not start there.
func TestStart_socketInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error)
		go func() { // every goroutine of the bubble counts
			_, err := cognitosynctest.Start()
			done <- err
		}()
		require.EqualError(t, <-done, "cognitosynctest: a server with a socket hangs in a testing/synctest bubble: set Options.InMemory")
	})
}

// A rate limit in a bubble follows the bubble's clock.
func TestRateLimit_inBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, _ := newMemoryServer(t)
		server.Script("", cognitosynctest.RateLimit(1))
		cfg := server.Config()
		cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 0) }
		client := cognitosync.NewFromConfig(cfg)
		start := time.Now()
		for range 3 {
			_, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)})
			require.NoError(t, err)
		}
		assert.GreaterOrEqual(t, time.Since(start), 2*time.Second)
	})
}
