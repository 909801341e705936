package cognitosynctest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// The function of a Func gets each request that the signature check accepts.
func TestFunc(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		var seen []cognitosynctest.Request
		server.Script("", cognitosynctest.Forever(cognitosynctest.Func(func(r cognitosynctest.Request) cognitosynctest.Step {
			seen = append(seen, r)
			r.Header.Set("X-Spoiled", "1")
			switch r.Number % 3 {
			case 0:
				return cognitosynctest.InternalError()
			case 1:
				return cognitosynctest.Step{}
			default:
				return cognitosynctest.OK()
			}
		})))
		client := httpClient(t, server)
		for _, want := range []int{200, 200, 500, 200, 200, 500} {
			assert.Equal(t, want, query(t, client, server, poolID).status)
		}
		require.Len(t, seen, 6)
		assert.Equal(t, poolID, seen[0].PoolID)
		assert.Equal(t, "us-east-1", seen[0].Region)
		assert.Zero(t, seen[0].StatusCode, "there is no response yet")
		assert.Empty(t, server.Requests()[0].Header.Get("X-Spoiled"))
		assert.Equal(t, 500, server.Requests().Last().StatusCode)

		// It gets no refused request.
		query(t, client, server, poolID, func(s *signing) { s.region = "eu-west-1" })
		assert.Len(t, seen, 6)
	})
}

// Modifications of the Func step are added to those of the chosen step.
func TestFunc_alteredStep(t *testing.T) {
	t.Parallel()
	choose := func(step cognitosynctest.Step) cognitosynctest.Step {
		return cognitosynctest.Func(func(cognitosynctest.Request) cognitosynctest.Step { return step })
	}
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		server.Script("",
			choose(cognitosynctest.InternalError().WithHeader("A", "1").WithHeader("B", "1")).WithHeader("B", "2").After(1).Drip(1),
			choose(cognitosynctest.OK().CutAfter(5)),
			choose(cognitosynctest.OK().StallAfter(7)).CutAfter(5),
			choose(choose(cognitosynctest.BadGateway())).WithHeader("A", "3"),
			choose(cognitosynctest.Hangup()),
			choose(cognitosynctest.RateLimit(1)),
		)
		got := query(t, client, server, poolID)
		assert.Equal(t, 500, got.status)
		assert.Equal(t, "1", got.header.Get("A"))
		assert.Equal(t, "2", got.header.Get("B"))
		for range 2 {
			got = query(t, client, server, poolID)
			require.ErrorIs(t, got.bodyErr, io.ErrUnexpectedEOF)
			assert.Equal(t, usage[:5], got.body)
		}
		got = query(t, client, server, poolID)
		assert.Equal(t, 502, got.status)
		assert.Equal(t, "3", got.header.Get("A"))
		require.ErrorIs(t, query(t, client, server, poolID).err, io.EOF)
		assert.Equal(t, 200, query(t, client, server, poolID).status)
		assert.Equal(t, usage, query(t, client, server, poolID).body, "a Func that returns a Forever is not itself one")
		assert.Equal(t, 7, server.Count(), "one request per step")
	})
}

// The function of a Func may call methods of the server.
func TestFunc_usesServer(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		server.Script("", cognitosynctest.Func(func(r cognitosynctest.Request) cognitosynctest.Step {
			server.RemovePool(r.PoolID)
			server.Script(r.PoolID, cognitosynctest.Throttle(1))
			assert.Equal(t, 1, server.Pending())
			return cognitosynctest.OK()
		}))
		client := httpClient(t, server)
		assert.Equal(t, 400, query(t, client, server, poolID).status)
		assert.Equal(t, 429, query(t, client, server, poolID).status)
	})
}

func TestFunc_severalSteps(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	server.Script("", cognitosynctest.Func(func(cognitosynctest.Request) cognitosynctest.Step { return cognitosynctest.Throttle(2) }))
	assert.PanicsWithValue(t, "cognitosynctest: the function of a Func step returned more than one step", func() {
		query(t, client, server, poolID)
	})
}

