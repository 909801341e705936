package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// follow is a CheckRedirect that follows all redirects.
func follow(*http.Request, []*http.Request) error { return nil }

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	for _, client := range []struct {
		name string
		make func(*http.Transport) httpclient.Doer
	}{
		{"http.Client", func(tr *http.Transport) httpclient.Doer { return &http.Client{Transport: tr} }},
		{"http.Client that follows", func(tr *http.Transport) httpclient.Doer {
			return &http.Client{Transport: tr, CheckRedirect: follow}
		}},
		{"http.Client with a timeout", func(tr *http.Transport) httpclient.Doer {
			return &http.Client{Transport: tr, Timeout: time.Hour}
		}},
		{"http.Client with a jar", func(tr *http.Transport) httpclient.Doer { return &http.Client{Transport: tr, Jar: jar} }},
		{"http.Client with a wrapped transport", func(tr *http.Transport) httpclient.Doer {
			return &http.Client{Transport: roundTripFunc(tr.RoundTrip)}
		}},
		{"BuildableClient", func(*http.Transport) httpclient.Doer {
			return awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DisableKeepAlives = true })
		}},
		{"another client", func(tr *http.Transport) httpclient.Doer { return doFunc(tr.RoundTrip) }},
	} {
		for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
			for _, location := range []string{"/elsewhere", "http://[unreadable", "http://host.test/%zz", ""} {
				t.Run(fmt.Sprintf("%s/%d %s", client.name, status, location), func(t *testing.T) {
					t.Parallel()
					var requests atomic.Int32
					server, transport := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
						requests.Add(1)
						if location != "" {
							w.Header().Set("Location", location)
						}
						w.WriteHeader(status)
					})

					resp, err := httpclient.Do(without(client.make(transport)), newRequest(t, server.URL))

					require.NoError(t, err)
					_, err = httpclient.ReadBody(t.Context(), resp, 1, errTooLarge)
					require.NoError(t, err)
					assert.Equal(t, status, resp.StatusCode)
					assert.Equal(t, location, resp.Header.Get("Location"))
					assert.EqualValues(t, 1, requests.Load())
				})
			}
		}
	}
}

// TestClientStaysTheCallers checks that an http.Client is not modified, and that later changes
// of it take effect.
func TestClientStaysTheCallers(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp := response(status, http.NoBody)
			resp.Header.Set("Set-Cookie", "name=value")
			resp.Header.Set("Cookies", req.Header.Get("Cookie"))
			return resp, nil
		})
	}
	given := &http.Client{Transport: answer(201), CheckRedirect: follow}
	client := without(given)
	do := func(t *testing.T) (*http.Response, error) {
		t.Helper()
		return httpclient.Do(client, newRequest(t, "https://host.test/"))
	}

	resp, err := do(t)
	require.NoError(t, err)
	assert.Equal(t, 201, resp.StatusCode)

	given.Transport = answer(202)
	resp, err = do(t)
	require.NoError(t, err)
	assert.Equal(t, 202, resp.StatusCode)

	given.Jar, err = cookiejar.New(nil)
	require.NoError(t, err)
	for _, cookie := range []string{"", "name=value"} {
		resp, err = do(t)
		require.NoError(t, err)
		assert.Equal(t, cookie, resp.Header.Get("Cookies"))
	}

	given.Timeout = time.Nanosecond
	given.Transport = roundTripFunc(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	_, err = do(t)
	requireURLError(t, err, "https://host.test/")
	require.ErrorIs(t, err, context.DeadlineExceeded)

	assert.NoError(t, given.CheckRedirect(nil, nil), "replaced")
	assert.Equal(t, time.Nanosecond, given.Timeout)
}

// TestDefaults is not parallel, because it replaces shared defaults.
func TestDefaults(t *testing.T) {
	clients := map[string]httpclient.Doer{
		"nil":       without((*http.Client)(nil)),
		"no fields": without(&http.Client{}),
		"default":   without(http.DefaultClient),
	}
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = roundTripFunc(func(*http.Request) (*http.Response, error) { return response(204, http.NoBody), nil })
	for name, client := range clients {
		resp, err := httpclient.Do(client, newRequest(t, "https://host.test/"))
		require.NoError(t, err, name)
		assert.Equal(t, 204, resp.StatusCode, name)
	}
}

// TestSharedResponse uses a transport that returns the same response for all requests. The race
// detector checks that the response is not modified.
func TestSharedResponse(t *testing.T) {
	t.Parallel()
	for _, status := range []int{101, 200, 302} {
		for _, timeout := range []time.Duration{0, time.Hour} {
			shared := response(status, http.NoBody)
			if status == 200 {
				shared.Body = nil
			}
			client := without(&http.Client{
				Transport: roundTripFunc(func(*http.Request) (*http.Response, error) { return shared, nil }),
				Timeout:   timeout,
			})
			for i := range 2 {
				t.Run(fmt.Sprintf("%d %s %d", status, timeout, i), func(t *testing.T) {
					t.Parallel()
					resp, err := httpclient.Do(client, newRequest(t, "https://host.test/"))
					require.NoError(t, err)
					assert.Equal(t, status, resp.StatusCode)
					_, err = httpclient.ReadBody(t.Context(), resp, 1, errTooLarge)
					require.NoError(t, err)
				})
			}
		}
	}
}

// TestClientTimeout checks that the timeout applies to the headers and the body.
func TestClientTimeout(t *testing.T) {
	t.Parallel()
	for _, sendHeaders := range []bool{false, true} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprintf("headers %t, wrapped %t", sendHeaders, wrapped), func(t *testing.T) {
				t.Parallel()
				server, transport := newServer(t, func(w http.ResponseWriter, r *http.Request) {
					if sendHeaders {
						_, _ = io.WriteString(w, "text")
						_ = http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				})
				client := &http.Client{Transport: transport, Timeout: 30 * time.Millisecond}
				if wrapped {
					client.Transport = roundTripFunc(transport.RoundTrip)
				}
				if sendHeaders {
					client.Timeout = 500 * time.Millisecond
				}

				resp, err := httpclient.Do(without(client), newRequest(t, server.URL))

				if sendHeaders {
					require.NoError(t, err)
					var body []byte
					body, err = httpclient.ReadBody(t.Context(), resp, 100, errTooLarge)
					assert.Equal(t, "text", string(body))
				} else {
					requireURLError(t, err, server.URL)
				}
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorContains(t, err, "Client.Timeout exceeded")
				var timeout interface{ Timeout() bool }
				require.ErrorAs(t, err, &timeout)
				assert.True(t, timeout.Timeout())
				assert.NoError(t, t.Context().Err())
			})
		}
	}
}

// TestSchemeMismatch checks the error for a server without TLS, which is http.Client's.
func TestSchemeMismatch(t *testing.T) {
	t.Parallel()
	server, transport := newServer(t, func(http.ResponseWriter, *http.Request) {})
	_, err := httpclient.Do(without(&http.Client{Transport: transport}), newRequest(t, strings.Replace(server.URL, "http:", "https:", 1)))
	require.ErrorIs(t, err, http.ErrSchemeMismatch)
}

func requireURLError(t *testing.T, err error, target string) {
	t.Helper()
	var withURL *url.Error
	require.ErrorAs(t, err, &withURL)
	assert.Equal(t, "Get", withURL.Op)
	assert.Equal(t, target, withURL.URL)
}
