package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// A timekeeper is a service with its own clock. It rejects signatures with another time, and
// its responses contain its time.
type timekeeper struct {
	mu       sync.Mutex
	offset   time.Duration // of its clock
	drift    time.Duration // added to the offset with each request
	codes    []string      // codes for rejecting the next requests, whatever their time
	code     string        // the code for rejecting all others
	age      string        // the Age header
	date     *string       // replaces the Date header; "" for none
	refusing bool          // it rejects all requests
	failing  bool          // it returns an internal error
	trusting bool          // it accepts signatures with any time
	signed   []time.Duration
}

// newTimekeeper starts the service and creates a client for it.
func newTimekeeper(t *testing.T, path string, optFns ...func(*cognitosync.Options)) (*timekeeper, *trial) {
	t.Helper()
	keeper := &timekeeper{code: "InvalidSignatureException"}
	server := httptest.NewServer(keeper)
	t.Cleanup(server.Close)
	optFns = append(optFns, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.URL) })
	return keeper, setup(t, path, optFns...)
}

func (k *timekeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now().Add(k.offset)
	k.offset += k.drift
	signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")) // an invalid time is rejected below
	k.signed = append(k.signed, time.Until(signed))

	header := w.Header()
	header.Set("Date", now.UTC().Format(http.TimeFormat))
	if k.date != nil {
		header["Date"] = nil // prevents net/http from adding one
		if *k.date != "" {
			header.Set("Date", *k.date)
		}
	}
	if k.age != "" {
		header.Set("Age", k.age)
	}
	verifier := cognitosynctest.Verifier{Now: func() time.Time { return now }}
	if k.trusting {
		verifier.Now = func() time.Time { return signed }
	}
	refusal := verifier.Verify(r)
	header.Set("X-Amzn-RequestId", fmt.Sprintf("request-%d", len(k.signed)))
	switch {
	case len(k.codes) > 0:
		header.Set("X-Amzn-ErrorType", k.codes[0])
		k.codes = k.codes[1:]
		w.WriteHeader(http.StatusForbidden)
	case k.failing:
		w.WriteHeader(http.StatusInternalServerError)
	case k.refusing || refusal != nil:
		header.Set("X-Amzn-ErrorType", k.code)
		w.WriteHeader(http.StatusForbidden)
	default:
		_, _ = io.WriteString(w, stubBody) // a client that is gone has failed its test
	}
}

// set changes the state of the service.
func (k *timekeeper) set(change func(*timekeeper)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
}

// requests returns how far the signature of each request since the last call was ahead of the
// real time, rounded to minutes.
func (k *timekeeper) requests() []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	signed := slices.Clone(k.signed)
	k.signed = nil
	for i := range signed {
		signed[i] = signed[i].Round(time.Minute)
	}
	return signed
}

func TestClockSkewIsLearned(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{time.Hour, -time.Hour, 6 * time.Minute, -6 * time.Minute, 20 * 365 * 24 * time.Hour} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset = offset })

				tr.succeeds(t)
				assert.Equal(t, []time.Duration{0, offset}, keeper.requests(), "signed in the first call")
				for _, nap := range tr.naps.all() {
					assert.Zero(t, nap, "the retry is immediate")
				}

				tr.succeeds(t)
				assert.Equal(t, []time.Duration{offset}, keeper.requests(), "signed in the second call")
			})
		})
	}
}

// TestClockSkewOfTheFake corrects the clock with the fake service.
func TestClockSkewOfTheFake(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.SkewedClock(time.Hour), cognitosynctest.SkewedClock(time.Hour), cognitosynctest.SkewedClock(-time.Hour))
		for _, requests := range []int{2, 1, 2} { // corrected, known, corrected again
			before := tr.requests()
			tr.succeeds(t)
			assert.Equal(t, requests, tr.requests()-before)
		}
		assert.Zero(t, tr.server.Pending())
	})
}

// TestClockSkewCodes checks for which error codes the clock is corrected.
func TestClockSkewCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code  string
		heals bool
	}{
		{"AuthFailure", true},
		{"InvalidSignatureException", true},
		{"RequestExpired", true},
		{"RequestInTheFuture", true},
		{"RequestTimeTooSkewed", true},
		{"SignatureDoesNotMatch", true},
		{"AccessDeniedException", true},
		{"NotAuthorizedException", false},
		{"UnrecognizedClientException", false},
		{"MissingAuthenticationTokenException", false},
		{"", false},
	} {
		t.Run("code "+test.code, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset, k.code = time.Hour, test.code })
				if test.heals {
					tr.succeeds(t)
					assert.Equal(t, []time.Duration{0, time.Hour}, keeper.requests())
					return
				}
				tr.fails(t, t.Context())
				tr.fails(t, t.Context())
				assert.Equal(t, []time.Duration{0, 0}, keeper.requests())
			})
		})
	}
}

