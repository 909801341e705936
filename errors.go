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

// NotAuthorizedException says that the caller may not ask about this pool: HTTP
// status 403, the client's fault, not retried.
//
// AWS sends it when the request is signed with credentials that Amazon Cognito
// Identity gave to an end user: this operation takes developer credentials only.
// Sign with credentials of an IAM user or role. A denial by an IAM policy comes
// as the unmodelled AccessDeniedException; [IsDenied] reports both.
type NotAuthorizedException struct {
	Message *string // what the service said; nil when it said nothing

	ErrorCodeOverride *string // the code as sent, if it differs from the type's name
}

// InvalidParameterException says that the service does not take the pool id:
// HTTP status 400, the client's fault, not retried. Correct the id.
type InvalidParameterException struct {
	Message *string // what the service said; nil when it said nothing

	ErrorCodeOverride *string // the code as sent, if it differs from the type's name
}

// ResourceNotFoundException says that there is no such pool in this account and
// region: HTTP status 404, the client's fault, not retried. Check that the
// credentials belong to the pool's account and the client's region is the pool's.
type ResourceNotFoundException struct {
	Message *string // what the service said; nil when it said nothing

	ErrorCodeOverride *string // the code as sent, if it differs from the type's name
}

// InternalErrorException says that the service failed: HTTP status 500, the
// server's fault. The client has already tried again; try later.
type InternalErrorException struct {
	Message *string // what the service said; nil when it said nothing

	ErrorCodeOverride *string // the code as sent, if it differs from the type's name
}

