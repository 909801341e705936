package interop_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/sampling"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/h2non/gock"
	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/github.com/aws/aws-sdk-go-v2/otelaws"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/mock/gomock"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

//go:generate go run go.uber.org/mock/mockgen@v0.6.0 -destination gomock_test.go -package interop_test github.com/cognitosync/cognitosync-go DescribeIdentityPoolUsageAPIClient

const (
	awsURL    = "https://cognito-sync.us-east-1.amazonaws.com/identitypools/us-east-1%3A23EC4050-6AEA-7089-A2DD-08002EXAMPLE"
	usageBody = `{"IdentityPoolUsage":{"DataStorage":4096}}`
)

// storage makes a call and returns the DataStorage.
func storage(ctx context.Context, client cognitosync.DescribeIdentityPoolUsageAPIClient) (int64, error) {
	output, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)})
	if err != nil {
		return 0, err
	}
	return aws.ToInt64(output.IdentityPoolUsage.DataStorage), nil
}

func throttledOnce(t *testing.T) aws.Config {
	t.Helper()
	server := cognitosynctest.NewServer(t)
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID, DataStorage: aws.Int64(4096)})
	server.Script(poolID, cognitosynctest.Throttle(1))
	return server.Config()
}

func TestOtelaws(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	cfg := throttledOnce(t)
	otelaws.AppendMiddlewares(&cfg.APIOptions, otelaws.WithTracerProvider(sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample()))))

	got, err := storage(t.Context(), cognitosync.NewFromConfig(cfg))

	require.NoError(t, err)
	assert.Equal(t, int64(4096), got)
	require.Len(t, recorder.Ended(), 1)
	span := recorder.Ended()[0]
	assert.Equal(t, "Cognito Sync.DescribeIdentityPoolUsage", span.Name())
	attributes := map[string]any{}
	for _, a := range span.Attributes() {
		attributes[string(a.Key)] = a.Value.AsInterface()
	}
	assert.Equal(t, "00000000-0000-4000-8000-000000000002", attributes["aws.request_id"], attributes)
	assert.EqualValues(t, 200, attributes["http.response.status_code"], attributes)
}

// sampled makes X-Ray trace every request and send nothing.
type sampled struct{}

func (sampled) Emit(*xray.Segment) {}

func (sampled) RefreshEmitterWithAddress(*net.UDPAddr) {}

func (sampled) ShouldTrace(*sampling.Request) *sampling.Decision {
	return &sampling.Decision{Sample: true}
}

func TestXRay(t *testing.T) {
	t.Parallel()
	ctx, err := xray.ContextWithConfig(t.Context(), xray.Config{Emitter: sampled{}, SamplingStrategy: sampled{}})
	require.NoError(t, err)
	ctx, segment := xray.BeginSegment(ctx, "interop")
	cfg := throttledOnce(t)
	awsv2.AWSV2Instrumentor(&cfg.APIOptions)
	var requests []*http.Request
	cfg.HTTPClient = smithyhttp.ClientDoFunc(func(r *http.Request) (*http.Response, error) {
		requests = append(requests, r)
		return http.DefaultClient.Do(r)
	})

	got, err := storage(ctx, cognitosync.NewFromConfig(cfg))
	segment.Close(nil)

	require.NoError(t, err)
	assert.Equal(t, int64(4096), got)
	require.Len(t, requests, 2)
	traced := xray.GetSegment(requests[1].Context())
	assert.Equal(t, "Cognito Sync", traced.Name)
	assert.Equal(t, map[string]any{
		"region": region, "operation": "DescribeIdentityPoolUsage", "request_id": "00000000-0000-4000-8000-000000000002",
	}, traced.GetAWS())
	assert.Contains(t, requests[1].Header.Get("X-Amzn-Trace-Id"), "Parent="+traced.ID)
}

// ownClient returns a client with the HTTP client, whose transport the mocks replace later.
func ownClient(httpClient *http.Client) *cognitosync.Client {
	return cognitosync.New(cognitosync.Options{
		Region:      region,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		HTTPClient:  httpClient,
		Retryer:     noWaitRetryer(),
	})
}

func TestHTTPMock(t *testing.T) { // not parallel, because it replaces http.DefaultTransport
	for _, test := range []struct {
		name     string
		client   *http.Client
		activate func(*http.Client)
	}{
		{"http.DefaultClient", http.DefaultClient, func(*http.Client) { httpmock.Activate() }},
		{"a client of its own", &http.Client{}, httpmock.ActivateNonDefault},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := ownClient(test.client)
			test.activate(test.client)
			t.Cleanup(httpmock.DeactivateAndReset)
			httpmock.RegisterResponder(http.MethodGet, awsURL,
				httpmock.NewStringResponder(http.StatusInternalServerError, "").Then(httpmock.NewStringResponder(http.StatusOK, usageBody)))

			got, err := storage(t.Context(), client)

			require.NoError(t, err)
			assert.Equal(t, int64(4096), got)
			assert.Equal(t, 2, httpmock.GetTotalCallCount())

			httpmock.Reset()
			_, err = storage(t.Context(), client)
			assert.ErrorContains(t, err, "no responder found")
		})
	}
}

func TestGock(t *testing.T) { // not parallel, because gock keeps its mocks in a global variable
	httpClient := &http.Client{}
	client := ownClient(httpClient)
	gock.InterceptClient(httpClient)
	t.Cleanup(gock.OffAll)
	const at = "https://cognito-sync.us-east-1.amazonaws.com"
	gock.New(at).Get("/identitypools/" + poolID).HeaderPresent("Authorization").Reply(http.StatusTooManyRequests)
	gock.New(at).Get("/identitypools/" + poolID).Reply(http.StatusOK).BodyString(usageBody)

	got, err := storage(t.Context(), client)

	require.NoError(t, err)
	assert.Equal(t, int64(4096), got)
	assert.True(t, gock.IsDone())
}

func TestGomock(t *testing.T) {
	t.Parallel()
	mock := NewMockDescribeIdentityPoolUsageAPIClient(gomock.NewController(t))
	mock.EXPECT().DescribeIdentityPoolUsage(gomock.Any(), &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)}).
		Return(nil, cognitosynctest.Failure(poolID, cognitosynctest.TooManyRequests()))

	_, err := storage(t.Context(), mock)

	details := cognitosync.InspectError(err)
	assert.True(t, details.Retryable)
	assert.Equal(t, 3, details.Attempts)
}
