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

// Do sends req and returns the response, whose body is never nil. Every error has a
// *url.Error in its chain.
//
// It returns when the context of req is done, even if client does not. The client may
// then still read req; a response that it returns later is closed. The error is then
// the cause of the context, as with net/http.
//
// A response with status 101 gets an empty body: what follows it is another protocol,
// which may never end.
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

// doInTime returns a response with a body, or an error: at the latest when the context
// of req is done.
func doInTime(client Doer, req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if ctx.Done() == nil {
		resp, err := client.Do(req)
		return complete(ctx, resp, err)
	}
	results := make(chan result) // unbuffered: a result is received, or its body is closed
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

// result is what a client returned on its own goroutine.
type result struct {
	resp    *http.Response
	err     error
	outcome foreign.Outcome
}

// complete returns either an error or a response with a body, which is what clients
// should return, but not all do.
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

// withBody returns a copy of resp with another body. The original may be one that the
// client returns many times.
func withBody(resp *http.Response, body io.ReadCloser) *http.Response {
	other := *resp
	other.Body = body
	return &other
}

// closeBody closes the body of a response that nobody reads; nil has none. It does not
// wait for a body whose Close may block.
func closeBody(ctx context.Context, resp *http.Response) {
	switch {
	case resp == nil || resp.Body == nil:
	case endsWith(ctx, resp.Body):
		_ = resp.Body.Close()
	default:
		go resp.Body.Close()
	}
}

// withURL returns err with a *url.Error in its chain, like those of an http.Client.
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
