package cognitosync

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/cognitosync/cognitosync-go/internal/endpoints"
	"github.com/cognitosync/cognitosync-go/internal/redact"
)

// NotAuthorizedException is "Thrown when a user is not authorized to access the requested
// resource" (AWS). Its HTTP status is 403, and it is not retried.
//
// Use the credentials of an IAM user or role. AWS says about this operation: "You cannot
// call this API with the temporary user credentials provided by Cognito Identity." An IAM
// policy that denies the call results in an AccessDeniedException, which is a
// [*smithy.GenericAPIError]. [IsDenied] reports both.
type NotAuthorizedException struct {
	Message *string // the service's message; nil if there is none

	ErrorCodeOverride *string // replaces the code that ErrorCode returns, if not nil
}

// InvalidParameterException is "Thrown when a request parameter does not comply with the
// associated constraints" (AWS). Its HTTP status is 400, and it is not retried. Check the
// pool ID, the only parameter.
type InvalidParameterException struct {
	Message *string // the service's message; nil if there is none

	ErrorCodeOverride *string // replaces the code that ErrorCode returns, if not nil
}

// ResourceNotFoundException is "Thrown if the resource doesn't exist" (AWS). Its HTTP
// status is 404, and it is not retried. Check the pool ID, and that the credentials and
// the client's region are those of the pool.
type ResourceNotFoundException struct {
	Message *string // the service's message; nil if there is none

	ErrorCodeOverride *string // replaces the code that ErrorCode returns, if not nil
}

// InternalErrorException "Indicates an internal service error" (AWS). Its HTTP status is
// 500. By the time the call returns it, the client has already retried.
type InternalErrorException struct {
	Message *string // the service's message; nil if there is none

	ErrorCodeOverride *string // replaces the code that ErrorCode returns, if not nil
}

// TooManyRequestsException is "Thrown if the request is throttled" (AWS). Its HTTP status
// is 429. By the time the call returns it, the client has already backed off and retried.
// Make fewer calls at a time, or set [Options.RetryMode] to [aws.RetryModeAdaptive].
type TooManyRequestsException struct {
	Message *string // the service's message; nil if there is none

	ErrorCodeOverride *string // replaces the code that ErrorCode returns, if not nil
}

var (
	_ smithy.APIError = (*NotAuthorizedException)(nil)
	_ smithy.APIError = (*InvalidParameterException)(nil)
	_ smithy.APIError = (*ResourceNotFoundException)(nil)
	_ smithy.APIError = (*InternalErrorException)(nil)
	_ smithy.APIError = (*TooManyRequestsException)(nil)
)

// Error returns the code and the message.
func (e *NotAuthorizedException) Error() string { return exceptionText(e) }

// ErrorCode returns "NotAuthorizedException", or ErrorCodeOverride if it is not nil.
func (e *NotAuthorizedException) ErrorCode() string { return (*exception)(e).code(codeNotAuthorized) }

