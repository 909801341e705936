package cognitosync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cognitosync/cognitosync-go/internal/foreign"
)

// HTTPSignerV4 signs a request with AWS Signature Version 4 by setting its headers.
// [*v4.Signer] implements it.
type HTTPSignerV4 interface {
	SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash string, service string, region string, signingTime time.Time, optFns ...func(*v4.SignerOptions)) error
}

// emptyPayloadHash is the SHA-256 of an empty body.
const emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// checkProvider returns an error if requests could only be sent unsigned.
func checkProvider(provider aws.CredentialsProvider) error {
	if provider == nil || aws.IsCredentialsProvider(provider, (*aws.AnonymousCredentials)(nil)) {
		return &ConfigurationError{Setting: "Credentials", Err: errors.New(
			"missing or anonymous: requests must be signed; use config.LoadDefaultConfig or set Options.Credentials")}
	}
	return nil
}

// checkKeys returns an error if credentials cannot sign a request.
func checkKeys(credentials aws.Credentials) error {
	if !credentials.HasKeys() {
		return &ConfigurationError{Setting: "Credentials", Err: errors.New(
			"the provider returned no access key ID or no secret access key")}
	}
	for _, key := range [...]string{credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken} {
		if strings.ContainsFunc(key, unicode.IsControl) {
			return &ConfigurationError{Setting: "Credentials", Err: errors.New(
				"a key or the session token contains a control character, such as a line break")}
		}
	}
	return nil
}

// credentialSources returns the sources that the provider reports for its credentials.
func credentialSources(provider aws.CredentialsProvider) []aws.CredentialSource {
	if source, ok := provider.(aws.CredentialProviderSource); ok {
		return source.ProviderSources()
	}
	return nil
}

// retrieveCredentials retrieves the credentials for one attempt from the provider.
func retrieveCredentials(ctx context.Context, provider aws.CredentialsProvider) (credentials aws.Credentials, err error) {
	if cache, ok := provider.(*aws.CredentialsCache); ok {
		credentials, err = cache.Retrieve(ctx) // returns when ctx is done, even if its provider does not
	} else {
		credentials, err = retrieveInTime(ctx, provider)
	}
	if err != nil {
		return aws.Credentials{}, &v4.SigningError{Err: fmt.Errorf("retrieve credentials: %w", retrievalError(ctx, err))}
	}
	return credentials, checkKeys(credentials)
}

// retrieved is what a provider has returned.
type retrieved struct {
	outcome     foreign.Outcome
	credentials aws.Credentials
	err         error
}

func (r *retrieved) from(ctx context.Context, provider aws.CredentialsProvider) {
	r.outcome.Of(func() { r.credentials, r.err = provider.Retrieve(ctx) })
}

// retrieveInTime returns what the provider returns, or an error when ctx is done. It calls
// the provider on its own goroutine, because the provider may ignore ctx.
func retrieveInTime(ctx context.Context, provider aws.CredentialsProvider) (aws.Credentials, error) {
	results := make(chan retrieved) // unbuffered, because nothing receives a late result
	go func() {
		var r retrieved
		defer func() {
			select {
			case results <- r:
			case <-ctx.Done():
			}
		}()
		r.from(ctx, provider)
	}()
	select {
	case r := <-results:
		r.outcome.Repeat()
		return r.credentials, r.err
	case <-ctx.Done():
		return aws.Credentials{}, contextError(ctx)
	}
}

// The headers that identify a call and number its attempts.
const (
	invocationHeader = "Amz-Sdk-Invocation-Id"
	attemptHeader    = "Amz-Sdk-Request"
)

// unsignedHeaders are not signed, because it is harmless if a proxy changes them.
var unsignedHeaders = [...]string{invocationHeader, attemptHeader}

// signRequest signs req. After that, only its unsigned headers may change.
func signRequest(
	ctx context.Context, signer HTTPSignerV4, req *http.Request, credentials aws.Credentials,
	payloadHash string, scope scope, at time.Time, optFns ...func(*v4.SignerOptions),
) error {
	var held [len(unsignedHeaders)][]string
	for i, name := range unsignedHeaders {
		held[i] = req.Header[name]
		delete(req.Header, name)
	}
	err := signer.SignHTTP(ctx, credentials, req, payloadHash, scope.name, scope.region, at, optFns...)
	for i, name := range unsignedHeaders {
		if held[i] != nil {
			req.Header[name] = held[i]
		}
	}
	if err != nil {
		return &v4.SigningError{Err: fmt.Errorf("sign request: %w", err)}
	}
	return nil
}

