package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// The credentials of a rotation: the first have expired, the second are good.
var (
	expiredCredentials = cognitosynctest.Credentials{
		AccessKeyID: "AKIDEXPIRED", SecretAccessKey: "secret-1", SessionToken: "token-1", Expired: true,
	}
	freshCredentials = cognitosynctest.Credentials{
		AccessKeyID: "AKIDFRESH", SecretAccessKey: "secret-2", SessionToken: "token-2",
	}
)

// A rotation is a provider that gives one set of credentials after the other, the
// last of them for good. An error in place of a set is returned.
type rotation struct {
	sets  []any // cognitosynctest.Credentials or error
	calls atomic.Int32
}

func (r *rotation) Retrieve(ctx context.Context) (aws.Credentials, error) {
	i := int(r.calls.Add(1)) - 1
	switch set := r.sets[min(i, len(r.sets)-1)].(type) {
	case error:
		return aws.Credentials{}, set
	case cognitosynctest.Credentials:
		return set.Provider().Retrieve(ctx)
	default:
		return aws.Credentials{}, fmt.Errorf("no credentials: %v", set)
	}
}

// newRotationTrial returns a trial whose service knows the rotation's credentials.
func newRotationTrial(t *testing.T, way string, provider aws.CredentialsProvider, optFns ...func(*cognitosynctest.Options)) *trial {
	t.Helper()
	known := func(o *cognitosynctest.Options) {
		o.Credentials = []cognitosynctest.Credentials{expiredCredentials, freshCredentials}
	}
	server := cognitosynctest.NewServer(t, append(optFns, known)...)
	return trialOf(t, way, server, func(o *cognitosync.Options) { o.Credentials = provider })
}

// TestExpiredTokenHeals signs a call once more when other credentials are to be had.
func TestExpiredTokenHeals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		sets   []any
		cached bool
		calls  int // of the provider
	}{
		{"cache", []any{expiredCredentials, freshCredentials}, true, 2},
		{"provider that has others by then", []any{expiredCredentials, freshCredentials}, false, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				source := &rotation{sets: test.sets}
				var provider aws.CredentialsProvider = source
				if test.cached {
					provider = aws.NewCredentialsCache(source)
				}
				tr := newRotationTrial(t, way, provider)

				tr.succeeds(t)

				requests := tr.server.Requests()
				require.Len(t, requests, 2)
				assert.Equal(t, "ExpiredTokenException", requests[0].ErrorCode)
				assert.Equal(t, requests[0].InvocationID, requests[1].InvocationID, "two calls")
				assert.Equal(t, "token-2", requests[1].Header.Get("X-Amz-Security-Token"))
				assert.Len(t, requests.Refused(), 1)
				assert.EqualValues(t, test.calls, source.calls.Load())
				for _, nap := range tr.naps.all() {
					assert.Zero(t, nap, "there is nothing to wait for")
				}
			})
		})
	}
}

// TestExpiredTokenCodes knows each word for credentials that were good once.
func TestExpiredTokenCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code  string
		heals bool
	}{
		{"ExpiredToken", true},
		{"ExpiredTokenException", true},
		{"UnrecognizedClientException", false},
		{"InvalidSignatureException", false},
		{"AccessDeniedException", false},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				source := &rotation{sets: []any{freshCredentials, expiredCredentials, freshCredentials}}
				tr := newRotationTrial(t, way, source)
				tr.script(cognitosynctest.Error(http.StatusForbidden, test.code, ""))
				output, err := tr.call(t.Context())
				if !test.heals {
					requireFailure(t, output, err)
					assert.Equal(t, test.code, cognitosync.InspectError(err).Code)
					assert.EqualValues(t, 1, source.calls.Load())
					return
				}
				require.NoError(t, err)
				assert.EqualValues(t, 3, source.calls.Load())
			})
		})
	}
}

