package httpclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognitosync/cognitosync-go/internal/foreign"
)

// Do sends req and returns the response. Its body is never nil. Every error wraps a
// *url.Error.
//
// Do returns when the context of req is done, even if client does not. The error then wraps
// the cause of the context, as in net/http. The client may still be reading req. If it
// returns a response later, the response is closed.
//
// A response with status 101 gets an empty body, because the data after it is of another
// protocol and may never end.
func Do(client Doer, req *http.Request) (resp *http.Response, err error) {
	if c, ok := client.(*noRedirectClient); ok {
		resp, err = c.Do(req) // returns in time, as its transport does
	} else {
		resp, err = doInTime(client, req)
	}
	if err != nil {
		return nil, withURL(err, req)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		closeBody(req.Context(), resp)
		resp = withBody(resp, http.NoBody)
	}
	return resp, nil
}

// doInTime returns a response with a body, or an error. It returns when the context of req
// is done.
func doInTime(client Doer, req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if ctx.Done() == nil {
		resp, err := client.Do(req)
		return complete(ctx, resp, err)
	}
	results := make(chan result) // unbuffered, so that a late result is closed, not lost
	go func() {
		var r result
		defer func() {
			select {
			case results <- r:
			case <-ctx.Done():
				closeBody(ctx, r.resp)
			}
		}()
		r.outcome.Of(func() { r.resp, r.err = client.Do(req) }) //nolint:bodyclose // whoever takes the result closes it
	}()
	select {
	case r := <-results:
		r.outcome.Repeat()
		return complete(ctx, r.resp, r.err)
	case <-ctx.Done():
		return nil, context.Cause(ctx) // as net/http does
	}
}

// result is the result of calling a client on another goroutine.
type result struct {
	resp    *http.Response
	err     error
	outcome foreign.Outcome
}

// complete returns either an error or a response with a body. Not all clients do.
func complete(ctx context.Context, resp *http.Response, err error) (*http.Response, error) {
	switch {
	case err != nil:
		closeBody(ctx, resp)
		return nil, err
	case resp == nil:
		return nil, errors.New("the HTTP client returned neither a response nor an error")
	case resp.Body == nil:
		return withBody(resp, http.NoBody), nil
	}
	return resp, nil
}

// withBody returns a copy of resp with another body. The client may return the original for
// several requests.
func withBody(resp *http.Response, body io.ReadCloser) *http.Response {
	other := *resp
	other.Body = body
	return &other
}

// closeBody closes the body of a response that is not read. resp may be nil. closeBody does
// not wait for a Close that may block.
func closeBody(ctx context.Context, resp *http.Response) {
	switch {
	case resp == nil || resp.Body == nil:
	case endsWith(ctx, resp.Body):
		_ = resp.Body.Close()
	default:
		go resp.Body.Close()
	}
}

// withURL returns err, wrapped in a *url.Error unless it already wraps one.
func withURL(err error, req *http.Request) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return err
	}
	op, target := "Get", *req.URL
	if req.Method != "" {
		op = req.Method[:1] + strings.ToLower(req.Method[1:])
	}
	target.User = nil
	return &url.Error{Op: op, URL: target.String(), Err: err}
}
