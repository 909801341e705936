package cognitosync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// HTTPSignerV4 signs a request with AWS Signature Version 4 by setting its
// headers. The default is [v4.Signer] of aws/signer/v4.
type HTTPSignerV4 interface {
	SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash string, service string, region string, signingTime time.Time, optFns ...func(*v4.SignerOptions)) error
}

// The SHA-256 of no bytes at all: the operation's requests have no body.
const emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// checkCredentials refuses a client that could send only unsigned requests.
func checkCredentials(provider aws.CredentialsProvider) error {
	if isNil(provider) || aws.IsCredentialsProvider(provider, (*aws.AnonymousCredentials)(nil)) {
		return &ConfigurationError{Setting: "Credentials", Err: errors.New(
			"none given: the operation takes signed requests only")}
	}
	return nil
}

// isNil reports whether there is nothing in provider, or a nil of some type.
func isNil(provider aws.CredentialsProvider) bool {
	value := reflect.ValueOf(provider)
	switch value.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map:
		return value.IsNil()
	}
	return false
}

// retrieveCredentials asks the provider for the credentials of one attempt.
func (c *call) retrieveCredentials(ctx context.Context) (err error) {
	defer c.startTimer(ctx, c.instruments.resolveIdentity)()
	c.credentials, err = c.Credentials.Retrieve(ctx)
	if err == nil {
		return c.checkKeys()
	}
	if timeout := attemptTimeout(ctx); timeout != nil {
		err = timeout
	}
	return &v4.SigningError{Err: fmt.Errorf("retrieve credentials: %w", err)}
}

func (c *call) checkKeys() error {
	if c.credentials.HasKeys() {
		return nil
	}
	return &ConfigurationError{Setting: "Credentials", Err: errors.New(
		"the provider gave no access key or no secret key")}
}

// sign signs req as it stands; nothing of it but unsigned headers may change
// afterwards.
func (c *call) sign(ctx context.Context, req *http.Request, payloadHash, signingName, signingRegion string) error {
	defer c.startTimer(ctx, c.instruments.signing)()
	if err := c.checkKeys(); err != nil {
		return err
	}
	err := c.HTTPSignerV4.SignHTTP(ctx, c.credentials, req, payloadHash, signingName, signingRegion,
		time.Now().Add(c.skew), c.signerOptions()...)
	if err != nil {
		return &v4.SigningError{Err: fmt.Errorf("sign request: %w", err)}
	}
	return nil
}

// expiredTokenCodes are the service's words for credentials that were good once.
var expiredTokenCodes = map[string]bool{
	"ExpiredToken":          true,
	"ExpiredTokenException": true,
}

// renewedCredentialsError is an expired-token answer after which the provider
// has given other credentials: the same call, signed again, may succeed.
type renewedCredentialsError struct{ error }

func (e *renewedCredentialsError) Unwrap() error        { return e.error }
func (e *renewedCredentialsError) RetryableError() bool { return true }

// renewalError is an expired-token answer after which the provider had nothing to
// give. Signing with the old credentials again would not help.
type renewalError struct {
	failure error // the answer
	err     error // the provider's
}

func (e *renewalError) Error() string {
	return fmt.Sprintf("%v; retrieve other credentials: %v", e.failure, e.err)
}
func (e *renewalError) Unwrap() []error      { return []error{e.failure, e.err} }
func (e *renewalError) RetryableError() bool { return false }

// renewCredentials sees to it that the next attempt does not sign with the
// credentials that failure says have expired. It returns failure, marked when
// there are other credentials now and beside the provider's error when it has one.
//
// One goroutine of the client does so at a time, and looks first whether another
// has just done it: a hundred calls that meet the expiry refresh once.
func (c *call) renewCredentials(ctx context.Context, failure error) error {
	lastAttempt := c.maxAttempts > 0 && c.attempt >= c.maxAttempts
	if failure == nil || lastAttempt || c.renewed || !expiredTokenCodes[apiErrorCode(failure)] {
		return failure
	}
	c.renewed = true
	ctx, cancel := c.limitAttempt(ctx) // a provider that hangs must not hang the call
	defer cancel()

	select {
	case c.client.renewing <- struct{}{}:
		defer func() { <-c.client.renewing }()
	case <-ctx.Done():
		return failure
	}
	used := c.credentials
	current, err := c.Credentials.Retrieve(ctx)
	if cache, ok := c.Credentials.(interface{ Invalidate() }); ok && err == nil && sameKeys(current, used) {
		cache.Invalidate()
		current, err = c.Credentials.Retrieve(ctx)
	}
	if timeout := attemptTimeout(ctx); err != nil && timeout != nil {
		err = timeout
	}
	switch {
	case err != nil:
		return &renewalError{failure: failure, err: err}
	case sameKeys(current, used):
		return failure
	}
	return &renewedCredentialsError{failure}
}

func sameKeys(a, b aws.Credentials) bool {
	return a.AccessKeyID == b.AccessKeyID && a.SecretAccessKey == b.SecretAccessKey && a.SessionToken == b.SessionToken
}

// skewThreshold is how far the two clocks may be apart before a refused signature
// is put down to it. AWS accepts five minutes.
const skewThreshold = 4 * time.Minute

// clockSkewCodes are the codes that a wrong clock can cause. Each has other
// causes too, so that the answer's Date has to bear it out.
var clockSkewCodes = map[string]bool{
	"AccessDeniedException":     true,
	"AuthFailure":               true,
	"InvalidSignatureException": true,
	"RequestExpired":            true,
	"RequestInTheFuture":        true,
	"RequestTimeTooSkewed":      true,
	"SignatureDoesNotMatch":     true,
}

// clockSkewError is a signature refused because of the time it was made at. The
// next attempt is signed by the service's clock.
type clockSkewError struct{ error }

func (e *clockSkewError) Error() string        { return "clock skew: " + e.error.Error() }
func (e *clockSkewError) Unwrap() error        { return e.error }
func (e *clockSkewError) RetryableError() bool { return true }

// clockOffset is what a client has learned about how far the service's clock is
// ahead of its own. The zero value says: not at all.
type clockOffset struct{ nanoseconds atomic.Int64 }

func (o *clockOffset) load() time.Duration { return time.Duration(o.nanoseconds.Load()) }

// learn keeps a measured skew; one that AWS tolerates counts as none.
func (o *clockOffset) learn(skew time.Duration) {
	if skew.Abs() <= skewThreshold {
		skew = 0
	}
	o.nanoseconds.Store(int64(skew))
}

// correctClock compares the time that an attempt was signed at with the time its
// answer was given at. A refusal that this explains teaches the client the
// offset and is returned marked; a success teaches it that an old offset is wrong.
func (c *call) correctClock(measured time.Duration, failure error) error {
	if c.DisableClockSkewCorrection || (measured-c.skew).Abs() <= skewThreshold {
		return failure
	}
	switch {
	case failure == nil:
		if c.skew != 0 {
			c.client.clock.learn(measured)
		}
		return nil
	case !clockSkewCodes[apiErrorCode(failure)]:
		return failure
	}
	c.client.clock.learn(measured)
	c.skew = c.client.clock.load()
	return &clockSkewError{failure}
}