// The limit follows the service's clock. Throttled requests do not count towards it.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	clock := now
	option := func(o *cognitosynctest.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
	}
	server := cognitosynctest.NewServer(t, option)
	limit := cognitosynctest.RateLimit(2)
	server.Script(poolID, limit)
	server.Script(otherID, limit)
	client := httpClient(t, server)
	for _, test := range []struct {
		after time.Duration
		id    string
		want  int
	}{
		{0, poolID, 200},
		{600 * time.Millisecond, otherID, 404}, // within the limit, but an unknown pool
		{0, poolID, 429},
		{399 * time.Millisecond, poolID, 429},
		{time.Millisecond, poolID, 200}, // a second after the first
		{0, otherID, 429},
		{600 * time.Millisecond, poolID, 200}, // a second after the second
		{0, poolID, 429},
		{time.Second, poolID, 200},
		{0, poolID, 200},
		{0, poolID, 429},
	} {
		mu.Lock()
		clock = clock.Add(test.after)
		at := clock
		mu.Unlock()
		got := query(t, client, server, test.id, func(s *signing) { s.at = at })
		assert.Equal(t, test.want, got.status, at)
	}
	assert.Zero(t, server.Pending())
	assert.Equal(t, 1, server.MaxInFlight())

	assert.PanicsWithValue(t, "cognitosynctest: invalid rate limit 0: it must be at least 1", func() { cognitosynctest.RateLimit(0) })
}

// A step that follows a step of Forever is a mistake.
func TestForever_notTheLast(t *testing.T) {
	t.Parallel()
	const text = "cognitosynctest: OK follows Forever(TooManyRequests), so no request could reach it"
	forever, next := cognitosynctest.Forever(cognitosynctest.Throttle(1)), cognitosynctest.OK()
	assert.PanicsWithValue(t, text, func() { cognitosynctest.Sequence(forever, next) })
	assert.PanicsWithValue(t, text, func() { cognitosynctest.Forever(cognitosynctest.Sequence(forever, next)) })
	assert.PanicsWithValue(t, text, func() { cognitosynctest.Repeat(2, next, cognitosynctest.Sequence(forever), next) })
	assert.Panics(t, func() { cognitosynctest.Repeat(2, forever) })
	assert.NotPanics(t, func() { cognitosynctest.Repeat(1, forever) })
	assert.NotPanics(t, func() { cognitosynctest.Sequence(forever, cognitosynctest.Step{}) })
	assert.NotPanics(t, func() { cognitosynctest.Forever(forever) })
	server, client := newMemoryServer(t)
	assert.PanicsWithValue(t, text, func() { server.Script("", forever, next) })
	assert.PanicsWithValue(t, text, func() { server.ScriptEachCall("", forever, next) })
	assert.Zero(t, server.Pending(), "no step was added")
	server.Script("", forever)
	assert.PanicsWithValue(t, text, func() { server.Script("", next) })
	assert.Equal(t, 429, query(t, client, server, poolID).status)
	assert.PanicsWithValue(t, text, func() { server.Script("", next) })
	server.Script(poolID, next) // the script of another pool
	assert.Equal(t, 200, query(t, client, server, poolID).status)
	assert.Equal(t, 429, query(t, client, server, poolID).status)

	server.ClearScript("")
	assert.Equal(t, 200, query(t, client, server, poolID).status)
	server.Script("", next)
	assert.Equal(t, 1, server.Pending())
	server.ScriptEachCall(poolID, forever)
	server.ClearScript(poolID)
	assert.Equal(t, []cognitosynctest.PendingStep{{Step: "OK", Count: 1}}, server.PendingSteps())
}