// TestExpiredTokenHealsOnce gives up when other credentials are not better, or not to
// be had.
func TestExpiredTokenHealsOnce(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	other := cognitosynctest.Credentials{AccessKeyID: "AKIDOTHER", SecretAccessKey: "secret-3", SessionToken: "token-3", Expired: true}
	for _, test := range []struct {
		name     string
		sets     []any
		requests int
		calls    int
		reason   error
	}{
		{"the others have expired, too", []any{expiredCredentials, other, expiredCredentials, freshCredentials}, 2, 2, nil},
		{"no others", []any{expiredCredentials}, 1, 2, nil},
		{"provider fails", []any{expiredCredentials, boom}, 1, 2, boom},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				source := &rotation{sets: test.sets}
				tr := newRotationTrial(t, way, aws.NewCredentialsCache(source))
				tr.server.SetCredentials(other)

				err := tr.fails(t, t.Context())

				details := cognitosync.InspectError(err)
				assert.Equal(t, "ExpiredTokenException", details.Code)
				assert.Equal(t, http.StatusForbidden, details.StatusCode)
				assert.Equal(t, test.requests, details.Attempts)
				assert.Equal(t, test.requests, tr.requests())
				assert.EqualValues(t, test.calls, source.calls.Load())
				if test.reason != nil {
					assert.ErrorIs(t, err, test.reason)
				}
			})
		})
	}
}

// TestExpiredTokenAfterOtherFailures heals on the attempt where it is met.
func TestExpiredTokenAfterOtherFailures(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		source := &rotation{sets: []any{freshCredentials, cognitosynctest.DefaultCredentials()}}
		tr := newRotationTrial(t, way, aws.NewCredentialsCache(source))
		tr.server.SetCredentials(cognitosynctest.DefaultCredentials())
		tr.script(cognitosynctest.InternalError(), cognitosynctest.ExpiredToken())
		tr.succeeds(t)
		assert.Equal(t, 3, tr.requests())
		assert.EqualValues(t, 2, source.calls.Load())
	})
}

// TestExpiredTokenOfManyCalls has a hundred calls meet the expiry at once.
func TestExpiredTokenOfManyCalls(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		const calls = 100
		var arrived sync.WaitGroup
		arrived.Add(calls)
		source := &rotation{sets: []any{expiredCredentials, freshCredentials}}
		tr := newRotationTrial(t, way, hesitantCache{aws.NewCredentialsCache(source)}, func(o *cognitosynctest.Options) {
			o.OnRequest = func(r cognitosynctest.Request) {
				if r.Attempt == 1 { // none is answered before all have asked
					arrived.Done()
					arrived.Wait()
				}
			}
		})
		errs := make([]error, calls)
		var done sync.WaitGroup
		for i := range calls {
			done.Add(1)
			go func() {
				defer done.Done()
				_, errs[i] = tr.call(t.Context())
			}()
		}
		done.Wait()

		for _, err := range errs {
			assert.NoError(t, err)
		}
		assert.Equal(t, 2*calls, tr.requests())
		assert.EqualValues(t, 2, source.calls.Load(), "the first credentials, and one refresh")
	})
}

// A hesitantCache lets other goroutines go first, so that what they do at once shows.
type hesitantCache struct{ *aws.CredentialsCache }

func (c hesitantCache) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := c.CredentialsCache.Retrieve(ctx)
	for range 1000 {
		runtime.Gosched()
	}
	return credentials, err
}

// providerError is an error of a credentials provider.
type providerError struct{ reason string }

func (e *providerError) Error() string { return e.reason }

// TestProviderError keeps a provider's own error reachable, and sends nothing.
func TestProviderError(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached=%v", cached), func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				reason := &providerError{"the role cannot be assumed"}
				source := &rotation{sets: []any{reason}}
				var provider aws.CredentialsProvider = source
				if cached {
					provider = aws.NewCredentialsCache(source)
				}
				tr := newRotationTrial(t, way, provider)

				err := tr.fails(t, t.Context())

				assert.Same(t, reason, requireAs[*providerError](t, err))
				requireAs[*v4.SigningError](t, err)
				assert.Contains(t, err.Error(), reason.reason)
				assert.EqualValues(t, 1, source.calls.Load())
				assert.Zero(t, tr.requests())
				details := cognitosync.InspectError(err)
				assert.Empty(t, details.Code)
				assert.Equal(t, 1, details.Attempts)
			})
		})
	}
}

