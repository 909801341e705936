package cognitosynctest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const examplePool = "us-east-1:1f2e3d4c-0000-4000-8000-000000000000"

// usageOf is the code under test in the examples. It queries the usage of a pool.
func usageOf(client *cognitosync.Client, poolID string) (*cognitosync.IdentityPoolUsage, error) {
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(poolID),
	})
	if err != nil {
		return nil, err
	}
	return out.IdentityPoolUsage, nil
}

// errorCode returns the service's error code.
func errorCode(err error) string {
	if apiErr := smithy.APIError(nil); errors.As(err, &apiErr) {
		return apiErr.ErrorCode()
	}
	return fmt.Sprint(err)
}

// start starts a server that has examplePool. A test would call NewServer instead.
func start(optFns ...func(*cognitosynctest.Options)) *cognitosynctest.Server {
	server, err := cognitosynctest.Start(optFns...)
	if err != nil {
		log.Fatal(err)
	}
	changed := time.Date(2014, time.October, 13, 20, 12, 14, 115e6, time.UTC)
	server.SetPool(cognitosynctest.Pool{
		IdentityPoolId:   examplePool,
		DataStorage:      aws.Int64(4096),
		LastModifiedDate: &changed,
	})
	return server
}

// A throttled call succeeds on its second attempt. In a test, NewServer(t) replaces Start and
// Close.
func Example() {
	server, err := cognitosynctest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: examplePool, SyncSessionsCount: aws.Int64(12)})
	server.Script(examplePool, cognitosynctest.Throttle(1))

	client := cognitosync.NewFromConfig(server.Config())
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println("sync sessions:", *out.IdentityPoolUsage.SyncSessionsCount)
	fmt.Println("data storage is known:", out.IdentityPoolUsage.DataStorage != nil)
	fmt.Println("requests:", server.Requests().Count())
	// Output:
	// sync sessions: 12
	// data storage is known: false
	// requests: 2
}

// Each request consumes one step. After the last step, responses come from the table of
// pools.
func ExampleServer_Script() {
	server := start()
	defer server.Close()
	server.Script(examplePool,
		cognitosynctest.Throttle(2),
		cognitosynctest.OK().CutAfter(10),
		cognitosynctest.AccessDenied(),
	)
	client := cognitosync.NewFromConfig(server.Config())

	_, err := usageOf(client, examplePool) // three attempts
	fmt.Println(errors.Is(err, io.ErrUnexpectedEOF))
	_, err = usageOf(client, examplePool)
	fmt.Println(errorCode(err))
	usage, err := usageOf(client, examplePool)
	fmt.Println(*usage.DataStorage, err)
	// Output:
	// true
	// AccessDeniedException
	// 4096 <nil>
}

// The step depends on the request: every third request fails.
func ExampleFunc() {
	server := start()
	defer server.Close()
	server.Script("", cognitosynctest.Forever(cognitosynctest.Func(func(r cognitosynctest.Request) cognitosynctest.Step {
		if r.Number%3 == 0 {
			return cognitosynctest.InternalError()
		}
		return cognitosynctest.OK()
	})))
	client := cognitosync.NewFromConfig(server.Config())
	for range 4 {
		if _, err := usageOf(client, examplePool); err != nil {
			log.Fatal(err)
		}
	}

	for _, r := range server.Requests() {
		fmt.Println(r.Number, r.StatusCode, r.Attempt)
	}
	// Output:
	// 1 200 1
	// 2 200 1
	// 3 500 1
	// 4 200 2
	// 5 200 1
}

// With AWSHosts, the client resolves the endpoint and checks the region as in production.
func ExampleOptions_awsHosts() {
	server := start(func(o *cognitosynctest.Options) { o.AWSHosts = true })
	defer server.Close()
	client := cognitosync.NewFromConfig(server.Config())

	_, err := usageOf(client, examplePool)
	fmt.Println(err, server.Requests().Last().Host)
	var mismatch *cognitosync.RegionMismatchError
	_, err = usageOf(client, "eu-west-1:1f2e")
	fmt.Println(errors.As(err, &mismatch), server.Count())
	// Output:
	// <nil> cognito-sync.us-east-1.amazonaws.com
	// true 1
}

// Each of several concurrent calls goes through the same steps.
func ExampleServer_ScriptEachCall() {
	server := start()
	defer server.Close()
	server.ScriptEachCall("", cognitosynctest.InternalError())
	client := cognitosync.NewFromConfig(server.Config())

	var calls sync.WaitGroup
	for range 8 {
		calls.Add(1)
		go func() {
			defer calls.Done()
			if _, err := usageOf(client, examplePool); err != nil {
				fmt.Println(err)
			}
		}()
	}
	calls.Wait()

	for i, attempts := range server.Requests().Calls() {
		if attempts.Count() != 2 {
			fmt.Println("call", i, "took", attempts.Count())
		}
	}
	fmt.Println(server.Requests().Count(), "requests")
	// Output: 16 requests
}

