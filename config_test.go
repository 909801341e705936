package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// Sources of an aws.Config, each with one setting.
type (
	fipsSource      struct{ state aws.FIPSEndpointState }
	dualStackSource struct{ state aws.DualStackEndpointState }
	endpointSource  map[string]string // by service
	ignoreSource    bool
)

func (s fipsSource) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return s.state, s.state != aws.FIPSEndpointStateUnset, nil
}

func (s dualStackSource) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return s.state, s.state != aws.DualStackEndpointStateUnset, nil
}

func (s endpointSource) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	endpoint, found := s[sdkID]
	return endpoint, found, nil
}

func (s ignoreSource) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return bool(s), true, nil
}

func TestEndpointResolverV2(t *testing.T) {
	t.Parallel()
	signedFor := func(name, region string) smithy.Properties {
		var signing, properties smithy.Properties
		smithyhttp.SetSigV4SigningName(&signing, name)
		smithyhttp.SetSigV4SigningRegion(&signing, region)
		smithyauth.SetAuthOptions(&properties, []*smithyauth.Option{
			{SchemeID: "aws.auth#sigv4a", SignerProperties: smithy.Properties{}},
			{SchemeID: smithyauth.SchemeIDSigV4, SignerProperties: signing},
		})
		return properties
	}
	for _, test := range []struct {
		name       string
		options    func(*cognitosync.Options)
		properties smithy.Properties
		params     cognitosync.EndpointParameters
		url        string
		scope      string // of the signature, without key and date
	}{
		{
			name:    "plain",
			options: func(*cognitosync.Options) {},
			params:  cognitosync.EndpointParameters{Region: aws.String("us-east-1"), UseFIPS: aws.Bool(false), UseDualStack: aws.Bool(false)},
			url:     "https://resolved.test/some/prefix/identitypools/pool-of-no-region",
			scope:   "us-east-1/cognito-sync",
		},
		{
			name: "all parameters",
			options: func(o *cognitosync.Options) {
				o.Region = "fips-eu-west-1"
				o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
				o.BaseEndpoint = aws.String("http://base.test")
			},
			params: cognitosync.EndpointParameters{
				Region: aws.String("eu-west-1"), UseFIPS: aws.Bool(true), UseDualStack: aws.Bool(true), Endpoint: aws.String("http://base.test"),
			},
			url:   "https://resolved.test/some/prefix/identitypools/pool-of-no-region",
			scope: "eu-west-1/cognito-sync",
		},
		{
			name:       "no region, but one to sign for",
			options:    func(o *cognitosync.Options) { o.Region = "" },
			properties: signedFor("", "eu-north-1"),
			params:     cognitosync.EndpointParameters{UseFIPS: aws.Bool(false), UseDualStack: aws.Bool(false)},
			url:        "https://resolved.test/some/prefix/identitypools/pool-of-no-region",
			scope:      "eu-north-1/cognito-sync",
		},
		{
			name:       "plain HTTP, another name",
			options:    func(o *cognitosync.Options) { o.EndpointOptions.DisableHTTPS = true },
			properties: signedFor("local", "local-1"),
			params:     cognitosync.EndpointParameters{Region: aws.String("us-east-1"), UseFIPS: aws.Bool(false), UseDualStack: aws.Bool(false)},
			url:        "http://resolved.test/some/prefix/identitypools/pool-of-no-region",
			scope:      "local-1/local",
		},
		{
			name: "the helpers go before the endpoint",
			options: func(o *cognitosync.Options) {
				cognitosync.WithSigV4SigningName("own-name")(o)
				cognitosync.WithSigV4SigningRegion("own-region")(o)
			},
			properties: signedFor("local", "local-1"),
			params:     cognitosync.EndpointParameters{Region: aws.String("us-east-1"), UseFIPS: aws.Bool(false), UseDualStack: aws.Bool(false)},
			url:        "https://resolved.test/some/prefix/identitypools/pool-of-no-region",
			scope:      "own-region/own-name",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, way string) {
				s := newScene(t, &settingTest{})
				var params []cognitosync.EndpointParameters
				client := cognitosync.New(s.options(way), cognitosync.WithEndpointResolverV2(resolverFunc(
					func(p cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
						params = append(params, p)
						return smithyendpoints.Endpoint{
							URI:        url.URL{Scheme: "https", Host: "resolved.test", Path: "/some/prefix/"},
							Headers:    http.Header{"X-Of-Endpoint": {"a", "b"}},
							Properties: test.properties,
						}, nil
					})), test.options)
				_, _ = describePool(t.Context(), t, client, anyPool) // refused: the fake is not at this path
				require.Equal(t, []cognitosync.EndpointParameters{test.params}, params)
				s.sent = s.wire.take()
				require.Len(t, s.sent, 1)
				assert.Equal(t, test.url, s.sent[0].URL.String())
				assert.Equal(t, []string{"a", "b"}, s.sent[0].Header["X-Of-Endpoint"])
				assert.Contains(t, s.sent[0].Header.Get("Authorization"), "x-of-endpoint", "the header is signed")
				assert.Equal(t, test.scope, s.signedFor())
			})
		})
	}
}

