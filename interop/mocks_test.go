package interop_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// A place is where a mock stands in the stack: at the beginning or at the end of one of
// its five steps.
type place struct {
	step     string
	position middleware.RelativePosition
}

var places = []place{
	{"Initialize", middleware.Before}, {"Initialize", middleware.After},
	{"Serialize", middleware.Before}, {"Serialize", middleware.After},
	{"Build", middleware.Before}, {"Build", middleware.After},
	{"Finalize", middleware.Before}, {"Finalize", middleware.After},
	{"Deserialize", middleware.Before}, {"Deserialize", middleware.After},
}

func (p place) String() string {
	if p.position == middleware.Before {
		return p.step + " Before"
	}
	return p.step + " After"
}

// mock adds a middleware that returns a result, or an error, instead of calling the next. At
// the end of Deserialize, where a result is still to be made of the response, it returns one
// with the body.
func (p place) mock(body string, play func() (any, error)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		switch p.step {
		case "Initialize":
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("mock", func(context.Context, middleware.InitializeInput, middleware.InitializeHandler) (
				out middleware.InitializeOutput, metadata middleware.Metadata, err error,
			) {
				out.Result, err = play()
				return out, metadata, err
			}), p.position)
		case "Serialize":
			return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("mock", func(context.Context, middleware.SerializeInput, middleware.SerializeHandler) (
				out middleware.SerializeOutput, metadata middleware.Metadata, err error,
			) {
				out.Result, err = play()
				return out, metadata, err
			}), p.position)
		case "Build":
			return stack.Build.Add(middleware.BuildMiddlewareFunc("mock", func(context.Context, middleware.BuildInput, middleware.BuildHandler) (
				out middleware.BuildOutput, metadata middleware.Metadata, err error,
			) {
				out.Result, err = play()
				return out, metadata, err
			}), p.position)
		case "Finalize":
			return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("mock", func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (
				out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
			) {
				out.Result, err = play()
				return out, metadata, err
			}), p.position)
		}
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("mock", func(context.Context, middleware.DeserializeInput, middleware.DeserializeHandler) (
			out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
		) {
			out.Result, err = play()
			if p.position == middleware.After && err == nil {
				out.RawResponse = &smithyhttp.Response{Response: &http.Response{
					StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
				}}
			}
			return out, metadata, err
		}), p.position)
	}
}

// errSent is what the HTTP client of a test that must not send anything fails with.
var errSent = errors.New("a request was sent")

var noNetwork = smithyhttp.ClientDoFunc(func(*http.Request) (*http.Response, error) { return nil, errSent })

// A mocked is what both clients of a test are made with.
type mocked struct {
	name        string
	region      string
	credentials aws.CredentialsProvider
	poolID      string
	failures    int // so many times the mock fails first, in a way that is tried again
}

// errThrottled is an error that is tried again.
type errThrottled struct{}

func (errThrottled) Error() string        { return "throttled by the mock" }
func (errThrottled) RetryableError() bool { return true }

// play returns what the mock does.
func (m mocked) play(result any) func() (any, error) {
	failures := m.failures
	return func() (any, error) {
		if failures > 0 {
			failures--
			return nil, errThrottled{}
		}
		return result, nil
	}
}

func (m mocked) config(mock func(*middleware.Stack) error) aws.Config {
	return aws.Config{
		Region:      m.region,
		Credentials: m.credentials,
		HTTPClient:  noNetwork,
		Retryer:     impatientRetryer,
		APIOptions:  []func(*middleware.Stack) error{mock},
	}
}

// askSDK makes a call of the SDK's own: the SDK's package for the service itself cannot be
// compared with, for it is not to be had any more.
func (m mocked) askSDK(ctx context.Context, p place) error {
	result := &cognitoidentity.DescribeIdentityPoolOutput{IdentityPoolName: aws.String("mocked")}
	client := cognitoidentity.NewFromConfig(m.config(p.mock(`{"IdentityPoolName":"mocked"}`, m.play(result))))
	input := &cognitoidentity.DescribeIdentityPoolInput{}
	if m.poolID != "" {
		input.IdentityPoolId = &m.poolID
	}
	output, err := client.DescribeIdentityPool(ctx, input)
	if err == nil && aws.ToString(output.IdentityPoolName) != "mocked" {
		err = errors.New("another output")
	}
	return err
}

func (m mocked) askOurs(ctx context.Context, p place) error {
	result := &cognitosync.DescribeIdentityPoolUsageOutput{IdentityPoolUsage: &cognitosync.IdentityPoolUsage{DataStorage: aws.Int64(42)}}
	client := cognitosync.NewFromConfig(m.config(p.mock(`{"IdentityPoolUsage":{"DataStorage":42}}`, m.play(result))))
	input := &cognitosync.DescribeIdentityPoolUsageInput{}
	if m.poolID != "" {
		input.IdentityPoolId = &m.poolID
	}
	output, err := client.DescribeIdentityPoolUsage(ctx, input)
	if err == nil && *output.IdentityPoolUsage.DataStorage != 42 {
		err = errors.New("another output")
	}
	return err
}

// TestStackMocks has the same mock answer for a client of the SDK and for ours. Where the
// SDK's call succeeds, ours must.
func TestStackMocks(t *testing.T) {
	t.Parallel()
	keys := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
	})
	passed := 0
	for _, m := range []mocked{
		{name: "all settings", region: region, credentials: keys, poolID: poolID},
		{name: "a pool of another region", region: region, credentials: keys, poolID: "eu-west-1:1f2e"},
		{name: "a pool of another partition", region: region, credentials: keys, poolID: "cn-north-1:1f2e"},
		{name: "a pool of another region, two failures first", region: region, credentials: keys, poolID: "eu-west-1:1f2e", failures: 2},
		{name: "two failures first", region: region, credentials: keys, poolID: poolID, failures: 2},
		{name: "no credentials", region: region, poolID: poolID},
		{name: "no credentials, a pool of another region", region: region, poolID: "eu-west-1:1f2e"},
		{name: "no credentials, two failures first", region: region, poolID: poolID, failures: 2},
		{name: "anonymous credentials", region: region, credentials: aws.AnonymousCredentials{}, poolID: poolID},
		{name: "no region", credentials: keys, poolID: poolID},
		{name: "neither", poolID: poolID},
		{name: "an odd region", region: "mock", poolID: poolID},
		{name: "a region that is no host label", region: "mock region", poolID: poolID},
		{name: "no pool", region: region, credentials: keys},
	} {
		for _, p := range places {
			sdk, ours := m.askSDK(t.Context(), p), m.askOurs(t.Context(), p)
			if sdk == nil {
				passed++
				assert.NoError(t, ours, "%s: %v, where the SDK succeeds", m.name, p)
			}
			assert.NotErrorIs(t, ours, errSent, "%s: %v", m.name, p)
		}
	}
	require.Greater(t, passed, 90, "places where the SDK succeeds") // else the comparison is empty
}
