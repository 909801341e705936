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

// HTTPClient sends a request and returns the response with its body still to
// be read, like [http.Client].
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// maxRetrievalTime is how long a credentials provider may take where the caller's context
// has no deadline: a person may have to type a code, or to sign in with a browser.
const maxRetrievalTime = 5 * time.Minute

// errRetrievalTimeout is why a context is done whose maxRetrievalTime has passed.
var errRetrievalTimeout = errors.New("no credentials within " + maxRetrievalTime.String())

// retrievalError returns a provider's error, with the reason if ctx ended it: the caller
// has not canceled anything when maxRetrievalTime has passed.
func retrievalError(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case !errors.Is(cause, errRetrievalTimeout):
		return err
	case errors.Is(err, cause):
		return cause
	case errors.Is(err, ctx.Err()):
		return fmt.Errorf("%w: %s", cause, err.Error()) // which is only what cause did to it
	default:
		return fmt.Errorf("%w: %w", cause, err)
	}
}

// timeLimit bounds an attempt: first the time to get credentials, then, from startSending
// on, the time to send the request and read the response.
type timeLimit struct {
	timeout AttemptTimeoutError // its address tells this attempt's timeout from any other
	cancel  context.CancelCauseFunc
	timer   *time.Timer // nil: the caller's deadline is sooner
	sending bool
}

// start returns the context of an attempt. It makes no timer that would fire only after
// the caller's own deadline.
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

// startSending ends the time for credentials and begins that for the request.
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

// stop ends the attempt's context.
func (l *timeLimit) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.cancel != nil {
		l.cancel(nil)
	}
}

// expired reports whether ctx is done because the time to send is over.
func (l *timeLimit) expired(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), &l.timeout)
}

// sendRequest sends a signed request and returns the response with its body, never nil,
// still to be read.
func sendRequest(client HTTPClient, req *http.Request, limit *timeLimit) (*http.Response, error) {
	resp, err := httpclient.Do(client, req)
	if err != nil {
		return nil, sendError(req, limit, err)
	}
	return resp, nil
}

// sendError says why no complete response came: the caller canceled, the attempt took
// too long, or the network failed. It names the URL.
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

// urlError returns err as net/http has it, with the request's URL.
func urlError(req *http.Request, err error) error {
	return &url.Error{Op: "Get", URL: req.URL.Redacted(), Err: err}
}
