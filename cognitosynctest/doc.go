// Package cognitosynctest is a fake Amazon Cognito Sync for tests: a server that
// speaks the service's wire format, checks signatures as AWS does, fails the way
// you tell it to, and remembers what it was asked.
//
// # A first test
//
// [NewServer] starts a server that ends with the test. Its [Server.Config] points
// a client at it: region, credentials, endpoint, and a retryer that does not wait.
//
//	func TestUsage(t *testing.T) {
//		server := cognitosynctest.NewServer(t)
//		server.SetPool(cognitosynctest.Pool{IdentityPoolId: "us-east-1:1f2e", DataStorage: aws.Int64(4096)})
//		server.Script("us-east-1:1f2e", cognitosynctest.Throttle(1))
//
//		client := cognitosync.NewFromConfig(server.Config())
//		out, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{
//			IdentityPoolId: aws.String("us-east-1:1f2e"),
//		})
//
//		require.NoError(t, err)
//		assert.Equal(t, int64(4096), *out.IdentityPoolUsage.DataStorage)
//		assert.Equal(t, 2, server.Requests().Count()) // the throttled attempt and the good one
//	}
//
// Nothing has to be cleaned up, nothing sleeps, and one server can serve many
// parallel tests if each uses pools of its own. A program, or an example, starts
// its server with [Start] and ends it with [Server.Close].
//
// # How it responds
//
// A request that is not signed as AWS wants it gets the status, code and message
// that AWS responds with; see [Verifier]. Then come the steps of the script, then
// the table of pools: a known pool's usage, members without a value as null, or
// ResourceNotFoundException. Anything but the one operation is
// UnknownOperationException.
//
// The fake is not kinder than AWS. A pool is only found in the region that its ID begins
// with. An ID that is not registered and violates the documented pattern, such as that of
// a user pool, is refused with InvalidParameterException. Credentials may be those of a
// Cognito Identity user (NotAuthorizedException) and may be allowed or denied single
// pools (AccessDeniedException); see [Credentials].
//
// # Regions
//
// A server with a socket is a custom endpoint for clients, which do not check the region
// of a pool then. With AWSHosts in [Options] it is not: Config hands out no BaseEndpoint
// but an HTTPClient that takes requests for AWS's host names to the server, so a test
// meets the client's RegionMismatchError as in production. A server in memory always
// works like this. With AnyRegion it stands for all regions.
//
// # Scripts
//
// A [Step] is what the service does with one request. Steps are used up in order,
// one by each request that gets past the check of its signature:
//
//	server.Script(poolID,
//		cognitosynctest.InternalError(),                     // an error of the service
//		cognitosynctest.Error(400, "OddException", "odd"),   // any other
//		cognitosynctest.BadGateway(),                        // a page of HTML
//		cognitosynctest.OK().CutAfter(10),                   // a body that breaks off
//		cognitosynctest.Repeat(3, cognitosynctest.Reset()),  // connections that break
//		cognitosynctest.TooManyRequests().WithHeader("Retry-After", "2"),
//		cognitosynctest.OK().After(time.Second),             // late, but good
//		cognitosynctest.Forever(cognitosynctest.Stall()),    // silence from here on
//	)
//
// [Func] makes a step of the request, and [RateLimit] is one. Waits end when the client
// gives up. [Server.ScriptEachCall] takes each of many concurrent calls through the same
// steps, [Server.Pending] tells whether all steps were met, and [Server.PendingSteps]
// which were not. [Server.ClearScript] ends an outage.
//
// # Requests
//
// [Server.Requests] has what the server got, and how it responded:
//
//	requests := server.Requests()
//	requests.Count()
//	requests.ByPool(poolID).Last().Header.Get("User-Agent")
//	requests.Attempts(requests.Last().InvocationID).Count()
//	requests.Refused()
//
// If a request was refused for its signature, its Refusal says why: the canonical
// request and string to sign that AWS expects, what was signed instead, if one of
// the usual mistakes was made, and a sentence on the difference.
//
// When a test fails, [NewServer] logs all requests with their responses, the steps that
// were never met, the pools, and the refusals. Tests that share a server of [Start] get
// the same for what concerns them from [Server.Watch].
//
// A server that runs for long needs a bound, KeepRequests in [Options]. [Server.Count]
// counts all requests, and [Server.MaxInFlight] has how many there were at once.
//
// # In memory
//
// With InMemory there is no socket, and a test in a testing/synctest bubble tries
// real backoffs and timeouts in no time:
//
//	synctest.Test(t, func(t *testing.T) {
//		server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true })
//		server.Script("", cognitosynctest.Throttle(2))
//		cfg := server.Config()
//		cfg.Retryer = nil // the client's own, which waits seconds
//		...
//	})
//
// A server with a socket would hang in a bubble, so it does not start there.
//
// # Other clients
//
// [Server.URL] is an endpoint for programs in any language, such as
// aws --endpoint-url, and [Server.Env] has the environment with which a child process
// finds it. The command cognitosync-fake, a module of its own, is the same server. A
// [Verifier] checks the signatures of requests to a server of your own.
package cognitosynctest
