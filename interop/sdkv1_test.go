package interop_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/cognitosync"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

func TestSDKv1(t *testing.T) {
	t.Parallel()
	testClient(t, func(t *testing.T, c call) (*cognitosynctest.Pool, *failure) {
		return describeWithSDKv1(t, newSDKv1(t, c, client.NoOpRetryer{}), c)
	})
}

// describeWithSDKv1 makes the call with the client.
func describeWithSDKv1(t *testing.T, client *cognitosync.CognitoSync, c call) (*cognitosynctest.Pool, *failure) {
	t.Helper()
	out, err := client.DescribeIdentityPoolUsageWithContext(t.Context(), inputOf(c))
	if err == nil {
		require.NotNil(t, out.IdentityPoolUsage)
		return &cognitosynctest.Pool{
			IdentityPoolId:    aws.StringValue(out.IdentityPoolUsage.IdentityPoolId),
			SyncSessionsCount: out.IdentityPoolUsage.SyncSessionsCount,
			DataStorage:       out.IdentityPoolUsage.DataStorage,
			LastModifiedDate:  out.IdentityPoolUsage.LastModifiedDate,
		}, nil
	}
	failed, ok := isA[awserr.RequestFailure](err)
	require.True(t, ok, "%T %v", err, err)
	return nil, &failure{failed.Code(), failed.Message()}
}

// newSDKv1 returns a client of the AWS SDK for Go v1 with the settings of c.
func newSDKv1(t *testing.T, c call, retryer request.Retryer) *cognitosync.CognitoSync {
	t.Helper()
	options := session.Options{
		Config: aws.Config{
			Endpoint:    aws.String(c.endpoint),
			Region:      aws.String(c.region),
			Credentials: credentials.NewStaticCredentials(c.keys.AccessKeyID, c.keys.SecretAccessKey, c.keys.SessionToken),
			Retryer:     retryer,
			// A transport of its own, because the SDK modifies it if there are roots.
			HTTPClient: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
		},
		SharedConfigState: session.SharedConfigDisable,
	}
	if c.roots != nil {
		options.CustomCABundle = bytes.NewReader(c.roots)
	}
	s, err := session.NewSessionWithOptions(options)
	require.NoError(t, err)
	return cognitosync.New(s)
}

func inputOf(c call) *cognitosync.DescribeIdentityPoolUsageInput {
	return &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(c.poolID)}
}

// isA returns the first error of type T in the chain of err, like [errors.As].
func isA[T error](err error) (T, bool) {
	var target T
	ok := errors.As(err, &target)
	return target, ok
}

// The SDK returns each modelled error as its own type, with status and request ID.
func TestSDKv1Types(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		step   cognitosynctest.Step
		typed  func(error) bool
		status int
	}{
		{"NotAuthorizedException", cognitosynctest.NotAuthorized(), typed[*cognitosync.NotAuthorizedException], http.StatusForbidden},
		{"InvalidParameterException", cognitosynctest.InvalidParameter(), typed[*cognitosync.InvalidParameterException], http.StatusBadRequest},
		{"ResourceNotFoundException", cognitosynctest.ResourceNotFound(), typed[*cognitosync.ResourceNotFoundException], http.StatusNotFound},
		{"InternalErrorException", cognitosynctest.InternalError(), typed[*cognitosync.InternalErrorException], http.StatusInternalServerError},
		{"TooManyRequestsException", cognitosynctest.TooManyRequests(), typed[*cognitosync.TooManyRequestsException], http.StatusTooManyRequests},
		{"AccessDeniedException", cognitosynctest.AccessDenied(), typed[awserr.RequestFailure], http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t)
			server.Script(poolID, tt.step)
			c := callTo(server)

			_, err := newSDKv1(t, c, client.NoOpRetryer{}).DescribeIdentityPoolUsageWithContext(t.Context(), inputOf(c))

			assert.True(t, tt.typed(err), "%T", err)
			failed, ok := isA[awserr.RequestFailure](err)
			require.True(t, ok, "%T", err)
			assert.Equal(t, tt.name, failed.Code())
			assert.Equal(t, tt.status, failed.StatusCode())
			assert.Equal(t, server.Requests().Last().RequestID, failed.RequestID())
		})
	}
}

func typed[T error](err error) bool {
	_, ok := isA[T](err)
	return ok
}

// The SDK retries the errors and faults that are meant to be transient.
func TestSDKv1Retries(t *testing.T) {
	t.Parallel()
	retryer := noWaitRetryerV1{client.DefaultRetryer{NumMaxRetries: 2}}
	steps := map[string]cognitosynctest.Step{
		"throttled":      cognitosynctest.Throttle(1),
		"internal error": cognitosynctest.InternalError(),
		"bad gateway":    cognitosynctest.BadGateway(),
		"unavailable":    cognitosynctest.ServiceUnavailable(),
		"hung up":        cognitosynctest.Hangup(),
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t)
			server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID, DataStorage: aws.Int64(4096)})
			server.Script(poolID, cognitosynctest.Repeat(2, step))
			c := callTo(server)

			out, err := newSDKv1(t, c, retryer).DescribeIdentityPoolUsageWithContext(t.Context(), inputOf(c))

			require.NoError(t, err)
			assert.Equal(t, int64(4096), aws.Int64Value(out.IdentityPoolUsage.DataStorage))
			assert.Equal(t, 3, server.Requests().Count())
			assert.Empty(t, server.Requests().Refused())
		})
	}
}

// noWaitRetryerV1 is the SDK's default retryer without backoff.
type noWaitRetryerV1 struct{ client.DefaultRetryer }

func (noWaitRetryerV1) RetryRules(*request.Request) time.Duration { return 0 }
