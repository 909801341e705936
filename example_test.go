package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// examplePool is the ID that AWS's documentation uses.
const examplePool = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// startExampleServer starts a fake service that has examplePool.
func startExampleServer() *cognitosynctest.Server {
	server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) {
		o.Pools = []cognitosynctest.Pool{{
			IdentityPoolId:   examplePool,
			DataStorage:      aws.Int64(0),
			LastModifiedDate: aws.Time(time.UnixMilli(1_413_231_134_115)),
		}}
	})
	if err != nil {
		panic(err)
	}
	return server
}

// A call to the fake service of package cognitosynctest. To call AWS, load the
// configuration with config.LoadDefaultConfig(ctx) instead.
func Example() {
	server, err := cognitosynctest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.SetPool(cognitosynctest.Pool{
		IdentityPoolId:    "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE",
		SyncSessionsCount: aws.Int64(12),
		DataStorage:       aws.Int64(4096),
		LastModifiedDate:  aws.Time(time.UnixMilli(1_413_231_134_115)),
	})
	cfg := server.Config()

	client := cognitosync.NewFromConfig(cfg)
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String("us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	usage := out.IdentityPoolUsage
	fmt.Println("sessions:", *usage.SyncSessionsCount)
	fmt.Println("storage:", *usage.DataStorage)
	fmt.Println("modified:", usage.LastModifiedDate)
	// Output:
	// sessions: 12
	// storage: 4096
	// modified: 2014-10-13 20:12:14.115 +0000 UTC
}

// The client takes its settings from an aws.Config. Option functions change them.
func ExampleNewFromConfig() {
	cfg := aws.Config{ // as config.LoadDefaultConfig(ctx) returns it
		Region:           "eu-west-1",
		AppID:            "inventory",
		RetryMaxAttempts: 5,
	}
	client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
		o.AttemptTimeout = 2 * time.Second
	})

	options := client.Options()
	fmt.Println(options.Region, options.AppID, options.Retryer.MaxAttempts(), options.AttemptTimeout)
	// Output: eu-west-1 inventory 5 2s
}

func ExampleNew() {
	server := startExampleServer()
	defer server.Close()

	client := cognitosync.New(cognitosync.Options{
		Region:       "us-east-1",
		Credentials:  cognitosynctest.DefaultCredentials().Provider(),
		BaseEndpoint: aws.String(server.URL()),
	})
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*out.IdentityPoolUsage.IdentityPoolId)
	// Output: us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE
}

// The service may omit any member of the usage, which is not the same as zero.
func ExampleClient_DescribeIdentityPoolUsage() {
	server := startExampleServer()
	defer server.Close()

	client := cognitosync.NewFromConfig(server.Config())
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := func(count *int64) string {
		if count == nil {
			return "unknown"
		}
		return strconv.FormatInt(*count, 10)
	}
	if usage := out.IdentityPoolUsage; usage != nil {
		fmt.Println("storage:", text(usage.DataStorage))
		fmt.Println("sessions:", text(usage.SyncSessionsCount))
	}
	// Output:
	// storage: 0
	// sessions: unknown
}

// Use errors.As to distinguish errors, as with any client of the SDK.
func Example_errors() {
	server := startExampleServer()
	defer server.Close()
	server.Script("us-east-1:odd", cognitosynctest.Error(400, "OddException", "odd"))
	server.Script(examplePool, cognitosynctest.Repeat(3, cognitosynctest.OK().CutAfter(10)))

	client := cognitosync.NewFromConfig(server.Config())
	for _, id := range []string{"us-east-1:0000", "us-east-1:odd", examplePool, "us-east-1/none"} {
		_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
			IdentityPoolId: aws.String(id),
		})
		var (
			notFound *cognitosync.ResourceNotFoundException
			response smithy.APIError
			sending  *smithyhttp.RequestSendError
			invalid  smithy.InvalidParamsError
		)
		switch {
		case errors.As(err, &notFound):
			fmt.Println("no such pool:", notFound.ErrorMessage())
		case errors.As(err, &response):
			fmt.Println("the service returned", response.ErrorCode())
		case errors.As(err, &sending):
			fmt.Println("no complete response; attempts:", cognitosync.InspectError(err).Attempts)
		case errors.As(err, &invalid):
			fmt.Println("nothing was sent")
		}
	}
	// Output:
	// no such pool: IdentityPool 'us-east-1:0000' not found.
	// the service returned OddException
	// no complete response; attempts: 3
	// nothing was sent
}

