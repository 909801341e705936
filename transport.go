package cognitosync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// HTTPClient sends a request and returns the response, like [http.Client].
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// maxRetrievalTime limits the time for a credentials provider if the caller's context has no
// deadline. It is long because a person may have to enter a code or sign in with a browser.
const maxRetrievalTime = 5 * time.Minute

// errRetrievalTimeout is the cause of a context that ended after maxRetrievalTime.
var errRetrievalTimeout = errors.New("no credentials within " + maxRetrievalTime.String())

// retrievalError returns the error of a provider. If maxRetrievalTime ended ctx, it returns
// errRetrievalTimeout, because the caller did not cancel anything.
func retrievalError(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case !errors.Is(cause, errRetrievalTimeout):
		return err
	case errors.Is(err, cause):
		return cause
	case errors.Is(err, ctx.Err()):
		return fmt.Errorf("%w: %s", cause, err.Error()) // not wrapped: it only reports that ctx is done
	default:
		return fmt.Errorf("%w: %w", cause, err)
	}
}

// timeLimit limits the time for an attempt: first to retrieve credentials and then, after
// startSending, to send the request and read the response.
type timeLimit struct {
	timeout AttemptTimeoutError // its address identifies the timeout of this attempt
	cancel  context.CancelCauseFunc
	timer   *time.Timer // nil if the caller's deadline is earlier
	sending bool
}

// start returns the context for an attempt. It creates no timer that would fire after the
// caller's deadline.
func (l *timeLimit) start(parent context.Context, attemptTimeout time.Duration) context.Context {
	l.timeout.AttemptTimeout = attemptTimeout
	deadline, bounded := parent.Deadline()
	if bounded && (attemptTimeout < 0 || time.Until(deadline) <= attemptTimeout) {
		return parent
	}
	ctx, cancel := context.WithCancelCause(parent)
	l.cancel = cancel
	if !bounded {
		l.timer = time.AfterFunc(maxRetrievalTime, l.expire)
	}
	return ctx
}

// startSending ends the time for credentials and starts that for the request.
func (l *timeLimit) startSending() {
	if l.cancel == nil || l.sending || l.timer != nil && !l.timer.Stop() {
		return
	}
	l.sending = true
	switch {
	case l.timeout.AttemptTimeout < 0:
	case l.timer == nil:
		l.timer = time.AfterFunc(l.timeout.AttemptTimeout, l.expire)
	default:
		l.timer.Reset(l.timeout.AttemptTimeout)
	}
}

func (l *timeLimit) expire() {
	if l.sending {
		l.cancel(&l.timeout)
	} else {
		l.cancel(errRetrievalTimeout)
	}
}

// stop releases the timer and the context.
func (l *timeLimit) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.cancel != nil {
		l.cancel(nil)
	}
}

// expired reports whether the attempt timeout ended ctx.
func (l *timeLimit) expired(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), &l.timeout)
}

// sendRequest sends a signed request and returns the response. Its body is not nil.
func sendRequest(client HTTPClient, req *http.Request, limit *timeLimit) (*http.Response, error) {
	resp, err := httpclient.Do(client, req)
	if err != nil {
		return nil, sendError(req, limit, err)
	}
	return resp, nil
}

// sendError returns the error of a request without a complete response. It contains the URL,
// and whether the attempt timed out, the caller canceled or the network failed.
func sendError(req *http.Request, limit *timeLimit, err error) error {
	ctx := req.Context()
	switch {
	case limit.expired(ctx):
		return &smithyhttp.RequestSendError{Err: urlError(req, &limit.timeout)}
	case ctx.Err() != nil:
		return &smithy.CanceledError{Err: urlError(req, contextError(ctx))}
	}
	var named *url.Error
	if !errors.As(err, &named) {
		err = urlError(req, err)
	}
	return &smithyhttp.RequestSendError{Err: err}
}

// urlError returns err with the request's URL, like net/http.
func urlError(req *http.Request, err error) error {
	return &url.Error{Op: "Get", URL: req.URL.Redacted(), Err: err}
}