// TooManyRequestsException says that the account asks too often: HTTP status
// 429, the client's fault. The client has already backed off and tried again;
// ask fewer pools at a time, or choose aws.RetryModeAdaptive.
type TooManyRequestsException struct {
	Message *string // what the service said; nil when it said nothing

	ErrorCodeOverride *string // the code as sent, if it differs from the type's name
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

// ErrorCode returns "NotAuthorizedException", or the override.
func (e *NotAuthorizedException) ErrorCode() string { return (*exception)(e).code(codeNotAuthorized) }

// ErrorMessage returns the service's message, or "".
func (e *NotAuthorizedException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*NotAuthorizedException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Error returns the code and the message.
func (e *InvalidParameterException) Error() string { return exceptionText(e) }

// ErrorCode returns "InvalidParameterException", or the override.
func (e *InvalidParameterException) ErrorCode() string {
	return (*exception)(e).code(codeInvalidParameter)
}

// ErrorMessage returns the service's message, or "".
func (e *InvalidParameterException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*InvalidParameterException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Error returns the code and the message.
func (e *ResourceNotFoundException) Error() string { return exceptionText(e) }

// ErrorCode returns "ResourceNotFoundException", or the override.
func (e *ResourceNotFoundException) ErrorCode() string {
	return (*exception)(e).code(codeResourceNotFound)
}

// ErrorMessage returns the service's message, or "".
func (e *ResourceNotFoundException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*ResourceNotFoundException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// Error returns the code and the message.
func (e *InternalErrorException) Error() string { return exceptionText(e) }

// ErrorCode returns "InternalErrorException", or the override.
func (e *InternalErrorException) ErrorCode() string { return (*exception)(e).code(codeInternalError) }

// ErrorMessage returns the service's message, or "".
func (e *InternalErrorException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultServer.
func (*InternalErrorException) ErrorFault() smithy.ErrorFault { return smithy.FaultServer }

// Error returns the code and the message.
func (e *TooManyRequestsException) Error() string { return exceptionText(e) }

// ErrorCode returns "TooManyRequestsException", or the override.
func (e *TooManyRequestsException) ErrorCode() string {
	return (*exception)(e).code(codeTooManyRequests)
}

// ErrorMessage returns the service's message, or "".
func (e *TooManyRequestsException) ErrorMessage() string { return (*exception)(e).message() }

// ErrorFault returns smithy.FaultClient.
func (*TooManyRequestsException) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// exception is what the five exceptions have in common. A nil one has no message.
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

// ConfigurationError says that a request cannot be made with the client's settings, or with
// the credentials that its provider gives. It has not been sent. Where [InspectError]
// reports Attempts, others have been sent before.
type ConfigurationError struct {
	Setting string // the field of [Options] that is wrong, such as "Region"
	Err     error  // what is wrong with it
}

// Error names the setting and what is wrong with it.
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

// RegionMismatchError says that a pool's ID names another region than the one
// the client would call, where the pool cannot be found. Nothing has been sent.
// Set [Options.UseIdentityPoolRegion] to have each pool queried in its region. A pool in
// another partition, such as China's, takes a client with Region and credentials of that
// partition.
type RegionMismatchError struct {
	IdentityPoolId string // the ID as it was given
	PoolRegion     string // the region in the ID
	ClientRegion   string // the region the client is set to
}

// Error names both regions and the option that helps.
func (e *RegionMismatchError) Error() string {
	if e == nil {
		return "region mismatch"
	}
	advice := "set Options.UseIdentityPoolRegion, or Options.Region to " + e.PoolRegion
	if !endpoints.SamePartition(e.PoolRegion, e.ClientRegion) {
		advice = "use a client with Region and credentials of that partition"
	}
	return fmt.Sprintf("identity pool %s is in region %s, but the client calls %s: %s",
		redact.Printable(e.IdentityPoolId, 128), e.PoolRegion, e.ClientRegion, advice)
}

// AttemptTimeoutError says that one attempt took longer than
// [Options.AttemptTimeout]. It is retried while the caller's context lives.
type AttemptTimeoutError struct {
	AttemptTimeout time.Duration // how long the attempt was given
}

// Error says how long the attempt was given.
func (e *AttemptTimeoutError) Error() string {
	if e == nil {
		return "attempt timeout"
	}
	return fmt.Sprintf("no whole answer within the attempt timeout of %v", e.AttemptTimeout)
}

// Timeout returns true.
func (*AttemptTimeoutError) Timeout() bool { return true }

// ResponseTooLargeError says that an answer was longer than the client reads.
type ResponseTooLargeError struct {
	Limit int64 // the most bytes that are read of a body, after decompression
}

// Error names the limit.
func (e *ResponseTooLargeError) Error() string {
	if e == nil {
		return "response too large"
	}
	return fmt.Sprintf("response body exceeds %d bytes", e.Limit)
}

// ErrorDetails is what is known of a failed call. A member that the error does
// not tell is the zero value: an error that arose before anything was sent has
// no Code, StatusCode or RequestID, and 0 Attempts.
type ErrorDetails struct {
	Code       string            // the service's error code, such as "TooManyRequestsException"
	Message    string            // the service's words; for other errors the error's text
	StatusCode int               // the HTTP status of the last answer
	RequestID  string            // the id AWS support asks for
	Attempts   int               // how many attempts were made
	Retryable  bool              // whether the same call may succeed later, by the client's retryer
	Fault      smithy.ErrorFault // whose fault it was, as far as the service says
}

// InspectError returns all that is known of an error of this package in one
// step. It takes any error; nil gives the zero value.
//
// An exception that no call returned, as a mock makes one, is Retryable if the client
// would try it again by default, and of the Fault that AWS's model gives it; also inside
// other errors.
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

// retryableByDefault reports whether the SDK's retryers would have an error of the service
// tried again. An InternalErrorException they only know by the status 500, which it always
// has.
func retryableByDefault(err error) bool {
	_, internal := ofService[*InternalErrorException](err)
	_, tooMany := ofService[*TooManyRequestsException](err) // whatever its code is overridden with
	return internal || tooMany || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// IsDenied reports whether the service refused the caller: with a
// [NotAuthorizedException], or with the AccessDeniedException of an IAM policy.
func IsDenied(err error) bool {
	_, notAuthorized := ofService[*NotAuthorizedException](err)
	return notAuthorized || apiErrorCode(err) == codeAccessDenied
}

// apiErrorCode returns the service's code for err, or "" if err is no answer of
// the service.
func apiErrorCode(err error) string {
	if api, ok := ofService[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// ofService finds an error of type T in err as errors.As does, but not what a
// credentials provider has put there: a provider asks services of its own, whose
// answers look just the same.
func ofService[T error](err error) (found T, ok bool) {
	if found, ok = err.(T); ok {
		return found, true
	}
	switch err := err.(type) {
	case *v4.SigningError: // of the provider
	case *renewalError: // partly of the provider
		return ofService[T](err.failure)
	case *causeError: // the cause may be of another call
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

// The error codes that mean something to this package.
const (
	codeNotAuthorized    = "NotAuthorizedException"
	codeInvalidParameter = "InvalidParameterException"
	codeResourceNotFound = "ResourceNotFoundException"
	codeInternalError    = "InternalErrorException"
	codeTooManyRequests  = "TooManyRequestsException"
	codeAccessDenied     = "AccessDeniedException"

	// Given to an answer that names no code: the SDK's own word for it, and ours
	// for a redirect.
	codeUnknown  = "UnknownError"
	codeRedirect = "RedirectNotFollowed"
)

// Bounds of what an error keeps and prints of an answer.
const (
	maxQuote     = 512     // of a body that could not be parsed
	maxCode      = 256     // of an error code or request id
	maxMessage   = 2 << 10 // of a service's message
	maxErrorText = 3 << 10 // of an error's text
	maxTarget    = 3 * maxCode
)

// callError stands below the smithy.OperationError of every failed call and
// carries what the rest of the chain does not say. Its text is the one place that
// keeps errors short and clean, whatever the service or a proxy sent.
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

// renewalError is an expired-token response after which the provider had nothing to
// give. Signing with the old credentials again would not help.
type renewalError struct {
	failure error // the response
	err     error // the provider's
}

func (e *renewalError) Error() string {
	return fmt.Sprintf("%v; retrieve other credentials: %v", e.failure, e.err)
}
func (e *renewalError) Unwrap() []error      { return []error{e.failure, e.err} }
func (e *renewalError) RetryableError() bool { return false }

// interruptedError is a call that the caller's context ended although another
// attempt was due: both the interruption and what went wrong before it count.
type interruptedError struct {
	interruption error
	last         error // the last attempt's error
}

func (e *interruptedError) Error() string {
	return fmt.Sprintf("%v; the last attempt failed: %v", e.interruption, e.last)
}

func (e *interruptedError) Unwrap() []error { return []error{e.interruption, e.last} }

// withLast returns err, which ended a call, beside the error of the attempt
// before it, if there was one.
func withLast(err, last error) error {
	if last == nil {
		return err
	}
	return &interruptedError{interruption: err, last: last}
}

// contextError returns why ctx is done: its error, and its cause where the
// caller gave one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return &causeError{err: err, cause: cause}
}

// ownError returns the error of a step that ctx may have ended, with the cause of ctx. Some
// code returns the cause in place of ctx.Err(). It may be the error of another call, which
// must not pass for this one's.
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

// causeError is the error of a context with its cause. The cause may be the error of
// another call, as with errgroup: errors.As must not take that call's timeout or response
// for this one's.
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

// same reports whether a and b are one value, of whatever type.
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