func ExampleInspectError() {
	server := startExampleServer()
	defer server.Close()
	server.Script(examplePool, cognitosynctest.Throttle(3))

	client := cognitosync.NewFromConfig(server.Config())
	_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})

	details := cognitosync.InspectError(err)
	fmt.Println(details.Code, details.StatusCode, details.Fault)
	fmt.Println("message:", details.Message)
	fmt.Println("request ID:", details.RequestID)
	fmt.Println("attempts:", details.Attempts)
	fmt.Println("retryable:", details.Retryable)
	// Output:
	// TooManyRequestsException 429 client
	// message: Rate exceeded
	// request ID: 00000000-0000-4000-8000-000000000003
	// attempts: 3
	// retryable: true
}

// IsDenied reports the service's own code for a denial and that of an IAM policy.
func ExampleIsDenied() {
	server := startExampleServer()
	defer server.Close()
	server.Script(examplePool, cognitosynctest.AccessDenied(), cognitosynctest.NotAuthorized(), cognitosynctest.InvalidParameter())

	client := cognitosync.NewFromConfig(server.Config())
	for range 3 {
		_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
			IdentityPoolId: aws.String(examplePool),
		})
		fmt.Println(cognitosync.InspectError(err).Code, cognitosync.IsDenied(err))
	}
	// Output:
	// AccessDeniedException true
	// NotAuthorizedException true
	// InvalidParameterException false
}

// An option function that is passed to a call changes only that call. This one allows
// more attempts.
func Example_callOptions() {
	server := startExampleServer()
	defer server.Close()
	server.Script(examplePool, cognitosynctest.Throttle(4))

	client := cognitosync.NewFromConfig(server.Config())
	_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	}, func(o *cognitosync.Options) {
		o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 5)
	})

	fmt.Println("error:", err)
	fmt.Println("attempts:", server.Requests().Count())
	fmt.Println("attempts of other calls:", client.Options().Retryer.MaxAttempts())
	// Output:
	// error: <nil>
	// attempts: 5
	// attempts of other calls: 3
}

// One client can query pools in many regions.
func ExampleOptions_useIdentityPoolRegion() {
	server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: "eu-west-1:1f2e"}, {IdentityPoolId: "ap-south-1:3d4c"}}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	client := cognitosync.NewFromConfig(server.Config(), func(o *cognitosync.Options) {
		o.UseIdentityPoolRegion = true
	})
	for _, id := range []string{"eu-west-1:1f2e", "ap-south-1:3d4c"} {
		out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
			IdentityPoolId: aws.String(id),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("found", *out.IdentityPoolUsage.IdentityPoolId)
	}
	// Output:
	// found eu-west-1:1f2e
	// found ap-south-1:3d4c
}

// Without UseIdentityPoolRegion, a call for a pool in another region fails before anything
// is sent. To test that, set no BaseEndpoint, because a custom endpoint may serve pools of
// all regions.
func ExampleRegionMismatchError() {
	client := cognitosync.New(cognitosync.Options{
		Region:      "us-east-1",
		Credentials: ownCredentials,
		HTTPClient: smithyhttp.ClientDoFunc(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("a request was sent to %s", r.URL.Host)
		}),
	})
	_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String("eu-west-1:1f2e"),
	})

	var mismatch *cognitosync.RegionMismatchError
	if errors.As(err, &mismatch) {
		fmt.Println("client:", mismatch.ClientRegion, "pool:", mismatch.PoolRegion)
	}
	// Output: client: us-east-1 pool: eu-west-1
}

// ownCredentials are static keys for a test, without a dependency on the SDK's credentials
// module.
var ownCredentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
})

// ownClient returns a client that calls url. Its retryer does not wait.
func ownClient(url string) *cognitosync.Client {
	return cognitosync.New(cognitosync.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(url),
		Credentials:  ownCredentials,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

// A test can also run its own httptest server. It needs only this module and the SDK's
// core.
func Example_ownServer() {
	attempts := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempts++
		switch {
		case attempts == 1:
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"message":"Rate exceeded"}`)
		case r.URL.Path == "/identitypools/"+examplePool:
			fmt.Fprint(w, `{"IdentityPoolUsage":{"DataStorage":4096,"SyncSessionsCount":null,"LastModifiedDate":1.413231134115E9}}`)
		default:
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"no such pool"}`)
		}
	}))
	defer server.Close()

	client := ownClient(server.URL)
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("data storage:", *out.IdentityPoolUsage.DataStorage, "in attempt", attempts)

	_, err = client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String("us-east-1:other"),
	})
	var notFound *cognitosync.ResourceNotFoundException
	fmt.Println("not found:", errors.As(err, &notFound))
	// Output:
	// data storage: 4096 in attempt 2
	// not found: true
}

