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

// The SDK implements some steps only as middleware. The functions below run one of them
// each. They ignore its error, because a step cannot fail: it gets the types that it expects,
// and its next handler does nothing.

// callerIdentity is what the User-Agent header contains about the caller.
type callerIdentity struct {
	appID     string
	retryMode aws.RetryMode // "" if the retryer is not the SDK's
	sources   []aws.CredentialSource
}

// userAgentStep returns the SDK's step that sets the User-Agent header.
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

// addTraceID adds the trace ID of the current Lambda invocation. Lambda uses it to detect
// functions that call themselves.
func addTraceID(ctx context.Context, req *http.Request) {
	_, _, _ = (&awsmiddleware.RecursionDetection{}).HandleBuild(ctx,
		middleware.BuildInput{Request: &smithyhttp.Request{Request: req}}, endOfBuild)
}

var endOfBuild = middleware.BuildHandlerFunc(func(context.Context, middleware.BuildInput) (
	out middleware.BuildOutput, metadata middleware.Metadata, err error,
) {
	return out, metadata, nil
})

// noteResponse returns the metadata of a response that has just been received. The SDK's
// GetRawResponse, GetResponseAt, GetServerTime and GetAttemptSkew read it.
func noteResponse(ctx context.Context, resp *http.Response, disableClockSkewCorrection bool) middleware.Metadata {
	received := &receivedResponse{response: smithyhttp.Response{Response: resp}, metadata: oneAttempt().Clone()}
	timing := awsmiddleware.RecordResponseTiming{DisableClockSkewCorrection: disableClockSkewCorrection}
	_, received.metadata, _ = timing.HandleDeserialize(ctx, middleware.DeserializeInput{}, received)
	_, received.metadata, _ = awsmiddleware.AddRawResponse{}.HandleDeserialize(ctx, middleware.DeserializeInput{}, received)
	return received.metadata
}

// receivedResponse is a middleware.DeserializeHandler that returns a response.
type receivedResponse struct {
	response smithyhttp.Response
	metadata middleware.Metadata
}

func (r *receivedResponse) HandleDeserialize(context.Context, middleware.DeserializeInput) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	return middleware.DeserializeOutput{RawResponse: &r.response}, r.metadata, nil
}

// noteAttempts stores results in metadata, for retry.GetAttemptResults. The key is private to
// the SDK's loop, so noteAttempts runs the loop with as many attempts and overwrites the
// results that it stored.
func noteAttempts(metadata *middleware.Metadata, results []retry.AttemptResult) {
	script := &attemptScript{remaining: len(results), metadata: *metadata}
	*metadata = script.run()
	if places, ok := retry.GetAttemptResults(*metadata); ok {
		copy(places.Results, results)
	}
}

// oneAttempt returns the metadata of a call whose first attempt succeeded, without that of
// its response.
var oneAttempt = sync.OnceValue(func() (metadata middleware.Metadata) {
	noteAttempts(&metadata, make([]retry.AttemptResult, 1))
	return metadata
})

// exposeToInterceptors makes attempt the request that interceptors see and can change.
func exposeToInterceptors(ctx context.Context, attempt *smithyhttp.Request) {
	end := middleware.SerializeHandlerFunc(func(context.Context, middleware.SerializeInput) (
		out middleware.SerializeOutput, metadata middleware.Metadata, err error,
	) {
		return out, metadata, nil
	})
	_, _, _ = (&smithyhttp.InterceptAfterSerialization{}).HandleSerialize(ctx, middleware.SerializeInput{Request: attempt}, end)
}
