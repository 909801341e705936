package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// exceptions are the modelled errors, with a function that creates each.
var exceptions = []struct {
	name   string
	status int
	fault  smithy.ErrorFault
	make   func(message, override *string) smithy.APIError
	null   smithy.APIError // a nil pointer of the type
	is     func(error) bool
}{
	{"NotAuthorizedException", 403, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.NotAuthorizedException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.NotAuthorizedException)(nil), isA[*cognitosync.NotAuthorizedException]},
	{"InvalidParameterException", 400, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.InvalidParameterException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.InvalidParameterException)(nil), isA[*cognitosync.InvalidParameterException]},
	{"ResourceNotFoundException", 404, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.ResourceNotFoundException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.ResourceNotFoundException)(nil), isA[*cognitosync.ResourceNotFoundException]},
	{"InternalErrorException", 500, smithy.FaultServer, func(m, o *string) smithy.APIError {
		return &cognitosync.InternalErrorException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.InternalErrorException)(nil), isA[*cognitosync.InternalErrorException]},
	{"TooManyRequestsException", 429, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.TooManyRequestsException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.TooManyRequestsException)(nil), isA[*cognitosync.TooManyRequestsException]},
}

func TestException(t *testing.T) {
	t.Parallel()
	for _, test := range exceptions {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := test.make(aws.String("what\nit says"), nil)
			assert.Equal(t, test.name, e.ErrorCode())
			assert.Equal(t, "what\nit says", e.ErrorMessage())
			assert.Equal(t, test.fault, e.ErrorFault())
			assert.Equal(t, test.name+": what it says", e.Error())

			e = test.make(nil, aws.String("Renamed"))
			assert.Equal(t, "Renamed", e.ErrorCode())
			assert.Empty(t, e.ErrorMessage())
			assert.Equal(t, "Renamed: ", e.Error())

			assert.Equal(t, test.name, test.null.ErrorCode())
			assert.Empty(t, test.null.ErrorMessage())
			assert.Equal(t, test.fault, test.null.ErrorFault())
			assert.Equal(t, test.name+": ", test.null.Error())
		})
	}
}

// TestInspectLocalError inspects errors without a response. The details that only a response
// contains are zero.
func TestInspectLocalError(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, test := range []struct {
		name  string
		id    string
		alter func(*cognitosync.Options)
		want  cognitosync.ErrorDetails // without Message
	}{
		{name: "no ID"},
		{name: "mismatch", id: "eu-west-1:1", alter: func(o *cognitosync.Options) { o.BaseEndpoint = nil }},
		{name: "setting", id: poolID, alter: func(o *cognitosync.Options) { o.Credentials = nil }},
		{name: "endpoint", id: poolID, alter: func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("ftp://host") }},
		{name: "provider", id: poolID, alter: func(o *cognitosync.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, boom
			})
		}, want: cognitosync.ErrorDetails{Attempts: 1}},
		{name: "no response", id: poolID, alter: func(o *cognitosync.Options) {
			o.HTTPClient = clienttest.Doer(func(*http.Request) (*http.Response, error) { return nil, boom })
		}, want: cognitosync.ErrorDetails{Attempts: 3, Retryable: true}},
		{name: "neither response nor error", id: poolID, alter: func(o *cognitosync.Options) {
			o.HTTPClient = clienttest.Doer(func(*http.Request) (*http.Response, error) { return nil, nil })
		}, want: cognitosync.ErrorDetails{Attempts: 3, Retryable: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path, func(o *cognitosync.Options) {
					if test.alter != nil {
						test.alter(o)
					}
				})
				output, err := tr.client.DescribeIdentityPoolUsage(t.Context(), poolInput(test.id))
				requireFailure(t, output, err)
				assert.Zero(t, tr.requests())

				want := test.want
				want.Message = err.Error()
				assert.Equal(t, want, cognitosync.InspectError(err))
				assert.False(t, cognitosync.IsDenied(err))
			})
		})
	}
}

// TestInspectAnyError inspects errors of other packages.
func TestInspectAnyError(t *testing.T) {
	t.Parallel()
	assert.Zero(t, cognitosync.InspectError(nil))
	assert.Equal(t, cognitosync.ErrorDetails{Message: "boom"}, cognitosync.InspectError(errors.New("boom")))
	assert.Equal(t, cognitosync.ErrorDetails{Code: "OddException", Message: "m", Fault: smithy.FaultServer},
		cognitosync.InspectError(fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: "OddException", Message: "m", Fault: smithy.FaultServer})))
	assert.Equal(t, cognitosync.ErrorDetails{Code: "ThrottlingException", Retryable: true},
		cognitosync.InspectError(&smithy.GenericAPIError{Code: "ThrottlingException"}), "by the SDK's own rules")
}