// TestClockSkewWithoutEvidence rejects requests without a Date that explains it.
func TestClockSkewWithoutEvidence(t *testing.T) {
	t.Parallel()
	date := func(s string) func(*timekeeper) { return func(k *timekeeper) { k.date = &s } }
	for _, test := range []struct {
		name string
		set  func(*timekeeper)
	}{
		{"cached response", func(k *timekeeper) { k.age = "3600" }},
		{"cached just now", func(k *timekeeper) { k.age = "0" }},
		{"no Date", date("")},
		{"invalid Date", date("yesterday")},
		{"a tolerable skew", date(time.Now().Add(3 * time.Minute).UTC().Format(http.TimeFormat))},
		{"no skew", date(time.Now().UTC().Format(http.TimeFormat))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset = time.Hour })
				keeper.set(test.set)
				for range 2 {
					err := tr.fails(t, t.Context())
					details := cognitosync.InspectError(err)
					assert.Equal(t, "InvalidSignatureException", details.Code)
					assert.False(t, details.Retryable)
				}
				assert.Equal(t, []time.Duration{0, 0}, keeper.requests())
			})
		})
	}
}

// TestClockSkewNeverAccepted checks that calls end if the service rejects requests whatever
// clock signs them.
func TestClockSkewNeverAccepted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		drift  time.Duration
		signed []time.Duration
	}{
		{"same clock", 0, []time.Duration{0, time.Hour}},
		{"clock that drifts", time.Hour, []time.Duration{0, time.Hour}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset, k.drift, k.refusing = time.Hour, test.drift, true })
				err := tr.fails(t, t.Context())
				details := cognitosync.InspectError(err)
				assert.Equal(t, "InvalidSignatureException", details.Code)
				assert.Equal(t, http.StatusForbidden, details.StatusCode)
				assert.Equal(t, len(test.signed), details.Attempts)
				assert.Equal(t, test.signed, keeper.requests())
			})
		})
	}
}

// TestClockSkewChanges changes the service's clock right after the client has corrected its
// own.
func TestClockSkewChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*timekeeper)
		signed [][]time.Duration // the offsets of each call's signatures
	}{
		{"after a rejection", func(k *timekeeper) { k.offset = 0 }, [][]time.Duration{{time.Hour, 0}, {0}}},
		{"after a rejection, to another skew", func(k *timekeeper) { k.offset = -time.Hour }, [][]time.Duration{{time.Hour, -time.Hour}, {-time.Hour}}},
		{"after a success", func(k *timekeeper) { k.offset, k.trusting = 0, true }, [][]time.Duration{{time.Hour}, {0}}},
		{"not after a success, to another skew", func(k *timekeeper) { k.offset, k.trusting = -time.Hour, true }, [][]time.Duration{{time.Hour}, {time.Hour}}},
		{"not after a cached response", func(k *timekeeper) { k.offset, k.trusting, k.age = 0, true, "1" }, [][]time.Duration{{time.Hour}, {time.Hour}}},
		{"not without a Date", func(k *timekeeper) { k.offset, k.trusting, k.date = 0, true, new(string) }, [][]time.Duration{{time.Hour}, {time.Hour}}},
		{"not while it is tolerable", func(k *timekeeper) { k.offset = time.Hour + 3*time.Minute }, [][]time.Duration{{time.Hour}, {time.Hour}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset = time.Hour })
				tr.succeeds(t)
				keeper.requests()

				keeper.set(test.change)
				for _, signed := range test.signed {
					tr.succeeds(t)
					assert.Equal(t, signed, keeper.requests())
				}
			})
		})
	}
}

// wrongDate acts as a gateway that replaces the Date of every response.
func wrongDate(offset time.Duration) func(*timekeeper) {
	date := time.Now().Add(offset).UTC().Format(http.TimeFormat)
	return func(k *timekeeper) { k.date = &date }
}

