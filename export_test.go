package cognitosync

import (
	"context"
	"net/http"
	"time"
)

// Outcome is the input of Decide.
type Outcome struct {
	Err         error
	Attempt     int
	MaxAttempts int
	Retryable   bool
	CallerDone  bool
	Interrupted bool
}

// Decide returns what follows an attempt.
func Decide(o Outcome) string {
	return string(decide(outcome{
		err:         o.Err,
		attempt:     o.Attempt,
		maxAttempts: o.MaxAttempts,
		retryable:   o.Retryable,
		callerDone:  o.CallerDone,
		interrupted: o.Interrupted,
	}))
}

// ClockCorrected and CredentialsRenewed mark err as one whose cause has been corrected.
func ClockCorrected(err error) error { return &clockSkewError{err} }

func CredentialsRenewed(err error) error { return &renewedCredentialsError{err} }

// ServerDelay returns delay, or the longer one that the headers of a response request.
func ServerDelay(delay time.Duration, header http.Header, now time.Time) time.Duration {
	return serverDelay(delay, header, now)
}

// SetSleep makes a client call sleep to wait between attempts. It must be called before the
// client is used.
func SetSleep(client *Client, sleep func(context.Context, time.Duration) error) {
	client.sleep = sleep
}
