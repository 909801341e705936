package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/inventory"
)

func TestNewProblem(t *testing.T) {
	t.Parallel()
	operation := func(err error) error {
		return &smithy.OperationError{ServiceID: "Cognito Sync", OperationName: "DescribeIdentityPoolUsage", Err: err}
	}
	throttled := &cognitosync.TooManyRequestsException{Message: aws.String("Rate exceeded")}
	tests := []struct {
		name                 string
		err                  error
		code, reason, advice string
	}{
		{"missing", operation(&cognitosync.ResourceNotFoundException{Message: aws.String("no\x1b pool")}),
			"ResourceNotFoundException", "no\ufffd pool", "check that the pool still exists"},
		{"no reason", operation(&cognitosync.NotAuthorizedException{}),
			"NotAuthorizedException", "the service reports no reason", "use credentials of an IAM user or role that is allowed"},
		{"expired", operation(&smithy.GenericAPIError{Code: "ExpiredTokenException", Message: "old"}), "ExpiredTokenException", "old", "sign in again"},
		{"invalid", operation(&cognitosync.InvalidParameterException{}), "InvalidParameterException", "", "correct the ID"},
		{"invalid, not sent", operation(smithy.InvalidParamsError{Context: "x"}), codeInvalidID, "", "correct the ID"},
		{"no region", operation(&cognitosync.ConfigurationError{Setting: "Region", Err: errors.New("set Options.UseIdentityPoolRegion")}),
			codeConfig, "no valid region", "-region"},
		{"attempts", operation(&cognitosync.ConfigurationError{Setting: "RetryMaxAttempts", Err: errors.New("-1")}),
			codeConfig, "AWS_MAX_ATTEMPTS is negative", "correct the setting"},
		{"no credentials", operation(&cognitosync.ConfigurationError{Setting: "Credentials", Err: errors.New("none")}), codeCredentials, "none", "sign in"},
		{"other setting", operation(&cognitosync.ConfigurationError{Setting: "RetryMode", Err: errors.New("bad")}), codeConfig, "bad", "correct the setting"},
		{"endpoint", operation(&cognitosync.ConfigurationError{Setting: "BaseEndpoint", Err: errors.New("bad")}), codeConfig, "bad", "check -endpoint"},
		{"other partition", operation(&cognitosync.RegionMismatchError{IdentityPoolId: "cn-north-1:1", PoolRegion: "cn-north-1", ClientRegion: "us-east-1"}),
			codeConfig, "the pool is in cn-north-1, in another partition than us-east-1", "set -profile to one for the pool's partition"},
		{"provider", operation(&v4.SigningError{Err: errors.New("no sso")}), codeCredentials, "no sso", "sign in"},
		{"no such host", operation(&smithyhttp.RequestSendError{Err: &net.DNSError{Err: "no such host", Name: "x"}}), codeNoResponse, "no such host", "check the pool's region"},
		{"no connection", operation(&smithyhttp.RequestSendError{Err: errors.New("refused")}), codeNoResponse, "refused", "check the network"},
		{"malformed", operation(&smithy.DeserializationError{Err: errors.New("odd")}), codeMalformed, "odd", "-endpoint"},
		{"region given up", &inventory.RegionUnavailableError{Region: "us-east-1", For: time.Minute, Err: operation(throttled)},
			codeNotQueried, "not queried: no good response from us-east-1 for 1m0s", "run the same command again"},
		{"unknown", errors.New("odd"), codeOther, "odd", "see the reason"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := newProblem(test.err)
			assert.Equal(t, test.code, got.Code)
			assert.Contains(t, got.Reason, test.reason)
			assert.NotEmpty(t, got.Reason)
			assert.Contains(t, got.Advice, test.advice)
			for _, option := range []string{"Options", "UseIdentityPoolRegion", "RetryM", "BaseEndpoint", "client"} {
				assert.NotContains(t, got.Reason+got.Advice, option, "an option of the Go client")
			}
		})
	}
}

func TestNewInterruption(t *testing.T) {
	t.Parallel()
	got := newInterruption(context.Canceled)
	assert.Equal(t, &problem{Code: codeInterrupted, Reason: "context canceled", Advice: adviceAgain}, got)
}