// TestClockSkewOfAGateway rejects a call through a gateway with a wrong Date. The call fails
// with the first rejection, and the clock of later calls is unchanged, so they succeed.
func TestClockSkewOfAGateway(t *testing.T) {
	t.Parallel()
	const denied, refused = "AccessDeniedException", "InvalidSignatureException"
	for _, learned := range []time.Duration{0, -time.Hour} { // an earlier correction
		for _, test := range []struct {
			name  string
			codes []string
			code  string // of the rejection
		}{
			{"denied again", []string{denied, denied}, denied},
			{"then rejected for the signature", []string{denied, refused}, denied},
			{"then rejected for the time", []string{denied, "RequestTimeTooSkewed"}, denied},
			{"signature rejected again", []string{refused, refused}, refused},
			{"then rejected by the service", []string{denied}, denied},
		} {
			t.Run(fmt.Sprintf("%s after %v", test.name, learned), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					keeper, tr := newTimekeeper(t, path)
					keeper.set(func(k *timekeeper) { k.offset = learned })
					tr.succeeds(t)
					keeper.requests()
					keeper.set(wrongDate(2 * time.Hour))
					keeper.set(func(k *timekeeper) { k.codes = test.codes })

					err := tr.fails(t, t.Context())

					details := cognitosync.InspectError(err)
					assert.Equal(t, test.code, details.Code)
					assert.Equal(t, "request-1", details.RequestID, "the first rejection")
					assert.Equal(t, 2, details.Attempts)
					assert.False(t, details.Retryable)
					assert.Equal(t, []time.Duration{learned, 2 * time.Hour}, keeper.requests())
					for range 3 {
						tr.succeeds(t)
					}
					assert.Equal(t, slices.Repeat([]time.Duration{learned}, 3), keeper.requests())
				})
			})
		}
	}
}

// TestClockSkewAcceptedByAFailure keeps a correction after an unsuccessful response that
// implies that the signature was accepted.
func TestClockSkewAcceptedByAFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code    string
		learned time.Duration
	}{
		{"ResourceNotFoundException", time.Hour},
		{"InvalidParameterException", time.Hour},
		{"NotAuthorizedException", time.Hour},
		{"AccessDeniedException", time.Hour},
		{"OddException", 0},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) {
					k.offset, k.codes = time.Hour, []string{"InvalidSignatureException", test.code}
				})
				err := tr.fails(t, t.Context())
				assert.Equal(t, test.code, cognitosync.InspectError(err).Code)
				assert.Equal(t, []time.Duration{0, time.Hour}, keeper.requests())
				tr.succeeds(t)
				assert.Equal(t, test.learned, keeper.requests()[0])
			})
		})
	}
}

// TestClockSkewIsDiscarded rejects requests that are signed with a correction, without a helpful
// Date. The client tries its own clock.
func TestClockSkewIsDiscarded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*timekeeper)
	}{
		{"no Date", func(k *timekeeper) { k.date = new(string) }},
		{"cached response", func(k *timekeeper) { k.age = "1" }},
		{"a gateway's Date", wrongDate(time.Hour)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset = time.Hour })
				tr.succeeds(t)
				keeper.requests()
				keeper.set(test.change)
				keeper.set(func(k *timekeeper) { k.offset = 0 })
				tr.succeeds(t)
				tr.succeeds(t)
				assert.Equal(t, []time.Duration{time.Hour, 0, 0}, keeper.requests())

				keeper.set(func(k *timekeeper) { k.refusing, k.date = true, new(string) })
				tr.fails(t, t.Context())
				assert.Equal(t, []time.Duration{0}, keeper.requests(), "the client keeps its own clock")
			})
		})
	}
}

// TestClockSkewOfOtherResponses checks that neither a success nor a failure for another
// reason changes the clock.
func TestClockSkewOfOtherResponses(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		keeper, tr := newTimekeeper(t, path)
		keeper.set(func(k *timekeeper) { k.offset, k.trusting = time.Hour, true })
		tr.succeeds(t)
		keeper.set(func(k *timekeeper) { k.failing = true })
		tr.fails(t, t.Context())
		keeper.set(func(k *timekeeper) { k.failing = false })
		tr.succeeds(t)
		assert.Equal(t, slices.Repeat([]time.Duration{0}, 5), keeper.requests())
	})
}

func TestClockSkewCorrectionDisabled(t *testing.T) {
	t.Parallel()
	off := func(o *cognitosync.Options) { o.DisableClockSkewCorrection = true }
	bothPaths(t, func(t *testing.T, path string) {
		keeper, tr := newTimekeeper(t, path, off)
		keeper.set(func(k *timekeeper) { k.offset = time.Hour })
		for range 2 {
			err := tr.fails(t, t.Context())
			details := cognitosync.InspectError(err)
			assert.Equal(t, "InvalidSignatureException", details.Code)
			assert.Equal(t, 1, details.Attempts)
			assert.False(t, details.Retryable)
		}
		assert.Equal(t, []time.Duration{0, 0}, keeper.requests())
	})
	bothPaths(t, func(t *testing.T, path string) {
		keeper, tr := newTimekeeper(t, path)
		keeper.set(func(k *timekeeper) { k.offset = time.Hour })
		tr.fails(t, t.Context(), off)
		tr.succeeds(t)
		tr.fails(t, t.Context(), off)
		tr.succeeds(t)
		assert.Equal(t, []time.Duration{0, 0, time.Hour, 0, time.Hour}, keeper.requests(), "a call without the correction does not discard it")
	})
}