// TestInspectBareException inspects exceptions without a response, as a mock returns them.
// The details are those of AWS's model.
func TestInspectBareException(t *testing.T) {
	t.Parallel()
	retried := map[string]bool{"TooManyRequestsException": true, "InternalErrorException": true}
	for _, test := range exceptions {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for name, wrap := range map[string]func(error) error{
				"bare":            func(err error) error { return err },
				"wrapped":         func(err error) error { return fmt.Errorf("wrapped: %w", err) },
				"joined":          func(err error) error { return errors.Join(errBroken, err) },
				"of an operation": func(err error) error { return &smithy.OperationError{ServiceID: "x", OperationName: "y", Err: err} },
			} {
				want := cognitosync.ErrorDetails{Code: test.name, Message: "m", Retryable: retried[test.name], Fault: test.fault}
				assert.Equal(t, want, cognitosync.InspectError(wrap(test.make(aws.String("m"), nil))), name)
				want.Message = ""
				assert.Equal(t, want, cognitosync.InspectError(wrap(test.null)), name)
				want.Code = "Renamed"
				assert.Equal(t, want, cognitosync.InspectError(wrap(test.make(nil, aws.String("Renamed")))), name)
			}
		})
	}
}

// TestInspectMockedThrottle inspects the throttling error of a mock function.
func TestInspectMockedThrottle(t *testing.T) {
	t.Parallel()
	mock := cognitosync.DescribeIdentityPoolUsageFunc(func(context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options)) (
		*cognitosync.DescribeIdentityPoolUsageOutput, error,
	) {
		return nil, &cognitosync.TooManyRequestsException{}
	})
	output, err := mock.DescribeIdentityPoolUsage(t.Context(), poolInput(poolID))
	assert.Nil(t, output)
	assert.True(t, cognitosync.InspectError(err).Retryable)
}

// TestInspectProvidersException checks that the response of a service that a credentials
// provider called is not mistaken for one of this service.
func TestInspectProvidersException(t *testing.T) {
	t.Parallel()
	err := &v4.SigningError{Err: &smithy.GenericAPIError{Code: "ThrottlingException"}}
	assert.Equal(t, cognitosync.ErrorDetails{Message: err.Error()}, cognitosync.InspectError(err))
}

func TestIsDenied(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nil", nil, false},
		{"not authorized", &cognitosync.NotAuthorizedException{}, true},
		{"not authorized, renamed", &cognitosync.NotAuthorizedException{ErrorCodeOverride: aws.String("Renamed")}, true},
		{"nil not authorized", (*cognitosync.NotAuthorizedException)(nil), true},
		{"access denied", &smithy.GenericAPIError{Code: "AccessDeniedException"}, true},
		{"wrapped", fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: "AccessDeniedException"}), true},
		{"not found", &cognitosync.ResourceNotFoundException{}, false},
		{"expired", &smithy.GenericAPIError{Code: "ExpiredTokenException"}, false},
		{"any", errors.New("AccessDeniedException"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, cognitosync.IsDenied(test.err))
		})
	}
}

func TestIsDeniedByTheService(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		credentials cognitosynctest.Credentials
		code        string
	}{
		{"IAM", cognitosynctest.Credentials{AccessKeyID: "AKIDDENIED", SecretAccessKey: "secret-of-a-user", DeniedPools: []string{poolID}}, "AccessDeniedException"},
		{"user of Cognito Identity", cognitosynctest.Credentials{AccessKeyID: "AKIDUSER", SecretAccessKey: "secret-of-a-user", SessionToken: "token-of-a-user", CognitoIdentityUser: true}, "NotAuthorizedException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path, func(o *cognitosync.Options) { o.Credentials = test.credentials.Provider() })
				tr.server.SetCredentials(test.credentials)
				err := tr.fails(t, t.Context())
				assert.True(t, cognitosync.IsDenied(err))
				assert.Equal(t, test.code, cognitosync.InspectError(err).Code)
				assert.Equal(t, 1, tr.requests())
			})
		})
	}
}

// TestOwnErrorTypes checks the error types that the SDK does not have.
func TestOwnErrorTypes(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	configuration := &cognitosync.ConfigurationError{Setting: "Region", Err: boom}
	assert.Equal(t, "configuration of Region: boom", configuration.Error())
	assert.ErrorIs(t, configuration, boom)

	mismatch := &cognitosync.RegionMismatchError{IdentityPoolId: "eu-west-1:1\n", PoolRegion: "eu-west-1", ClientRegion: "us-east-1"}
	for _, word := range []string{"eu-west-1:1 ", "us-east-1", "UseIdentityPoolRegion"} {
		assert.Contains(t, mismatch.Error(), word)
	}
	assert.NotContains(t, mismatch.Error(), "\n")

	timeout := &cognitosync.AttemptTimeoutError{AttemptTimeout: 7 * time.Second}
	assert.Contains(t, timeout.Error(), "7s")
	assert.True(t, timeout.Timeout())

	tooLarge := &cognitosync.ResponseTooLargeError{Limit: 1234}
	assert.Contains(t, tooLarge.Error(), "1234")
}