func TestEndpointParameters(t *testing.T) {
	t.Parallel()
	given := cognitosync.EndpointParameters{Region: aws.String("us-east-1"), Endpoint: aws.String("http://base.test")}
	require.ErrorContains(t, given.ValidateRequired(), "UseDualStack")
	filled := given.WithDefaults()
	require.NoError(t, filled.ValidateRequired())
	assert.Equal(t, cognitosync.EndpointParameters{
		Region: aws.String("us-east-1"), Endpoint: aws.String("http://base.test"), UseFIPS: aws.Bool(false), UseDualStack: aws.Bool(false),
	}, filled)
	assert.Nil(t, given.UseFIPS, "the original is unchanged")

	set := cognitosync.EndpointParameters{UseDualStack: aws.Bool(true)}
	require.ErrorContains(t, set.ValidateRequired(), "UseFIPS")
	assert.True(t, *set.WithDefaults().UseDualStack)
}

// TestLegacyEndpointResolver is about the deprecated resolvers of an aws.Config, with
// which many tests point at a server of their own.
func TestLegacyEndpointResolver(t *testing.T) {
	t.Parallel()
	type options = cognitosync.EndpointResolverOptions
	for _, test := range []struct {
		name     string
		region   string
		options  func(*cognitosync.Options)
		endpoint aws.Endpoint
		err      error
		asked    string // the region the resolver is asked for
		with     options
		url      string
		scope    string
	}{
		{
			name:     "path, name and region",
			endpoint: aws.Endpoint{URL: "http://local.test:4566/base", SigningName: "local", SigningRegion: "local-1", HostnameImmutable: true},
			url:      "http://local.test:4566/base/identitypools/pool-of-no-region",
			scope:    "local-1/local",
		},
		{
			name:     "only a URL",
			endpoint: aws.Endpoint{URL: "https://local.test"},
			url:      "https://local.test/identitypools/pool-of-no-region",
			scope:    "us-east-1/cognito-sync",
		},
		{
			name:     "before BaseEndpoint",
			options:  func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("http://base.test") },
			endpoint: aws.Endpoint{URL: "https://local.test"},
			url:      "https://local.test/identitypools/pool-of-no-region",
			scope:    "us-east-1/cognito-sync",
		},
		{
			name:   "all options",
			region: "fips-us-west-2",
			asked:  "us-west-2",
			options: func(o *cognitosync.Options) {
				o.EndpointOptions.DisableHTTPS = true
				o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
				o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
			},
			endpoint: aws.Endpoint{URL: "https://local.test"},
			with: options{
				DisableHTTPS:         true,
				UseFIPSEndpoint:      aws.FIPSEndpointStateEnabled,
				UseDualStackEndpoint: aws.DualStackEndpointStateEnabled,
				ResolvedRegion:       "us-west-2",
			},
			url:   "http://local.test/identitypools/pool-of-no-region",
			scope: "us-west-2/cognito-sync",
		},
		{
			name:     "an option of the caller's",
			options:  func(o *cognitosync.Options) { o.EndpointOptions.ResolvedRegion = "given" },
			endpoint: aws.Endpoint{URL: "https://local.test"},
			with:     options{ResolvedRegion: "given"},
			url:      "https://local.test/identitypools/pool-of-no-region",
			scope:    "us-east-1/cognito-sync",
		},
		{
			name:     "immutable",
			options:  func(o *cognitosync.Options) { o.EndpointOptions.DisableHTTPS = true },
			endpoint: aws.Endpoint{URL: "https://local.test", HostnameImmutable: true},
			with:     options{DisableHTTPS: true},
			url:      "https://local.test/identitypools/pool-of-no-region",
			scope:    "us-east-1/cognito-sync",
		},
		{
			name:  "not found",
			err:   &aws.EndpointNotFoundError{Err: errors.New("not mine")},
			url:   host + "/identitypools/pool-of-no-region",
			scope: "us-east-1/cognito-sync",
		},
		{
			name:    "not found, then BaseEndpoint",
			options: func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("http://base.test") },
			err:     fmt.Errorf("wrapped: %w", &aws.EndpointNotFoundError{Err: errors.New("not mine")}),
			url:     "http://base.test/identitypools/pool-of-no-region",
			scope:   "us-east-1/cognito-sync",
		},
		{
			name:     "the helpers go before the endpoint",
			options:  cognitosync.WithSigV4SigningName("own-name"),
			endpoint: aws.Endpoint{URL: "https://local.test", SigningName: "local", SigningRegion: "local-1"},
			url:      "https://local.test/identitypools/pool-of-no-region",
			scope:    "local-1/own-name",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, way string) {
				s := newScene(t, &settingTest{})
				cfg := s.config()
				cfg.Region = firstOf(test.region, cfg.Region)
				cfg.EndpointResolverWithOptions = resolverWithOptions(func(service, region string, opts ...any) (aws.Endpoint, error) {
					assert.Equal(t, cognitosync.ServiceID, service)
					assert.Equal(t, firstOf(test.asked, cfg.Region), region)
					if assert.Len(t, opts, 1) {
						assert.Equal(t, test.with, opts[0])
					}
					return test.endpoint, test.err
				})
				//nolint:staticcheck // deprecated, yet in use
				cfg.EndpointResolver = aws.EndpointResolverFunc(func(string, string) (aws.Endpoint, error) {
					return aws.Endpoint{}, errors.New("the older resolver is not asked where there is the newer")
				})
				client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
					goThrough(way, o)
					if test.options != nil {
						test.options(o)
					}
				})
				_, _ = describePool(t.Context(), t, client, anyPool)
				s.sent = s.wire.take()
				require.Len(t, s.sent, 1)
				assert.Equal(t, test.url, s.sent[0].URL.String())
				assert.Equal(t, test.scope, s.signedFor())
			})
		})
	}
}