// TestClockSkewIsPerClient checks that clients do not share a correction.
func TestClockSkewIsPerClient(t *testing.T) {
	t.Parallel()
	keeper, one := newTimekeeper(t, direct)
	keeper.set(func(k *timekeeper) { k.offset = time.Hour })
	one.succeeds(t)
	other := cognitosync.New(one.client.Options())
	_, err := other.DescribeIdentityPoolUsage(t.Context(), poolInput(poolID))
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{0, time.Hour, 0, time.Hour}, keeper.requests())
}

// TestClockSkewOfManyCalls makes concurrent calls while the service's clock is set back and
// forth. All of them succeed, and there is no data race.
func TestClockSkewOfManyCalls(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		keeper, tr := newTimekeeper(t, path)
		for i, offset := range []time.Duration{time.Hour, -time.Hour, 0} {
			keeper.set(func(k *timekeeper) { k.offset = offset })
			const calls = 30
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
				require.NoError(t, err)
			}
			keeper.requests()
			tr.succeeds(t)
			assert.Equal(t, []time.Duration{offset}, keeper.requests(), fmt.Sprint("after round ", i))
		}
	})
}

// The credentials of a rotation. The first have expired, and the others are valid.
var (
	expiredCredentials = cognitosynctest.Credentials{
		AccessKeyID: "AKIDEXPIRED", SecretAccessKey: "secret-1", SessionToken: "token-1", Expired: true,
	}
	freshCredentials = cognitosynctest.Credentials{
		AccessKeyID: "AKIDFRESH", SecretAccessKey: "secret-2", SessionToken: "token-2",
	}
	renewedCredentials = cognitosynctest.Credentials{
		AccessKeyID: "AKIDOTHER", SecretAccessKey: "secret-3", SessionToken: "token-3",
	}
)

// A rotation is a provider that returns sets of credentials, or errors, one after the other.
// It keeps returning the last.
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

// newRotationTrial returns a trial whose service has the rotation's credentials.
func newRotationTrial(t *testing.T, path string, provider aws.CredentialsProvider, optFns ...func(*cognitosynctest.Options)) *trial {
	t.Helper()
	known := func(o *cognitosynctest.Options) {
		o.Credentials = []cognitosynctest.Credentials{expiredCredentials, freshCredentials, renewedCredentials}
	}
	server := cognitosynctest.NewServer(t, append(optFns, known)...)
	return setupServer(t, path, server, func(o *cognitosync.Options) { o.Credentials = provider })
}

// TestExpiredTokenIsRenewed checks that a call is retried if there are other credentials.
func TestExpiredTokenIsRenewed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		sets   []any
		cached bool
		calls  int // to the provider
	}{
		{"cache", []any{expiredCredentials, freshCredentials}, true, 2},
		{"provider that returns others", []any{expiredCredentials, freshCredentials}, false, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				source := &rotation{sets: test.sets}
				var provider aws.CredentialsProvider = source
				if test.cached {
					provider = aws.NewCredentialsCache(source)
				}
				tr := newRotationTrial(t, path, provider)

				tr.succeeds(t)

				requests := tr.server.Requests()
				require.Len(t, requests, 2)
				assert.Equal(t, "ExpiredTokenException", requests[0].ErrorCode)
				assert.Equal(t, requests[0].InvocationID, requests[1].InvocationID, "same call")
				assert.Equal(t, "token-2", requests[1].Header.Get("X-Amz-Security-Token"))
				assert.Len(t, requests.Refused(), 1)
				assert.EqualValues(t, test.calls, source.calls.Load())
				for _, nap := range tr.naps.all() {
					assert.Zero(t, nap, "the retry is immediate")
				}
			})
		})
	}
}

// TestExpiredTokenCodes checks which error codes mean expired credentials.
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
			bothPaths(t, func(t *testing.T, path string) {
				source := &rotation{sets: []any{freshCredentials, renewedCredentials}}
				tr := newRotationTrial(t, path, source)
				tr.script(cognitosynctest.Error(http.StatusForbidden, test.code, ""))
				output, err := tr.call(t.Context())
				if !test.heals {
					requireFailure(t, output, err)
					assert.Equal(t, test.code, cognitosync.InspectError(err).Code)
					assert.EqualValues(t, 1, source.calls.Load())
					return
				}
				require.NoError(t, err)
				assert.EqualValues(t, 2, source.calls.Load())
			})
		})
	}
}

