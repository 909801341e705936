package cognitosynctest_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// newReportedServer returns a server in memory that has accepted some requests and refused
// others.
func newReportedServer(t *testing.T, tb cognitosynctest.TB) *cognitosynctest.Server {
	t.Helper()
	server := cognitosynctest.NewServer(tb, func(o *cognitosynctest.Options) {
		o.InMemory = true
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}, {IdentityPoolId: european}}
	})
	server.Script(poolID, cognitosynctest.Throttle(1), cognitosynctest.Hangup(), cognitosynctest.OK(), cognitosynctest.Throttle(2))
	server.Script("", cognitosynctest.OK().CutAfter(10))
	client := server.Config().HTTPClient
	for attempt := 1; attempt <= 3; attempt++ {
		r := newRequest(t, t.Context(), server, poolID)
		r.Header.Set("Amz-Sdk-Invocation-Id", "call")
		r.Header.Set("Amz-Sdk-Request", fmt.Sprintf("attempt=%d; max=3", attempt))
		sign(t, r)
		do(client, r)
	}
	query(t, client, server, otherID, func(s *signing) { s.region = "eu-west-1" })
	query(t, client, server, otherID, func(s *signing) { s.once = true })
	do(client, request(t, http.MethodPost, server.URL()+"/x", ""))
	return server
}

const reportedPath = "/identitypools/us-east-1%3A23ec4050-6aea-7089-a2dd-08002example"

// A failed test logs the report. A passed test logs nothing.
func TestNewServer_logs(t *testing.T) {
	t.Parallel()
	for _, failed := range []bool{false, true} {
		tb := &testTB{failed: failed}
		server := newReportedServer(t, tb)
		report := server.Report()
		tb.end()
		if !failed {
			assert.Empty(t, tb.logs)
			continue
		}
		require.Equal(t, []string{report}, tb.logs)
		assert.Empty(t, tb.fatal)
		const otherPath = "/identitypools/us-east-1%3A00000000-0000-0000-0000-000000000001"
		want := `cognitosynctest: server https://cognitosynctest.invalid
requests: 6
	1. GET ` + reportedPath + `, pool ` + poolID + `, attempt 1 of 3: 429 TooManyRequestsException
	2. GET ` + reportedPath + `, pool ` + poolID + `, attempt 2 of 3: no response
	3. GET ` + reportedPath + `, pool ` + poolID + `, attempt 3 of 3: 200 OK
	4. GET ` + otherPath + `, pool ` + otherID + `: 403 InvalidSignatureException
	5. GET ` + otherPath + `, pool ` + otherID + `: 403 InvalidSignatureException
	6. POST /x: 404 UnknownOperationException
pending steps: 3
	any pool: OK.CutAfter(10)
	` + poolID + `: TooManyRequests (2 times)
known pools: 2
	` + european + ` (not found: the server's region is us-east-1)
	` + poolID + `
refused requests: 2
	4. 403 InvalidSignatureException: the scope in Credential is `
		assert.Equal(t, want, report[:min(len(want), len(report))])
		_, refusals, _ := strings.Cut(report, "refused requests: 2\n\t4. ")
		first, second, found := strings.Cut(refusals, "\n\t5. ")
		require.True(t, found)
		assert.NotContains(t, first, "canonical request", "expected and received are the same")
		assert.Contains(t, first, "expected string to sign")
		for _, want := range []string{"expected canonical request", "received canonical request", "x-amz-security-token:REDACTED"} {
			assert.Contains(t, second, want)
		}
		assert.NotContains(t, report, cognitosynctest.DefaultCredentials().SessionToken)
		assert.NotContains(t, report, cognitosynctest.DefaultCredentials().SecretAccessKey)
	}
}

// Each test that watches a shared server gets a report on its own requests and steps.
func TestServer_Watch(t *testing.T) {
	t.Parallel()
	server := newReportedServer(t, t)
	server.Script(european, cognitosynctest.InternalError())
	all, one, passed := &testTB{failed: true}, &testTB{failed: true}, &testTB{}
	server.Watch(all)
	server.Watch(one, otherID)
	server.Watch(passed)
	for _, id := range []string{otherID, poolID} {
		query(t, server.Config().HTTPClient, server, id)
	}
	for _, tb := range []*testTB{all, one, passed} {
		tb.end()
	}
	assert.Empty(t, passed.logs)
	require.Len(t, all.logs, 1)
	assert.Contains(t, all.logs[0], "\nrequests: 2\n\t7. GET ")
	assert.Contains(t, all.logs[0], "\npending steps: 2\n\t"+european+": InternalError\n\t"+poolID+": TooManyRequests\n")
	require.Len(t, one.logs, 1)
	assert.Contains(t, one.logs[0], "\nrequests: 1\n\t7. GET ")
	assert.Contains(t, one.logs[0], "\npending steps: 0\n")
	assert.NotContains(t, one.logs[0], "refused")
}

// A report has a limited length, however many requests there were.
func TestServer_Report_long(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	for range 103 {
		query(t, client, server, poolID)
	}
	report := server.Report()
	assert.Contains(t, report, "requests: 103\n\t(3 omitted)\n\t4. GET ")
	assert.Contains(t, report, "\n\t103. GET ")
}