// The server records each request with its response.
func ExampleServer_Requests() {
	server := start()
	defer server.Close()
	server.Script("", cognitosynctest.InternalError())
	client := cognitosync.NewFromConfig(server.Config())
	if _, err := usageOf(client, examplePool); err != nil {
		log.Fatal(err)
	}

	for _, r := range server.Requests().ByPool(examplePool) {
		fmt.Println(r.Path, r.Attempt, "of", r.MaxAttempts, r.StatusCode)
	}
	last := server.Requests().Last()
	fmt.Println(server.Requests().Attempts(last.InvocationID).Count(), "attempts")
	// Output:
	// /identitypools/us-east-1%3A1f2e3d4c-0000-4000-8000-000000000000 1 of 3 500
	// /identitypools/us-east-1%3A1f2e3d4c-0000-4000-8000-000000000000 2 of 3 200
	// 2 attempts
}

// A Refusal says in detail what is wrong with a signature.
func ExampleRefusal() {
	server := start()
	defer server.Close()
	cfg := server.Config()
	cfg.Region = "eu-west-1"

	_, err := usageOf(cognitosync.NewFromConfig(cfg), examplePool)

	fmt.Println(errorCode(err))
	refusal := server.Requests().Last().Refusal
	fmt.Println(refusal.Message)
	fmt.Println(refusal.ReceivedCanonicalRequest == refusal.ExpectedCanonicalRequest)
	// Output:
	// InvalidSignatureException
	// Credential should be scoped to a valid region, not 'eu-west-1'.
	// true
}

// The senders have different permissions.
func ExampleCredentials() {
	auditor := cognitosynctest.Credentials{
		AccessKeyID:     "AKIDAUDITOR",
		SecretAccessKey: "secret",
		DeniedPools:     []string{examplePool},
	}
	player := cognitosynctest.Credentials{
		AccessKeyID:         "AKIDPLAYER",
		SecretAccessKey:     "secret",
		SessionToken:        "token",
		CognitoIdentityUser: true,
	}
	server := start(func(o *cognitosynctest.Options) {
		o.Credentials = []cognitosynctest.Credentials{auditor, player}
	})
	defer server.Close()

	cfg := server.Config()
	_, err := usageOf(cognitosync.NewFromConfig(cfg), examplePool)
	fmt.Println(errorCode(err))

	cfg.Credentials = player.Provider()
	_, err = usageOf(cognitosync.NewFromConfig(cfg), examplePool)
	fmt.Println(errorCode(err))
	// Output:
	// AccessDeniedException
	// NotAuthorizedException
}

// One server in memory stands in for the AWS endpoints of all regions.
func ExampleServer_RoundTripper() {
	server := start(func(o *cognitosynctest.Options) { o.InMemory, o.AnyRegion = true, true })
	defer server.Close()
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1f2e", DataStorage: aws.Int64(7)})

	client := cognitosync.NewFromConfig(server.Config(), func(o *cognitosync.Options) { o.UseIdentityPoolRegion = true })
	for _, pool := range []string{examplePool, "eu-west-1:1f2e"} {
		usage, err := usageOf(client, pool)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(server.Requests().Last().Host, *usage.DataStorage)
	}
	// Output:
	// cognito-sync.us-east-1.amazonaws.com 4096
	// cognito-sync.eu-west-1.amazonaws.com 7
}

// The verifier checks the signature; the response comes from your own handler.
func ExampleVerifier_Handler() {
	verifier := &cognitosynctest.Verifier{Region: "us-east-1"}
	server := httptest.NewServer(verifier.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"IdentityPoolUsage":{"DataStorage":1}}`)
	})))
	defer server.Close()

	for _, secret := range []string{cognitosynctest.DefaultCredentials().SecretAccessKey, "wrong"} {
		keys := cognitosynctest.DefaultCredentials()
		keys.SecretAccessKey = secret
		client := cognitosync.New(cognitosync.Options{
			Region:       "us-east-1",
			BaseEndpoint: aws.String(server.URL),
			Credentials:  keys.Provider(),
		})
		usage, err := usageOf(client, examplePool)
		if err != nil {
			fmt.Println(errorCode(err))
			continue
		}
		fmt.Println(*usage.DataStorage)
	}
	// Output:
	// 1
	// InvalidSignatureException
}
