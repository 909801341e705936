package cognitosync

import (
	"context"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK has some of its steps only as middleware. Each function here runs one of them
// by itself. None of them can fail: each is given the types that it expects, and what
// comes after it does nothing.

// callerIdentity is what the User-Agent says of the caller.
type callerIdentity struct {
	appID     string
	retryMode aws.RetryMode // "": none of the SDK's
	sources   []aws.CredentialSource
}

// userAgentStep returns the SDK's builder of the User-Agent, told who is calling.
func userAgentStep(caller callerIdentity) *awsmiddleware.RequestUserAgent {
	agent := awsmiddleware.NewRequestUserAgent()
	agent.AddSDKAgentKeyValue(awsmiddleware.APIMetadata, "cognitosync", Version)
	agent.AddSDKAgentKeyValue(awsmiddleware.FrameworkMetadata, "cognitosync-go", Version)
	if caller.appID != "" {
		agent.AddSDKAgentKey(awsmiddleware.ApplicationIdentifier, caller.appID)
	}
	switch caller.retryMode {
	case aws.RetryModeStandard:
		agent.AddUserAgentFeature(awsmiddleware.UserAgentFeatureRetryModeStandard)
	case aws.RetryModeAdaptive:
		agent.AddUserAgentFeature(awsmiddleware.UserAgentFeatureRetryModeAdaptive)
	}
	for _, source := range caller.sources {
		agent.AddCredentialsSource(source)
	}
	return agent
}

// userAgent returns the value of the User-Agent header.
func userAgent(caller callerIdentity) string {
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	_, _, _ = userAgentStep(caller).HandleBuild(context.Background(), middleware.BuildInput{Request: req}, endOfBuild)
	return req.Header.Get("User-Agent")
}

// addTraceID names the Lambda invocation that the call is made in, so that a function
// that calls itself is noticed.
func addTraceID(ctx context.Context, req *http.Request) {
	_, _, _ = (&awsmiddleware.RecursionDetection{}).HandleBuild(ctx,
		middleware.BuildInput{Request: &smithyhttp.Request{Request: req}}, endOfBuild)
}

var endOfBuild = middleware.BuildHandlerFunc(func(context.Context, middleware.BuildInput) (
	out middleware.BuildOutput, metadata middleware.Metadata, err error,
) {
	return out, metadata, nil
})

// noteResponse returns the metadata of a response that has just come: what GetRawResponse,
// GetResponseAt, GetServerTime and GetAttemptSkew of the SDK return.
func noteResponse(ctx context.Context, resp *http.Response, disableClockSkewCorrection bool) middleware.Metadata {
	came := &arrived{response: smithyhttp.Response{Response: resp}, metadata: oneAttempt().Clone()}
	timing := awsmiddleware.RecordResponseTiming{DisableClockSkewCorrection: disableClockSkewCorrection}
	_, came.metadata, _ = timing.HandleDeserialize(ctx, middleware.DeserializeInput{}, came)
	_, came.metadata, _ = awsmiddleware.AddRawResponse{}.HandleDeserialize(ctx, middleware.DeserializeInput{}, came)
	return came.metadata
}

// arrived is a response as what comes after a step.
type arrived struct {
	response smithyhttp.Response
	metadata middleware.Metadata
}

func (a *arrived) HandleDeserialize(context.Context, middleware.DeserializeInput) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	return middleware.DeserializeOutput{RawResponse: &a.response}, a.metadata, nil
}

// noteAttempts puts results where retry.GetAttemptResults looks for them. Only the SDK's
// own loop knows the place, so it is run over a script that makes as many attempts, and
// what it noted is overwritten.
func noteAttempts(metadata *middleware.Metadata, results []retry.AttemptResult) {
	script := &attemptScript{remaining: len(results), metadata: *metadata}
	*metadata = script.run()
	if places, ok := retry.GetAttemptResults(*metadata); ok {
		copy(places.Results, results)
	}
}

// oneAttempt is the metadata of a call whose first attempt succeeded, but for what the
// response adds to it.
var oneAttempt = sync.OnceValue(func() (metadata middleware.Metadata) {
	noteAttempts(&metadata, make([]retry.AttemptResult, 1))
	return metadata
})

// showInterceptors has the interceptors see, and change, the request of the attempt.
func showInterceptors(ctx context.Context, attempt *smithyhttp.Request) {
	end := middleware.SerializeHandlerFunc(func(context.Context, middleware.SerializeInput) (
		out middleware.SerializeOutput, metadata middleware.Metadata, err error,
	) {
		return out, metadata, nil
	})
	_, _, _ = (&smithyhttp.InterceptAfterSerialization{}).HandleSerialize(ctx, middleware.SerializeInput{Request: attempt}, end)
}