// recorder is an http.RoundTripper that records the responses of a server and replays them,
// like go-vcr. It matches requests by method and URL, because these headers vary:
// Authorization, X-Amz-Date and X-Amz-Security-Token with the time and the credentials,
// Amz-Sdk-Invocation-Id with each call, Amz-Sdk-Request with each attempt, and User-Agent
// with versions.
type recorder struct {
	recording bool
	responses map[string][]string // bodies, in order
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	key := req.Method + " " + req.URL.EscapedPath()
	if r.recording {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		r.responses[key] = append(r.responses[key], string(body))
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		return resp, nil
	}
	if len(r.responses[key]) == 0 {
		return nil, errors.New("not recorded: " + key)
	}
	body := r.responses[key][0]
	r.responses[key] = r.responses[key][1:]
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// Responses can be recorded and replayed with an HTTP client's transport.
func Example_recording() {
	server := startExampleServer()
	tape := &recorder{recording: true, responses: map[string][]string{}}
	client := cognitosync.NewFromConfig(server.Config(), func(o *cognitosync.Options) {
		o.HTTPClient = &http.Client{Transport: tape}
	})
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(examplePool)}
	if _, err := client.DescribeIdentityPoolUsage(context.Background(), input); err != nil {
		fmt.Println(err)
		return
	}
	server.Close()

	tape.recording = false
	out, err := client.DescribeIdentityPoolUsage(context.Background(), input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.IdentityPoolUsage.LastModifiedDate)
	// Output: 2014-10-13 20:12:14.115 +0000 UTC
}

// An attempt that takes too long is canceled and retried.
func ExampleOptions_attemptTimeout() {
	server := startExampleServer()
	defer server.Close()
	server.Script(examplePool, cognitosynctest.Forever(cognitosynctest.Stall()))

	client := cognitosync.NewFromConfig(server.Config(), func(o *cognitosync.Options) {
		o.AttemptTimeout = 10 * time.Millisecond
	})
	_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})

	var timeout *cognitosync.AttemptTimeoutError
	if errors.As(err, &timeout) {
		fmt.Println(cognitosync.InspectError(err).Attempts, "attempts,", timeout)
	}
	// Output: 3 attempts, no complete response within the attempt timeout of 10ms
}

// The client runs smithy middleware, like every client of the SDK.
func ExampleWithAPIOptions() {
	server := startExampleServer()
	defer server.Close()

	client := cognitosync.NewFromConfig(server.Config(), cognitosync.WithAPIOptions(
		smithyhttp.AddHeaderValue("X-Team", "inventory"),
	))
	_, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(examplePool),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("X-Team:", server.Requests().Last().Header.Get("X-Team"))
	// Output: X-Team: inventory
}

// Code that accepts the interface can be tested with a function.
func ExampleDescribeIdentityPoolUsageFunc() {
	isEmpty := func(ctx context.Context, client cognitosync.DescribeIdentityPoolUsageAPIClient, id string) (bool, error) {
		out, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id})
		if err != nil {
			return false, err
		}
		storage := out.IdentityPoolUsage.DataStorage
		return storage != nil && *storage == 0, nil
	}

	mock := cognitosync.DescribeIdentityPoolUsageFunc(func(
		_ context.Context, in *cognitosync.DescribeIdentityPoolUsageInput, _ ...func(*cognitosync.Options),
	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
		if *in.IdentityPoolId == "us-east-1:0000" {
			return nil, &cognitosync.ResourceNotFoundException{Message: aws.String("no such pool")}
		}
		return &cognitosync.DescribeIdentityPoolUsageOutput{
			IdentityPoolUsage: &cognitosync.IdentityPoolUsage{DataStorage: aws.Int64(0)},
		}, nil
	})
	fmt.Println(isEmpty(context.Background(), mock, "us-east-1:1f2e"))
	fmt.Println(isEmpty(context.Background(), mock, "us-east-1:0000"))
	// Output:
	// true <nil>
	// false ResourceNotFoundException: no such pool
}