func TestServer_KeepRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		keep int
		want []int // the numbers of the kept requests, of 5
	}{
		{0, []int{1, 2, 3, 4, 5}},
		{-1, []int{}},
		{1, []int{5}},
		{2, []int{4, 5}},
		{3, []int{3, 4, 5}},
		{5, []int{1, 2, 3, 4, 5}},
		{6, []int{1, 2, 3, 4, 5}},
	} {
		t.Run(fmt.Sprint(test.keep), func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory, o.KeepRequests = true, test.keep })
			numbers := func() []int {
				numbers := []int{}
				for _, r := range server.Requests() {
					numbers = append(numbers, r.Number)
				}
				return numbers
			}
			server.Script("", cognitosynctest.Repeat(6, cognitosynctest.InternalError()))
			for range 5 {
				query(t, httpClient(t, server), server, poolID)
			}
			assert.Equal(t, test.want, numbers())
			assert.Equal(t, 5, server.Count())
			if forgotten := 5 - len(test.want); forgotten > 0 {
				assert.Contains(t, server.Report(), fmt.Sprintf("\n\t(%d earlier requests not kept: see Options.KeepRequests)\n", forgotten))
			} else {
				assert.NotContains(t, server.Report(), "not kept")
			}

			server.ForgetRequests()
			assert.Empty(t, numbers())
			assert.Zero(t, server.Count())
			assert.Equal(t, 1, server.Pending(), "scripts stay")
			query(t, httpClient(t, server), server, poolID)
			assert.Equal(t, 1, server.Count())
			if test.keep >= 0 {
				assert.Equal(t, []int{6}, numbers())
			}
		})
	}
}

// Modifying the requests that a test gets does not modify the record.
func TestServer_Requests_shareNothing(t *testing.T) {
	t.Parallel()
	spoil := func(r *cognitosynctest.Request) {
		r.Header["Authorization"][0] = "spoiled"
		r.Header.Set("X-Spoiled", "1")
		r.Body[0] = 'X'
		r.Refusal.Reason = "spoiled"
	}
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.InMemory = true
		o.OnRequest = func(r cognitosynctest.Request) { spoil(&r) }
	})
	signed := request(t, http.MethodGet, newRequest(t, t.Context(), server, poolID).URL.String(), "body")
	sign(t, signed, func(s *signing) { s.region = "eu-west-1" })
	do(server.Config().HTTPClient, signed)
	for range 2 {
		recorded := server.Requests().Last()
		assert.True(t, strings.HasPrefix(recorded.Header.Get("Authorization"), "AWS4-HMAC-SHA256"))
		assert.Empty(t, recorded.Header.Get("X-Spoiled"))
		assert.Equal(t, "body", string(recorded.Body))
		assert.NotEqual(t, "spoiled", recorded.Refusal.Reason)
		spoil(&recorded)
	}
}

// The text of a request contains no token, whatever the verb.
func TestRequest_text(t *testing.T) {
	t.Parallel()
	server := newReportedServer(t, &testTB{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, value := range []any{server.Requests(), server.Requests().Last(), &server.Requests()[0], server.Requests()[4]} {
			text := fmt.Sprintf(verb, value)
			assert.NotContains(t, text, cognitosynctest.DefaultCredentials().SessionToken, verb)
			assert.NotContains(t, text, "Authorization", verb)
			assert.NotContains(t, text, "Signature=", verb)
		}
	}
	assert.Equal(t, "POST /x: 404 UnknownOperationException", server.Requests().Last().String())
	assert.Equal(t, "GET /x, pool \"a\\nb\", attempt 2: 200 OK",
		cognitosynctest.Request{Method: "GET", Path: "/x", PoolID: "a\nb", Attempt: 2, StatusCode: 200}.String())
	assert.Equal(t, " : no response", cognitosynctest.Request{}.String())
}

// With KeepRequests, the memory of a server is bounded. COGNITOSYNCTEST_REQUESTS=1000000 runs
// a longer test.
func TestServer_memory(t *testing.T) {
	requests := 20_000
	if n, err := fmt.Sscan(os.Getenv("COGNITOSYNCTEST_REQUESTS"), &requests); err == nil && n == 1 {
		t.Logf("%d requests", requests)
	}
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.InMemory, o.KeepRequests = true, 100
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
	})
	server.Script("", cognitosynctest.Forever(cognitosynctest.OK()))
	server.ScriptEachCall(poolID, cognitosynctest.OK())
	client := cognitosync.NewFromConfig(server.Config())
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: new(string)}
	*input.IdentityPoolId = poolID
	var half uint64
	for i := range requests {
		if i == requests/2 {
			half = heap()
		}
		_, err := client.DescribeIdentityPoolUsage(t.Context(), input)
		require.NoError(t, err)
	}
	whole := heap()
	t.Logf("heap in use: %d KB after half of the requests, %d KB after all", half>>10, whole>>10)
	assert.Equal(t, requests, server.Count())
	assert.Equal(t, 100, server.Requests().Count())
	// Without KeepRequests, half of the default number of requests take 16 MB.
	assert.Less(t, whole, half+(4<<20))
}
