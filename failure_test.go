package cognitosync_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// trialPool is the pool that trials ask for.
const trialPool = "us-east-1:6f0c2c2e-57f5-4bf4-9f0c-2c2e57f54bf4"

// A trial is a client before a fake service that misbehaves as its script says. The
// client has its own retryer, but does not wait: how long it would have waited is
// noted.
type trial struct {
	server *cognitosynctest.Server
	client *cognitosync.Client
	naps   *naps
}

// newTrial returns a trial over HTTP whose calls go the given way.
func newTrial(t *testing.T, way string, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	return trialOf(t, way, cognitosynctest.NewServer(t), optFns...)
}

// trialOf returns a trial with a server of the test's own making.
func trialOf(t *testing.T, way string, server *cognitosynctest.Server, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: trialPool, DataStorage: aws.Int64(40960)})
	cfg := server.Config()
	cfg.Retryer = nil // the client's own
	optFns = slices.Insert(optFns, 0, func(o *cognitosync.Options) { goThrough(way, o) })
	tr := &trial{server: server, client: cognitosync.NewFromConfig(cfg, optFns...), naps: &naps{}}
	cognitosync.SetSleep(tr.client, tr.naps.sleep)
	return tr
}

// script adds to what the service does.
func (tr *trial) script(steps ...cognitosynctest.Step) { tr.server.Script(trialPool, steps...) }

// call makes one call, whatever comes of it.
func (tr *trial) call(ctx context.Context, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	return tr.client.DescribeIdentityPoolUsage(ctx, poolInput(trialPool), optFns...)
}

// succeeds makes a call that must succeed.
func (tr *trial) succeeds(t *testing.T, optFns ...func(*cognitosync.Options)) {
	t.Helper()
	output, err := tr.call(t.Context(), optFns...)
	require.NoError(t, err)
	require.NotNil(t, output)
	require.NotNil(t, output.IdentityPoolUsage)
	require.Equal(t, aws.Int64(40960), output.IdentityPoolUsage.DataStorage)
}

// fails makes a call that must fail, and returns how.
func (tr *trial) fails(t *testing.T, ctx context.Context, optFns ...func(*cognitosync.Options)) error {
	t.Helper()
	output, err := tr.call(ctx, optFns...)
	requireFailure(t, output, err)
	return err
}

// requests returns how many requests the server has got.
func (tr *trial) requests() int { return tr.server.Requests().Count() }

// poolInput asks for a pool.
func poolInput(id string) *cognitosync.DescribeIdentityPoolUsageInput {
	return &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}
}

// requireFailure checks what holds for every call that fails: no output, and an
// error that says which operation it comes from, in one line of decent length.
func requireFailure(t *testing.T, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	t.Helper()
	require.Error(t, err)
	assert.Nil(t, output)
	assertSound(t, outcome{output: output, err: err})
	text := err.Error()
	assert.Less(t, len(text), 4<<10, "length of the error's text")
	assert.NotRegexp(t, `[[:cntrl:]]`, text)
}

// requireAs returns the T in the chain of err, which must have one.
func requireAs[T error](t *testing.T, err error) T {
	t.Helper()
	var target T
	require.ErrorAs(t, err, &target)
	return target
}

// naps notes how long a client would have waited.
type naps struct {
	mu   sync.Mutex
	list []time.Duration
}

// sleep takes the place of the sleep between two attempts.
func (n *naps) sleep(ctx context.Context, d time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, d)
	return ctx.Err()
}

// all returns the waits so far.
func (n *naps) all() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}

// eachWay runs a test for each way that a call can take.
func eachWay(t *testing.T, test func(t *testing.T, way string)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(t, way)
		})
	}
}

// errOwnCause is a caller's reason to end a call.
var errOwnCause = errors.New("the caller's own cause")