// TestNilErrors calls the methods of nil pointers. Logging a nil error must not panic.
func TestNilErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		(*cognitosync.NotAuthorizedException)(nil),
		(*cognitosync.InvalidParameterException)(nil),
		(*cognitosync.ResourceNotFoundException)(nil),
		(*cognitosync.InternalErrorException)(nil),
		(*cognitosync.TooManyRequestsException)(nil),
		(*cognitosync.ConfigurationError)(nil),
		(*cognitosync.RegionMismatchError)(nil),
		(*cognitosync.AttemptTimeoutError)(nil),
		(*cognitosync.ResponseTooLargeError)(nil),
	} {
		t.Run(reflect.TypeOf(err).Elem().Name(), func(t *testing.T) {
			t.Parallel()
			require.NotPanics(t, func() { _ = err.Error() })
			require.NotPanics(t, func() { _ = errors.Unwrap(err) })
			require.NotPanics(t, func() { _ = cognitosync.InspectError(err) })
			require.NotPanics(t, func() { _ = cognitosync.IsDenied(err) })
		})
	}
}

// TestCauseFromAnotherCall cancels calls with the error of another call as the cause, as
// errgroup does. Their errors report that they were canceled, and not that they timed out
// or were throttled or denied.
func TestCauseFromAnotherCall(t *testing.T) {
	t.Parallel()
	timeout := newSibling(t, func(o *cognitosync.Options) { o.AttemptTimeout = shortTimeout }, cognitosynctest.Forever(cognitosynctest.Stall()))
	throttled := newSibling(t, nil, cognitosynctest.Forever(cognitosynctest.TooManyRequests()))
	for _, cause := range []struct {
		name string
		err  error
	}{
		{"timeout", timeout},
		{"timeout, wrapped", fmt.Errorf("pool 1: %w", timeout)},
		{"bare timeout", &cognitosync.AttemptTimeoutError{AttemptTimeout: time.Second}},
		{"throttled", throttled},
	} {
		for _, place := range causePlaces {
			t.Run(cause.name+" "+place.name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					ctx, cancel := context.WithCancelCause(t.Context())
					tr := setup(t, path)
					tr.script(cognitosynctest.Forever(cognitosynctest.Stall()))
					output, err := tr.call(ctx, func(o *cognitosync.Options) { place.set(o, func() { cancel(cause.err) }) })
					requireFailure(t, output, err)
					assert.ErrorIs(t, err, context.Canceled)
					assert.False(t, isA[*cognitosync.AttemptTimeoutError](err))
					assert.False(t, isA[*cognitosync.TooManyRequestsException](err))
					details := cognitosync.InspectError(err)
					assert.Empty(t, details.Code)
					assert.NotEqual(t, http.StatusTooManyRequests, details.StatusCode)
					assert.False(t, details.Retryable)
					assert.LessOrEqual(t, details.Attempts, 1)
					assert.ErrorIs(t, err, cause.err, "the error wraps the cause")
				})
			})
		}
	}
}

// newSibling returns the error of another call.
func newSibling(t *testing.T, option func(*cognitosync.Options), step cognitosynctest.Step) error {
	tr := setup(t, direct)
	tr.script(step)
	if option == nil {
		return tr.fails(t, t.Context())
	}
	return tr.fails(t, t.Context(), option)
}