func TestTotals(t *testing.T) {
	t.Parallel()
	const most = 1<<63 - 1
	r := newReport([]*row{
		{Region: "us-east-1", IdentityPoolID: "a", DataStorage: aws.Int64(most), SyncSessionsCount: aws.Int64(0)},
		{Region: "us-east-1", IdentityPoolID: "b", DataStorage: aws.Int64(most)},
		{Region: "eu-west-1", IdentityPoolID: "c", Error: &problem{Code: "x"}},
		{Region: "eu-west-1", Error: &problem{Code: "no list"}},
	})
	require.Len(t, r.totals, 2)
	american := r.totals[1]
	assert.Equal(t, "18446744073709551614", american.DataStorage.String())
	assert.Equal(t, 0, american.UnknownStorage)
	assert.Equal(t, 1, american.UnknownSessions)
	assert.Equal(t, 3, r.all.Pools, "a region is no pool")
	assert.Equal(t, exitSome, r.status())
	assert.Equal(t, "2 of 3 pools read, 1 failed", r.summary())
}

// A state with thousands of rows is not written once per row.
func TestState_savesInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := t.TempDir() + "/state"
		s, err := openState(file, "")
		require.NoError(t, err)
		saved := 0
		for range 100 {
			s.add(&row{IdentityPoolID: "a"})
			require.NoError(t, s.save(false))
			if s.unsaved == 0 {
				saved++
			}
			time.Sleep(100 * time.Millisecond)
		}
		assert.Equal(t, 5, saved) // in 10 s
		require.NoError(t, s.save(true))
		read, err := openState(file, "")
		require.NoError(t, err)
		assert.Len(t, read.rows, 100)
	})
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func TestMeter_lines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		m := (&command{stderr: &out}).newMeter(1000)
		for range 10 {
			time.Sleep(900 * time.Millisecond)
			for range 20 {
				m.done(&row{})
			}
			m.done(&row{Error: &problem{}})
			m.retry(inventory.Retry{Throttled: true})
		}
		m.retry(inventory.Retry{})
		m.log("a \x1b line")
		time.Sleep(1500 * time.Millisecond)
		m.stop()
		want := []string{
			"inventory: 105 of 1,000 pools, 21.0/s, 5 failed, 5 throttled, about 43s left",
			"inventory: a \ufffd line",
			"inventory: 210 of 1,000 pools, 21.0/s, 10 failed, 10 throttled, 1 retried, about 38s left",
		}
		assert.Equal(t, strings.Join(want, "\n")+"\n", out.buffer.String())
	})
}

func TestMeter_quiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		m := (&command{stderr: &out, quiet: true}).newMeter(1000)
		time.Sleep(time.Minute)
		m.done(&row{})
		m.stop()
		assert.Empty(t, out.buffer.String())
	})
}

// The bar is drawn into a buffer instead of on a terminal.
func TestMeter_bar(t *testing.T) {
	t.Parallel()
	for _, color := range []bool{true, false} {
		var out lockedBuffer
		m := &meter{w: &out, all: 4}
		m.startBar(100, color)
		m.done(&row{})
		m.done(&row{Error: &problem{}})
		m.retry(inventory.Retry{Throttled: true})
		m.log("a line")
		m.stop()
		got := out.buffer.String()
		assert.Contains(t, got, "1 failed, 1 throttled")
		assert.Contains(t, got, "ended early")
		assert.Contains(t, got, "inventory: a line")
		assert.Equal(t, color, strings.Contains(got, "\x1b[31m") || strings.Contains(got, "\x1b[32m"), "%q", got)
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	r := newReport([]*row{
		{Region: "a", IdentityPoolID: "a:1", DataStorage: aws.Int64(1000), SyncSessionsCount: aws.Int64(-5)},
		{Region: "b", IdentityPoolID: "b:1", DataStorage: aws.Int64(1), SyncSessionsCount: aws.Int64(0)},
		{Region: "c", IdentityPoolID: "c:1", DataStorage: aws.Int64(0)},
	})
	chart := r.charts()[0]
	require.Len(t, chart.Bars, 3)
	assert.Equal(t, []float64{100, 0.5, 0}, []float64{chart.Bars[0].Percent, chart.Bars[1].Percent, chart.Bars[2].Percent})
}
