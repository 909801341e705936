package cognitosync_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// The names and signatures that code written for the SDK's package uses. Changing one breaks
// that code.
type (
	options = cognitosync.Options
	input   = cognitosync.DescribeIdentityPoolUsageInput
	output  = cognitosync.DescribeIdentityPoolUsageOutput
)

var (
	_ func(options, ...func(*options)) *cognitosync.Client                                                                    = cognitosync.New
	_ func(aws.Config, ...func(*options)) *cognitosync.Client                                                                 = cognitosync.NewFromConfig
	_ func(*cognitosync.Client) options                                                                                       = (*cognitosync.Client).Options
	_ func(options) options                                                                                                   = options.Copy
	_ func(*cognitosync.Client, context.Context, *input, ...func(*options)) (*output, error)                                  = (*cognitosync.Client).DescribeIdentityPoolUsage
	_ func(...func(*middleware.Stack) error) func(*options)                                                                   = cognitosync.WithAPIOptions
	_ func(cognitosync.EndpointResolverV2) func(*options)                                                                     = cognitosync.WithEndpointResolverV2
	_ func(string) func(*options)                                                                                             = cognitosync.WithSigV4SigningName
	_ func(string) func(*options)                                                                                             = cognitosync.WithSigV4SigningRegion
	_ func() cognitosync.EndpointResolverV2                                                                                   = cognitosync.NewDefaultEndpointResolverV2
	_ func(cognitosync.EndpointParameters) cognitosync.EndpointParameters                                                     = cognitosync.EndpointParameters.WithDefaults
	_ func(cognitosync.EndpointParameters) error                                                                              = cognitosync.EndpointParameters.ValidateRequired
	_ func(cognitosync.EndpointResolverV2, context.Context, cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) = cognitosync.EndpointResolverV2.ResolveEndpoint
	_ func(cognitosync.HTTPClient, *http.Request) (*http.Response, error)                                                     = cognitosync.HTTPClient.Do
	_ func(cognitosync.DescribeIdentityPoolUsageAPIClient, context.Context, *input, ...func(*options)) (*output, error)       = cognitosync.DescribeIdentityPoolUsageAPIClient.DescribeIdentityPoolUsage

	_ cognitosync.DescribeIdentityPoolUsageAPIClient = (*cognitosync.Client)(nil)
	_ cognitosync.HTTPSignerV4                       = (*v4.Signer)(nil)

	_ = input{IdentityPoolId: new(string)}
	_ = output{IdentityPoolUsage: &cognitosync.IdentityPoolUsage{}, ResultMetadata: middleware.Metadata{}}
	_ = cognitosync.IdentityPoolUsage{DataStorage: new(int64), IdentityPoolId: new(string), LastModifiedDate: new(time.Time), SyncSessionsCount: new(int64)}
	_ = cognitosync.EndpointParameters{Region: new(string), UseDualStack: new(bool), UseFIPS: new(bool), Endpoint: new(string)}
	_ = cognitosync.EndpointResolverOptions{
		DisableHTTPS: true, UseFIPSEndpoint: aws.FIPSEndpointStateEnabled, UseDualStackEndpoint: aws.DualStackEndpointStateEnabled,
	}

	_ = []smithy.APIError{
		&cognitosync.NotAuthorizedException{Message: new(string), ErrorCodeOverride: new(string)},
		&cognitosync.InvalidParameterException{Message: new(string), ErrorCodeOverride: new(string)},
		&cognitosync.ResourceNotFoundException{Message: new(string), ErrorCodeOverride: new(string)},
		&cognitosync.InternalErrorException{Message: new(string), ErrorCodeOverride: new(string)},
		&cognitosync.TooManyRequestsException{Message: new(string), ErrorCodeOverride: new(string)},
	}
)