// TestExpiredTokenIsRenewedOnce checks that a call ends if the other credentials have
// expired too, or there are none.
func TestExpiredTokenIsRenewedOnce(t *testing.T) {
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
		{"other credentials that have expired", []any{expiredCredentials, other, expiredCredentials, freshCredentials}, 2, 2, nil},
		{"no other credentials", []any{expiredCredentials}, 1, 2, nil},
		{"provider fails", []any{expiredCredentials, boom}, 1, 2, boom},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				source := &rotation{sets: test.sets}
				tr := newRotationTrial(t, path, aws.NewCredentialsCache(source))
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

// TestExpiredTokenAfterOtherFailures renews credentials in a later attempt.
func TestExpiredTokenAfterOtherFailures(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		source := &rotation{sets: []any{freshCredentials, cognitosynctest.DefaultCredentials()}}
		tr := newRotationTrial(t, path, aws.NewCredentialsCache(source))
		tr.server.SetCredentials(cognitosynctest.DefaultCredentials())
		tr.script(cognitosynctest.InternalError(), cognitosynctest.ExpiredToken())
		tr.succeeds(t)
		assert.Equal(t, 3, tr.requests())
		assert.EqualValues(t, 2, source.calls.Load())
	})
}

// providerError is an error of a credentials provider.
type providerError struct{ reason string }

func (e *providerError) Error() string { return e.reason }

// TestProviderError checks that the error wraps the provider's, and that nothing is sent.
func TestProviderError(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached=%v", cached), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				reason := &providerError{"the role cannot be assumed"}
				source := &rotation{sets: []any{reason}}
				var provider aws.CredentialsProvider = source
				if cached {
					provider = aws.NewCredentialsCache(source)
				}
				tr := newRotationTrial(t, path, provider)

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

// TestProviderErrorThatPasses checks that a provider's retryable error is retried.
func TestProviderErrorThatPasses(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		source := &rotation{sets: []any{&passingError{}, freshCredentials}}
		tr := newRotationTrial(t, path, source)
		tr.succeeds(t)
		assert.EqualValues(t, 2, source.calls.Load())
		assert.Equal(t, 1, tr.requests())
		assert.Equal(t, 2, tr.server.Requests().Last().Attempt)
	})
}

// TestProviderPanics checks that the caller can recover a panic of the provider.
func TestProviderPanics(t *testing.T) {
	t.Parallel()
	for _, calls := range []int32{0, 1} { // before the panic
		t.Run(fmt.Sprintf("after %d", calls), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				var made atomic.Int32
				tr := newRotationTrial(t, path, aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
					if made.Add(1) > calls {
						panic(errBroken)
					}
					return expiredCredentials.Provider().Retrieve(ctx)
				}))
				defer func() {
					err, _ := recover().(error)
					assert.ErrorIs(t, err, errBroken)
					assert.EqualValues(t, calls, tr.requests())
				}()
				_, _ = tr.client.DescribeIdentityPoolUsage(t.Context(), poolInput(poolID)) // does not return
				assert.Fail(t, "no panic")
			})
		})
	}
}

// TestUnsendableKeys checks that keys that a header cannot contain are rejected in any attempt.
func TestUnsendableKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		keys cognitosynctest.Credentials
	}{
		{"access key", cognitosynctest.Credentials{AccessKeyID: "AKID\n", SecretAccessKey: "confidential-1", SessionToken: "token"}},
		{"secret key", cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "confidential-1\r\n", SessionToken: "token"}},
		{"token", cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "confidential-1", SessionToken: "tok\x00en"}},
		{"token of two lines", cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "confidential-1", SessionToken: "to\u0085ken"}},
		{"no keys", cognitosynctest.Credentials{}},
	} {
		for _, before := range []struct {
			name     string
			set      []any
			step     cognitosynctest.Step
			requests int
			attempts int // includes the one with the wrong keys, if there were others
		}{
			{"at first", nil, cognitosynctest.OK(), 0, 0},
			{"in the second attempt", []any{freshCredentials}, cognitosynctest.InternalError(), 1, 2},
			{"as a renewal", []any{freshCredentials}, cognitosynctest.ExpiredToken(), 1, 1},
		} {
			t.Run(test.name+" "+before.name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					source := &rotation{sets: append(slices.Clone(before.set), test.keys)}
					tr := newRotationTrial(t, path, source)
					tr.script(before.step)

					err := tr.fails(t, t.Context())

					assert.Equal(t, "Credentials", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					assert.NotContains(t, err.Error(), "confidential")
					assert.Equal(t, before.requests, tr.requests())
					assert.Equal(t, before.attempts, cognitosync.InspectError(err).Attempts)
					assert.False(t, cognitosync.InspectError(err).Retryable)
				})
			})
		}
	}
}

