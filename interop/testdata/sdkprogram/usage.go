// Package sdkprogram is an example of a program for the SDK. Its import paths are those of the
// SDK's own package.
package sdkprogram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cognitosync"
	"github.com/aws/aws-sdk-go-v2/service/cognitosync/types"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
)

// UsageAPI is the part of the client that the program needs.
type UsageAPI interface {
	DescribeIdentityPoolUsage(context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options)) (
		*cognitosync.DescribeIdentityPoolUsageOutput, error,
	)
}

var _ UsageAPI = (*cognitosync.Client)(nil)

// Usage returns the usage of a pool and the request ID.
func Usage(ctx context.Context, api UsageAPI, id string) (*types.IdentityPoolUsage, string, error) {
	out, err := api.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(id)},
		func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 2) },
		cognitosync.WithAPIOptions(addHeader("X-Program", "1")),
	)
	if err != nil {
		return nil, "", err
	}
	requestID, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	return out.IdentityPoolUsage, requestID, nil
}

// Explain describes err in a few words.
func Explain(err error) string {
	var (
		notAuthorized *types.NotAuthorizedException
		invalid       *types.InvalidParameterException
		notFound      *types.ResourceNotFoundException
		internal      *types.InternalErrorException
		tooMany       *types.TooManyRequestsException
		response      *awshttp.ResponseError
		operation     *smithy.OperationError
		api           smithy.APIError
	)
	text := "other"
	switch {
	case errors.As(err, &notAuthorized):
		text = "not authorized"
	case errors.As(err, &invalid):
		text = "invalid"
	case errors.As(err, &notFound):
		text = "not found: " + notFound.ErrorMessage()
	case errors.As(err, &internal):
		text = "internal"
	case errors.As(err, &tooMany):
		text = "too many, " + tooMany.ErrorFault().String()
	case errors.As(err, &api):
		text = api.ErrorCode()
	}
	if errors.As(err, &response) {
		text += fmt.Sprintf(" (status %d)", response.HTTPStatusCode())
	}
	if errors.As(err, &operation) {
		text = operation.Operation() + ": " + text
	}
	return text
}

// Clients returns clients for the server at url. Each of them sets the endpoint in a different
// way.
func Clients(url string, credentials aws.CredentialsProvider) map[string]*cognitosync.Client {
	fixed := aws.EndpointResolverWithOptionsFunc(func(service, region string, _ ...interface{}) (aws.Endpoint, error) {
		if service != cognitosync.ServiceID {
			return aws.Endpoint{}, &aws.EndpointNotFoundError{}
		}
		return aws.Endpoint{URL: url, SigningRegion: region, HostnameImmutable: true}, nil
	})
	cfg := aws.Config{
		Region:      "us-east-1",
		Credentials: credentials,
		HTTPClient:  awshttp.NewBuildableClient().WithTimeout(time.Minute),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Nanosecond })
		},
	}
	withResolver := cfg
	withResolver.EndpointResolverWithOptions = fixed

	defaultResolver := cognitosync.NewDefaultEndpointResolver()
	return map[string]*cognitosync.Client{
		"BaseEndpoint": cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(url) }),
		"New": cognitosync.New(cognitosync.Options{
			Region: cfg.Region, Credentials: credentials, EndpointResolver: cognitosync.EndpointResolverFromURL(url),
		}, func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 }),
		"EndpointResolverFromURL": cognitosync.NewFromConfig(cfg, cognitosync.WithEndpointResolver(
			cognitosync.EndpointResolverFromURL(url, func(e *aws.Endpoint) { e.HostnameImmutable = true }))),
		"EndpointResolverFunc": cognitosync.NewFromConfig(cfg, cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFunc(
			func(region string, options cognitosync.EndpointResolverOptions) (aws.Endpoint, error) {
				endpoint, err := defaultResolver.ResolveEndpoint(region, options)
				endpoint.URL = url
				return endpoint, err
			}))),
		"EndpointResolverV2":          cognitosync.NewFromConfig(cfg, cognitosync.WithEndpointResolverV2(proxyResolver{url})),
		"EndpointResolverWithOptions": cognitosync.NewFromConfig(withResolver),
	}
}

// proxyResolver directs requests to a proxy, with the original host in a header.
type proxyResolver struct{ url string }

func (r proxyResolver) ResolveEndpoint(ctx context.Context, params cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
	endpoint, err := cognitosync.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, params)
	if err != nil {
		return endpoint, err
	}
	params.Endpoint = aws.String(r.url)
	proxied, err := cognitosync.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, params)
	proxied.Headers.Set("X-Proxied-Host", endpoint.URI.Host)
	return proxied, err
}

func addHeader(name, value string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Build.Add(headerMiddleware{http.Header{name: {value}}}, middleware.After)
	}
}