// ErrorMessage returns the service's message, or "".
func (e *NotAuthorizedException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*NotAuthorizedException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Error returns the code and the message.
func (e *InvalidParameterException) Error() string { return exceptionText(e) }

// ErrorCode returns "InvalidParameterException", or ErrorCodeOverride if it is not nil.
func (e *InvalidParameterException) ErrorCode() string {
	return (*exception)(e).code(codeInvalidParameter)
}

// ErrorMessage returns the service's message, or "".
func (e *InvalidParameterException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*InvalidParameterException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Error returns the code and the message.
func (e *ResourceNotFoundException) Error() string { return exceptionText(e) }

// ErrorCode returns "ResourceNotFoundException", or ErrorCodeOverride if it is not nil.
func (e *ResourceNotFoundException) ErrorCode() string {
	return (*exception)(e).code(codeResourceNotFound)
}

// ErrorMessage returns the service's message, or "".
func (e *ResourceNotFoundException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*ResourceNotFoundException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Error returns the code and the message.
func (e *InternalErrorException) Error() string { return exceptionText(e) }

// ErrorCode returns "InternalErrorException", or ErrorCodeOverride if it is not nil.
func (e *InternalErrorException) ErrorCode() string { return (*exception)(e).code(codeInternalError) }

// ErrorMessage returns the service's message, or "".
func (e *InternalErrorException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultServer.
func (*InternalErrorException) ErrorFault() smithy.ErrorFault { return smithy.FaultServer }

// Error returns the code and the message.
func (e *TooManyRequestsException) Error() string { return exceptionText(e) }

// ErrorCode returns "TooManyRequestsException", or ErrorCodeOverride if it is not nil.
func (e *TooManyRequestsException) ErrorCode() string {
	return (*exception)(e).code(codeTooManyRequests)
}

// ErrorMessage returns the service's message, or "".
func (e *TooManyRequestsException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*TooManyRequestsException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// exception has the fields and methods that the five exceptions share.
type exception struct {
	Message *string

	ErrorCodeOverride *string
}

func (e *exception) code(name string) string {
	if e == nil || e.ErrorCodeOverride == nil {
		return name
	}
	return *e.ErrorCodeOverride
}

func (e *exception) message() string {
	if e == nil || e.Message == nil {
		return ""
	}
	return *e.Message
}

func exceptionText(e smithy.APIError) string {
	return e.ErrorCode() + ": " + redact.Printable(e.ErrorMessage(), maxErrorText)
}

// ConfigurationError reports that a request could not be sent because a setting is missing
// or invalid, or because the provider's credentials cannot sign a request. Earlier attempts
// may have been sent only if [InspectError] reports Attempts.
type ConfigurationError struct {
	Setting string // the field of [Options], such as "Region"
	Err     error  // what is wrong with it
}

// Error returns the setting and what is wrong with it.
func (e *ConfigurationError) Error() string {
	if e == nil {
		return "configuration error"
	}
	return fmt.Sprintf("configuration of %s: %v", e.Setting, e.Err)
}

// Unwrap returns Err.
func (e *ConfigurationError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// RegionMismatchError reports that the pool's ID contains another region than the one that
// the client calls. Nothing has been sent.
//
// Set [Options.UseIdentityPoolRegion] to call the region of each pool. A pool in another
// partition, such as aws-cn, needs a client with a Region and credentials of that partition.
type RegionMismatchError struct {
	IdentityPoolId string // as in the input
	PoolRegion     string // the region in the ID
	ClientRegion   string // the region that the client calls
}

// Error returns both regions and how to call the pool's.
func (e *RegionMismatchError) Error() string {
	if e == nil {
		return "region mismatch"
	}
	advice := "set Options.UseIdentityPoolRegion, or Options.Region to " + e.PoolRegion
	if !endpoints.SamePartition(e.PoolRegion, e.ClientRegion) {
		advice = "use a client with a region and credentials of partition " + endpoints.PartitionID(e.PoolRegion)
	}
	return fmt.Sprintf("identity pool %s is in region %s, but the client calls %s: %s",
		redact.Printable(e.IdentityPoolId, 128), e.PoolRegion, e.ClientRegion, advice)
}

// AttemptTimeoutError reports that an attempt took longer than [Options.AttemptTimeout].
// It is retried.
type AttemptTimeoutError struct {
	AttemptTimeout time.Duration // the timeout of the attempt
}

// Error returns a text that contains the timeout.
func (e *AttemptTimeoutError) Error() string {
	if e == nil {
		return "attempt timeout"
	}
	return fmt.Sprintf("no complete response within the attempt timeout of %v", e.AttemptTimeout)
}

// Timeout returns true.
func (*AttemptTimeoutError) Timeout() bool { return true }

// ResponseTooLargeError reports that the body of a response is larger than the client
// accepts.
type ResponseTooLargeError struct {
	Limit int64 // in bytes, after decompression
}

// Error returns a text that contains the limit.
func (e *ResponseTooLargeError) Error() string {
	if e == nil {
		return "response too large"
	}
	return fmt.Sprintf("response body exceeds %d bytes", e.Limit)
}

// ErrorDetails are the details of a failed call. Unknown details have the zero value: if
// nothing was sent, there is no Code, StatusCode or RequestID, and Attempts is 0.
type ErrorDetails struct {
	Code       string            // the service's error code, such as "TooManyRequestsException"
	Message    string            // the service's message; for other errors, the error's text
	StatusCode int               // the HTTP status of the last response
	RequestID  string            // identifies the request to AWS Support
	Attempts   int               // how many attempts were made
	Retryable  bool              // whether the client's retryer considers the error retryable
	Fault      smithy.ErrorFault // client, server or unknown
}

// InspectError returns the details of an error of this package. It accepts any error, and
// returns the zero value for nil.
//
// An exception that does not come from a call, such as a mock's, has the Fault of AWS's
// model. It is Retryable if the default retryer would retry it.
func InspectError(err error) ErrorDetails {
	if err == nil {
		return ErrorDetails{}
	}
	details := ErrorDetails{Message: err.Error()}

	if api, ok := ofService[smithy.APIError](err); ok {
		details.Code, details.Message, details.Fault = api.ErrorCode(), api.ErrorMessage(), api.ErrorFault()
	}
	if response, ok := ofService[*awshttp.ResponseError](err); ok {
		details.StatusCode, details.RequestID = response.HTTPStatusCode(), response.ServiceRequestID()
	}
	var failure *callError
	if errors.As(err, &failure) {
		details.Attempts, details.Retryable = failure.attempts, failure.retryable
	} else if details.Code != "" {
		details.Retryable = retryableByDefault(err)
	}
	return details
}

// retryableByDefault reports whether the SDK's retryers would retry an error of the service.
// They recognize an InternalErrorException only by its status, which a mock's does not have.
func retryableByDefault(err error) bool {
	_, internal := ofService[*InternalErrorException](err)
	_, tooMany := ofService[*TooManyRequestsException](err) // even if its code is overridden
	return internal || tooMany || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// IsDenied reports whether the service denied the call: with a [NotAuthorizedException],
// or with the AccessDeniedException of an IAM policy.
func IsDenied(err error) bool {
	_, notAuthorized := ofService[*NotAuthorizedException](err)
	return notAuthorized || apiErrorCode(err) == codeAccessDenied
}

// apiErrorCode returns the service's error code, or "" if err is not a response of the
// service.
func apiErrorCode(err error) string {
	if api, ok := ofService[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// ofService finds an error of type T in err, as errors.As does. It ignores the errors of a
// credentials provider, because the services that a provider calls return errors of the
// same types.
func ofService[T error](err error) (found T, ok bool) {
	if found, ok = err.(T); ok {
		return found, true
	}
	switch err := err.(type) {
	case *v4.SigningError: // wraps the provider's error
	case *renewalError: // also contains the provider's error
		return ofService[T](err.failure)
	case *causeError: // the cause may come from another call
		return ofService[T](err.err)
	case interface{ Unwrap() error }:
		return ofService[T](err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range err.Unwrap() {
			if found, ok = ofService[T](err); ok {
				return found, true
			}
		}
	}
	return found, false
}

// The error codes that this package handles.
const (
	codeNotAuthorized    = "NotAuthorizedException"
	codeInvalidParameter = "InvalidParameterException"
	codeResourceNotFound = "ResourceNotFoundException"
	codeInternalError    = "InternalErrorException"
	codeTooManyRequests  = "TooManyRequestsException"
	codeAccessDenied     = "AccessDeniedException"

	// Codes for responses without one. The first is the SDK's.
	codeUnknown  = "UnknownError"
	codeRedirect = "RedirectNotFollowed"
)

// Limits in bytes for what an error keeps of a response.
const (
	maxQuote     = 512     // of a body that could not be parsed
	maxCode      = 256     // of an error code or a request ID
	maxMessage   = 2 << 10 // of the service's message
	maxErrorText = 3 << 10 // of the text of an error
	maxTarget    = 3 * maxCode
)

// callError is inside the smithy.OperationError of every failed call, and adds what the
// rest of the chain does not contain. Its text is short, printable and free of secrets,
// whatever the service or a proxy sent.
type callError struct {
	err       error
	text      string
	attempts  int
	retryable bool
}

func (e *callError) Error() string { return e.text }

func (e *callError) Unwrap() error { return e.err }

// newCallError returns the error of a call that failed with err.
func newCallError(err error, text string, attempts int, retryable bool) error {
	return &smithy.OperationError{ServiceID: ServiceID, OperationName: operationName, Err: &callError{
		err:       err,
		text:      text,
		attempts:  attempts,
		retryable: retryable,
	}}
}

// renewalError is the response that the credentials have expired, and the error of the
// provider that should have renewed them. Signing with the old ones again would not help.
type renewalError struct {
	failure error // the response
	err     error // the provider's
}

func (e *renewalError) Error() string {
	return fmt.Sprintf("%v; renew expired credentials: %v", e.failure, e.err)
}
func (e *renewalError) Unwrap() []error      { return []error{e.failure, e.err} }
func (e *renewalError) RetryableError() bool { return false }

// interruptedError reports that the caller's context ended a call before its next attempt.
// It wraps both the interruption and the error of the last attempt.
type interruptedError struct {
	interruption error
	last         error // the last attempt's error
}

func (e *interruptedError) Error() string {
	return fmt.Sprintf("%v; the last attempt failed: %v", e.interruption, e.last)
}

func (e *interruptedError) Unwrap() []error { return []error{e.interruption, e.last} }

// withLast joins err, which ended a call, with the error of the last attempt, if there was
// one.
func withLast(err, last error) error {
	if last == nil {
		return err
	}
	return &interruptedError{interruption: err, last: last}
}

// contextError returns the error of ctx, with its cause if the caller set one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return &causeError{err: err, cause: cause}
}

// ownError returns err with the error and the cause of ctx, if ctx caused it. Some code
// returns the cause instead of ctx.Err(). The cause may be the error of another call, which
// must not be mistaken for an error of this one.
func ownError(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil {
		return err
	}
	switch canceled, caused := errors.Is(err, ctx.Err()), errors.Is(err, cause); {
	case caused && !canceled:
		return contextError(ctx)
	case canceled && !caused:
		return &causeError{err: err, cause: cause}
	}
	return err
}

// causeError is the error of a context with its cause. With errgroup, the cause may be the
// error of another call. Its timeout or response must not be found by errors.As.
type causeError struct{ err, cause error }

func (e *causeError) Error() string { return fmt.Sprintf("%v: %v", e.err, e.cause) }

func (e *causeError) Unwrap() []error {
	var (
		call    *callError
		timeout *AttemptTimeoutError
	)
	if errors.As(e.cause, &call) || errors.As(e.cause, &timeout) {
		return []error{e.err}
	}
	return []error{e.err, e.cause}
}

// Is reports whether target is the cause.
func (e *causeError) Is(target error) bool { return same(e.cause, target) }

// same reports whether a and b are equal. Unlike ==, it does not panic if they are not
// comparable.
func same(a, b any) bool {
	switch t := reflect.TypeOf(a); {
	case t != reflect.TypeOf(b):
		return false
	case t == nil || t.Kind() == reflect.Pointer:
		return a == b
	case t.Size() == 0:
		return t.Comparable()
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