// expiredTokenCodes are the service's error codes for expired credentials.
var expiredTokenCodes = map[string]bool{
	"ExpiredToken":          true,
	"ExpiredTokenException": true,
}

// renewedCredentialsError is the response that the credentials have expired, after the
// provider has returned new ones. The call is retried with them.
type renewedCredentialsError struct{ error }

func (e *renewedCredentialsError) Unwrap() error        { return e.error }
func (e *renewedCredentialsError) RetryableError() bool { return true }
func (e *renewedCredentialsError) retryImmediately()    {}

// renewalInterval is how long renewed credentials are not renewed again. If the service
// rejects them within that time, another renewal would not help.
const renewalInterval = time.Minute

// renewals shares each renewal of expired credentials among the calls of a client that used
// them, including calls that fail shortly after the renewal.
type renewals struct {
	mu     sync.Mutex
	recent []*renewal // oldest first
}

// maxRecentRenewals limits the renewals that are kept. There may be several, because a call
// can have its own credentials.
const maxRecentRenewals = 16

// renewal renews credentials that the service has rejected.
type renewal struct {
	provider aws.CredentialsProvider
	used     aws.Credentials
	ctx      context.Context
	cancel   context.CancelFunc // called when no call waits any more
	waiting  int                // number of calls; guarded by the mutex of renewals

	done chan struct{} // closed when the fields below are set
	retrieved
	at time.Time
}

// renew returns credentials to replace used. They are the same if the provider has no
// others. If the provider caches credentials, renew invalidates the cache first.
func (r *renewals) renew(ctx context.Context, provider aws.CredentialsProvider, used aws.Credentials) (aws.Credentials, error) {
	if other := r.filling(provider, used); other != nil {
		select {
		case <-other.done:
		case <-other.ctx.Done():
		case <-ctx.Done():
		}
	}
	shared := r.join(ctx, provider, used)
	defer r.leave(shared)
	select {
	case <-shared.done:
	case <-shared.ctx.Done():
	case <-ctx.Done():
		return aws.Credentials{}, contextError(ctx)
	}
	if shared.running() { // the provider ignores its context
		return aws.Credentials{}, errRetrievalTimeout
	}
	shared.outcome.Repeat()
	return shared.credentials, shared.err
}

// filling returns a running renewal of other credentials with the same cache, or nil. It may
// already have put used into the cache.
func (r *renewals) filling(provider aws.CredentialsProvider, used aws.Credentials) *renewal {
	if _, ok := provider.(credentialsCache); !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.recent {
		if n.running() && same(n.provider, provider) && !sameKeys(n.used, used) {
			return n
		}
	}
	return nil
}

// join returns the renewal of used, and starts it if there is none.
func (r *renewals) join(ctx context.Context, provider aws.CredentialsProvider, used aws.Credentials) *renewal {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, shared := range r.recent {
		if shared.concerns(used) {
			shared.waiting++
			return shared
		}
	}
	if len(r.recent) == maxRecentRenewals {
		r.recent = slices.Delete(r.recent, 0, 1)
	}
	// Other calls may wait for it, so it must not end with the call that started it.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), maxRetrievalTime, errRetrievalTimeout)
	started := &renewal{provider: provider, used: used, ctx: ctx, cancel: cancel, waiting: 1, done: make(chan struct{})}
	r.recent = append(r.recent, started)
	go started.run()
	return started
}

// leave cancels a renewal if no call waits for it any more.
func (r *renewals) leave(shared *renewal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if shared.waiting--; shared.waiting == 0 {
		shared.cancel()
		if shared.running() {
			r.recent = slices.DeleteFunc(r.recent, func(n *renewal) bool { return n == shared })
		}
	}
}

