package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

// TestCallersClientIsUnchanged checks that the caller's http.Client is not modified, and
// that later changes to it have an effect.
func TestCallersClientIsUnchanged(t *testing.T) {
	t.Parallel()
	respond := func(status int) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp := response(status, http.NoBody)
			resp.Header.Set("Set-Cookie", "name=value")
			resp.Header.Set("Cookies", req.Header.Get("Cookie"))
			return resp, nil
		})
	}
	given := &http.Client{Transport: respond(201), CheckRedirect: follow}
	client := without(given)
	do := func(t *testing.T) (*http.Response, error) {
		t.Helper()
		return httpclient.Do(client, newRequest(t, "https://host.test/"))
	}

	resp, err := do(t)
	require.NoError(t, err)
	assert.Equal(t, 201, resp.StatusCode)

	given.Transport = respond(202)
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

	assert.NoError(t, given.CheckRedirect(nil, nil), "CheckRedirect was replaced")
	assert.Equal(t, time.Nanosecond, given.Timeout)
}

// TestDefaults is not parallel, because it replaces http.DefaultTransport.
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

// TestSharedResponse uses a transport that returns the same response to all requests. The
// race detector reports writes to it.
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

// TestClientTimeout checks that http.Client.Timeout limits the headers and the body.
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

// TestSchemeMismatch sends an HTTPS request to an HTTP server. The error is that of
// http.Client.
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

// TestTimeoutContextEnds checks that the context of http.Client.Timeout ends when the body
// has been read, or with the error.
func TestTimeoutContextEnds(t *testing.T) {
	t.Parallel()
	server, transport := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") })
	for _, test := range []struct {
		name string
		make func(noteContext func(*http.Request)) http.RoundTripper
		err  error
	}{
		{"net/http", func(note func(*http.Request)) http.RoundTripper {
			own := transport.Clone()
			own.DisableKeepAlives = true
			own.Proxy = func(req *http.Request) (*url.URL, error) { note(req); return nil, nil }
			return own
		}, nil},
		{"another transport", func(note func(*http.Request)) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) { note(req); return transport.RoundTrip(req) })
		}, nil},
		{"error", func(note func(*http.Request)) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) { note(req); return nil, errBroken })
		}, errBroken},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var sent *http.Request
			client := without(&http.Client{
				Transport: test.make(func(req *http.Request) { sent = req }),
				Timeout:   time.Hour,
			})
			resp, err := httpclient.Do(client, newRequest(t, server.URL))
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			} else {
				require.NoError(t, err)
				require.NoError(t, sent.Context().Err(), "the context ended before the body was read")
				_, err = httpclient.ReadBody(t.Context(), resp, 100, errTooLarge)
				require.NoError(t, err)
			}
			assert.ErrorIs(t, sent.Context().Err(), context.Canceled)
		})
	}
}

// countingJar returns the same cookies for all URLs, and counts how often cookies are set.
type countingJar struct{ set int }

func (j *countingJar) SetCookies(*url.URL, []*http.Cookie) { j.set++ }

func (*countingJar) Cookies(*url.URL) []*http.Cookie {
	return []*http.Cookie{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
}

// TestJar checks that all cookies of the jar are sent, that the caller's request is
// unchanged, and that the cookies of the response are set.
func TestJar(t *testing.T) {
	t.Parallel()
	for _, cookies := range [][]string{nil, {"c=3"}, {"c=3", "d=4"}} {
		t.Run(fmt.Sprint(len(cookies)), func(t *testing.T) {
			t.Parallel()
			jar := &countingJar{}
			var sent string
			client := without(&http.Client{Jar: jar, Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
				sent = req.Header.Get("Cookie")
				resp := response(200, http.NoBody)
				resp.Header["Set-Cookie"] = cookies
				return resp, nil
			})})
			req := newRequest(t, "https://host.test/")
			_, err := httpclient.Do(client, req)
			require.NoError(t, err)
			assert.Equal(t, "a=1; b=2", sent)
			assert.Empty(t, req.Header)
			assert.Equal(t, min(len(cookies), 1), jar.set)
		})
	}
}

// TestErrorsLikeProxyErrors checks that only errors of the Proxy function are hidden,
// because they may contain a password.
func TestErrorsLikeProxyErrors(t *testing.T) {
	t.Parallel()
	errOfHost := errors.New("no route to me@host")
	changing := 0
	for _, test := range []struct {
		name   string
		proxy  func(*http.Request) (*url.URL, error)
		dial   error
		hidden bool
		want   string
	}{
		{"no Proxy function", nil, errOfHost, false, "me@host"},
		{"Proxy function without an error", func(*http.Request) (*url.URL, error) { return nil, nil }, errOfHost, false, "me@host"},
		{"no address in the error", func(*http.Request) (*url.URL, error) { return nil, errBroken }, nil, false, "broken"},
		{"different error each time", func(*http.Request) (*url.URL, error) {
			changing++
			return nil, fmt.Errorf("proxy %d@host", changing)
		}, nil, false, "proxy 1@host"},
		{"the Proxy function's", func(*http.Request) (*url.URL, error) { return nil, errOfHost }, nil, true, "invalid proxy address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := without(&http.Client{Transport: &http.Transport{
				Proxy:       test.proxy,
				DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, test.dial },
			}})
			_, err := httpclient.Do(client, newRequest(t, "http://host.test/"))
			require.ErrorContains(t, err, test.want)
			assert.NotEqual(t, test.hidden, strings.Contains(err.Error(), "@") || test.want == "broken")
			if test.hidden {
				require.ErrorIs(t, err, errOfHost)
			}
		})
	}
}

// TestServerWithoutTLS checks that only a server that responds with HTTP results in
// ErrSchemeMismatch.
func TestServerWithoutTLS(t *testing.T) {
	t.Parallel()
	for greeting, isHTTP := range map[string]bool{"HTTP/1.1 400 Bad Request\r\n\r\n": true, "SSH-2.0-OpenSSH\r\n": false} {
		t.Run(greeting[:4], func(t *testing.T) {
			t.Parallel()
			client := without(&http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					_, _ = theirs.Read(make([]byte, 16<<10)) // the whole ClientHello
					_, _ = io.WriteString(theirs, greeting)
				}()
				return ours, nil
			}}})
			_, err := httpclient.Do(client, newRequest(t, "https://host.test/"))
			requireURLError(t, err, "https://host.test/")
			assert.Equal(t, isHTTP, errors.Is(err, http.ErrSchemeMismatch), err)
		})
	}
}

// TestTimeoutError checks what errors.Is finds in the error of a timeout.
func TestTimeoutError(t *testing.T) {
	t.Parallel()
	client := without(&http.Client{Timeout: time.Nanosecond, Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	})})
	_, err := httpclient.Do(client, newRequest(t, "https://host.test/"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, errBroken)
}

// badCloser is a body that cannot be closed.
type badCloser struct{ io.Reader }

func (badCloser) Close() error { return errBroken }

// TestCloseError checks that the error of Close is returned.
func TestCloseError(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Hour} {
		client := without(&http.Client{Timeout: timeout, Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
			return response(200, badCloser{strings.NewReader("text")}), nil
		})})
		resp, err := httpclient.Do(client, newRequest(t, "https://host.test/"))
		require.NoError(t, err)
		require.ErrorIs(t, resp.Body.Close(), errBroken, timeout)
	}
}
