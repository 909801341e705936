package cognitosync_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// TestContextValues shows what middleware finds in the context, from the first step
// to the last.
func TestContextValues(t *testing.T) {
	t.Parallel()
	describeContext := func(ctx context.Context) string {
		return fmt.Sprintf("%s|%s|%s|%s|%s", awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), awsmiddleware.GetRegion(ctx),
			middleware.GetServiceID(ctx), middleware.GetOperationName(ctx))
	}
	describeSigning := func(ctx context.Context) string {
		return fmt.Sprintf("%s|%s", awsmiddleware.GetSigningName(ctx), awsmiddleware.GetSigningRegion(ctx))
	}
	for _, test := range []struct {
		name        string
		options     func(*cognitosync.Options)
		pool        string
		region      string
		signingName string // from the start
		signedFor   string // from the resolved endpoint on
	}{
		{name: "plain", region: "us-east-1", signingName: "cognito-sync", signedFor: "cognito-sync|us-east-1"},
		{
			name: "other signing values", region: "us-east-1", signingName: "own-name", signedFor: "own-name|own-region",
			options: func(o *cognitosync.Options) {
				cognitosync.WithSigV4SigningName("own-name")(o)
				cognitosync.WithSigV4SigningRegion("own-region")(o)
			},
		},
		{
			name: "region of the pool", pool: "eu-west-1:1f2e", region: "eu-west-1", signingName: "cognito-sync", signedFor: "cognito-sync|eu-west-1",
			options: func(o *cognitosync.Options) { o.UseIdentityPoolRegion = true },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := map[string][]string{}
			look := func(name string, signing func(context.Context) string) *probe {
				return &probe{id: name, before: func(ctx context.Context, _ any) context.Context {
					seen[name] = append(seen[name], describeContext(ctx)+" "+signing(ctx))
					return ctx
				}}
			}
			nothing := func(context.Context) string { return "" }
			signingName := awsmiddleware.GetSigningName
			_, client := setup(t, direct,
				atEnd("initialize", look("first", nothing), middleware.Before),
				atEnd("initialize", look("initialize", signingName), middleware.After),
				atEnd("serialize", look("serialize", signingName), middleware.Before),
				atEnd("build", look("build", signingName), middleware.Before),
				with("finalize", look("signing", describeSigning), middleware.Before, "Signing"),
				atEnd("deserialize", look("deserialize", describeSigning), middleware.Before),
				atEnd("deserialize", look("last", describeSigning), middleware.After),
			)
			options := []func(*cognitosync.Options){}
			if test.options != nil {
				options = append(options, test.options)
			}
			_, _ = describePool(t.Context(), t, client, firstOf(test.pool, poolID), options...) // signed for others, refused
			always := "Cognito Sync|DescribeIdentityPoolUsage|" + test.region + "|Cognito Sync|DescribeIdentityPoolUsage "
			assert.Equal(t, map[string][]string{
				"first":       {always},
				"initialize":  {always + test.signingName},
				"serialize":   {always + test.signingName},
				"build":       {always + test.signingName},
				"signing":     {always + test.signedFor},
				"deserialize": {always + test.signedFor},
				"last":        {always + test.signedFor},
			}, seen)
		})
	}
}

// TestSigningCredentials shows that middleware after the signing knows what it was
// signed with.
func TestSigningCredentials(t *testing.T) {
	t.Parallel()
	var used []aws.Credentials
	_, client := setup(t, direct, with("finalize", &probe{id: "look", before: func(ctx context.Context, _ any) context.Context {
		used = append(used, awsmiddleware.GetSigningCredentials(ctx))
		return ctx
	}}, middleware.After, "Signing"))
	_, err := describe(t, client)
	require.NoError(t, err)
	want, err := cognitosynctest.DefaultCredentials().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []aws.Credentials{want}, used)
}

// TestCallersStackValues shows that a call made from inside another client's
// middleware is not mistaken for a part of it.
func TestCallersStackValues(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		server, client := setup(t, way)
		ctx := awsmiddleware.SetServiceID(t.Context(), "S3")
		ctx = awsmiddleware.SetSigningName(ctx, "s3")
		ctx = awsmiddleware.SetSigningRegion(ctx, "eu-west-3")
		ctx = v4.SetPayloadHash(ctx, "0000")
		_, err := describePool(ctx, t, client, poolID)
		require.NoError(t, err)
		assert.Empty(t, server.Requests().Refused())
	})
}

