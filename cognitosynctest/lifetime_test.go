package cognitosynctest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// A testTB records the calls of its methods.
type testTB struct {
	failed   bool
	fatal    string
	logs     []string
	cleanups []func()
}

func (*testTB) Helper()                           {}
func (tb *testTB) Cleanup(fn func())              { tb.cleanups = append(tb.cleanups, fn) }
func (tb *testTB) Failed() bool                   { return tb.failed }
func (tb *testTB) Logf(format string, a ...any)   { tb.logs = append(tb.logs, fmt.Sprintf(format, a...)) }
func (tb *testTB) Fatalf(format string, a ...any) { tb.fatal = fmt.Sprintf(format, a...) }

func (tb *testTB) end() {
	for _, fn := range slices.Backward(tb.cleanups) {
		fn()
	}
}

// Callbacks may close the server.
func TestServer_closeInside(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			for _, inside := range []string{"OnRequest", "Func", "a goroutine of OnRequest"} {
				t.Run(inside, func(t *testing.T) {
					t.Parallel()
					var server *cognitosynctest.Server
					server = cognitosynctest.NewServer(t, mode.option, func(o *cognitosynctest.Options) {
						o.OnRequest = func(cognitosynctest.Request) {
							switch inside {
							case "OnRequest":
								server.Close()
							case "a goroutine of OnRequest":
								closed := make(chan struct{})
								go func() { server.Close(); close(closed) }()
								<-closed
							}
						}
					})
					server.Script("", cognitosynctest.Func(func(cognitosynctest.Request) cognitosynctest.Step {
						if inside == "Func" {
							server.Close()
						}
						return cognitosynctest.OK()
					}))
					got := query(t, httpClient(t, server), server, poolID)
					if mode.name != "memory" {
						require.Error(t, got.err, "the connection is closed")
					}
					require.Error(t, query(t, httpClient(t, server), server, poolID).err)
					assert.Equal(t, 1, server.Count())
				})
			}
		})
	}
}

// At the end of the test, NewServer waits for callbacks, because they may use the test.
func TestNewServer_waitsForOnRequest(t *testing.T) {
	t.Parallel()
	for _, mode := range modes[:2] {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			tb, release, over := &testTB{}, make(chan struct{}), false
			server := cognitosynctest.NewServer(tb, mode.option, func(o *cognitosynctest.Options) {
				o.OnRequest = func(cognitosynctest.Request) {
					cancel()
					<-release
					over = true
				}
			})
			r := newRequest(t, ctx, server, poolID)
			sign(t, r)
			require.ErrorIs(t, do(httpClient(t, server), r).err, context.Canceled)
			server.Close() // does not wait for OnRequest
			close(release)
			tb.end()
			assert.True(t, over)
		})
	}
}

// A panic in a callback fails the test.
func TestServer_panic(t *testing.T) {
	t.Parallel()
	for _, inside := range []string{"OnRequest", "Func"} {
		for _, mode := range modes {
			t.Run(inside+" over "+mode.name, func(t *testing.T) {
				t.Parallel()
				tb := &testTB{}
				server := cognitosynctest.NewServer(tb, mode.option, func(o *cognitosynctest.Options) {
					o.OnRequest = func(cognitosynctest.Request) {
						if inside == "OnRequest" {
							panic("a slip in OnRequest")
						}
					}
				})
				if inside == "Func" {
					server.Script("", cognitosynctest.Func(func(cognitosynctest.Request) cognitosynctest.Step { panic("a slip in Func") }))
				}
				r := newRequest(t, t.Context(), server, poolID)
				sign(t, r)
				client := httpClient(t, server)

				if mode.name == "memory" {
					assert.PanicsWithValue(t, "a slip in "+inside, func() { do(client, r) })
					tb.end()
					assert.Empty(t, tb.fatal)
					return
				}
				require.Error(t, do(client, r).err)
				tb.end()
				assert.True(t, strings.HasPrefix(tb.fatal, "cognitosynctest: panic in OnRequest or in the function of a Func step: a slip in "+inside+"\n"), tb.fatal)
				assert.Contains(t, tb.fatal, "TestServer_panic", "the stack trace")
				require.Len(t, tb.logs, 1)
				assert.Contains(t, tb.logs[0], "\nknown pools: 0")
			})
		}
	}
}