// Each kind of step has its own name.
func TestServer_PendingSteps(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	steps := map[string]cognitosynctest.Step{
		"OK": cognitosynctest.OK(), "TooManyRequests": cognitosynctest.Throttle(1), "InternalError": cognitosynctest.InternalError(),
		"InvalidParameter": cognitosynctest.InvalidParameter(), "NotAuthorized": cognitosynctest.NotAuthorized(),
		"ResourceNotFound": cognitosynctest.ResourceNotFound(), "AccessDenied": cognitosynctest.AccessDenied(),
		"ExpiredToken": cognitosynctest.ExpiredToken(), "Error(400, Odd)": cognitosynctest.Error(400, "Odd", "x"),
		"Reply(299)": cognitosynctest.Reply(299, nil, ""), "BadGateway": cognitosynctest.BadGateway(),
		"ServiceUnavailable": cognitosynctest.ServiceUnavailable(), "Redirect(307)": cognitosynctest.Redirect(307, "x"),
		"Oversized": cognitosynctest.Oversized(1), "Endless": cognitosynctest.Endless(), "GzipBomb": cognitosynctest.GzipBomb(1),
		"Stall": cognitosynctest.Stall(), "Hangup": cognitosynctest.Hangup(), "Reset": cognitosynctest.Reset(),
		"OK.WithClock(1h0m0s)":                 cognitosynctest.SkewedClock(time.Hour),
		"OK.After(1s).Drip(1ms).WithHeader(A)": cognitosynctest.OK().After(time.Second).Drip(time.Millisecond).WithHeader("A", "b"),
		"OK.CutAfter(1).ResetAfter(2)":         cognitosynctest.OK().CutAfter(1).ResetAfter(2),
		"InternalError.StallAfter(3)":          cognitosynctest.InternalError().StallAfter(3),
		"Func":                                 cognitosynctest.Func(nil),
		"RateLimit(3)":                         cognitosynctest.RateLimit(3),
	}
	for name, step := range steps {
		server.Script(name, step)
		assert.Contains(t, server.PendingSteps(), cognitosynctest.PendingStep{PoolID: name, Step: name, Count: 1})
	}
	assert.Equal(t, len(steps), server.Pending())
	server.Reset()
	assert.Empty(t, server.PendingSteps())

	server.Script(poolID, cognitosynctest.OK(), cognitosynctest.Throttle(3), cognitosynctest.Forever(cognitosynctest.OK()))
	server.ScriptEachCall("", cognitosynctest.Throttle(2), cognitosynctest.Forever(cognitosynctest.OK()))
	query(t, client, server, poolID)
	for _, call := range []string{"a", "b", "b", "b", "b"} {
		r := newRequest(t, t.Context(), server, otherID)
		r.Header.Set("Amz-Sdk-Invocation-Id", call)
		sign(t, r)
		do(client, r)
	}
	pending := server.PendingSteps()
	assert.Equal(t, []cognitosynctest.PendingStep{
		{Call: "a", Step: "TooManyRequests", Count: 1},
		{Call: "a", Step: "OK", Count: 1},
		{PoolID: poolID, Step: "TooManyRequests", Count: 3},
		{PoolID: poolID, Step: "OK", Count: 1},
	}, pending)
	assert.Equal(t, 6, server.Pending())
	assert.Equal(t, "any pool, call a: TooManyRequests", pending[0].String())
	assert.Equal(t, poolID+": TooManyRequests (3 times)", pending[2].String())
}

// ScriptEachCall tracks a limited number of calls, but counts the pending steps of all.
func TestServer_ScriptEachCall_manyCalls(t *testing.T) {
	t.Parallel()
	const tracked = 1 << 12
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory, o.KeepRequests = true, -1 })
	server.ScriptEachCall("", cognitosynctest.Throttle(1), cognitosynctest.InternalError(), cognitosynctest.OK())
	client := server.Config().HTTPClient
	attempt := func(call string) int {
		r := newRequest(t, t.Context(), server, otherID)
		r.Header.Set("Amz-Sdk-Invocation-Id", call)
		sign(t, r)
		return do(client, r).status
	}
	assert.Equal(t, 429, attempt("first"))
	assert.Equal(t, 500, attempt("first"))
	for i := range tracked - 1 {
		attempt(fmt.Sprint(i))
	}
	assert.Equal(t, 404, attempt("first"), "it is still tracked")
	assert.Equal(t, 2*(tracked-1), server.Pending())
	assert.Equal(t, 429, attempt("one more"))
	assert.Equal(t, 429, attempt("first"), "it counts as a new call")
	assert.Equal(t, 2*(tracked+1), server.Pending(), "the oldest call is no longer tracked, but its pending steps count")
}

func TestServer_MaxInFlight(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		for _, step := range []cognitosynctest.Step{
			cognitosynctest.OK(), cognitosynctest.OK().CutAfter(3), cognitosynctest.Reset(), cognitosynctest.Hangup(), cognitosynctest.Endless().CutAfter(1e5),
			cognitosynctest.ServiceUnavailable(), cognitosynctest.Reply(204, nil, ""), cognitosynctest.OK().ResetAfter(3), cognitosynctest.OK(),
		} {
			server.Script("", step)
			query(t, client, server, poolID)
		}
		assert.Equal(t, 1, server.MaxInFlight(), "the requests are sequential")

		var together sync.WaitGroup
		together.Add(3)
		server.Script("", cognitosynctest.Repeat(3, cognitosynctest.Func(func(cognitosynctest.Request) cognitosynctest.Step {
			together.Done()
			together.Wait()
			return cognitosynctest.OK()
		})))
		var calls sync.WaitGroup
		for range 3 {
			r := newRequest(t, t.Context(), server, poolID)
			sign(t, r)
			calls.Add(1)
			go func() { defer calls.Done(); do(client, r) }()
		}
		calls.Wait()
		assert.Equal(t, 3, server.MaxInFlight())
		server.Reset()
		assert.Zero(t, server.MaxInFlight())
		query(t, client, server, poolID)
		assert.Equal(t, 1, server.MaxInFlight())
	})
}

