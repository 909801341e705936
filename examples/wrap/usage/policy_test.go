//go:build go1.25

package usage_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/examples/wrap/usage"
)

func inMemory(o *cognitosynctest.Options) { o.InMemory = true }

// In a synctest bubble, the timeouts of the policy take no time and are exact.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
		want usage.Observation // without the request ID
		err  error
	}{
		{
			name: "an attempt that hangs is ended",
			step: cognitosynctest.Stall(),
			want: usage.Observation{Outcome: "ok", Attempts: 2, Duration: usage.AttemptTimeout},
		},
		{
			name: "a slow response is in time",
			step: cognitosynctest.OK().After(usage.AttemptTimeout - 1),
			want: usage.Observation{Outcome: "ok", Attempts: 1, Duration: usage.AttemptTimeout - 1},
		},
		{
			name: "a service that hangs is unavailable",
			step: cognitosynctest.Forever(cognitosynctest.Stall()),
			want: usage.Observation{Outcome: "unavailable", Attempts: 3, Duration: usage.ReadTimeout},
			err:  usage.ErrUnavailable,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, server, observed := setUp(t, inMemory)
				server.Script(poolID, test.step)

				_, err := client.Read(t.Context(), poolID)
				require.ErrorIs(t, err, test.err)
				require.Len(t, *observed, 1)
				got := (*observed)[0]
				got.RequestID = ""
				assert.Equal(t, test.want, got)
			})
		})
	}
}

// A caller whose own deadline passes does not get ErrUnavailable.
func TestPolicy_shorterDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server, observed := setUp(t, inMemory)
		server.Script(poolID, cognitosynctest.Stall())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		_, err := client.Read(ctx, poolID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, usage.ErrUnavailable)
		require.Len(t, *observed, 1)
		assert.Equal(t, "error", (*observed)[0].Outcome)
		assert.Equal(t, time.Second, (*observed)[0].Duration)
	})
}

// The default retryer waits between attempts, within the bound of the policy.
func TestPolicy_backoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := cognitosynctest.NewServer(t, inMemory)
		server.Script(poolID, cognitosynctest.Forever(cognitosynctest.InternalError()))
		cfg := server.Config()
		cfg.Retryer = nil // the client's default
		started := time.Now()

		_, err := usage.New(cfg, nil).Read(t.Context(), poolID)
		require.ErrorIs(t, err, usage.ErrUnavailable)
		assert.Equal(t, usage.MaxAttempts, server.Requests().Count())
		waited := time.Since(started)
		assert.Positive(t, waited)
		assert.LessOrEqual(t, waited, usage.ReadTimeout)
	})
}
