// Package cognitosynctest provides a fake Amazon Cognito Sync server for tests. The fake
// speaks the service's wire format, checks the signature of each request, fails as
// scripted, and records the requests that it receives.
//
// # Getting started
//
// [NewServer] starts a server that is closed when the test ends. [Server.Config] returns
// an [aws.Config] with the server's endpoint, region and credentials, and with a retryer
// that does not back off.
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
//		assert.Equal(t, 2, server.Requests().Count()) // one throttled, one successful
//	}
//
// No cleanup is needed. Parallel tests can share a server as long as each test uses pools
// of its own. Programs and examples call [Start] and [Server.Close] instead.
//
// # Responses
//
// The server handles each request in this order:
//
//  1. A request for any other operation gets UnknownOperationException.
//  2. A request with a missing or wrong signature gets the error that AWS returns for it;
//     see [Verifier].
//  3. If the script has a step left, the request consumes it.
//  4. Otherwise the response comes from the table of pools: the usage of the pool, with
//     null for members that are not set, or ResourceNotFoundException.
//
// The fake is as strict as the service. It finds a pool only in the region that the pool
// ID begins with. It rejects an unregistered ID that violates the documented pattern, such
// as that of a user pool, with InvalidParameterException. [Credentials] can be those of a
// Cognito Identity user, which get NotAuthorizedException, and can be allowed or denied
// individual pools, which gives AccessDeniedException.
//
// AWS documents the errors of the operation and the pattern of the ID. Which error comes
// first, and the text of the messages, are inferred.
//
// # Waiting
//
// The server responds immediately unless a step says otherwise: [Step.After] and
// [Step.Drip] delay the response, [Stall] and [Step.StallAfter] never complete it. Each of
// these waits ends when the client gives up or the server is closed. The client of
// [Server.Config] does not back off between attempts, but still waits for as long as a
// response asks for, in a Retry-After header for example.
//
// # Regions
//
// By default the server is a custom endpoint. A client with a custom endpoint does not
// check the region of a pool. With AWSHosts in [Options], Config returns no BaseEndpoint
// but an HTTPClient that redirects requests for AWS's host names to the server, so the
// client returns a RegionMismatchError just as in production. A server in memory always
// works this way. With AnyRegion, one server stands in for every region.
//
// # Scripts
//
// A [Step] says how the server handles one request. Requests with a valid signature
// consume the steps in order, one each:
//
//	server.Script(poolID,
//		cognitosynctest.InternalError(),                     // an error of the service
//		cognitosynctest.Error(400, "OddException", "odd"),   // any other error
//		cognitosynctest.BadGateway(),                        // an HTML page
//		cognitosynctest.OK().CutAfter(10),                   // a truncated body
//		cognitosynctest.Repeat(3, cognitosynctest.Reset()),  // connection resets
//		cognitosynctest.TooManyRequests().WithHeader("Retry-After", "2"),
//		cognitosynctest.OK().After(time.Second),             // a slow response
//		cognitosynctest.Forever(cognitosynctest.Stall()),    // no response from here on
//	)
//
// [Func] chooses the step by the request, and [RateLimit] throttles.
// [Server.ScriptEachCall] runs every call through the same steps, however many run at
// once. [Server.PendingSteps] lists the steps that no request has consumed, and
// [Server.Pending] counts them. [Server.ClearScript] removes the steps, to end an outage
// for example.
//
// # Requests
//
// [Server.Requests] returns the recorded requests with the status and error code of each
// response:
//
//	requests := server.Requests()
//	requests.Count()
//	requests.ByPool(poolID).Last().Header.Get("User-Agent")
//	requests.Attempts(requests.Last().InvocationID).Count()
//	requests.Refused()
//
// If the signature of a request was refused, its Refusal explains why in one sentence. It
// has the canonical request and the string to sign that were expected and, if the mistake
// is a common one, those that the client signed.
//
// When a test fails, [NewServer] logs the requests with their responses, the pending
// steps, the known pools and the refusals. Tests that share a server from [Start] get the
// same log, limited to their own pools, from [Server.Watch].
//
// For a long-running server, set KeepRequests in [Options] to bound the memory that
// recorded requests take. [Server.Count] counts all requests, and [Server.MaxInFlight]
// returns how many were in flight at once.
//
// # Servers in memory
//
// With InMemory the server has no socket. This is what package testing/synctest (Go 1.25
// and later) needs: in its bubbles, real backoffs and timeouts take no real time.
//
//	synctest.Test(t, func(t *testing.T) {
//		server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true })
//		server.Script("", cognitosynctest.Throttle(2))
//		cfg := server.Config()
//		cfg.Retryer = nil // the client's default, which backs off for up to seconds
//		...
//	})
//
// A server with a socket would hang in a bubble, so [Start] returns an error there.
//
// # Other clients
//
// [Server.URL] is an endpoint for clients in any language, such as aws --endpoint-url.
// [Server.Env] returns the environment variables for a child process. The command
// cognitosync-fake, in a module of its own, runs the same server from the command line. A
// [Verifier] checks the signatures of requests to an HTTP server of your own.
package cognitosynctest
