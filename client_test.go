package cognitosync_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// The names and signatures that code written for the SDK's own package uses. What is
// changed here breaks it.
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

// TestClient makes a call that succeeds, one with a null member, and one that the
// service refuses, over HTTP from one end to the other.
func TestClient(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		server, client := setup(t, way)
		server.SetPool(cognitosynctest.Pool{IdentityPoolId: "us-east-1:unknown", DataStorage: aws.Int64(0)})

		got, err := describe(t, client)
		require.NoError(t, err)
		assert.Equal(t, &cognitosync.IdentityPoolUsage{
			DataStorage:       poolUsage.DataStorage,
			IdentityPoolId:    aws.String(poolID),
			LastModifiedDate:  aws.Time(poolUsage.LastModifiedDate.UTC()),
			SyncSessionsCount: poolUsage.SyncSessionsCount,
		}, got.IdentityPoolUsage)
		id, _ := awsmiddleware.GetRequestIDMetadata(got.ResultMetadata)
		assert.Equal(t, server.Requests().Last().RequestID, id)

		got, err = describePool(t.Context(), t, client, "us-east-1:unknown")
		require.NoError(t, err)
		assert.Equal(t, &cognitosync.IdentityPoolUsage{DataStorage: aws.Int64(0), IdentityPoolId: aws.String("us-east-1:unknown")}, got.IdentityPoolUsage)

		got, err = describePool(t.Context(), t, client, "us-east-1:none")
		assert.Nil(t, got)
		var notFound *cognitosync.ResourceNotFoundException
		require.ErrorAs(t, err, &notFound)
		var response *awshttp.ResponseError
		require.ErrorAs(t, err, &response)
		assert.Equal(t, http.StatusNotFound, response.HTTPStatusCode())
		assert.Equal(t, server.Requests().Last().RequestID, response.ServiceRequestID())

		require.Equal(t, 3, server.Requests().Count())
		assert.Empty(t, server.Requests().Refused())
	})
}

// TestUserAgent compares all that the header says of this package.
func TestUserAgent(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		server, client := setup(t, way, func(o *cognitosync.Options) {
			o.AppID = "inventory"
			o.Retryer = nil // the client's own has a mode
			o.Credentials = sourcedCredentials{o.Credentials}
		})
		_, err := describe(t, client)
		require.NoError(t, err)
		agent := server.Requests().Last().Header.Get("User-Agent")
		assert.Regexp(t, `^aws-sdk-go-v2/\d+\.\d+\.\d+ ua/2\.1 os/\S+ lang/go#\S+ md/GOOS#\S+ md/GOARCH#\S+ `+
			`(exec-env/\S+ )?api/cognitosync#`+cognitosync.Version+` lib/cognitosync-go#`+cognitosync.Version+` app/inventory m/E,n$`, agent)
	})
}

// sourcedCredentials tell where they come from.
type sourcedCredentials struct{ aws.CredentialsProvider }

func (sourcedCredentials) ProviderSources() []aws.CredentialSource {
	return []aws.CredentialSource{aws.CredentialSourceProfile}
}

// TestNamesOfTheService pins what other code looks for.
func TestNamesOfTheService(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "Cognito Sync", cognitosync.ServiceID)
	assert.Equal(t, "2014-06-30", cognitosync.ServiceAPIVersion)
	assert.Regexp(t, `^\d+\.\d+\.\d+`, cognitosync.Version)
}

// TestDescribeIdentityPoolUsageFunc shows a function in the place of a client.
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