// TestClient makes calls over HTTP: one that succeeds, one with a null member in the
// response, and one that the service rejects.
func TestClient(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: "us-east-1:unknown", DataStorage: aws.Int64(0)})

		got, err := tr.call(t.Context())
		require.NoError(t, err)
		assert.Equal(t, &cognitosync.IdentityPoolUsage{
			DataStorage:       poolUsage.DataStorage,
			IdentityPoolId:    aws.String(poolID),
			LastModifiedDate:  aws.Time(poolUsage.LastModifiedDate.UTC()),
			SyncSessionsCount: poolUsage.SyncSessionsCount,
		}, got.IdentityPoolUsage)
		id, _ := awsmiddleware.GetRequestIDMetadata(got.ResultMetadata)
		assert.Equal(t, tr.server.Requests().Last().RequestID, id)

		got, err = tr.callPool(t.Context(), "us-east-1:unknown")
		require.NoError(t, err)
		assert.Equal(t, &cognitosync.IdentityPoolUsage{DataStorage: aws.Int64(0), IdentityPoolId: aws.String("us-east-1:unknown")}, got.IdentityPoolUsage)

		got, err = tr.callPool(t.Context(), "us-east-1:0000")
		assert.Nil(t, got)
		var notFound *cognitosync.ResourceNotFoundException
		require.ErrorAs(t, err, &notFound)
		var response *awshttp.ResponseError
		require.ErrorAs(t, err, &response)
		assert.Equal(t, http.StatusNotFound, response.HTTPStatusCode())
		assert.Equal(t, tr.server.Requests().Last().RequestID, response.ServiceRequestID())

		require.Equal(t, 3, tr.server.Requests().Count())
		assert.Empty(t, tr.server.Requests().Refused())
	})
}

// TestNamesOfTheService checks the names that other code depends on.
func TestNamesOfTheService(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "Cognito Sync", cognitosync.ServiceID)
	assert.Equal(t, "2014-06-30", cognitosync.ServiceAPIVersion)
	assert.Regexp(t, `^\d+\.\d+\.\d+`, cognitosync.Version)
}

// TestDescribeIdentityPoolUsageFunc uses a function instead of a client.
func TestDescribeIdentityPoolUsageFunc(t *testing.T) {
	t.Parallel()
	want := &cognitosync.DescribeIdentityPoolUsageOutput{}
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)}
	var mock cognitosync.DescribeIdentityPoolUsageAPIClient = cognitosync.DescribeIdentityPoolUsageFunc(
		func(ctx context.Context, params *cognitosync.DescribeIdentityPoolUsageInput, optFns ...func(*cognitosync.Options)) (
			*cognitosync.DescribeIdentityPoolUsageOutput, error,
		) {
			assert.Equal(t, t.Context(), ctx)
			assert.Same(t, input, params)
			assert.Len(t, optFns, 1)
			return want, errBroken
		})
	got, err := mock.DescribeIdentityPoolUsage(t.Context(), input, func(*cognitosync.Options) {})
	assert.Same(t, want, got)
	require.ErrorIs(t, err, errBroken)
}

// TestManyGoroutines uses one client from 200 goroutines, each with its own pool. The first
// attempt of every call is throttled. Every other goroutine changes all settings of its
// calls: app ID, credentials, headers, hooks, loggers, spans and metrics. The settings of one
// call must not affect another.
func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, calls = 200, 3
	bothPaths(t, func(t *testing.T, path string) {
		var others []cognitosynctest.Credentials
		for i := range goroutines {
			others = append(others, cognitosynctest.Credentials{
				AccessKeyID: fmt.Sprintf("AKID%03d", i), SecretAccessKey: fmt.Sprint("secret of ", i), SessionToken: fmt.Sprintf("token-%03d", i),
			})
		}
		server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
			o.Credentials = append([]cognitosynctest.Credentials{cognitosynctest.DefaultCredentials()}, others...)
		})
		for i := range goroutines {
			server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolOf(i), DataStorage: aws.Int64(int64(i))})
		}
		server.ScriptEachCall("", cognitosynctest.Throttle(1))

		ofClient := &clienttest.Records{Level: slog.LevelDebug}
		client := newClient(server.Config(), path, func(o *cognitosync.Options) {
			o.AppID, o.StructuredLogger, o.Retryer = "client", slog.New(ofClient), tireless()
		})

		var running sync.WaitGroup
		for i := range goroutines {
			running.Add(1)
			go func() {
				defer running.Done()
				for range calls {
					if i%2 == 0 {
						callPlainly(t, client, i)
					} else {
						callWithOptions(t, client, i, others[i])
					}
				}
			}()
		}
		running.Wait()

		assert.Empty(t, server.Requests().Refused())
		assert.Len(t, ofClient.Take(), goroutines/2*calls*2, "records of the plain calls alone")
		all := server.Requests().Calls()
		require.Len(t, all, goroutines*calls)
		for _, attempts := range all {
			require.Len(t, attempts, 2)
			for _, request := range attempts {
				assertBelongs(t, request)
			}
		}
		assert.Equal(t, "client", client.Options().AppID)
	})
}

func poolOf(i int) string { return fmt.Sprintf("us-east-1:%03d", i) }

// callPlainly makes a call with the client's settings.
func callPlainly(t *testing.T, client *cognitosync.Client, i int) {
	output, err := describe(t.Context(), t, client, poolOf(i))
	assertUsageOf(t, i, output, err)
}

