package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
)

// noRedirectClient behaves like an http.Client that does not follow redirects: it handles
// cookies and the timeout, and makes one round trip. Setting CheckRedirect would not be
// enough, because an http.Client still fails on a Location that it cannot parse.
type noRedirectClient struct {
	client *http.Client // nil means http.DefaultClient
}

// Do sends req once. Every error is a *url.Error.
func (c *noRedirectClient) Do(req *http.Request) (*http.Response, error) {
	client := *cmp.Or(c.client, http.DefaultClient)
	transport := cmp.Or(client.Transport, http.DefaultTransport)
	if client.Jar != nil {
		req = withCookies(req, client.Jar)
	}
	done, cancel := req.Context().Done(), context.CancelFunc(nil)
	if client.Timeout > 0 {
		var ctx context.Context
		ctx, cancel = context.WithTimeoutCause(req.Context(), client.Timeout, clientTimeoutError{})
		req = req.WithContext(ctx)
	}

	resp, err := roundTrip(transport, req)
	if err != nil {
		if cancel != nil {
			cancel()
		}
		return nil, withURL(err, req)
	}
	if client.Jar != nil {
		if cookies := resp.Cookies(); len(cookies) > 0 {
			client.Jar.SetCookies(req.URL, cookies)
		}
	}
	if !isStandard(transport) {
		done = nil
	}
	if done != nil {
		resp.Body = &responseBody{resp.Body, done, cancel} // an http.Transport's response is not shared
	} else if cancel != nil {
		resp = withBody(resp, &responseBody{resp.Body, nil, cancel})
	}
	return resp, nil
}

// roundTrip calls transport. It relies on transport to return when the context of req is
// done, as http.RoundTripper requires. Another goroutine would add a quarter to the memory
// for a call.
func roundTrip(transport http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := transport.RoundTrip(req)
	switch {
	case err == nil:
	case isHTTPOverTLS(err):
		err = http.ErrSchemeMismatch // more helpful, as in http.Client
	case quotesProxy(transport, req, err):
		err = &proxyError{err}
	}
	return complete(req.Context(), resp, err)
}

// quotesProxy reports whether err comes from transport's Proxy function and may contain a
// password. http.ProxyFromEnvironment quotes an address that it cannot parse.
func quotesProxy(transport http.RoundTripper, req *http.Request, err error) bool {
	standard, ok := transport.(*http.Transport)
	if !ok || standard.Proxy == nil || !strings.Contains(err.Error(), "@") {
		return false
	}
	_, proxyErr := standard.Proxy(req)
	return proxyErr != nil && proxyErr.Error() == err.Error()
}

// proxyError hides the text of err, which contains the proxy's address.
type proxyError struct{ err error }

func (*proxyError) Error() string {
	return "invalid proxy address: check HTTP_PROXY and HTTPS_PROXY, or the transport's Proxy"
}
func (e *proxyError) Unwrap() error { return e.err }

// isHTTPOverTLS reports whether the server responded in plain HTTP.
func isHTTPOverTLS(err error) bool {
	var notTLS tls.RecordHeaderError
	return errors.As(err, &notTLS) && string(notTLS.RecordHeader[:]) == "HTTP/"
}

// isStandard reports whether the reads of transport's bodies end when the request's context
// is done. Those of net/http do, unless a function or a protocol that the caller added to the
// transport blocks.
func isStandard(transport http.RoundTripper) bool {
	_, ok := transport.(*http.Transport)
	return ok
}

// withCookies returns req with the cookies that jar has for it.
func withCookies(req *http.Request, jar http.CookieJar) *http.Request {
	cookies := jar.Cookies(req.URL)
	if len(cookies) == 0 {
		return req
	}
	req = req.Clone(req.Context())
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	return req
}

// clientTimeoutError is the cause of a context that was ended by http.Client.Timeout.
type clientTimeoutError struct{}

func (clientTimeoutError) Error() string {
	return "context deadline exceeded (Client.Timeout exceeded)"
}
func (clientTimeoutError) Timeout() bool        { return true }
func (clientTimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// responseBody is the body of a response to a noRedirectClient.
type responseBody struct {
	io.ReadCloser
	done   <-chan struct{}    // reads end when it is closed; nil if they may ignore the context
	cancel context.CancelFunc // releases the timer of http.Client.Timeout; nil without a timeout
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	if b.cancel != nil {
		b.cancel()
	}
	return err
}