type passingError struct{}

func (*passingError) Error() string { return "come again" }

func (*passingError) RetryableError() bool { return true }

// TestNeverUnsigned checks that a request that cannot be signed is not sent.
func TestNeverUnsigned(t *testing.T) {
	t.Parallel()
	gives := func(credentials aws.Credentials) aws.CredentialsProvider {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil })
	}
	for _, test := range []struct {
		name     string
		provider aws.CredentialsProvider
		refuses  bool // the provider returns the error itself
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
			bothPaths(t, func(t *testing.T, path string) {
				set := func(o *cognitosync.Options) { o.Credentials = test.provider }
				ofClient := setup(t, path, set)
				ofCall := setup(t, path)
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

// TestEachAttemptIsSignedAnew changes the credentials between attempts.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		source := &rotation{sets: []any{cognitosynctest.DefaultCredentials(), freshCredentials}}
		tr := newRotationTrial(t, path, source)
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

// brokenSigner is a signer that fails.
type brokenSigner struct{}

func (brokenSigner) SignHTTP(context.Context, aws.Credentials, *http.Request, string, string, string, time.Time, ...func(*v4.SignerOptions)) error {
	return errBroken
}

// TestSignerFails checks that nothing is sent if the signer fails.
func TestSignerFails(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPSignerV4 = brokenSigner{} })

		err := tr.fails(t, t.Context())

		require.ErrorIs(t, err, errBroken)
		requireAs[*v4.SigningError](t, err)
		assert.Zero(t, tr.requests())
		assert.Empty(t, tr.naps.all())
		assert.Equal(t, 1, cognitosync.InspectError(err).Attempts)
	})
}

// TestRenewalNeedsAnAttempt checks that credentials are renewed only if an attempt is left
// to use them.
func TestRenewalNeedsAnAttempt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		limit    int // of attempts; 0: none
		steps    []cognitosynctest.Step
		succeeds bool
		calls    int // of the provider
	}{
		{"only attempt", 1, []cognitosynctest.Step{cognitosynctest.ExpiredToken()}, false, 1},
		{"last attempt", 2, []cognitosynctest.Step{cognitosynctest.InternalError(), cognitosynctest.ExpiredToken()}, false, 1},
		{"second to last attempt", 2, []cognitosynctest.Step{cognitosynctest.ExpiredToken()}, true, 2},
		{"unlimited attempts", 0, []cognitosynctest.Step{cognitosynctest.ExpiredToken()}, true, 2},
		{"unlimited attempts, after a failure", 0, []cognitosynctest.Step{cognitosynctest.InternalError(), cognitosynctest.ExpiredToken()}, true, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				source := &rotation{sets: []any{freshCredentials, renewedCredentials}}
				tr := newRotationTrial(t, path, aws.NewCredentialsCache(source))
				tr.script(test.steps...)

				output, err := tr.call(t.Context(), func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, test.limit) })

				if test.succeeds {
					require.NoError(t, err)
					assert.Equal(t, len(test.steps)+1, tr.requests())
				} else {
					requireFailure(t, output, err)
					assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
					assert.Equal(t, len(test.steps), tr.requests())
				}
				assert.EqualValues(t, test.calls, source.calls.Load())
			})
		})
	}
}

// TestRenewalOfOnePart checks that credentials count as renewed if only one of their parts
// differs.
func TestRenewalOfOnePart(t *testing.T) {
	t.Parallel()
	used := cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret-1", SessionToken: "token-1"}
	for _, test := range []struct {
		name  string
		other cognitosynctest.Credentials
	}{
		{"session token", cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret-1", SessionToken: "token-2"}},
		{"secret key", cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret-2", SessionToken: "token-1"}},
		{"access key", cognitosynctest.Credentials{AccessKeyID: "OTHER", SecretAccessKey: "secret-1", SessionToken: "token-1"}},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cached=%v", test.name, cached), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					source := &rotation{sets: []any{used, test.other}}
					var provider aws.CredentialsProvider = source
					if cached {
						provider = aws.NewCredentialsCache(source)
					}
					var requests atomic.Int32
					client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
						if requests.Add(1) == 1 {
							return clienttest.Response(req, http.StatusForbidden, http.Header{"X-Amzn-Errortype": {"ExpiredTokenException"}}, ""), nil
						}
						return clienttest.Response(req, http.StatusOK, nil, stubBody), nil
					})), path, func(o *cognitosync.Options) { o.Credentials = provider })

					_, err := describe(t.Context(), t, client, poolID)

					require.NoError(t, err)
					assert.EqualValues(t, 2, requests.Load())
					assert.EqualValues(t, 2, source.calls.Load())
				})
			})
		}
	}
}