// TestResultMetadata shows what the SDK's functions find in the metadata of an output.
func TestResultMetadata(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		server, client := setup(t, way)
		server.Script(poolID, cognitosynctest.Throttle(1), cognitosynctest.InternalError())
		output, err := describe(t, client)
		require.NoError(t, err)
		requests := server.Requests()
		require.Equal(t, 3, requests.Count())

		id, found := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata)
		assert.True(t, found)
		assert.Equal(t, requests.Last().RequestID, id)
		response, ok := awsmiddleware.GetRawResponse(output.ResultMetadata).(*smithyhttp.Response)
		if assert.True(t, ok, "a raw response") {
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, id, response.Header.Get("X-Amzn-Requestid"))
		}
		at, found := awsmiddleware.GetResponseAt(output.ResultMetadata)
		assert.True(t, found)
		assert.False(t, at.Before(requests.Last().Time), "answered at %v, after %v", at, requests.Last().Time)
		serverTime, found := awsmiddleware.GetServerTime(output.ResultMetadata)
		assert.True(t, found)
		assert.True(t, requests.Last().Time.UTC().Truncate(time.Second).Equal(serverTime), serverTime)
		skew, found := awsmiddleware.GetAttemptSkew(output.ResultMetadata)
		assert.True(t, found)
		assert.Equal(t, serverTime.Sub(at), skew)

		attempts, found := retry.GetAttemptResults(output.ResultMetadata)
		require.True(t, found)
		require.Len(t, attempts.Results, 3)
		for i, result := range attempts.Results {
			id, _ := awsmiddleware.GetRequestIDMetadata(result.ResponseMetadata)
			assert.Equal(t, requests[i].RequestID, id, "attempt %d", i+1)
			assert.Equal(t, i < 2, result.Retried, "attempt %d", i+1)
			assert.Equal(t, i < 2, result.Retryable, "attempt %d", i+1)
		}
		var throttled *cognitosync.TooManyRequestsException
		require.ErrorAs(t, attempts.Results[0].Err, &throttled)
		var failed *cognitosync.InternalErrorException
		require.ErrorAs(t, attempts.Results[1].Err, &failed)
		require.NoError(t, attempts.Results[2].Err)
	})
}

// TestMetadataOfOneAttempt shows that a call that succeeds at once has one attempt.
func TestMetadataOfOneAttempt(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		server, client := setup(t, way)
		for range 2 {
			output, err := describe(t, client)
			require.NoError(t, err)
			attempts, found := retry.GetAttemptResults(output.ResultMetadata)
			require.True(t, found)
			require.Len(t, attempts.Results, 1)
			require.NoError(t, attempts.Results[0].Err)
			assert.False(t, attempts.Results[0].Retryable)
			assert.False(t, attempts.Results[0].Retried)
			id, _ := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata) // and not in the attempt's
			assert.Equal(t, server.Requests().Last().RequestID, id)
		}
	})
}

// TestMetadataWithoutClock shows that there is no measured skew where its correction
// is switched off.
func TestMetadataWithoutClock(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		_, client := setup(t, way, func(o *cognitosync.Options) { o.DisableClockSkewCorrection = true })
		output, err := describe(t, client)
		require.NoError(t, err)
		_, found := awsmiddleware.GetAttemptSkew(output.ResultMetadata)
		assert.False(t, found)
		_, found = awsmiddleware.GetServerTime(output.ResultMetadata)
		assert.True(t, found)
	})
}

// TestMetadataOfFailure shows what middleware finds in the metadata of a call that
// has failed, and in its response.
func TestMetadataOfFailure(t *testing.T) {
	t.Parallel()
	server, client := setup(t, direct)
	server.Script(poolID, alwaysFailing)
	var callSeen, attemptsSeen int
	_, err := describe(t, client,
		atEnd("initialize", &probe{id: "call", after: func(metadata middleware.Metadata, result any, err error) (any, error) {
			callSeen++
			attempts, found := retry.GetAttemptResults(metadata)
			assert.True(t, found)
			assert.Len(t, attempts.Results, 3)
			for i, result := range attempts.Results {
				var failed *cognitosync.InternalErrorException
				assert.ErrorAs(t, result.Err, &failed)
				assert.Equal(t, i < 2, result.Retried)
				assert.True(t, result.Retryable)
			}
			id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
			assert.Equal(t, server.Requests().Last().RequestID, id)
			assert.Nil(t, result)
			var exhausted *retry.MaxAttemptsError
			assert.ErrorAs(t, err, &exhausted)
			return result, err
		}}, middleware.Before),
		atEnd("deserialize", &probe{id: "attempt", after: func(metadata middleware.Metadata, raw any, err error) (any, error) {
			attemptsSeen++
			response, ok := raw.(*smithyhttp.Response)
			if assert.True(t, ok) {
				assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
			}
			id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
			assert.Equal(t, server.Requests().Last().RequestID, id)
			var wrapped *awshttp.ResponseError
			if assert.ErrorAs(t, err, &wrapped) {
				assert.Equal(t, id, wrapped.RequestID)
			}
			return raw, err
		}}, middleware.Before))
	require.Error(t, err)
	assert.Equal(t, 1, callSeen)
	assert.Equal(t, 3, attemptsSeen)
}
