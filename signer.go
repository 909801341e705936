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

// HTTPSignerV4 signs a request with AWS Signature Version 4 by setting its
// headers. The default is [v4.Signer] of aws/signer/v4.
type HTTPSignerV4 interface {
	SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash string, service string, region string, signingTime time.Time, optFns ...func(*v4.SignerOptions)) error
}

// The SHA-256 of no bytes at all: the operation's requests have no body.
const emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// checkProvider refuses a client that could send only unsigned requests.
func checkProvider(provider aws.CredentialsProvider) error {
	if provider == nil || aws.IsCredentialsProvider(provider, (*aws.AnonymousCredentials)(nil)) {
		return &ConfigurationError{Setting: "Credentials", Err: errors.New(
			"none given: the operation takes signed requests only")}
	}
	return nil
}

// checkKeys refuses credentials that cannot sign a request.
func checkKeys(credentials aws.Credentials) error {
	if !credentials.HasKeys() {
		return &ConfigurationError{Setting: "Credentials", Err: errors.New(
			"the provider gave no access key or no secret key")}
	}
	for _, key := range [...]string{credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken} {
		if strings.ContainsFunc(key, unicode.IsControl) {
			return &ConfigurationError{Setting: "Credentials", Err: errors.New(
				"a key or the session token contains a line break or another control character")}
		}
	}
	return nil
}

// credentialSources returns what the provider says of where its credentials come from.
func credentialSources(provider aws.CredentialsProvider) []aws.CredentialSource {
	if source, ok := provider.(aws.CredentialProviderSource); ok {
		return source.ProviderSources()
	}
	return nil
}

// retrieveCredentials gets the credentials of one attempt from the provider.
func retrieveCredentials(ctx context.Context, provider aws.CredentialsProvider) (credentials aws.Credentials, err error) {
	if cache, ok := provider.(*aws.CredentialsCache); ok {
		credentials, err = cache.Retrieve(ctx) // returns when ctx is done, whatever it caches
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

// retrieveInTime returns what the provider returns, or an error when ctx is done: a
// provider may ignore it, so it runs on a goroutine of its own.
func retrieveInTime(ctx context.Context, provider aws.CredentialsProvider) (aws.Credentials, error) {
	results := make(chan retrieved) // unbuffered: nobody waits for what comes too late
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

// The headers that identify a call, and which of how many attempts a request is.
const (
	invocationHeader = "Amz-Sdk-Invocation-Id"
	attemptHeader    = "Amz-Sdk-Request"
)

// unsignedHeaders may be changed on the way without harm, so that they stay out of the
// signature.
var unsignedHeaders = [...]string{invocationHeader, attemptHeader}

// signRequest signs req as it stands; nothing of it but unsigned headers may change
// afterwards.
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

// expiredTokenCodes are the service's codes for credentials that were valid once.
var expiredTokenCodes = map[string]bool{
	"ExpiredToken":          true,
	"ExpiredTokenException": true,
}

// renewedCredentialsError is an expired-token response after which the provider has
// given other credentials: the same call, signed again, may succeed.
type renewedCredentialsError struct{ error }

func (e *renewedCredentialsError) Unwrap() error        { return e.error }
func (e *renewedCredentialsError) RetryableError() bool { return true }
func (e *renewedCredentialsError) retryImmediately()    {}

// renewalInterval is how long credentials count as new. To throw them away sooner would
// not help: they are refused for another reason.
const renewalInterval = time.Minute

// renewals shares the renewal of expired credentials among the calls of a client: those
// that meet the expiry together, and those that come a moment later.
type renewals struct {
	mu     sync.Mutex
	recent []*renewal // the oldest first
}

// maxRecentRenewals is how many are remembered: more than one, for a call may bring
// credentials of its own.
const maxRecentRenewals = 16

// renewal replaces credentials that the service has refused.
type renewal struct {
	provider aws.CredentialsProvider
	used     aws.Credentials
	ctx      context.Context
	cancel   context.CancelFunc // called when nobody waits any more
	waiting  int                // calls; guarded by the mutex of renewals

	done chan struct{} // closed when what follows is set
	retrieved
	at time.Time
}

// renew returns credentials to use in place of used, which may be the same if the
// provider has no others. The provider's cache, if it has one, is invalidated first.
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

// filling returns a renewal of other credentials that is running with the same cache. What
// it has put there may be what was used, before it is known that it has.
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

// join returns the renewal that concerns used, and starts it if there is none.
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
	// It is for all who wait, so that it outlives the call that began it.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), maxRetrievalTime, errRetrievalTimeout)
	started := &renewal{provider: provider, used: used, ctx: ctx, cancel: cancel, waiting: 1, done: make(chan struct{})}
	r.recent = append(r.recent, started)
	go started.run()
	return started
}

// leave stops a renewal that nobody waits for any more.
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

// concerns reports whether a call whose credentials were refused should take the result
// of n: it replaces them, or has just produced them.
func (n *renewal) concerns(used aws.Credentials) bool {
	if n.running() {
		return sameKeys(n.used, used)
	}
	return n.err == nil && n.credentials.HasKeys() && time.Since(n.at) < renewalInterval &&
		(sameKeys(n.used, used) || sameKeys(n.credentials, used))
}

// credentialsCache is a provider that can be told to forget, as aws.CredentialsCache.
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

// skewThreshold is how far the two clocks may be apart before a refused signature
// is put down to it. AWS accepts five minutes.
const skewThreshold = 4 * time.Minute

// clockSkewCodes are the codes that a wrong clock can cause. Each has other
// causes too, so that the response's Date has to confirm it.
var clockSkewCodes = map[string]bool{
	codeAccessDenied:            true,
	"AuthFailure":               true,
	"InvalidSignatureException": true,
	"RequestExpired":            true,
	"RequestInTheFuture":        true,
	"RequestTimeTooSkewed":      true,
	"SignatureDoesNotMatch":     true,
}

// acceptedCodes are those of errors that come after the signature has been accepted.
var acceptedCodes = map[string]bool{
	codeAccessDenied:     true,
	codeInvalidParameter: true,
	codeNotAuthorized:    true,
	codeResourceNotFound: true,
}

// clockSkewError is a signature refused because of the time it was made at. The
// next attempt is signed by the service's clock.
type clockSkewError struct{ error }

func (e *clockSkewError) Error() string        { return "clock skew: " + e.error.Error() }
func (e *clockSkewError) Unwrap() error        { return e.error }
func (e *clockSkewError) RetryableError() bool { return true }
func (e *clockSkewError) retryImmediately()    {}

// clockOffset is how far the service's clock is ahead of the client's own, as far as
// the service has confirmed it by accepting a signature. The zero value is no offset.
type clockOffset struct{ nanoseconds atomic.Int64 }

func (o *clockOffset) load() time.Duration        { return time.Duration(o.nanoseconds.Load()) }
func (o *clockOffset) store(offset time.Duration) { o.nanoseconds.Store(int64(offset)) }

// signingClock is the clock that the attempts of one call are signed by.
type signingClock struct {
	offset  time.Duration
	refusal error // what offset is to correct; nil once it is known to be right
}

// correct returns the clock for the next attempt and the error of the last one, given
// what its response shows: measured is how far the service's clock is ahead, if known.
// An offset is kept for later calls only after a signature made with it was accepted:
// the Date of a response may be a gateway's.
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
		// Perhaps it was right once, or a gateway's after all: the client's own may be better.
		return signingClock{refusal: failure}, &clockSkewError{failure}
	}
	return clock, failure
}
