package usage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/examples/wrap/usage"
)

const poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// recorder keeps the observations of the reads of one goroutine.
type recorder []usage.Observation

func (r *recorder) observe(_ context.Context, o usage.Observation) { *r = append(*r, o) }

// setUp returns a client of a fake service that knows poolID.
func setUp(t *testing.T, optFns ...func(*cognitosynctest.Options)) (*usage.Client, *cognitosynctest.Server, *recorder) {
	t.Helper()
	server := cognitosynctest.NewServer(t, optFns...)
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID, DataStorage: aws.Int64(4096)})
	observed := &recorder{}
	return usage.New(server.Config(), observed.observe), server, observed
}

func TestClient_Read(t *testing.T) {
	t.Parallel()
	modified := time.Date(2014, time.October, 13, 20, 12, 14, 115e6, time.UTC)
	for _, test := range []struct {
		name string
		pool cognitosynctest.Pool
		want usage.Usage
	}{
		{
			"all members",
			cognitosynctest.Pool{
				IdentityPoolId: "us-east-1:1f2e", SyncSessionsCount: aws.Int64(7), DataStorage: aws.Int64(4096), LastModifiedDate: &modified,
			},
			usage.Usage{
				PoolID:       "us-east-1:1f2e",
				Sessions:     usage.Count{N: 7, Known: true},
				Storage:      usage.Count{N: 4096, Known: true},
				LastModified: modified,
			},
		},
		{
			"zero is known, null is not",
			cognitosynctest.Pool{IdentityPoolId: "us-east-1:1f2e", DataStorage: aws.Int64(0)},
			usage.Usage{PoolID: "us-east-1:1f2e", Storage: usage.Count{Known: true}},
		},
		{
			"pool outside the configured region",
			cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1f2e", SyncSessionsCount: aws.Int64(1)},
			usage.Usage{PoolID: "eu-west-1:1f2e", Sessions: usage.Count{N: 1, Known: true}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, server, _ := setUp(t, func(o *cognitosynctest.Options) { o.AnyRegion = true })
			server.SetPool(test.pool)
			got, err := client.Read(t.Context(), test.pool.IdentityPoolId)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestClient_Read_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		step         cognitosynctest.Step
		want         error // nil for no error of this package
		wantCode     string
		wantOutcome  string
		wantAttempts int
	}{
		{"no such pool", cognitosynctest.ResourceNotFound(), usage.ErrNotFound, "ResourceNotFoundException", "not_found", 1},
		{"denied by a policy", cognitosynctest.AccessDenied(), usage.ErrDenied, "AccessDeniedException", "denied", 1},
		{"denied by the service", cognitosynctest.NotAuthorized(), usage.ErrDenied, "NotAuthorizedException", "denied", 1},
		{"throttled to the end", cognitosynctest.TooManyRequests(), usage.ErrUnavailable, "TooManyRequestsException", "unavailable", 4},
		{"broken to the end", cognitosynctest.InternalError(), usage.ErrUnavailable, "InternalErrorException", "unavailable", 4},
		{"rejected ID", cognitosynctest.InvalidParameter(), nil, "InvalidParameterException", "error", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, server, observed := setUp(t)
			server.Script(poolID, cognitosynctest.Forever(test.step))

			got, err := client.Read(t.Context(), poolID)
			assert.Zero(t, got)
			require.ErrorContains(t, err, `read pool "`+poolID+`": `)
			for _, of := range []error{usage.ErrNotFound, usage.ErrDenied, usage.ErrUnavailable} {
				assert.Equal(t, of == test.want, errors.Is(err, of), "%v in %v", of, err)
			}
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, test.wantCode, api.ErrorCode())

			require.Len(t, *observed, 1)
			observation := (*observed)[0]
			assert.Equal(t, test.wantOutcome, observation.Outcome)
			assert.Equal(t, test.wantAttempts, observation.Attempts)
			assert.Equal(t, server.Requests().Last().RequestID, observation.RequestID)
			assert.Equal(t, test.wantAttempts, server.Requests().Count())
		})
	}
}

func TestClient_Read_retries(t *testing.T) {
	t.Parallel()
	client, server, observed := setUp(t)
	server.Script(poolID, cognitosynctest.Throttle(2), cognitosynctest.BadGateway())

	got, err := client.Read(t.Context(), poolID)
	require.NoError(t, err)
	assert.Equal(t, usage.Count{N: 4096, Known: true}, got.Storage)

	last := server.Requests().Last()
	assert.Equal(t, 4, last.Attempt)
	assert.Equal(t, usage.MaxAttempts, last.MaxAttempts)
	require.Len(t, *observed, 1)
	assert.Equal(t, "ok", (*observed)[0].Outcome)
	assert.Equal(t, 4, (*observed)[0].Attempts)
	assert.Equal(t, last.RequestID, (*observed)[0].RequestID)
	assert.Positive(t, (*observed)[0].Duration)
}

// A caller that cancels gets its own error, not ErrUnavailable.
func TestClient_Read_canceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client, server, observed := setUp(t, func(o *cognitosynctest.Options) {
		o.OnRequest = func(cognitosynctest.Request) { cancel() }
	})
	server.Script(poolID, cognitosynctest.Stall())

	_, err := client.Read(ctx, poolID)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, usage.ErrUnavailable)
	require.Len(t, *observed, 1)
	assert.Equal(t, "error", (*observed)[0].Outcome)
}

// Tests of what does not depend on the wire need no server.
func TestNewFromAPI(t *testing.T) {
	t.Parallel()
	var (
		gotID       string
		gotDeadline time.Time
	)
	observed := &recorder{}
	client := usage.NewFromAPI(cognitosync.DescribeIdentityPoolUsageFunc(func(
		ctx context.Context, in *cognitosync.DescribeIdentityPoolUsageInput, _ ...func(*cognitosync.Options),
	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
		gotID = *in.IdentityPoolId
		gotDeadline, _ = ctx.Deadline()
		return &cognitosync.DescribeIdentityPoolUsageOutput{}, nil
	}), observed.observe)

	earliest := time.Now().Add(usage.ReadTimeout)
	got, err := client.Read(t.Context(), poolID)
	require.NoError(t, err)
	assert.Equal(t, usage.Usage{PoolID: poolID}, got, "a response without usage")
	assert.Equal(t, poolID, gotID)
	assert.False(t, gotDeadline.Before(earliest), "deadline %v", gotDeadline)
	require.Len(t, *observed, 1)
	assert.Equal(t, "ok", (*observed)[0].Outcome)
	assert.Zero(t, (*observed)[0].Attempts)
}

func TestNewFromAPI_error(t *testing.T) {
	t.Parallel()
	client := usage.NewFromAPI(cognitosync.DescribeIdentityPoolUsageFunc(func(
		context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
		return nil, &cognitosync.ResourceNotFoundException{}
	}), nil) // no observer

	_, err := client.Read(t.Context(), poolID)
	require.ErrorIs(t, err, usage.ErrNotFound)
}