// callWithOptions makes a call that changes as many settings as possible, and checks that
// only its own are used.
func callWithOptions(t *testing.T, client *cognitosync.Client, i int, credentials cognitosynctest.Credentials) {
	mine := fmt.Sprint("call-", i)
	var (
		log     clienttest.Notes
		records = &clienttest.Records{Level: slog.LevelDebug}
		spans   clienttest.Spans
		meters  clienttest.Meters
		hooks   = newHooks()
		seen    []string
	)
	hooks.change = func(_ context.Context, in *smithyhttp.InterceptorContext) error {
		if in.Request != nil {
			in.Request.Header.Set("X-Of-Hook", mine)
		}
		return nil
	}
	output, err := describe(context.WithValue(t.Context(), contextKey{}, mine), t, client, poolOf(i),
		cognitosync.WithAPIOptions(smithyhttp.SetHeaderValue("X-Of-Call", mine), awsmiddleware.AddUserAgentKey(mine)),
		atEnd("deserialize", &probe{id: "look", before: func(ctx context.Context, in any) context.Context {
			seen = append(seen, fmt.Sprint(ctx.Value(contextKey{}), in.(*smithyhttp.Request).Header["X-Of-Call"]))
			return ctx
		}}, middleware.After),
		func(o *cognitosync.Options) {
			o.AppID, o.Credentials = mine, credentials.Provider()
			o.ClientLogMode, o.Logger, o.StructuredLogger = allLogModes, &log, slog.New(records)
			o.TracerProvider, o.MeterProvider = &spans, &meters
			addHook(o, "AfterSerialization", hooks)
		})
	assertUsageOf(t, i, output, err)
	assert.Equal(t, []string{mine + "[" + mine + "]", mine + "[" + mine + "]"}, seen)
	assert.Equal(t, []string{"AfterSerialization"}, hooks.notes.Take())
	assert.Len(t, records.Take(), 2)
	assert.Len(t, spans.Named("Attempt"), 2)
	assert.Len(t, meters.Take()["client.call.attempts"], 2)
	for _, entry := range log.Take() {
		assert.NotContains(t, entry, credentials.SecretAccessKey)
		assert.NotContains(t, entry, credentials.SessionToken)
		if _, app, ok := strings.Cut(entry, " app/"); ok {
			assert.True(t, strings.HasPrefix(app, mine+" "), entry)
		}
	}
}

func assertUsageOf(t *testing.T, i int, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	if !assert.NoError(t, err) {
		return
	}
	assert.Equal(t, poolOf(i), *output.IdentityPoolUsage.IdentityPoolId)
	assert.Equal(t, int64(i), *output.IdentityPoolUsage.DataStorage)
	attempts, _ := retry.GetAttemptResults(output.ResultMetadata)
	assert.Len(t, attempts.Results, 2)
}

// assertBelongs checks that all parts of a request belong to the call for its pool.
func assertBelongs(t *testing.T, request cognitosynctest.Request) {
	t.Helper()
	var i int
	_, err := fmt.Sscanf(request.PoolID, "us-east-1:%d", &i)
	require.NoError(t, err)
	mine, app, key := fmt.Sprint("call-", i), fmt.Sprint("call-", i), fmt.Sprintf("AKID%03d", i)
	if i%2 == 0 {
		mine, app, key = "", "client", cognitosynctest.DefaultCredentials().AccessKeyID
	}
	agent := request.Header.Get("User-Agent")
	assert.Equal(t, app, submatch(userAgentAppID, agent))
	assert.Equal(t, i%2 != 0, strings.Contains(agent+" ", " "+mine+" ") && mine != "", agent)
	assert.Equal(t, mine, request.Header.Get("X-Of-Call"))
	assert.Equal(t, mine, request.Header.Get("X-Of-Hook"))
	assert.Contains(t, request.Header.Get("Authorization"), "Credential="+key+"/")
}

// TestManyGoroutinesLearnTheClock corrects a wrong clock in many goroutines at once.
func TestManyGoroutinesLearnTheClock(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) { o.Retryer = tireless() })
		tr.script(cognitosynctest.Forever(cognitosynctest.OK().WithClock(time.Hour)))
		var running sync.WaitGroup
		for range 50 {
			running.Add(1)
			go func() {
				defer running.Done()
				_, err := tr.call(t.Context())
				assert.NoError(t, err)
			}()
		}
		running.Wait()
		before := tr.server.Requests().Count()
		_, err := tr.call(t.Context())
		require.NoError(t, err)
		assert.Equal(t, before+1, tr.server.Requests().Count(), "the clock is known")
	})
}