// TestResolverOptions shows that a legacy resolver can read its options with the SDK's
// own functions.
func TestResolverOptions(t *testing.T) {
	t.Parallel()
	options := cognitosync.EndpointResolverOptions{
		DisableHTTPS:         true,
		UseFIPSEndpoint:      aws.FIPSEndpointStateEnabled,
		UseDualStackEndpoint: aws.DualStackEndpointStateDisabled,
		ResolvedRegion:       "us-west-2",
	}
	disableHTTPS, found := aws.GetDisableHTTPS(options)
	assert.True(t, found && disableHTTPS)
	fips, found := aws.GetUseFIPSEndpoint(options)
	assert.True(t, found)
	assert.Equal(t, aws.FIPSEndpointStateEnabled, fips)
	dualStack, found := aws.GetUseDualStackEndpoint(options)
	assert.True(t, found)
	assert.Equal(t, aws.DualStackEndpointStateDisabled, dualStack)
	region, found := aws.GetResolvedRegion(options)
	assert.True(t, found)
	assert.Equal(t, "us-west-2", region)
}

// TestConfigSources is not parallel: it is about the environment, too.
func TestConfigSources(t *testing.T) {
	const own, forAll = "AWS_ENDPOINT_URL_COGNITO_SYNC", "AWS_ENDPOINT_URL"
	for _, test := range []struct {
		name    string
		sources []any
		env     map[string]string
		base    string
		want    string
	}{
		{name: "none", want: host},
		{
			name: "the first that knows", want: "https://cognito-sync-fips.us-east-1.amazonaws.com",
			sources: []any{struct{}{}, fipsSource{}, fipsSource{aws.FIPSEndpointStateEnabled}, fipsSource{aws.FIPSEndpointStateDisabled}},
		},
		{
			name: "switched off", want: host,
			sources: []any{dualStackSource{aws.DualStackEndpointStateDisabled}, dualStackSource{aws.DualStackEndpointStateEnabled}},
		},
		{
			name: "an endpoint of the service", want: "http://one.test", base: "http://base.test",
			sources: []any{endpointSource{"S3": "http://s3.test"}, endpointSource{"Cognito Sync": "http://one.test"}, endpointSource{"Cognito Sync": "http://two.test"}},
		},
		{
			name: "endpoints of others", want: "http://base.test", base: "http://base.test",
			sources: []any{endpointSource{"S3": "http://s3.test"}},
		},
		{
			name: "configured endpoints are ignored", want: host,
			sources: []any{ignoreSource(true), endpointSource{"Cognito Sync": "http://one.test"}},
		},
		{
			name: "configured endpoints are not ignored", want: "http://one.test",
			sources: []any{ignoreSource(false), ignoreSource(true), endpointSource{"Cognito Sync": "http://one.test"}},
		},
		{
			name: "the variable for all services comes before the file", want: "http://base.test", base: "http://base.test",
			env:     map[string]string{forAll: "http://base.test"},
			sources: []any{endpointSource{"Cognito Sync": "http://one.test"}},
		},
		{
			name: "the service's own variable comes before both", want: "http://one.test", base: "http://base.test",
			env:     map[string]string{forAll: "http://base.test", own: "http://one.test"},
			sources: []any{endpointSource{"Cognito Sync": "http://one.test"}},
		},
	} {
		for _, way := range ways {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				for _, name := range []string{own, forAll} {
					t.Setenv(name, test.env[name]) // restored when the test ends
					if test.env[name] == "" {
						require.NoError(t, os.Unsetenv(name))
					}
				}
				s := newScene(t, &settingTest{seen: (*scene).target})
				cfg := s.config()
				cfg.ConfigSources = test.sources
				if test.base != "" {
					cfg.BaseEndpoint = aws.String(test.base)
				}
				client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { goThrough(way, o) })
				assert.Equal(t, test.want, s.see(t, client))
			})
		}
	}
}

// TestTraceID shows that a Lambda function tells which invocation it is, so that one
// that calls itself is noticed. It is not parallel: it is about the environment.
func TestTraceID(t *testing.T) {
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"
	for _, test := range []struct{ name, function, want string }{
		{"in Lambda", "inventory", trace},
		{"elsewhere", "", ""},
	} {
		for _, way := range ways {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				t.Setenv("_X_AMZN_TRACE_ID", trace)
				t.Setenv("AWS_LAMBDA_FUNCTION_NAME", test.function) // restored when the test ends
				if test.function == "" {
					require.NoError(t, os.Unsetenv("AWS_LAMBDA_FUNCTION_NAME"))
				}
				server, client := setup(t, way)
				_, err := describe(t, client)
				require.NoError(t, err)
				assert.Equal(t, test.want, server.Requests().Last().Header.Get("X-Amzn-Trace-Id"))
			})
		}
	}
}