// TestProviderErrorThatPasses retries a provider whose error says that it may pass.
func TestProviderErrorThatPasses(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		source := &rotation{sets: []any{&passingError{}, freshCredentials}}
		tr := newRotationTrial(t, way, source)
		tr.succeeds(t)
		assert.EqualValues(t, 2, source.calls.Load())
		assert.Equal(t, 1, tr.requests())
		assert.Equal(t, 2, tr.server.Requests().Last().Attempt)
	})
}

type passingError struct{}

func (*passingError) Error() string        { return "come again" }
func (*passingError) RetryableError() bool { return true }

// TestNeverUnsigned refuses, before anything is sent, whatever could only be sent
// without a signature.
func TestNeverUnsigned(t *testing.T) {
	t.Parallel()
	gives := func(credentials aws.Credentials) aws.CredentialsProvider {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil })
	}
	for _, test := range []struct {
		name     string
		provider aws.CredentialsProvider
		refuses  bool // by itself
	}{
		{"none", nil, false},
		{"anonymous", aws.AnonymousCredentials{}, false},
		{"pointer to anonymous", &aws.AnonymousCredentials{}, false},
		{"cache of anonymous", aws.NewCredentialsCache(aws.AnonymousCredentials{}), false},
		{"cache of a pointer to anonymous", aws.NewCredentialsCache(&aws.AnonymousCredentials{}), false},
		{"no keys", gives(aws.Credentials{}), false},
		{"no secret key", gives(aws.Credentials{AccessKeyID: "AKID", SessionToken: "token"}), false},
		{"no access key", gives(aws.Credentials{SecretAccessKey: "secret"}), false},
		{"function around anonymous", aws.CredentialsProviderFunc(aws.AnonymousCredentials{}.Retrieve), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				set := func(o *cognitosync.Options) { o.Credentials = test.provider }
				ofClient := newTrial(t, way, set)
				ofCall := newTrial(t, way)
				for _, err := range []error{
					ofClient.fails(t, t.Context()),
					ofCall.fails(t, t.Context(), set),
				} {
					if test.refuses {
						requireAs[*v4.SigningError](t, err)
						continue
					}
					assert.Equal(t, "Credentials", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					assert.Zero(t, cognitosync.InspectError(err).Attempts)
				}
				assert.Zero(t, ofClient.requests()+ofCall.requests())
				assert.Empty(t, ofClient.naps.all())
			})
		})
	}
}

// TestEachAttemptIsSignedAnew has credentials change between attempts.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		source := &rotation{sets: []any{cognitosynctest.DefaultCredentials(), freshCredentials}}
		tr := newRotationTrial(t, way, source)
		tr.server.SetCredentials(cognitosynctest.DefaultCredentials())
		tr.script(cognitosynctest.InternalError())
		tr.succeeds(t)
		requests := tr.server.Requests()
		require.Len(t, requests, 2)
		assert.Empty(t, requests.Refused())
		assert.Equal(t, "token-2", requests.Last().Header.Get("X-Amz-Security-Token"))
		assert.NotEqual(t, requests[0].Header.Get("Authorization"), requests[1].Header.Get("Authorization"))
	})
}

// TestRenewalIsCanceled ends calls that wait for another's renewal, and the one that
// renews: each tells of the expired token.
func TestRenewalIsCanceled(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var calls atomic.Int32
		provider := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			if calls.Add(1) > 2 { // two calls have their first credentials
				time.AfterFunc(shortTimeout, func() { cancel(errOwnCause) })
				<-ctx.Done()
				return aws.Credentials{}, ctx.Err()
			}
			return expiredCredentials.Provider().Retrieve(ctx)
		})
		var arrived sync.WaitGroup
		arrived.Add(2)
		tr := newRotationTrial(t, way, provider, func(o *cognitosynctest.Options) {
			o.OnRequest = func(cognitosynctest.Request) {
				arrived.Done()
				arrived.Wait()
			}
		})
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := tr.call(ctx)
				errs <- err
			}()
		}
		for range 2 {
			err := <-errs
			require.Error(t, err)
			assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
		}
		assert.Equal(t, 2, tr.requests())
	})
}
