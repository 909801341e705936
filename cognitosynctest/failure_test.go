package cognitosynctest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// is returns a function that reports whether a T is in the chain of an error.
func is[T error]() func(error) bool {
	return func(err error) bool {
		var target T
		return errors.As(err, &target)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	const pool = "eu-west-1:1f2e"
	const first, third = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000003"
	for _, test := range []struct {
		name  string
		steps []cognitosynctest.Step
		want  cognitosync.ErrorDetails // an empty Message matches any
		is    []func(error) bool
	}{
		{"throttled", []cognitosynctest.Step{cognitosynctest.TooManyRequests()}, cognitosync.ErrorDetails{
			Code: "TooManyRequestsException", Message: "Rate exceeded", StatusCode: 429, RequestID: third, Attempts: 3, Retryable: true, Fault: smithy.FaultClient,
		}, []func(error) bool{is[*cognitosync.TooManyRequestsException](), is[*retry.MaxAttemptsError](), is[*awshttp.ResponseError](), is[*smithy.OperationError]()}},
		{"not found", []cognitosynctest.Step{cognitosynctest.ResourceNotFound()}, cognitosync.ErrorDetails{
			Code: "ResourceNotFoundException", Message: "IdentityPool '" + pool + "' not found.", StatusCode: 404, RequestID: first, Attempts: 1, Fault: smithy.FaultClient,
		}, []func(error) bool{is[*cognitosync.ResourceNotFoundException]()}},
		{"several steps", []cognitosynctest.Step{cognitosynctest.InternalError(), cognitosynctest.Throttle(1), cognitosynctest.NotAuthorized()}, cognitosync.ErrorDetails{
			Code: "NotAuthorizedException", Message: "These credentials are not valid for accessing this resource", StatusCode: 403, RequestID: third, Attempts: 3, Fault: smithy.FaultClient,
		}, []func(error) bool{cognitosync.IsDenied}},
		{"HTML", []cognitosynctest.Step{cognitosynctest.BadGateway()}, cognitosync.ErrorDetails{
			Code: "UnknownError", StatusCode: 502, Attempts: 3, Retryable: true, Fault: smithy.FaultServer,
		}, []func(error) bool{is[*smithy.GenericAPIError]()}},
		{"a broken connection", []cognitosynctest.Step{cognitosynctest.Hangup()}, cognitosync.ErrorDetails{Attempts: 3, Retryable: true},
			[]func(error) bool{func(err error) bool { return errors.Is(err, io.EOF) }}},
		{"a stall", []cognitosynctest.Step{cognitosynctest.Stall()}, cognitosync.ErrorDetails{Attempts: 3, Retryable: true},
			[]func(error) bool{is[*cognitosync.AttemptTimeoutError]()}},
		{"too late", []cognitosynctest.Step{cognitosynctest.OK().After(time.Hour)}, cognitosync.ErrorDetails{Attempts: 3, Retryable: true},
			[]func(error) bool{is[*cognitosync.AttemptTimeoutError]()}},
		{"a slow body", []cognitosynctest.Step{cognitosynctest.OK().Drip(time.Second)}, cognitosync.ErrorDetails{Attempts: 3, Retryable: true},
			[]func(error) bool{is[*cognitosync.AttemptTimeoutError]()}},
		{"malformed", []cognitosynctest.Step{cognitosynctest.Reply(http.StatusOK, nil, "<")}, cognitosync.ErrorDetails{StatusCode: 200, Attempts: 1},
			[]func(error) bool{is[*smithy.DeserializationError]()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := cognitosynctest.Failure(pool, test.steps...)
			require.Error(t, err)
			got := cognitosync.InspectError(err)
			if test.want.Message == "" {
				got.Message = ""
			}
			assert.Equal(t, test.want, got)
			for i, is := range test.is {
				assert.True(t, is(err), "%d: %v", i, err)
			}
			assert.ErrorContains(t, err, "(pool "+pool+", region eu-west-1, host cognito-sync.eu-west-1.amazonaws.com)")
		})
	}
}

// Failure omits the delays, which would take a day, but not the header that asks for one.
func TestFailureDoesNotWait(t *testing.T) {
	t.Parallel()
	assert.NoError(t, cognitosynctest.Failure("us-east-1:1", cognitosynctest.OK().After(14*time.Second)))
	err := cognitosynctest.Failure("us-east-1:1", cognitosynctest.InternalError().WithHeader("Retry-After", "86400"))
	var response *awshttp.ResponseError
	require.ErrorAs(t, err, &response)
	assert.Equal(t, "86400", response.HTTPResponse().Header.Get("Retry-After"))
}

func TestNoFailure(t *testing.T) {
	t.Parallel()
	assert.NoError(t, cognitosynctest.Failure("us-east-1:1"))
	assert.NoError(t, cognitosynctest.Failure("us-east-1:1", cognitosynctest.Throttle(2), cognitosynctest.OK()))
	var invalid smithy.InvalidParamsError
	assert.ErrorAs(t, cognitosynctest.Failure("", cognitosynctest.InternalError()), &invalid)
}

// The mock in the documentation of Failure, verbatim.
func TestFailureOfAMock(t *testing.T) {
	t.Parallel()
	mock := cognitosync.DescribeIdentityPoolUsageFunc(func(
		context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
		return nil, cognitosynctest.Failure("us-east-1:1f2e", cognitosynctest.TooManyRequests())
	})
	output, err := mock.DescribeIdentityPoolUsage(t.Context(), nil)
	assert.Nil(t, output)
	var throttled *cognitosync.TooManyRequestsException
	assert.ErrorAs(t, err, &throttled)
}