// assertThrottled checks that a call that the caller ended still tells of the 429
// that came before: what it was, and that it was the service's.
func assertThrottled(t *testing.T, err error, last cognitosynctest.Request, attempts int) {
	t.Helper()
	exception := requireAs[*cognitosync.TooManyRequestsException](t, err)
	assert.Equal(t, "Rate exceeded", exception.ErrorMessage())
	response := requireAs[*awshttp.ResponseError](t, err)
	assert.Equal(t, http.StatusTooManyRequests, response.HTTPStatusCode())
	assert.NotEmpty(t, last.RequestID)
	assert.Equal(t, last.RequestID, response.ServiceRequestID())
	assert.Equal(t, cognitosync.ErrorDetails{
		Code:       "TooManyRequestsException",
		Message:    "Rate exceeded",
		StatusCode: http.StatusTooManyRequests,
		RequestID:  last.RequestID,
		Attempts:   attempts,
		Retryable:  true,
		Fault:      smithy.FaultClient,
	}, cognitosync.InspectError(err))
}

func TestCancelDuringBackoff(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
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
		assert.False(t, isA[*retry.MaxAttemptsError](err), "attempts were left")
		assert.Equal(t, 2, tr.requests(), "requests after the caller gave up")
		assertThrottled(t, err, tr.server.Requests().Last(), 2)
	})
}

// TestCancelDuringAttempt ends the call while its second attempt waits for an answer.
func TestCancelDuringAttempt(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		tr := trialOf(t, way, cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
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
		assert.False(t, isA[*cognitosync.AttemptTimeoutError](err), "it was the caller who gave up")
		require.Equal(t, 2, tr.requests())
		assertThrottled(t, err, tr.server.Requests()[0], 2)
	})
}

// TestCancelDuringAnswer ends the call between the head of an answer and its body.
func TestCancelDuringAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
	}{
		{"of a success", cognitosynctest.OK().StallAfter(10)},
		{"of a failure", cognitosynctest.InternalError().StallAfter(10)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				ctx, cancel := context.WithCancelCause(t.Context())
				tr := newTrial(t, way, func(o *cognitosync.Options) {
					o.HTTPClient = doFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := http.DefaultTransport.RoundTrip(req)
						cancel(errOwnCause) // the head is there
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

// doFunc is a function as an HTTP client.
type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// TestDelayBeyondDeadline has the service ask for more patience than the caller has.
func TestDelayBeyondDeadline(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
		tr.script(cognitosynctest.Forever(cognitosynctest.TooManyRequests().WithHeader("Retry-After", "3600")))
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than the 5 s that are granted
		defer cancel()

		err := tr.fails(t, ctx)

		require.NoError(t, ctx.Err(), "the call has waited for the deadline")
		assert.Empty(t, tr.naps.all())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		requireAs[*aws.RequestCanceledError](t, err)
		assert.Equal(t, 1, tr.requests())
		assertThrottled(t, err, tr.server.Requests().Last(), 1)
	})
}

// TestCancelWhileHeldBack ends the call while the retryer of the adaptive mode holds
// its second attempt back, which it does for two seconds after the first 429.
func TestCancelWhileHeldBack(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way, func(o *cognitosync.Options) { o.RetryMode = aws.RetryModeAdaptive })
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
	})
}

// TestContextDoneBefore makes calls that are over before they begin.
func TestContextDoneBefore(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
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

func TestAttemptsExhausted(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
		tr.script(cognitosynctest.InternalError(), cognitosynctest.Reset(), cognitosynctest.TooManyRequests())

		err := tr.fails(t, t.Context())

		assert.Equal(t, 3, requireAs[*retry.MaxAttemptsError](t, err).Attempt)
		assert.Equal(t, 3, tr.requests())
		assert.Zero(t, tr.server.Pending())
		assertThrottled(t, err, tr.server.Requests().Last(), 3)
		assert.False(t, isA[*cognitosync.InternalErrorException](err), "it is the last error that counts")
	})
}
