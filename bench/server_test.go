package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With its default HTTP client, each client makes two sequential calls over one connection.
func TestClientsOverLoopback(t *testing.T) {
	t.Parallel()
	id, err := trustedIdentity()
	require.NoError(t, err)
	tests := []struct {
		name string
		id   *identity
	}{
		{"http", nil},
		{"https", id},
	}
	for _, test := range tests {
		for _, c := range clients {
			t.Run(test.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				server, err := startServer(t.Context(), test.id, 0)
				require.NoError(t, err)
				assert.True(t, strings.HasPrefix(server.endpoint, test.name+"://127.0.0.1:"), server.endpoint)
				s, err := loadSettings(t.Context(), server.endpoint, nil)
				require.NoError(t, err)
				do := c.construct(s)

				err = errors.Join(do(t.Context()), do(t.Context()))

				connections, stopErr := server.stop()
				require.NoError(t, err)
				require.NoError(t, stopErr)
				assert.EqualValues(t, 1, connections)
			})
		}
	}
}

func TestMeasureTrafficCountsConnections(t *testing.T) {
	t.Parallel()
	// A client that never reuses a connection.
	calls := 0
	wasteful := client{name: "wasteful", construct: func(s settings) call {
		return bare(settings{config: s.config, endpoint: s.endpoint, httpClient: &http.Client{
			Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				calls++
				req.Close = true
				return http.DefaultTransport.RoundTrip(req)
			}),
		}})
	}}

	f, err := measureTraffic(t.Context(), wasteful, nil, 1, 1)

	require.NoError(t, err)
	assert.EqualValues(t, calls, f.connections)
	assert.Equal(t, 2, calls) // including one before the clock starts
}

// A client that reuses its connections opens exactly one for each goroutine.
func TestMeasureTrafficOpensAConnectionEach(t *testing.T) {
	t.Parallel()
	const goroutines = 12
	thrifty := client{name: "thrifty", construct: func(s settings) call {
		return bare(settings{config: s.config, endpoint: s.endpoint, httpClient: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: goroutines},
		}})
	}}

	f, err := measureTraffic(t.Context(), thrifty, nil, goroutines, time.Millisecond)

	require.NoError(t, err)
	assert.EqualValues(t, goroutines, f.connections)
}

// A call that fails before the clock starts cancels the others, which the service would block forever.
func TestMeasureTrafficFails(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	failing := client{name: "failing", construct: func(s settings) call {
		do := bare(s)
		return func(ctx context.Context) error {
			if calls.Add(1) == 3 {
				return errNo
			}
			return do(ctx)
		}
	}}

	_, err := measureTraffic(t.Context(), failing, nil, 4, time.Millisecond)

	require.ErrorIs(t, err, errNo)
}

func TestServerRejectsOtherRequests(t *testing.T) {
	t.Parallel()
	server, err := startServer(t.Context(), nil, 0)
	require.NoError(t, err)

	other, otherErr := http.Get(server.endpoint + "/other")
	posted, postErr := http.Post(server.endpoint+usagePath+poolID, "", nil)

	_, err = server.stop()
	require.NoError(t, errors.Join(otherErr, postErr, err))
	assert.Equal(t, http.StatusNotFound, other.StatusCode)
	assert.Equal(t, http.StatusNotFound, posted.StatusCode)
	require.NoError(t, errors.Join(other.Body.Close(), posted.Body.Close()))
}

func TestRespondTogether(t *testing.T) {
	t.Parallel()
	handler := respondTogether(3)
	request := func(ctx context.Context) string {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, usagePath+poolID, nil))
		return recorder.Body.String()
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	assert.Empty(t, request(canceled), "the first waits until its client is gone")
	second := make(chan string)
	go func() { second <- request(t.Context()) }()
	third := request(t.Context()) // may also be the second
	assert.Equal(t, usageResponse, third)
	assert.Equal(t, usageResponse, <-second)
	assert.Equal(t, usageResponse, request(t.Context()), "later requests do not wait")
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in string }{
		{"no request", ""},
		{"not JSON", "nonsense"},
		{"no certificate", `{"Identity":{"Certificate":"","Key":""}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.Error(t, serve(strings.NewReader(test.in), &out))
			assert.Empty(t, out.String())
		})
	}
}

func TestRunRole(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"bench"}, {"bench", "-quick"}, {"bench", serveRole, "more"}} {
		handled, err := runRole(args, nil, nil)
		require.NoError(t, err)
		assert.False(t, handled, args)
	}
	for _, role := range []string{serveRole, inFlightRole} {
		handled, err := runRole([]string{"bench", role}, strings.NewReader("nonsense"), io.Discard)
		require.Error(t, err, role)
		assert.True(t, handled, role)
	}
}