func (n *renewal) running() bool {
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// concerns reports whether a call whose credentials were rejected should use the result of
// n, because n renews them or has just produced them.
func (n *renewal) concerns(used aws.Credentials) bool {
	if n.running() {
		return sameKeys(n.used, used)
	}
	return n.err == nil && n.credentials.HasKeys() && time.Since(n.at) < renewalInterval &&
		(sameKeys(n.used, used) || sameKeys(n.credentials, used))
}

// credentialsCache is a provider that caches credentials, such as aws.CredentialsCache.
type credentialsCache interface{ Invalidate() }

func (n *renewal) run() {
	defer close(n.done)
	n.from(n.ctx, n.provider)
	if cache, ok := n.provider.(credentialsCache); ok && n.err == nil && sameKeys(n.credentials, n.used) {
		cache.Invalidate()
		n.from(n.ctx, n.provider)
	}
	if n.err != nil {
		n.err = retrievalError(n.ctx, n.err)
	}
	n.at = time.Now()
}

func sameKeys(a, b aws.Credentials) bool {
	return a.AccessKeyID == b.AccessKeyID && a.SecretAccessKey == b.SecretAccessKey && a.SessionToken == b.SessionToken
}

// skewThreshold is the difference between the two clocks above which it may be the reason
// for a rejected signature. AWS accepts a difference of five minutes.
const skewThreshold = 4 * time.Minute

// clockSkewCodes are the error codes that a wrong clock can cause. They can have other
// causes too, so the Date of the response has to confirm it.
var clockSkewCodes = map[string]bool{
	codeAccessDenied:            true,
	"AuthFailure":               true,
	"InvalidSignatureException": true,
	"RequestExpired":            true,
	"RequestInTheFuture":        true,
	"RequestTimeTooSkewed":      true,
	"SignatureDoesNotMatch":     true,
}

// acceptedCodes are the error codes that imply that the signature was accepted.
var acceptedCodes = map[string]bool{
	codeAccessDenied:     true,
	codeInvalidParameter: true,
	codeNotAuthorized:    true,
	codeResourceNotFound: true,
}

// clockSkewError is the response that rejects a signature because of its time. The next
// attempt is signed by the service's clock.
type clockSkewError struct{ error }

func (e *clockSkewError) Error() string        { return "clock skew: " + e.error.Error() }
func (e *clockSkewError) Unwrap() error        { return e.error }
func (e *clockSkewError) RetryableError() bool { return true }
func (e *clockSkewError) retryImmediately()    {}

// clockOffset is how far the service's clock is ahead of the local one. It is only set after
// the service has accepted a signature made with it. The zero value is no offset.
type clockOffset struct{ nanoseconds atomic.Int64 }

func (o *clockOffset) load() time.Duration        { return time.Duration(o.nanoseconds.Load()) }
func (o *clockOffset) store(offset time.Duration) { o.nanoseconds.Store(int64(offset)) }

// signingClock is the clock that signs the attempts of one call.
type signingClock struct {
	offset  time.Duration
	refusal error // the rejection that offset should correct; nil if there is none, or once it did
}

// correct returns the clock for the next attempt, and the error of the last one, marked if
// the clock corrects it. measured is how far the service's clock is ahead, if known.
//
// An offset is only kept for later calls after a signature made with it was accepted,
// because the Date may come from a gateway with a wrong clock.
func (o *clockOffset) correct(clock signingClock, measured time.Duration, known bool, failure error) (signingClock, error) {
	code := apiErrorCode(failure)
	off := known && (measured-clock.offset).Abs() > skewThreshold
	switch refused := clock.refusal; {
	case refused != nil && (failure == nil || acceptedCodes[code] && code != apiErrorCode(refused)):
		o.store(clock.offset)
		return signingClock{offset: clock.offset}, failure
	case refused != nil && clockSkewCodes[code]:
		return signingClock{offset: o.load()}, refused
	case failure == nil && off && measured.Abs() <= skewThreshold:
		o.store(0)
		return signingClock{}, nil
	case refused == nil && off && clockSkewCodes[code]:
		if measured.Abs() <= skewThreshold {
			measured = 0 // AWS tolerates it
		}
		return signingClock{offset: measured, refusal: failure}, &clockSkewError{failure}
	case refused == nil && clock.offset != 0 && clockSkewCodes[code] && code != codeAccessDenied:
		// The offset may be outdated or come from a gateway. Try the local clock.
		return signingClock{refusal: failure}, &clockSkewError{failure}
	}
	return clock, failure
}