// TestUnsendableRenewal renews credentials, but a header cannot contain the new ones. The
// error reports the expired ones, too.
func TestUnsendableRenewal(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		source := &rotation{sets: []any{freshCredentials, cognitosynctest.Credentials{AccessKeyID: "AKID\n", SecretAccessKey: "secret-1"}}}
		tr := newRotationTrial(t, path, source)
		tr.script(cognitosynctest.ExpiredToken())

		err := tr.fails(t, t.Context())

		unsendable := requireAs[*cognitosync.ConfigurationError](t, err)
		require.Error(t, unsendable.Err)
		assert.Equal(t, unsendable.Err, errors.Unwrap(unsendable))
		details := cognitosync.InspectError(err)
		assert.Equal(t, "ExpiredTokenException", details.Code)
		assert.Equal(t, http.StatusForbidden, details.StatusCode)
		assert.Equal(t, 1, details.Attempts)
	})
}

// TestNilProvider checks that a nil provider of any type counts as missing.
func TestNilProvider(t *testing.T) {
	t.Parallel()
	for name, provider := range map[string]aws.CredentialsProvider{
		"nil":     nil,
		"pointer": (*aws.CredentialsCache)(nil),
		"func":    aws.CredentialsProviderFunc(nil),
		"map":     mapProvider(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				set := func(o *cognitosync.Options) { o.Credentials = provider }
				ofClient := setup(t, path, set)
				ofCall := setup(t, path)
				for _, err := range []error{ofClient.fails(t, t.Context()), ofCall.fails(t, t.Context(), set)} {
					assert.Equal(t, "Credentials", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
				}
				assert.Nil(t, ofClient.client.Options().Credentials)
			})
		})
	}
}

// A mapProvider is a provider that can be nil but is not a pointer.
type mapProvider map[string]aws.Credentials

func (p mapProvider) Retrieve(context.Context) (aws.Credentials, error) {
	if credentials, ok := p["default"]; ok {
		return credentials, nil
	}
	return aws.Credentials{}, errBroken
}

// TestRenewedCredentialsServeOthers checks that a call with the old credentials uses those
// that another call has just renewed, unless they are unusable.
func TestRenewedCredentialsServeOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		sets  []any
		fails []bool // of each call
		calls int    // of the provider
	}{
		{"another call with the old ones", []any{expiredCredentials, freshCredentials, expiredCredentials, errBroken}, []bool{false, false}, 3},
		{"no keys", []any{expiredCredentials, cognitosynctest.Credentials{}, expiredCredentials, freshCredentials}, []bool{true, false}, 4},
		{"failure", []any{expiredCredentials, errBroken, expiredCredentials, freshCredentials}, []bool{true, false}, 4},
		{"the same each time, uncached", []any{expiredCredentials}, []bool{true}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				source := &rotation{sets: test.sets}
				tr := newRotationTrial(t, path, source)
				for i, fails := range test.fails {
					output, err := tr.call(t.Context())
					if !fails {
						require.NoError(t, err, i)
						continue
					}
					requireFailure(t, output, err)
					assert.Equal(t, "ExpiredTokenException", cognitosync.InspectError(err).Code)
				}
				assert.EqualValues(t, test.calls, source.calls.Load())
			})
		})
	}
}

// changingCache is a cache whose credentials change without being invalidated.
type changingCache struct {
	rotation
	invalidated atomic.Int32
}

func (c *changingCache) Invalidate() { c.invalidated.Add(1) }

// TestCacheAlreadyRenewed checks that a cache is not invalidated if it already has other
// credentials.
func TestCacheAlreadyRenewed(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		cache := &changingCache{rotation: rotation{sets: []any{expiredCredentials, freshCredentials}}}
		tr := newRotationTrial(t, path, cache)
		tr.succeeds(t)
		assert.Zero(t, cache.invalidated.Load())
		assert.EqualValues(t, 2, cache.calls.Load())
	})
}

