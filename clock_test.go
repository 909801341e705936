package cognitosync_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// A timekeeper is a service with a clock of its own that refuses what is signed too
// far from it, and says what the time is in its answers.
type timekeeper struct {
	mu       sync.Mutex
	offset   time.Duration // of its clock
	drift    time.Duration // that is added to the offset by each request
	code     string        // of a refusal
	age      string        // the Age header
	date     *string       // in place of the Date header; "" for none
	refusing bool          // whatever is signed
	failing  bool          // with an internal error
	trusting bool          // takes what is signed at any time
	signed   []time.Duration
}

// newTimekeeper starts the service, and a client in front of it.
func newTimekeeper(t *testing.T, way string, optFns ...func(*cognitosync.Options)) (*timekeeper, *trial) {
	t.Helper()
	keeper := &timekeeper{code: "InvalidSignatureException"}
	server := httptest.NewServer(keeper)
	t.Cleanup(server.Close)
	optFns = append(optFns, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.URL) })
	return keeper, newTrial(t, way, optFns...)
}

func (k *timekeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now().Add(k.offset)
	k.offset += k.drift
	signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")) // refused below if it is none
	k.signed = append(k.signed, time.Until(signed))

	header := w.Header()
	header.Set("Date", now.UTC().Format(http.TimeFormat))
	if k.date != nil {
		header["Date"] = nil // or net/http would add one
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
	switch {
	case k.failing:
		w.WriteHeader(http.StatusInternalServerError)
	case k.refusing || refusal != nil:
		header.Set("X-Amzn-ErrorType", k.code)
		w.WriteHeader(http.StatusForbidden)
	default:
		_, _ = io.WriteString(w, stubBody) // a client that is gone has failed its test
	}
}

// set changes the service.
func (k *timekeeper) set(change func(*timekeeper)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
}

// requests returns by how much the signature of each request since the last time was
// ahead of the real time, to the nearest minute.
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
			eachWay(t, func(t *testing.T, way string) {
				keeper, tr := newTimekeeper(t, way)
				keeper.set(func(k *timekeeper) { k.offset = offset })

				tr.succeeds(t)
				assert.Equal(t, []time.Duration{0, offset}, keeper.requests(), "signed in the first call")
				for _, nap := range tr.naps.all() {
					assert.Zero(t, nap, "there is nothing to wait for")
				}

				tr.succeeds(t)
				assert.Equal(t, []time.Duration{offset}, keeper.requests(), "signed in the second call")
			})
		})
	}
}

// TestClockSkewOfTheFake learns from the fake service.
func TestClockSkewOfTheFake(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
		tr.script(cognitosynctest.SkewedClock(time.Hour), cognitosynctest.SkewedClock(time.Hour), cognitosynctest.SkewedClock(-time.Hour))
		for _, requests := range []int{2, 1, 2} { // learned, known, learned anew
			before := tr.requests()
			tr.succeeds(t)
			assert.Equal(t, requests, tr.requests()-before)
		}
		assert.Zero(t, tr.server.Pending())
	})
}

// TestClockSkewCodes learns from every refusal that a wrong clock can cause, and from
// no other.
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
			eachWay(t, func(t *testing.T, way string) {
				keeper, tr := newTimekeeper(t, way)
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

// TestClockSkewWithoutEvidence has a clock refuse requests, and nothing say what time
// it is.
func TestClockSkewWithoutEvidence(t *testing.T) {
	t.Parallel()
	date := func(s string) func(*timekeeper) { return func(k *timekeeper) { k.date = &s } }
	for _, test := range []struct {
		name string
		set  func(*timekeeper)
	}{
		{"cached answer", func(k *timekeeper) { k.age = "3600" }},
		{"cached just now", func(k *timekeeper) { k.age = "0" }},
		{"no Date", date("")},
		{"unreadable Date", date("yesterday")},
		{"a tolerable skew", date(time.Now().Add(3 * time.Minute).UTC().Format(http.TimeFormat))},
		{"no skew", date(time.Now().UTC().Format(http.TimeFormat))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				keeper, tr := newTimekeeper(t, way)
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

// TestClockSkewIsNoExcuse ends calls that are refused by whatever clock they are signed.
func TestClockSkewIsNoExcuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		drift  time.Duration
		signed []time.Duration
	}{
		{"same clock", 0, []time.Duration{0, time.Hour}},
		{"clock that runs away", time.Hour, []time.Duration{0, time.Hour, 2 * time.Hour}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				keeper, tr := newTimekeeper(t, way)
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

// TestClockSkewHeals has one of the clocks put right after the client has learned how
// wrong it was.
func TestClockSkewHeals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*timekeeper)
		signed [][]time.Duration // in each call
	}{
		{"by a refusal", func(k *timekeeper) { k.offset = 0 }, [][]time.Duration{{time.Hour, 0}, {0}}},
		{"by a refusal, to another skew", func(k *timekeeper) { k.offset = -time.Hour }, [][]time.Duration{{time.Hour, -time.Hour}, {-time.Hour}}},
		{"by a good answer", func(k *timekeeper) { k.offset, k.trusting = 0, true }, [][]time.Duration{{time.Hour}, {0}}},
		{"by a good answer, to another skew", func(k *timekeeper) { k.offset, k.trusting = -time.Hour, true }, [][]time.Duration{{time.Hour}, {-time.Hour}}},
		{"not by a cached answer", func(k *timekeeper) { k.offset, k.trusting, k.age = 0, true, "1" }, [][]time.Duration{{time.Hour}, {time.Hour}}},
		{"not without a Date", func(k *timekeeper) { k.offset, k.trusting, k.date = 0, true, new(string) }, [][]time.Duration{{time.Hour}, {time.Hour}}},
		{"not while it is tolerable", func(k *timekeeper) { k.offset = time.Hour + 3*time.Minute }, [][]time.Duration{{time.Hour}, {time.Hour}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				keeper, tr := newTimekeeper(t, way)
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

// TestClockSkewOfOtherAnswers shows that neither a good answer nor a failure of
// another kind makes the client doubt its clock.
func TestClockSkewOfOtherAnswers(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		keeper, tr := newTimekeeper(t, way)
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
	eachWay(t, func(t *testing.T, way string) {
		keeper, tr := newTimekeeper(t, way, off)
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
	eachWay(t, func(t *testing.T, way string) {
		keeper, tr := newTimekeeper(t, way)
		keeper.set(func(k *timekeeper) { k.offset = time.Hour })
		tr.fails(t, t.Context(), off)
		tr.succeeds(t)
		tr.fails(t, t.Context(), off)
		tr.succeeds(t)
		assert.Equal(t, []time.Duration{0, 0, time.Hour, 0, time.Hour}, keeper.requests(), "a call without does not unlearn")
	})
}

// TestClockSkewIsTheClients shows that clients do not share what they learn.
func TestClockSkewIsTheClients(t *testing.T) {
	t.Parallel()
	keeper, one := newTimekeeper(t, direct)
	keeper.set(func(k *timekeeper) { k.offset = time.Hour })
	one.succeeds(t)
	other := cognitosync.New(one.client.Options())
	_, err := other.DescribeIdentityPoolUsage(t.Context(), poolInput(trialPool))
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{0, time.Hour, 0, time.Hour}, keeper.requests())
}

// TestClockSkewOfManyCalls has many calls learn at once while the clock is set back
// and forth. None is lost, and there is no data race.
func TestClockSkewOfManyCalls(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		keeper, tr := newTimekeeper(t, way)
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
