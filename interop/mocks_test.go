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

// A stackPosition is a position for a mock: the beginning or the end of one of the five steps
// of the stack.
type stackPosition struct {
	step     string
	position middleware.RelativePosition
}

var positions = []stackPosition{
	{"Initialize", middleware.Before}, {"Initialize", middleware.After},
	{"Serialize", middleware.Before}, {"Serialize", middleware.After},
	{"Build", middleware.Before}, {"Build", middleware.After},
	{"Finalize", middleware.Before}, {"Finalize", middleware.After},
	{"Deserialize", middleware.Before}, {"Deserialize", middleware.After},
}

func (p stackPosition) String() string {
	if p.position == middleware.Before {
		return p.step + " Before"
	}
	return p.step + " After"
}

// mock adds a middleware that returns the result of play instead of calling the next one. At
// the end of Deserialize, where the response has yet to be decoded, it returns a response with
// the body.
func (p stackPosition) mock(body string, play func() (any, error)) func(*middleware.Stack) error {
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

// errSent is the error of an HTTP client that must not be called.
var errSent = errors.New("a request was sent")

var noNetwork = smithyhttp.ClientDoFunc(func(*http.Request) (*http.Response, error) { return nil, errSent })

// A mockedCall has the settings of both clients for a call with a mock in the stack.
type mockedCall struct {
	name        string
	region      string
	credentials aws.CredentialsProvider
	poolID      string
	failures    int // number of retryable errors before the mock succeeds
}

// errThrottled is a retryable error.
type errThrottled struct{}

func (errThrottled) Error() string        { return "throttled by the mock" }
func (errThrottled) RetryableError() bool { return true }

// play returns a function that returns the failures, then the result.
func (m mockedCall) play(result any) func() (any, error) {
	failures := m.failures
	return func() (any, error) {
		if failures > 0 {
			failures--
			return nil, errThrottled{}
		}
		return result, nil
	}
}

func (m mockedCall) config(mock func(*middleware.Stack) error) aws.Config {
	return aws.Config{
		Region:      m.region,
		Credentials: m.credentials,
		HTTPClient:  noNetwork,
		Retryer:     noWaitRetryer,
		APIOptions:  []func(*middleware.Stack) error{mock},
	}
}

// callSDK makes a call with a client of the SDK. It is a client of another service, because the
// SDK's module for this service can no longer be fetched.
func (m mockedCall) callSDK(ctx context.Context, p stackPosition) error {
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

func (m mockedCall) callOurs(ctx context.Context, p stackPosition) error {
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

// TestStackMocks puts the same mock into a client of the SDK and into ours. Our call must
// succeed wherever the SDK's does.
func TestStackMocks(t *testing.T) {
	t.Parallel()
	keys := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
	})
	passed := 0
	for _, m := range []mockedCall{
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
		for _, p := range positions {
			sdk, ours := m.callSDK(t.Context(), p), m.callOurs(t.Context(), p)
			if sdk == nil {
				passed++
				assert.NoError(t, ours, "%s: %v, where the SDK succeeds", m.name, p)
			}
			assert.NotErrorIs(t, ours, errSent, "%s: %v", m.name, p)
		}
	}
	require.Greater(t, passed, 90, "positions where the SDK succeeds") // otherwise the comparison proves nothing
}