// TestClockSkewOfMinutes uses clock skews just below and just above what AWS tolerates.
func TestClockSkewOfMinutes(t *testing.T) {
	t.Parallel()
	const tolerable, intolerable = 3*time.Minute + 40*time.Second, 4*time.Minute + 40*time.Second // requests rounds them to 4 and 5 minutes
	for _, test := range []struct {
		name    string
		learned time.Duration // an earlier correction
		change  func(*timekeeper)
		fails   bool
		signed  []time.Duration
	}{
		{"rejected, now a tolerable skew", time.Hour, func(k *timekeeper) { k.offset = tolerable }, false, []time.Duration{time.Hour, 0}},
		{"rejected, now another skew", time.Hour, func(k *timekeeper) { k.offset = intolerable }, false, []time.Duration{time.Hour, 5 * time.Minute}},
		{"rejected despite a tolerable skew", 0, func(k *timekeeper) { k.offset, k.codes = tolerable, []string{"RequestExpired"} }, true, []time.Duration{0}},
		{"rejected with an intolerable skew", 0, func(k *timekeeper) { k.offset, k.codes = intolerable, []string{"RequestExpired"} }, false, []time.Duration{0, 5 * time.Minute}},
		{"denied with the real time", time.Hour, func(k *timekeeper) { k.codes = []string{"AccessDeniedException"} }, true, []time.Duration{time.Hour}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset = test.learned })
				tr.succeeds(t)
				keeper.requests()

				keeper.set(test.change)
				output, err := tr.call(t.Context())

				if test.fails {
					requireFailure(t, output, err)
				} else {
					require.NoError(t, err)
				}
				assert.Equal(t, test.signed, keeper.requests())
			})
		})
	}
	for offset, signed := range map[time.Duration]time.Duration{tolerable: 0, intolerable: time.Hour} {
		t.Run("success with a skew of "+offset.String(), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				keeper, tr := newTimekeeper(t, path)
				keeper.set(func(k *timekeeper) { k.offset = time.Hour })
				tr.succeeds(t)
				keeper.set(func(k *timekeeper) { k.offset, k.trusting = offset, true })
				tr.succeeds(t)
				keeper.requests()
				tr.succeeds(t)
				assert.Equal(t, []time.Duration{signed}, keeper.requests())
			})
		})
	}
}

// A headerSigner records the headers of the request that it signs.
type headerSigner struct {
	v4.Signer
	shown http.Header
}

func (s *headerSigner) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string,
	at time.Time, optFns ...func(*v4.SignerOptions),
) error {
	s.shown = r.Header.Clone()
	return s.Signer.SignHTTP(ctx, credentials, r, payloadHash, service, region, at, optFns...)
}

// TestUnsignedHeaders checks that headers that proxies may change are sent, but not signed.
func TestUnsignedHeaders(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		signer := &headerSigner{Signer: *v4.NewSigner()}
		tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPSignerV4 = signer })
		tr.succeeds(t)
		sent := tr.server.Requests().Last().Header
		for _, name := range []string{"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"} {
			assert.Empty(t, signer.shown.Values(name), name)
			assert.Len(t, sent.Values(name), 1, name)
			assert.NotContains(t, sent.Get("Authorization"), strings.ToLower(name))
		}
		assert.NotEmpty(t, signer.shown.Get("User-Agent"))
	})
}

// TestClockOfMiddlewaresAttempts checks that the corrected clock is also used if the Retry
// step is removed.
func TestClockOfMiddlewaresAttempts(t *testing.T) {
	t.Parallel()
	keeper, tr := newTimekeeper(t, direct)
	keeper.set(func(k *timekeeper) { k.offset = time.Hour })
	tr.succeeds(t)
	keeper.requests()
	tr.succeeds(t, cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		_, err := s.Finalize.Remove("Retry")
		return err
	}))
	assert.Equal(t, []time.Duration{time.Hour}, keeper.requests())
}

// TestResultOfASkewedAttempt checks that the metadata marks an attempt as retried if it
// failed because of a wrong clock.
func TestResultOfASkewedAttempt(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		keeper, tr := newTimekeeper(t, path)
		keeper.set(func(k *timekeeper) { k.offset = time.Hour })
		output, err := tr.call(t.Context())
		require.NoError(t, err)
		attempts, found := retry.GetAttemptResults(output.ResultMetadata)
		require.True(t, found)
		require.Len(t, attempts.Results, 2)
		first := attempts.Results[0]
		assert.Equal(t, "InvalidSignatureException", cognitosync.InspectError(first.Err).Code)
		assert.True(t, isA[interface {
			error
			RetryableError() bool
		}](first.Err), "the error is marked as retryable")
		assert.True(t, first.Retryable && first.Retried)
	})
}