// causePlaces are the points of a call at which its context may end. The code at some of
// them returns the cause of the context instead of its error.
var causePlaces = []struct {
	name string
	set  func(o *cognitosync.Options, cancel func())
}{
	{"in the transport", func(o *cognitosync.Options, cancel func()) {
		o.HTTPClient = &http.Client{Transport: clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			cancel()
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		})}
	}},
	{"in the HTTP client", func(o *cognitosync.Options, cancel func()) {
		o.HTTPClient = clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			cancel()
			return nil, fmt.Errorf("send: %w", context.Cause(req.Context()))
		})
	}},
	{"in the body", func(o *cognitosync.Options, cancel func()) {
		o.HTTPClient = clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			resp := clienttest.Response(req, http.StatusOK, nil, "")
			resp.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
				cancel()
				return 0, context.Cause(req.Context())
			}))
			return resp, nil
		})
	}},
	{"in the provider", func(o *cognitosync.Options, cancel func()) {
		o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			cancel()
			return aws.Credentials{}, fmt.Errorf("assume role: %w", context.Cause(ctx))
		})
	}},
	{"in the cached provider", func(o *cognitosync.Options, cancel func()) {
		left := make(chan struct{}) // closed when the cache has returned, before its provider does
		cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			cancel()
			<-left
			return aws.Credentials{}, errBroken
		}))
		o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			defer close(left)
			return cache.Retrieve(ctx)
		})
	}},
	{"in the signer", func(o *cognitosync.Options, cancel func()) { o.HTTPSignerV4 = causeSigner{cancel} }},
	{"in middleware before the attempts", func(o *cognitosync.Options, cancel func()) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return s.Initialize.Add(middleware.InitializeMiddlewareFunc("Wait", func(ctx context.Context, _ middleware.InitializeInput, _ middleware.InitializeHandler) (
				out middleware.InitializeOutput, metadata middleware.Metadata, err error,
			) {
				cancel()
				return out, metadata, context.Cause(ctx)
			}), middleware.After)
		})
	}},
	{"in middleware of an attempt", func(o *cognitosync.Options, cancel func()) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return s.Finalize.Add(middleware.FinalizeMiddlewareFunc("Wait", func(ctx context.Context, _ middleware.FinalizeInput, _ middleware.FinalizeHandler) (
				out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
			) {
				cancel()
				return out, metadata, context.Cause(ctx)
			}), middleware.After)
		})
	}},
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A causeSigner returns the cause of its context.
type causeSigner struct{ cancel func() }

func (s causeSigner) SignHTTP(ctx context.Context, _ aws.Credentials, _ *http.Request, _, _, _ string, _ time.Time, _ ...func(*v4.SignerOptions)) error {
	s.cancel()
	return context.Cause(ctx)
}

// Types of context causes that are not pointers.
type (
	valueCause struct{ text string }
	sliceCause struct{ parts []string }
	outerCause struct{ error }
)

func (c valueCause) Error() string { return c.text }
func (c sliceCause) Error() string { return strings.Join(c.parts, " ") }
func (c outerCause) Unwrap() error { return c.error }

// TestCauseOfAnyType checks that errors.Is finds the cause of the context, whatever its
// type, and does not find similar errors.
func TestCauseOfAnyType(t *testing.T) {
	t.Parallel()
	timeout := outerCause{&cognitosync.AttemptTimeoutError{AttemptTimeout: time.Second}} // of another call
	for _, test := range []struct {
		name      string
		cause     error
		is, isNot error
	}{
		{"value", valueCause{"why"}, valueCause{"why"}, valueCause{"why not"}},
		{"not comparable", sliceCause{[]string{"why"}}, context.Canceled, sliceCause{[]string{"why"}}},
		{"wraps another call's timeout", timeout, timeout, outerCause{&cognitosync.AttemptTimeoutError{AttemptTimeout: time.Second}}},
		{"another type with the same text", timeout, timeout, valueCause{timeout.Error()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				ctx, cancel := context.WithCancelCause(t.Context())
				tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPSignerV4 = contextSigner{func() { cancel(test.cause) }} })

				err := tr.fails(t, ctx)

				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, test.is)
				require.NotErrorIs(t, err, test.isNot)
				assert.Contains(t, err.Error(), test.cause.Error())
				assert.NotContains(t, err.Error(), "<nil>")
				assert.False(t, isA[*cognitosync.AttemptTimeoutError](err))
			})
		})
	}
}

// A contextSigner returns the error of its context.
type contextSigner struct{ cancel func() }

func (s contextSigner) SignHTTP(ctx context.Context, _ aws.Credentials, _ *http.Request, _, _, _ string, _ time.Time, _ ...func(*v4.SignerOptions)) error {
	s.cancel()
	return ctx.Err()
}

// TestCancellationMessage checks that the error of a canceled call contains the cause and
// the error of the last attempt.
func TestCancellationMessage(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.Throttle(1))
		ctx, cancel := context.WithCancelCause(t.Context())
		cognitosync.SetSleep(tr.client, func(ctx context.Context, _ time.Duration) error {
			cancel(errOwnCause)
			return ctx.Err()
		})
		err := tr.fails(t, ctx)
		for _, part := range []string{context.Canceled.Error(), errOwnCause.Error(), "TooManyRequestsException: Rate exceeded"} {
			assert.Contains(t, err.Error(), part)
		}
	})
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errOwnCause)
		err := tr.fails(t, ctx)
		assert.Contains(t, err.Error(), errOwnCause.Error())
		assert.NotContains(t, err.Error(), "<nil>")
		assert.False(t, isA[*aws.RequestCanceledError](err))
	})
}
