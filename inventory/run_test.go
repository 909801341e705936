package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/inventory"
)

func TestRun_results(t *testing.T) {
	t.Parallel()
	const (
		full      = "us-east-1:full"
		silent    = "eu-west-1:silent"
		missing   = "us-east-1:dead"
		denied    = "us-east-1:denied"
		malformed = "us-east-1:malformed"
		slash     = "us-east-1:a/b"
		noRegion  = "noregion"
	)
	server := newServer(t, []cognitosynctest.Pool{
		{IdentityPoolId: full, DataStorage: aws.Int64(7), SyncSessionsCount: aws.Int64(3)},
		{IdentityPoolId: noRegion, DataStorage: aws.Int64(1)},
	})
	server.Script(silent, cognitosynctest.Reply(http.StatusOK, nil, ""))
	server.Script(denied, cognitosynctest.AccessDenied())
	server.Script(malformed, cognitosynctest.Reply(http.StatusOK, nil, "{"))
	client := newClient(server, nil)

	tests := []struct {
		id, region string
		usage      *cognitosync.IdentityPoolUsage
		check      func(t *testing.T, err error)
		attempts   int
	}{
		{full, "us-east-1", &cognitosync.IdentityPoolUsage{
			IdentityPoolId: aws.String(full), DataStorage: aws.Int64(7), SyncSessionsCount: aws.Int64(3),
		}, nil, 1},
		{silent, "eu-west-1", &cognitosync.IdentityPoolUsage{}, nil, 1},
		{missing, "us-east-1", nil, func(t *testing.T, err error) {
			require.ErrorAs(t, err, new(*cognitosync.ResourceNotFoundException))
		}, 1},
		{denied, "us-east-1", nil, func(t *testing.T, err error) { assert.True(t, cognitosync.IsDenied(err)) }, 1},
		{malformed, "us-east-1", nil, func(t *testing.T, err error) {
			require.ErrorAs(t, err, new(*smithy.DeserializationError))
		}, 1},
		{slash, "us-east-1", nil, func(t *testing.T, err error) { require.ErrorAs(t, err, new(smithy.InvalidParamsError)) }, 0},
		{noRegion, "", &cognitosync.IdentityPoolUsage{IdentityPoolId: aws.String(noRegion), DataStorage: aws.Int64(1)}, nil, 1},
		{"", "", nil, func(t *testing.T, err error) { require.ErrorAs(t, err, new(smithy.InvalidParamsError)) }, 0},
	}
	var ids []string
	for _, test := range tests {
		ids = append(ids, test.id)
	}

	got := collect(t, inventory.Run(t.Context(), client, slices.Values(ids)))

	require.Len(t, got, len(tests))
	for _, test := range tests {
		t.Run(test.id, func(t *testing.T) {
			t.Parallel()
			result := got[test.id]
			assert.Equal(t, test.region, result.Region)
			assert.Equal(t, test.usage, result.Usage)
			assert.Equal(t, test.attempts, result.Attempts)
			if test.check == nil {
				require.NoError(t, result.Err)
				return
			}
			test.check(t, result.Err)
		})
	}
}

func TestRun_noIDs(t *testing.T) {
	t.Parallel()
	assert.Empty(t, collect(t, inventory.Run(t.Context(), cognitosync.DescribeIdentityPoolUsageFunc(respond),
		slices.Values([]string(nil)))))
}

// If the context is done from the start, nothing is sent.
func TestRun_alreadyCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := cognitosync.DescribeIdentityPoolUsageFunc(func(
		context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
		t.Error("called")
		return nil, errors.New("called")
	})
	assert.Empty(t, collect(t, inventory.Run(ctx, client, slices.Values(idsOf(newPools("us-east-1", 10))))))
}

func TestRun_rangedOverTwice(t *testing.T) {
	t.Parallel()
	pools := newPools("us-east-1", 20)
	server := newServer(t, pools)
	results := inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(pools)))
	for range 2 {
		assert.Len(t, collect(t, results), len(pools))
	}
	assert.Equal(t, 40, server.Requests().Count())
}

// A client that is not a *cognitosync.Client returns bare errors.
func TestRun_otherClients(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		failures []error
		attempts int
		failed   bool
	}{
		{"good", nil, 1, false},
		{"throttled", []error{&cognitosync.TooManyRequestsException{}}, 2, false},
		{"outage", []error{&cognitosync.InternalErrorException{}}, 2, false},
		{"throttled, wrapped", []error{fmt.Errorf("sdk: %w", &smithy.GenericAPIError{Code: "ThrottlingException"})}, 2, false},
		{"denied", []error{&cognitosync.NotAuthorizedException{}}, 1, true},
		{"none of AWS", []error{errors.New("odd")}, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			left := test.failures
			client := cognitosync.DescribeIdentityPoolUsageFunc(func(
				context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
			) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
				if len(left) == 0 {
					return &cognitosync.DescribeIdentityPoolUsageOutput{}, nil
				}
				err := left[0]
				left = left[1:]
				return nil, err
			})
			got := collect(t, inventory.Run(t.Context(), client, slices.Values([]string{"us-east-1:1"})))
			result := got["us-east-1:1"]
			assert.Equal(t, test.failed, result.Err != nil, "%v", result.Err)
			assert.Equal(t, test.failed, result.Usage == nil)
			assert.Equal(t, test.attempts, result.Attempts)
		})
	}
}

// IDs can name more regions than maxRegions.
func TestRun_inventedRegions(t *testing.T) {
	t.Parallel()
	ids := func(yield func(string) bool) {
		for a := range 26 {
			for b := range 20 {
				if !yield(fmt.Sprintf("%cx-%cx-1:1", 'a'+a, 'a'+b)) {
					return
				}
			}
		}
	}
	assert.Len(t, collect(t, inventory.Run(t.Context(), cognitosync.DescribeIdentityPoolUsageFunc(respond), ids)), 520)
}

// 100,000 IDs use no more memory than 20,000. Not parallel, because all tests share the heap.
func TestRun_constantMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	const total = 100_000
	seen := 0
	var early, late uint64
	for result := range inventory.Run(t.Context(), cognitosync.DescribeIdentityPoolUsageFunc(respond), manyIDs(total)) {
		require.NoError(t, result.Err)
		switch seen++; seen {
		case total / 5:
			early = heap()
		case total - 1:
			late = heap()
		}
	}
	assert.Equal(t, total, seen)
	assert.Less(t, late, early+1<<20)
	t.Logf("heap after %d pools: %d KiB, after %d: %d KiB", total/5, early>>10, total-1, late>>10)
}

func manyIDs(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(poolID("us-east-1", i)) {
				return
			}
		}
	}
}

func TestRegionUnavailableError(t *testing.T) {
	t.Parallel()
	last := &cognitosync.TooManyRequestsException{}
	err := &inventory.RegionUnavailableError{Err: last}
	require.ErrorIs(t, err, last)
	assert.ErrorContains(t, err, "no good response from the client's region for 0s")
}
