package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// TestMain fails if a test leaks a goroutine, such as one that waits for a connection. It
// unsets the environment variables that the SDK reads, so that tests do not depend on them.
func TestMain(m *testing.M) {
	if os.Getenv(tripFileEnv) == "" { // otherwise the test is about the environment
		for _, variable := range os.Environ() {
			name, _, _ := strings.Cut(variable, "=")
			if strings.HasPrefix(name, "AWS_") || name == "_X_AMZN_TRACE_ID" {
				_ = os.Unsetenv(name) // no error: the name is valid
			}
		}
	}
	goleak.VerifyTestMain(m)
}

// tooLong is a body that exceeds the client's limit.
var tooLong = make([]byte, mib+1)

// A leakServer fails as the pool ID specifies, and counts its open connections.
type leakServer struct {
	*httptest.Server
	open atomic.Int64
}

func newLeakServer(t *testing.T) *leakServer {
	t.Helper()
	s := &leakServer{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // its handlers panic deliberately
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *leakServer) serve(w http.ResponseWriter, r *http.Request) {
	kind := strings.TrimPrefix(r.URL.Path, "/identitypools/")
	attempt := r.Header.Get("Amz-Sdk-Request")
	first := strings.HasPrefix(attempt, "attempt=1;")
	switch kind {
	case "retried success":
		if first {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	case "client error":
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
	case "server error":
		w.WriteHeader(http.StatusInternalServerError)
	case "throttled":
		w.WriteHeader(http.StatusTooManyRequests)
	case "redirect":
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
		return
	case "expired token":
		w.Header().Set("X-Amzn-ErrorType", "ExpiredTokenException")
		w.WriteHeader(http.StatusForbidden)
		return
	case "clock skew":
		w.Header().Set("X-Amzn-ErrorType", "RequestExpired")
		w.Header().Set("Date", "Mon, 13 Oct 2014 20:12:14 GMT")
		w.WriteHeader(http.StatusForbidden)
		return
	case "malformed":
		_, _ = io.WriteString(w, "{") // here and below, the client may have closed the connection
		return
	case "too long":
		_, _ = w.Write(tooLong)
		return
	case "cut":
		w.Header().Set("Content-Length", "1000")
	case "hangup":
		panic(http.ErrAbortHandler)
	case "reset":
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = reset(conn)
		}
		return
	case "silent":
		<-r.Context().Done()
		return
	case "stalled":
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	_, _ = io.WriteString(w, stubBody)
}

// TestNothingLeaks makes 10,000 calls that succeed and fail in every way, and checks that
// there are as many goroutines and open connections as before. It is not parallel, because it
// counts those of the process.
func TestNothingLeaks(t *testing.T) {
	const calls, workers = 10_000, 8
	server := newLeakServer(t)
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	credentials, err := cognitosynctest.DefaultCredentials().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	var rotated atomic.Int64
	rotating := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		next := credentials
		next.SessionToken = fmt.Sprint(rotated.Add(1))
		return next, nil
	}))

	brief := func(o *cognitosync.Options) { o.AttemptTimeout = time.Millisecond }
	kinds := []struct {
		name     string
		succeeds bool
		alter    func(*cognitosync.Options)
		limit    time.Duration // of the caller's context; negative: already canceled
	}{
		{name: "success", succeeds: true},
		{name: "retried success", succeeds: true},
		{name: "client error"},
		{name: "server error"},
		{name: "throttled"},
		{name: "redirect"},
		{name: "expired token"},
		{name: "clock skew"},
		{name: "malformed"},
		{name: "too long"},
		{name: "cut"},
		{name: "hangup"},
		{name: "reset"},
		{name: "silent", alter: brief},
		{name: "stalled", alter: brief},
		{name: "silent", limit: time.Millisecond},
		{name: "stalled", limit: time.Millisecond},
		{name: "success", limit: -1},
		{name: "refused", alter: func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("http://127.0.0.1:1") }},
		{name: "a/b"},
		{name: "us-west-2:1", alter: func(o *cognitosync.Options) { o.BaseEndpoint = nil }},
		{name: "credentials", alter: func(o *cognitosync.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, errors.New("none")
			})
		}},
	}
	var clients []*cognitosync.Client
	for _, path := range paths {
		options := cognitosync.Options{
			Region:       "us-east-1",
			BaseEndpoint: aws.String(server.URL),
			Credentials:  rotating,
			HTTPClient:   &http.Client{Transport: transport},
			Retryer:      unlimitedRetryer{cognitosync.New(cognitosync.Options{}).Options().Retryer},
		}
		takePath(path, &options)
		client := cognitosync.New(options)
		cognitosync.SetSleep(client, doNotSleep)
		clients = append(clients, client)
	}
	call := func(i int) {
		kind := kinds[i%len(kinds)]
		ctx, cancel := context.WithCancel(context.Background())
		switch {
		case kind.limit < 0:
			cancel()
		case kind.limit > 0:
			ctx, cancel = context.WithTimeout(ctx, kind.limit)
		}
		defer cancel()
		var optFns []func(*cognitosync.Options)
		if kind.alter != nil {
			optFns = append(optFns, kind.alter)
		}
		output, err := clients[i/len(kinds)%len(clients)].DescribeIdentityPoolUsage(ctx, poolInput(kind.name), optFns...)
		assert.Equal(t, kind.succeeds && kind.limit == 0, err == nil, "%s: %v", kind.name, err)
		assert.NotEqual(t, output == nil, err == nil)
	}

	goroutines := runtime.NumGoroutine()
	var next atomic.Int64
	var done sync.WaitGroup
	for range workers {
		done.Add(1)
		go func() {
			defer done.Done()
			for i := next.Add(1) - 1; i < calls; i = next.Add(1) - 1 {
				call(int(i))
			}
		}()
	}
	done.Wait()
	call(0) // succeeds, and leaves a connection for the next call
	assert.Positive(t, server.open.Load())
	assert.LessOrEqual(t, server.open.Load(), int64(workers))

	transport.CloseIdleConnections()
	if !assert.Eventually(t, func() bool {
		return server.open.Load() == 0 && runtime.NumGoroutine() <= goroutines+1 // plus this one
	}, time.Minute, time.Millisecond) {
		t.Logf("%d open connections; all goroutines:\n%s", server.open.Load(), stacks())
	}
}

// TestClientOfACallIsForgotten checks that the HTTP client of a call can be collected after
// the call. The attempt timeout is short, because the runtime may keep a stopped timer, and
// what it refers to, until the timer would have fired.
//
// The test is not parallel, because it runs the garbage collector repeatedly.
func TestClientOfACallIsForgotten(t *testing.T) {
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			tr := setup(t, path)
			collected := make(chan struct{})
			func() {
				brought := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DisableKeepAlives = true })
				runtime.SetFinalizer(brought, func(*awshttp.BuildableClient) { close(collected) })
				tr.succeeds(t, func(o *cognitosync.Options) { o.HTTPClient, o.AttemptTimeout = brought, 2*time.Second })
			}()
			require.Eventually(t, func() bool {
				runtime.GC()
				select {
				case <-collected:
					return true
				default:
					return false
				}
			}, 30*time.Second, 10*time.Millisecond, "it is still referred to")
			runtime.KeepAlive(tr.client)
		})
	}
}

// unlimitedRetryer is a retryer without a quota.
type unlimitedRetryer struct{ aws.Retryer }

func (unlimitedRetryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return func(error) error { return nil }, nil
}

// stacks returns the stacks of all goroutines.
func stacks() string {
	text := make([]byte, mib)
	return string(text[:runtime.Stack(text, true)])
}