// A request that follows the complete response to another does not overlap with it, even on
// another connection.
func TestServer_MaxInFlight_next(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 500 {
		require.Equal(t, 200, query(t, client, server, poolID).status)
	}
	assert.Equal(t, 1, server.MaxInFlight())
}

// A request whose response is not read is in flight until the body is closed.
func TestServer_MaxInFlight_unread(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	r := newRequest(t, t.Context(), server, poolID)
	sign(t, r)
	response, err := client.Do(r)
	require.NoError(t, err)
	query(t, client, server, poolID)
	assert.Equal(t, 2, server.MaxInFlight())
	require.NoError(t, response.Body.Close())
	server.Reset()
	assert.Zero(t, server.MaxInFlight())
}

// The variables override those of the parent process.
func TestServer_Env(t *testing.T) {
	t.Parallel()
	keys := cognitosynctest.Credentials{AccessKeyID: "AKIDCHILD", SecretAccessKey: "secret"}
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.Region, o.Credentials, o.PathPrefix = "eu-west-1", []cognitosynctest.Credentials{keys}, "/v1"
	})
	env := map[string]string{}
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		assert.Equal(t, strings.TrimPrefix(os.Getenv(name)+",127.0.0.1,::1,localhost", ","), env[name])
		delete(env, name)
	}
	assert.Equal(t, map[string]string{
		"AWS_ENDPOINT_URL_COGNITO_SYNC":       server.URL(),
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
		"AWS_REGION":                          "eu-west-1",
		"AWS_DEFAULT_REGION":                  "eu-west-1",
		"AWS_ACCESS_KEY_ID":                   "AKIDCHILD",
		"AWS_SECRET_ACCESS_KEY":               "secret",
		"AWS_SESSION_TOKEN":                   "", // clears the parent's
		"AWS_EC2_METADATA_DISABLED":           "true",
	}, env)

	memory, _ := newMemoryServer(t)
	assert.PanicsWithValue(t, "cognitosynctest: no other process can reach a server in memory", func() { memory.Env() })
}

// The client renews expired credentials once, and the call succeeds.
func TestRenewingProvider(t *testing.T) {
	t.Parallel()
	old := cognitosynctest.Credentials{AccessKeyID: "AKIDOLD", SecretAccessKey: "old", SessionToken: "old", Expired: true}
	fresh := cognitosynctest.Credentials{AccessKeyID: "AKIDFRESH", SecretAccessKey: "fresh", SessionToken: "fresh"}
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		server.SetCredentials(old)
		server.SetCredentials(fresh)
		cfg := server.Config()
		cfg.Credentials = cognitosynctest.RenewingProvider(old, fresh)
		client := cognitosync.NewFromConfig(cfg)
		for range 2 {
			_, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)})
			require.NoError(t, err)
		}
		var keys []string
		for _, r := range server.Requests() {
			_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			key, _, _ = strings.Cut(key, "/")
			keys = append(keys, key+" "+r.ErrorCode)
		}
		assert.Equal(t, []string{"AKIDOLD ExpiredTokenException", "AKIDFRESH ", "AKIDFRESH "}, keys)
	})

	provider := cognitosynctest.RenewingProvider(old, fresh)
	for _, want := range []string{"AKIDOLD", "AKIDFRESH", "AKIDFRESH"} {
		for range 2 {
			credentials, err := provider.Retrieve(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, credentials.AccessKeyID)
		}
		provider.Invalidate()
	}
	assert.PanicsWithValue(t, "cognitosynctest: RenewingProvider needs at least one set of credentials", func() { cognitosynctest.RenewingProvider() })
}