// A panic with http.ErrAbortHandler breaks the connection and does not fail the test.
func TestServer_panicToAbort(t *testing.T) {
	t.Parallel()
	tb := &testTB{}
	server := cognitosynctest.NewServer(tb, func(o *cognitosynctest.Options) {
		o.OnRequest = func(cognitosynctest.Request) { panic(http.ErrAbortHandler) }
	})
	require.Error(t, query(t, httpClient(t, server), server, poolID).err)
	tb.end()
	assert.Empty(t, tb.fatal)
	assert.Empty(t, tb.logs)
}

// A panic in a callback of a server of Start crashes the program. A child process shows it.
func TestStart_panic(t *testing.T) {
	t.Parallel()
	const variable = "COGNITOSYNCTEST_PANIC"
	if os.Getenv(variable) != "" {
		server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) {
			o.OnRequest = func(cognitosynctest.Request) { panic("a slip") }
		})
		require.NoError(t, err)
		query(t, httpClient(t, server), server, poolID)
		select {} // until the panic ends the process
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestStart_panic$")
	cmd.Env = append(os.Environ(), variable+"=1")
	output, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "panic: cognitosynctest: panic in OnRequest or in the function of a Func step: a slip")
}

// If OnRequest ends its goroutine, as FailNow does, only that connection breaks.
func TestServer_goexit(t *testing.T) {
	t.Parallel()
	for _, mode := range modes[:2] {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			first := true
			server := cognitosynctest.NewServer(t, mode.option, func(o *cognitosynctest.Options) {
				o.OnRequest = func(cognitosynctest.Request) {
					if first {
						first = false
						runtime.Goexit()
					}
				}
			})
			require.Error(t, query(t, httpClient(t, server), server, otherID).err)
			assert.Equal(t, http.StatusNotFound, query(t, httpClient(t, server), server, otherID).status)
			assert.Equal(t, 1, server.MaxInFlight())
		})
	}
}

// In memory, a panic in a callback leaves no request in flight.
func TestServer_panicInFlight(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.InMemory = true
		o.OnRequest = func(cognitosynctest.Request) { panic("a slip") }
	})
	for range 3 {
		assert.Panics(t, func() { query(t, httpClient(t, server), server, poolID) })
	}
	assert.Equal(t, 1, server.MaxInFlight(), "the requests are sequential")
}

// Close ends the requests of any number of clients.
func TestServer_closeUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, before = 500, 1200
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			var server *cognitosynctest.Server
			var count atomic.Int32
			server, err := cognitosynctest.Start(mode.option, func(o *cognitosynctest.Options) {
				o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
				o.KeepRequests = 10
				o.OnRequest = func(cognitosynctest.Request) {
					if count.Add(1) == before {
						server.Close()
					}
				}
			})
			require.NoError(t, err)
			t.Cleanup(server.Close)
			server.ScriptEachCall("", cognitosynctest.Throttle(1), cognitosynctest.OK().CutAfter(5))
			server.Script("", cognitosynctest.Repeat(20, cognitosynctest.Stall()))
			cfg := server.Config()
			if cfg.HTTPClient == nil {
				cfg.HTTPClient = httpClient(t, server)
			}
			client := cognitosync.NewFromConfig(cfg)
			var wg sync.WaitGroup
			for range clients {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for {
						out, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{
							IdentityPoolId: aws.String(poolID),
						})
						if err != nil {
							assert.Nil(t, out)
							if count.Load() >= before {
								return
							}
						}
					}
				}()
			}
			wg.Wait()
			server.Close()
			assert.GreaterOrEqual(t, server.Count(), before)
			assert.LessOrEqual(t, server.MaxInFlight(), clients)
			assert.Greater(t, server.MaxInFlight(), 20, "at least the stalled requests")
		})
	}
}
