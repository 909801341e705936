package cognitosync_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// shortTimeout is for attempts that never come to an end: how long it is does not
// matter.
const shortTimeout = 20 * time.Millisecond

// slowSteps are the ways of a server to take its time for ever.
var slowSteps = []struct {
	name string
	step cognitosynctest.Step
}{
	{"silent", cognitosynctest.Stall()},
	{"late", cognitosynctest.OK().After(time.Hour)},
	{"stalled body", cognitosynctest.OK().StallAfter(10)},
	{"no body", cognitosynctest.OK().StallAfter(0)},
	{"drip-fed body", cognitosynctest.OK().Drip(time.Minute)},
	{"endless drip", cognitosynctest.Endless().Drip(time.Millisecond)},
	{"compressed and stalled", cognitosynctest.GzipBomb(1).StallAfter(30)},
}

// requireAttemptTimeout checks the error of a call all of whose attempts took too
// long.
func requireAttemptTimeout(t *testing.T, err error, timeout time.Duration) {
	t.Helper()
	assert.Equal(t, timeout, requireAs[*cognitosync.AttemptTimeoutError](t, err).AttemptTimeout)
	requireAs[*smithyhttp.RequestSendError](t, err)
	assert.True(t, requireAs[interface {
		error
		Timeout() bool
	}](t, err).Timeout())
	assert.NotErrorIs(t, err, context.DeadlineExceeded, "as if the caller's deadline had passed")
	assert.NotErrorIs(t, err, context.Canceled)
	assert.False(t, isA[interface {
		error
		CanceledError() bool
	}](err), "as if the caller had given up")
	assert.Contains(t, err.Error(), timeout.String())
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	for _, slow := range slowSteps {
		t.Run(slow.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way, func(o *cognitosync.Options) { o.AttemptTimeout = shortTimeout })
				tr.script(cognitosynctest.Forever(slow.step))

				err := tr.fails(t, t.Context())

				requireAttemptTimeout(t, err, shortTimeout)
				assert.Equal(t, 3, requireAs[*retry.MaxAttemptsError](t, err).Attempt)
				assert.LessOrEqual(t, tr.requests(), 3) // less if it took as long to connect
				details := cognitosync.InspectError(err)
				assert.Equal(t, 3, details.Attempts)
				assert.True(t, details.Retryable)
			})
		})
	}
}

// TestAttemptTimeoutOfACall sets the timeout for one call alone.
func TestAttemptTimeoutOfACall(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
		tr.script(cognitosynctest.Forever(cognitosynctest.Stall()))

		err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.AttemptTimeout = shortTimeout })

		requireAttemptTimeout(t, err, shortTimeout)
		assert.Equal(t, cognitosync.DefaultAttemptTimeout, tr.client.Options().AttemptTimeout, "the client's own")
	})
}

// TestAttemptTimeoutWhileConnecting has a dial and a TLS handshake that never end.
func TestAttemptTimeoutWhileConnecting(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connects, and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, silent.Close()) })

	for _, test := range []struct {
		name     string
		endpoint string
		dial     func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		{"dial", "http://127.0.0.1:1", func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}},
		{"handshake", "https://" + silent.Addr().String(), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				transport := &http.Transport{DialContext: test.dial}
				t.Cleanup(transport.CloseIdleConnections) // ends dials that nobody waits for any more
				tr := newTrial(t, way, func(o *cognitosync.Options) {
					o.AttemptTimeout = shortTimeout
					o.BaseEndpoint = aws.String(test.endpoint)
					o.HTTPClient = &http.Client{Transport: transport}
				})

				err := tr.fails(t, t.Context())

				requireAttemptTimeout(t, err, shortTimeout)
				assert.Equal(t, 3, cognitosync.InspectError(err).Attempts)
			})
		})
	}
}

// TestCallersDeadline has the caller's time run out before that of an attempt.
func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	for _, slow := range slowSteps {
		t.Run(slow.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way)
				tr.script(cognitosynctest.Forever(slow.step))
				ctx, cancel := context.WithTimeoutCause(t.Context(), shortTimeout, errOwnCause)
				defer cancel()

				err := tr.fails(t, ctx)

				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorIs(t, err, errOwnCause)
				assert.False(t, isA[*cognitosync.AttemptTimeoutError](err))
				assert.LessOrEqual(t, tr.requests(), 1) // none if it took as long to connect
				assert.Empty(t, tr.naps.all())
			})
		})
	}
}