// NoWaitRetryer makes the same decisions as the default retryer.
func TestNoWaitRetryer(t *testing.T) {
	t.Parallel()
	retryer, standard := cognitosynctest.NoWaitRetryer(), retry.NewStandard()
	assert.Equal(t, standard.MaxAttempts(), retryer.MaxAttempts())
	decided := map[bool]int{}
	for _, step := range []cognitosynctest.Step{
		cognitosynctest.TooManyRequests(), cognitosynctest.InternalError(), cognitosynctest.InvalidParameter(), cognitosynctest.NotAuthorized(),
		cognitosynctest.ResourceNotFound(), cognitosynctest.AccessDenied(), cognitosynctest.BadGateway(), cognitosynctest.ServiceUnavailable(),
		cognitosynctest.Hangup(), cognitosynctest.Reset(), cognitosynctest.OK().CutAfter(3), cognitosynctest.Error(400, "Throttling", "x"),
		cognitosynctest.Redirect(307, "https://example.com"),
	} {
		server, _ := newMemoryServer(t)
		server.Script("", cognitosynctest.Forever(step))
		_, err := describe(t, server.Config(), poolID, func(o *cognitosync.Options) { o.Retryer = aws.NopRetryer{} })
		require.Error(t, err)
		assert.Equal(t, standard.IsErrorRetryable(err), retryer.IsErrorRetryable(err), err)
		decided[retryer.IsErrorRetryable(err)]++
	}
	assert.Equal(t, map[bool]int{true: 8, false: 5}, decided)
	assert.False(t, retryer.IsErrorRetryable(errors.New("x")))
	assert.True(t, retryer.IsErrorRetryable(errors.New("read: connection reset by peer")))
	for attempt := range 3 {
		delay, err := retryer.RetryDelay(attempt+1, errors.New("x"))
		require.NoError(t, err)
		assert.Zero(t, delay)
	}
	assert.Equal(t, 7, cognitosynctest.NoWaitRetryer(func(o *retry.StandardOptions) { o.MaxAttempts = 7 }).MaxAttempts())
}

func TestStart_options(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		option func(*cognitosynctest.Options)
		err    string
	}{
		{func(o *cognitosynctest.Options) { o.TLS, o.InMemory = true, true }, "Options.InMemory and Options.TLS are mutually exclusive"},
		{func(o *cognitosynctest.Options) { o.Addr, o.InMemory = "127.0.0.1:0", true }, "Options.InMemory and Options.Addr are mutually exclusive"},
		{func(o *cognitosynctest.Options) { o.PathPrefix, o.AWSHosts = "/x", true }, "Options.AWSHosts and Options.PathPrefix are mutually exclusive"},
		{func(o *cognitosynctest.Options) { o.PathPrefix = "x" }, `invalid Options.PathPrefix "x": it must be a URL path that begins with a slash`},
		{func(o *cognitosynctest.Options) { o.PathPrefix = "/x?y" }, `invalid Options.PathPrefix "/x?y": it must be a URL path that begins with a slash`},
		{func(o *cognitosynctest.Options) { o.PathPrefix = "/%zz" }, `invalid Options.PathPrefix "/%zz": it must be a URL path that begins with a slash`},
		{func(o *cognitosynctest.Options) { o.PathPrefix = "/a b" }, `invalid Options.PathPrefix "/a b": it must be a URL path that begins with a slash`},
	} {
		server, err := cognitosynctest.Start(test.option)
		assert.Nil(t, server)
		assert.EqualError(t, err, "cognitosynctest: "+test.err)
	}
	server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) { o.Addr = "256.0.0.1:0" })
	assert.Nil(t, server)
	require.Error(t, err)
}

// The server listens on Addr, and URL is an address at which it can be reached.
func TestServer_Addr(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "127.0.0.2:0", ":0"} {
		for _, secure := range []bool{false, true} {
			server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.Addr, o.TLS = addr, secure })
			want := "://127.0.0.1:"
			if addr == "127.0.0.2:0" {
				want = "://127.0.0.2:"
			}
			assert.Contains(t, server.URL(), want)
			assert.Equal(t, http.StatusNotFound, query(t, httpClient(t, server), server, otherID).status)
		}
	}
	first := cognitosynctest.NewServer(t)
	tb := &testTB{}
	assert.Nil(t, cognitosynctest.NewServer(tb, func(o *cognitosynctest.Options) { o.Addr = strings.TrimPrefix(first.URL(), "http://") }))
	assert.Contains(t, tb.fatal, "cognitosynctest: listen tcp ")
}
