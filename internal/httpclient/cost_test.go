//go:build !race

package httpclient_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// exchanges compare this package with net/http for one request and its response. With a server,
// this package must not allocate more. A stub or another body needs goroutines, with up to 3
// allocations each.
func exchanges(tb testing.TB, test func(name string, most float64, plain, ours func())) {
	server, transport := newServer(tb, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") })
	stub := func(body func() io.ReadCloser) http.RoundTripper {
		return roundTripFunc(func(*http.Request) (*http.Response, error) { return response(200, body()), nil })
	}
	inMemory := stub(func() io.ReadCloser { return io.NopCloser(strings.NewReader("body")) })
	foreign := stub(func() io.ReadCloser { return io.NopCloser(io.LimitReader(strings.NewReader("body"), 4)) })
	for _, c := range []struct {
		name   string
		client *http.Client
		most   float64 // allocations in addition to those of net/http
	}{
		{"server", &http.Client{Transport: transport}, 0},
		{"server, Timeout", &http.Client{Transport: transport, Timeout: time.Hour}, 0},
		{"stub", &http.Client{Transport: inMemory}, 0},
		{"stub, Timeout", &http.Client{Transport: inMemory, Timeout: time.Hour}, 0},
		{"stub, foreign body", &http.Client{Transport: foreign}, 3},
	} {
		ctx, cancel := context.WithCancel(tb.Context())
		tb.Cleanup(cancel)
		req := newRequest(tb, server.URL).WithContext(ctx)
		req.Header = http.Header{"User-Agent": {"a"}, "Amz-Sdk-Invocation-Id": {"b"}, "Authorization": {"c"}, "X-Amz-Date": {"d"}}
		client := without(c.client)
		test(c.name, c.most, func() {
			resp, err := c.client.Do(req)
			require.NoError(tb, err)
			_, err = io.ReadAll(resp.Body)
			require.NoError(tb, err)
			require.NoError(tb, resp.Body.Close())
		}, func() {
			resp, err := httpclient.Do(client, req)
			require.NoError(tb, err)
			_, err = httpclient.ReadBody(ctx, resp, 1<<20, errTooLarge)
			require.NoError(tb, err)
		})
	}
}

func TestAllocations(t *testing.T) { // not parallel: AllocsPerRun counts for the whole process
	exchanges(t, func(name string, most float64, plain, ours func()) {
		before, now := testing.AllocsPerRun(200, plain), testing.AllocsPerRun(200, ours)
		t.Logf("%s: net/http %v, ours %v", name, before, now)
		assert.LessOrEqual(t, now, before+most, name)
	})
}

func BenchmarkExchange(b *testing.B) {
	exchanges(b, func(name string, _ float64, plain, ours func()) {
		for kind, do := range map[string]func(){"plain": plain, "ours": ours} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					do()
				}
			})
		}
	})
}
