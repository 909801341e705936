package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

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
		scope      string // of the signature, without the key and the date
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
			name: "helpers take precedence over the endpoint",
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
			bothPaths(t, func(t *testing.T, path string) {
				s := newScene(t, &settingTest{})
				var params []cognitosync.EndpointParameters
				client := cognitosync.New(s.options(path), cognitosync.WithEndpointResolverV2(resolverFunc(
					func(p cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
						params = append(params, p)
						return smithyendpoints.Endpoint{
							URI:        url.URL{Scheme: "https", Host: "resolved.test", Path: "/some/prefix/"},
							Headers:    http.Header{"X-Of-Endpoint": {"a", "b"}},
							Properties: test.properties,
						}, nil
					})), test.options)
				_, _ = describe(t.Context(), t, client, anyPool) // fails: the fake is not at this path
				require.Equal(t, []cognitosync.EndpointParameters{test.params}, params)
				s.sent = s.wire.Take()
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

// TestLegacyEndpointResolver uses the deprecated resolvers of an aws.Config. Users' tests
// often use them to call their own server.
func TestLegacyEndpointResolver(t *testing.T) {
	t.Parallel()
	type options = cognitosync.EndpointResolverOptions
	for _, test := range []struct {
		name     string
		region   string
		options  func(*cognitosync.Options)
		endpoint aws.Endpoint
		err      error
		passed   string // the region that is passed to the resolver
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
			passed: "us-west-2",
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
			name:     "helpers take precedence over the endpoint",
			options:  cognitosync.WithSigV4SigningName("own-name"),
			endpoint: aws.Endpoint{URL: "https://local.test", SigningName: "local", SigningRegion: "local-1"},
			url:      "https://local.test/identitypools/pool-of-no-region",
			scope:    "local-1/own-name",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				s := newScene(t, &settingTest{})
				cfg := s.config()
				cfg.Region = firstOf(test.region, cfg.Region)
				cfg.EndpointResolverWithOptions = resolverWithOptions(func(service, region string, opts ...any) (aws.Endpoint, error) {
					assert.Equal(t, cognitosync.ServiceID, service)
					assert.Equal(t, firstOf(test.passed, cfg.Region), region)
					if assert.Len(t, opts, 1) {
						want := test.with
						want.Logger = logging.Nop{} // the client's default
						assert.Equal(t, want, opts[0])
					}
					return test.endpoint, test.err
				})
				cfg.EndpointResolver = aws.EndpointResolverFunc(func(string, string) (aws.Endpoint, error) {
					return aws.Endpoint{}, errors.New("EndpointResolver is called although EndpointResolverWithOptions is set")
				})
				client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
					takePath(path, o)
					if test.options != nil {
						test.options(o)
					}
				})
				_, _ = describe(t.Context(), t, client, anyPool)
				s.sent = s.wire.Take()
				require.Len(t, s.sent, 1)
				assert.Equal(t, test.url, s.sent[0].URL.String())
				assert.Equal(t, test.scope, s.signedFor())
			})
		})
	}
}

// TestEndpointResolverFromURL checks that a resolver has no state.
func TestEndpointResolverFromURL(t *testing.T) {
	t.Parallel()
	resolver := cognitosync.EndpointResolverFromURL("http://local.test")
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		got, err := resolver.ResolveEndpoint(region, cognitosync.EndpointResolverOptions{})
		require.NoError(t, err)
		assert.Equal(t, aws.Endpoint{URL: "http://local.test", Source: aws.EndpointSourceCustom, SigningRegion: region}, got)
	}
}

func TestDefaultEndpointResolver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		region  string
		options cognitosync.EndpointResolverOptions
		want    aws.Endpoint // without the fields that are always the same
		err     string
	}{
		{name: "a region", region: "us-east-1",
			want: aws.Endpoint{URL: host, PartitionID: "aws", SigningRegion: "us-east-1"}},
		{name: "another partition", region: "cn-north-1",
			want: aws.Endpoint{URL: "https://cognito-sync.cn-north-1.amazonaws.com.cn", PartitionID: "aws-cn", SigningRegion: "cn-north-1"}},
		{name: "all switches", region: "us-gov-west-1", options: cognitosync.EndpointResolverOptions{
			DisableHTTPS: true, UseFIPSEndpoint: aws.FIPSEndpointStateEnabled, UseDualStackEndpoint: aws.DualStackEndpointStateEnabled,
		}, want: aws.Endpoint{URL: "http://cognito-sync-fips.us-gov-west-1.api.aws", PartitionID: "aws-us-gov", SigningRegion: "us-gov-west-1"}},
		{name: "a pseudo region", region: "fips-us-west-2",
			want: aws.Endpoint{URL: "https://cognito-sync-fips.us-west-2.amazonaws.com", PartitionID: "aws", SigningRegion: "us-west-2"}},
		{name: "a resolved region", region: "us-east-1", options: cognitosync.EndpointResolverOptions{ResolvedRegion: "us-west-2"},
			want: aws.Endpoint{URL: "https://cognito-sync.us-west-2.amazonaws.com", PartitionID: "aws", SigningRegion: "us-west-2"}},
		{name: "no host label", region: "us east 1", err: `invalid region "us east 1"`},
		{name: "no region", err: new(aws.MissingRegionError).Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := cognitosync.NewDefaultEndpointResolver().ResolveEndpoint(test.region, test.options)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.Zero(t, got)
				return
			}
			require.NoError(t, err)
			want := test.want
			want.SigningName, want.SigningMethod = "cognito-sync", "v4"
			assert.Equal(t, want, got)
		})
	}
	_, err := cognitosync.NewDefaultEndpointResolver().ResolveEndpoint("", cognitosync.EndpointResolverOptions{})
	var missing *aws.MissingRegionError
	assert.ErrorAs(t, err, &missing)
}

// TestDefaultEndpointResolverOfAClient checks that setting the default resolver does not
// change the endpoint.
func TestDefaultEndpointResolverOfAClient(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"us-east-1", "fips-us-west-2", "cn-north-1"} {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, "")}
				cfg := configOf(sent)
				cfg.Region = region
				for _, client := range []*cognitosync.Client{
					newClient(cfg, path),
					newClient(cfg, path, cognitosync.WithEndpointResolver(cognitosync.NewDefaultEndpointResolver())),
					newClient(cfg, path, cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFunc(nil))),
					newClient(cfg, path, cognitosync.WithEndpointResolver(nil)),
				} {
					_, err := describe(t.Context(), t, client, anyPool)
					require.NoError(t, err)
				}
				requests := sent.Take()
				require.Len(t, requests, 4)
				for _, request := range requests {
					assert.Equal(t, requests[0].URL.String(), request.URL.String())
					assert.Equal(t, submatch(credentialScope, requests[0].Header.Get("Authorization")),
						submatch(credentialScope, request.Header.Get("Authorization")))
				}
			})
		})
	}
}

// TestDefaultEndpointResolverV2Headers checks that callers can add headers to an endpoint of
// the default resolver.
func TestDefaultEndpointResolverV2Headers(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []*string{nil, aws.String("http://local.test")} {
		got, err := cognitosync.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), cognitosync.EndpointParameters{
			Region: aws.String("us-east-1"), Endpoint: endpoint,
		})
		require.NoError(t, err)
		require.NotNil(t, got.Headers)
		assert.NotPanics(t, func() { got.Headers.Set("X-Mine", "1") })
	}
}

// TestResolverOptions checks that a legacy resolver can read its options with the SDK's
// functions.
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

// TestUseIdentityPoolRegion queries each pool in the region of its ID.
func TestUseIdentityPoolRegion(t *testing.T) {
	t.Parallel()
	fips := func(o *cognitosync.Options) { o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled }
	dualStack := func(o *cognitosync.Options) {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	for _, test := range []struct {
		name   string
		region string // of the client
		id     string
		alter  func(*cognitosync.Options)
		host   string
		signed string
	}{
		{"another region", "us-east-1", "eu-west-1:1", nil, "cognito-sync.eu-west-1.amazonaws.com", "eu-west-1"},
		{"the client's region", "eu-west-1", "eu-west-1:1", nil, "cognito-sync.eu-west-1.amazonaws.com", "eu-west-1"},
		{"no region of the client", "", "ap-southeast-2:1", nil, "cognito-sync.ap-southeast-2.amazonaws.com", "ap-southeast-2"},
		{"no region of the client, another partition", "", "cn-north-1:1", nil, "cognito-sync.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"government", "us-gov-east-1", "us-gov-west-1:1", nil, "cognito-sync.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{"future region", "us-east-1", "eu-north-99:1", nil, "cognito-sync.eu-north-99.amazonaws.com", "eu-north-99"},
		{"FIPS", "us-west-2", "us-east-2:1", fips, "cognito-sync-fips.us-east-2.amazonaws.com", "us-east-2"},
		{"pseudo region with FIPS", "fips-us-west-2", "us-east-2:1", nil, "cognito-sync-fips.us-east-2.amazonaws.com", "us-east-2"},
		{"dual stack", "us-west-2", "eu-west-1:1", dualStack, "cognito-sync.eu-west-1.api.aws", "eu-west-1"},
		{"ID without a region", "us-west-2", "1", nil, "cognito-sync.us-west-2.amazonaws.com", "us-west-2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				alter := []func(*cognitosync.Options){usePoolRegion}
				if test.alter != nil {
					alter = append(alter, test.alter)
				}
				tr := setupWorld(t, path, test.region, alter...)
				tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: test.id, DataStorage: aws.Int64(1)})

				output, err := tr.callPool(t.Context(), test.id)

				require.NoError(t, err)
				assert.Equal(t, test.id, aws.ToString(output.IdentityPoolUsage.IdentityPoolId))
				requests := tr.server.Requests()
				require.Len(t, requests, 1)
				assert.Equal(t, test.host, requests[0].Host)
				assert.Contains(t, requests[0].Header.Get("Authorization"), "/"+test.signed+"/cognito-sync/aws4_request")
			})
		})
	}
}

// TestUseIdentityPoolRegionOfAnotherPartition checks that a pool in another partition is
// rejected, so that the session token is not sent there.
func TestUseIdentityPoolRegionOfAnotherPartition(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ region, id, partition string }{
		{"us-east-1", "cn-north-1:1", "aws-cn"},
		{"us-east-1", "us-gov-west-1:1", "aws-us-gov"},
		{"fips-us-east-1", "us-iso-east-1:1", "aws-iso"},
		{"cn-north-1", "us-east-1:1", "aws"},
	} {
		t.Run(test.region+" "+test.id, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setupWorld(t, path, test.region, usePoolRegion)
				output, err := tr.callPool(t.Context(), test.id)
				requireFailure(t, output, err)
				requireAs[*cognitosync.RegionMismatchError](t, err)
				assert.Regexp(t, "use a client with a region and credentials of partition "+test.partition+"$", err.Error())
				assert.Zero(t, tr.server.Requests().Count())
			})
		})
	}
}

// TestUseIdentityPoolRegionOfACall sets the option for one call only.
func TestUseIdentityPoolRegionOfACall(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setupWorld(t, path, "us-east-1")
		tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1"})
		_, err := tr.callPool(t.Context(), "eu-west-1:1", usePoolRegion)
		require.NoError(t, err)
		output, err := tr.callPool(t.Context(), "eu-west-1:1")
		requireFailure(t, output, err)
		requireAs[*cognitosync.RegionMismatchError](t, err)
		assert.Equal(t, 1, tr.server.Requests().Count())
	})
}

// TestUseIdentityPoolRegionWithEndpoint checks that requests to a custom endpoint are signed
// for the pool's region.
func TestUseIdentityPoolRegionWithEndpoint(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"us-east-1", ""} {
		t.Run("client in "+region, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setupWorld(t, path, region, usePoolRegion, func(o *cognitosync.Options) {
					o.BaseEndpoint = aws.String("http://127.0.0.1:4566")
				})
				tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1"})
				_, err := tr.callPool(t.Context(), "eu-west-1:1")
				require.NoError(t, err)
				last := tr.server.Requests().Last()
				assert.Equal(t, "127.0.0.1:4566", last.Host)
				assert.Contains(t, last.Header.Get("Authorization"), "/eu-west-1/cognito-sync/")
			})
		})
	}
}

// TestRegionMismatch checks that a pool in another region is rejected before the client
// dials, retrieves credentials or waits.
func TestRegionMismatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, region, id string
		want             *cognitosync.RegionMismatchError // nil: the call is made
	}{
		{"another region", "us-east-1", "eu-west-1:1",
			&cognitosync.RegionMismatchError{IdentityPoolId: "eu-west-1:1", PoolRegion: "eu-west-1", ClientRegion: "us-east-1"}},
		{"another partition", "us-east-1", "cn-north-1:1",
			&cognitosync.RegionMismatchError{IdentityPoolId: "cn-north-1:1", PoolRegion: "cn-north-1", ClientRegion: "us-east-1"}},
		{"pseudo region", "fips-us-west-2", "us-east-1:1",
			&cognitosync.RegionMismatchError{IdentityPoolId: "us-east-1:1", PoolRegion: "us-east-1", ClientRegion: "us-west-2"}},
		{"more than one colon", "us-east-1", "eu-west-1:1:2",
			&cognitosync.RegionMismatchError{IdentityPoolId: "eu-west-1:1:2", PoolRegion: "eu-west-1", ClientRegion: "us-east-1"}},
		{"same region", "us-east-1", "us-east-1:1", nil},
		{"same region by its pseudo name", "fips-us-west-2", "us-west-2:1", nil},
		{"no region", "us-east-1", "1", nil},
		{"empty region", "us-east-1", ":1", nil},
		{"impossible region", "us-east-1", "mars-north-1:1", nil},
		{"region in capitals", "us-east-1", "EU-WEST-1:1", nil},
		{"region after a space", "us-east-1", " eu-west-1:1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				httpClient, dials := dialCounter()
				var retrieved atomic.Int32
				cfg := configOf(httpClient)
				cfg.Region = test.region
				cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
					retrieved.Add(1)
					return cognitosynctest.DefaultCredentials().Provider().Retrieve(ctx)
				})

				output, err := describe(t.Context(), t, newClient(cfg, path), test.id)

				requireFailure(t, output, err)
				if test.want == nil {
					assert.EqualValues(t, 1, dials.Load())
					assert.False(t, isA[*cognitosync.RegionMismatchError](err))
					return
				}
				assert.Zero(t, dials.Load())
				assert.Zero(t, retrieved.Load(), "credentials retrieved")
				assert.Equal(t, test.want, requireAs[*cognitosync.RegionMismatchError](t, err))
				advice := "UseIdentityPoolRegion"
				if strings.HasPrefix(test.id, "cn-") {
					advice = "credentials of partition aws-cn"
				}
				for _, word := range []string{test.want.PoolRegion, test.want.ClientRegion, advice} {
					assert.Contains(t, err.Error(), word)
				}
			})
		})
	}
}

// TestNoMismatchWithACustomEndpoint checks that calls for pools of any region are sent to a
// custom endpoint.
func TestNoMismatchWithACustomEndpoint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		alter func(*cognitosync.Options)
	}{
		{"BaseEndpoint", func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("https://custom.example") }},
		{"EndpointResolverV2", func(o *cognitosync.Options) { o.EndpointResolverV2 = resolveTo("custom.example") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				sender := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, "")}
				client := newClient(configOf(sender), path, test.alter)
				_, err := describe(t.Context(), t, client, "eu-west-1:1")
				require.NoError(t, err)
				sent := sender.Take()
				require.Len(t, sent, 1)
				assert.Equal(t, "https", sent[0].URL.Scheme)
				assert.Equal(t, "custom.example", sent[0].URL.Host)
				assert.Equal(t, "us-east-1", submatch(credentialScope, sent[0].Header.Get("Authorization")))
			})
		})
	}
}

// hostileRegions are texts in an ID or a configuration that could send requests to another
// host.
var hostileRegions = []string{
	"evil.example", "evil.example#", "evil.example?", "evil.example%23", "@evil.example", "user@evil.example",
	"us-east-1.evil.example", "us-east-1.amazonaws.com.evil.example", "evil.us-east-1",
	"us-east-1@evil.example", "us-east-1#", "us-east-1?x=", "us-east-1%2fevil", "us-east-1%00", "us-east-1;", "us-east-1,",
	"us-east-1 ", " us-east-1", "us east 1", "us-east-1\u3002evil", "us-east-1\uff0eevil", "ｕs-east-1", "us-eаst-1", // the last contains a Cyrillic а
	"-us-east-1", "us-east-1-", "us-east--1", "us--1", "us-east-", "us-east-x", "us-east-1x", "us_east_1", "us-ea_st-1", "..", ".", "", "xn--80ak6aa92e",
	"[::1]", "127.0.0.1", "localhost", "169.254.169.254", strings.Repeat("a", 64), "us-" + strings.Repeat("a", 64) + "-1",
}

// TestHostileIDs checks that no ID makes a client call a host that is not AWS's.
func TestHostileIDs(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileRegions {
		t.Run(hostile, func(t *testing.T) {
			t.Parallel()
			for _, region := range []string{"us-west-2", ""} {
				bothPaths(t, func(t *testing.T, path string) {
					tr := setupWorld(t, path, region, usePoolRegion)
					_, err := tr.callPool(t.Context(), hostile+":1")
					require.Error(t, err)
					for _, request := range tr.server.Requests() {
						assert.Equal(t, "cognito-sync.us-west-2.amazonaws.com", request.Host)
						assert.Equal(t, hostile+":1", request.PoolID)
						assert.Nil(t, request.Refusal)
					}
					if region == "" {
						assert.Zero(t, tr.server.Requests().Count())
						assert.Equal(t, "Region", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					} else {
						assert.Equal(t, 1, tr.server.Requests().Count())
					}
				})
			}
		})
	}
}

// TestHostileRegions checks the same for the client's region, which may be any host label.
func TestHostileRegions(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileRegions {
		t.Run(hostile, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setupWorld(t, path, hostile)
				_, err := tr.callPool(t.Context(), "1")
				require.Error(t, err) // at best, there is no such pool
				for _, request := range tr.server.Requests() {
					assert.Equal(t, "cognito-sync."+hostile+".amazonaws.com", request.Host)
					assert.Regexp(t, `^[0-9A-Za-z-]{1,63}$`, hostile)
				}
				var unreachable *url.Error
				switch {
				case errors.As(err, &unreachable): // a possible region of AWS, which this server does not have
					assert.Contains(t, unreachable.URL, "://cognito-sync."+hostile+".amazonaws.com/")
					assert.Regexp(t, `^[0-9A-Za-z-]{1,63}$`, hostile)
				case tr.server.Requests().Count() == 0:
					assert.Equal(t, "Region", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
				}
			})
		})
	}
}

// secretEndpoints are endpoints that contain a secret, "hunter2". Nothing may be sent to
// them, because that could send the secret too.
var secretEndpoints = []struct{ name, url string }{
	{"password", "https://user:hunter2@host.test"},
	{"user", "https://hunter2@host.test/path"},
	{"query", "https://host.test/?token=hunter2"},
	{"fragment", "https://host.test/#hunter2"},
	{"password with a slash", "https://user:hunter2/x@host.test"},
	{"password with a space", "https://user:hunter2 x@host.test"},
	{"password with a percent sign", "https://user:hunter2%zz@host.test"},
	{"password with a line break", "https://user:hunter2\nx@host.test"},
	{"password as the port", "https://host.test:hunter2"},
	{"broken host", "https://[hunter2"},
	{"no scheme", "hunter2:x@host.test"},
	{"unknown scheme", "ftp://user:hunter2@host.test/hunter2"},
}

// TestEndpointSecrets sets such endpoints with every option. Nothing is sent, and errors,
// logs and spans contain only the scheme and the host.
func TestEndpointSecrets(t *testing.T) {
	t.Parallel()
	deprecated := func(s string) (aws.Endpoint, error) {
		if _, err := url.Parse(s); err != nil {
			return aws.Endpoint{}, fmt.Errorf("cannot resolve: %w", err)
		}
		return aws.Endpoint{URL: s}, nil
	}
	for _, source := range []struct {
		name    string
		setting string
		give    func(endpoint string, cfg *aws.Config, o *cognitosync.Options)
	}{
		{"BaseEndpoint", "BaseEndpoint", func(endpoint string, _ *aws.Config, o *cognitosync.Options) { o.BaseEndpoint = &endpoint }},
		{"aws.Config", "BaseEndpoint", func(endpoint string, cfg *aws.Config, _ *cognitosync.Options) { cfg.BaseEndpoint = &endpoint }},
		{"EndpointResolver", "EndpointResolver", func(endpoint string, cfg *aws.Config, _ *cognitosync.Options) {
			cfg.EndpointResolver = aws.EndpointResolverFunc(func(_, _ string) (aws.Endpoint, error) { return deprecated(endpoint) })
		}},
		{"EndpointResolverWithOptions", "EndpointResolver", func(endpoint string, cfg *aws.Config, _ *cognitosync.Options) {
			cfg.EndpointResolverWithOptions = aws.EndpointResolverWithOptionsFunc(func(_, _ string, _ ...any) (aws.Endpoint, error) { return deprecated(endpoint) })
		}},
		{"EndpointResolver without a check", "EndpointResolver", func(endpoint string, cfg *aws.Config, _ *cognitosync.Options) {
			cfg.EndpointResolver = aws.EndpointResolverFunc(func(_, _ string) (aws.Endpoint, error) { return aws.Endpoint{URL: endpoint}, nil })
		}},
		{"EndpointResolverV2", "EndpointResolverV2", func(endpoint string, _ *aws.Config, o *cognitosync.Options) {
			o.EndpointResolverV2 = resolverFunc(func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
				uri, err := url.Parse(endpoint)
				if err != nil {
					return smithyendpoints.Endpoint{}, err
				}
				return smithyendpoints.Endpoint{URI: *uri}, nil
			})
		}},
		{"EndpointResolverV2, everything in the host", "EndpointResolverV2", func(endpoint string, _ *aws.Config, o *cognitosync.Options) {
			_, host, _ := strings.Cut("://"+endpoint, "://")
			o.EndpointResolverV2 = resolveTo(strings.TrimPrefix(host, "https://"))
		}},
		{"EndpointResolverV2, quoted in its error", "EndpointResolverV2", func(endpoint string, _ *aws.Config, o *cognitosync.Options) {
			o.EndpointResolverV2 = resolverFunc(func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
				if !strings.Contains(endpoint, "://") {
					return smithyendpoints.Endpoint{}, errBroken
				}
				return smithyendpoints.Endpoint{}, fmt.Errorf("cannot use %q: %w", endpoint, errBroken)
			})
		}},
	} {
		for _, endpoint := range secretEndpoints {
			t.Run(source.name+"/"+endpoint.name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					httpClient, dials := dialCounter()
					cfg, witness := configOf(httpClient), newWitness()
					var options cognitosync.Options
					source.give(endpoint.url, &cfg, &options)
					client := newClient(cfg, path, witness.watch, func(o *cognitosync.Options) {
						if options.BaseEndpoint != nil {
							o.BaseEndpoint = options.BaseEndpoint
						}
						if options.EndpointResolverV2 != nil {
							o.EndpointResolverV2 = options.EndpointResolverV2
						}
					})

					output, err := describe(t.Context(), t, client, poolID)

					requireFailure(t, output, err)
					assert.Equal(t, source.setting, requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					assert.Zero(t, cognitosync.InspectError(err).Attempts)
					assert.Zero(t, dials.Load())
					witness.assertSilent(t, err, "hunter2")
				})
			})
		}
	}
}

// TestBaseEndpointIsIsolated checks that no pointer that a client returns or passes on
// allows changing its BaseEndpoint.
func TestBaseEndpointIsIsolated(t *testing.T) {
	t.Parallel()
	const elsewhere = "http://elsewhere.test"
	bothPaths(t, func(t *testing.T, path string) {
		server := cognitosynctest.NewServer(t)
		server.SetPool(poolUsage)
		given := aws.ToString(server.Config().BaseEndpoint)
		cfg := server.Config()
		cfg.BaseEndpoint = &given
		client := newClient(cfg, path, func(o *cognitosync.Options) {
			o.EndpointResolverV2 = writingResolver{cognitosync.NewDefaultEndpointResolverV2(), elsewhere}
		})
		given = elsewhere
		*client.Options().BaseEndpoint = elsewhere
		options := client.Options()
		*options.Copy().BaseEndpoint = elsewhere
		assert.Equal(t, aws.ToString(server.Config().BaseEndpoint), *options.BaseEndpoint)
		for range 2 {
			_, err := describe(t.Context(), t, client, poolID)
			require.NoError(t, err)
		}
		_, err := describe(t.Context(), t, client, poolID, func(o *cognitosync.Options) { *o.BaseEndpoint = elsewhere })
		require.Error(t, err, "that is the call's own")
		_, err = describe(t.Context(), t, client, poolID)
		require.NoError(t, err)
	})
}

// A writingResolver resolves the endpoint and then modifies its parameters.
type writingResolver struct {
	cognitosync.EndpointResolverV2
	text string
}

func (r writingResolver) ResolveEndpoint(ctx context.Context, params cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
	defer func() { *params.Endpoint = r.text }()
	return r.EndpointResolverV2.ResolveEndpoint(ctx, params)
}

// TestPathOfAnEndpoint uses endpoints with paths that AWS normalizes before it checks the
// signature.
func TestPathOfAnEndpoint(t *testing.T) {
	t.Parallel()
	verifier := cognitosynctest.Verifier{Region: "us-east-1"}
	for _, test := range []struct{ name, path, want string }{
		{"none", "", ""},
		{"root", "/", ""},
		{"prefix", "/a/b", "/a/b"},
		{"trailing slash", "/a/b/", "/a/b"},
		{"dot", "/.", ""},
		{"dots within", "/a/./b/../c/", "/a/c"},
		{"dots above the root", "/../..", ""},
		{"empty segments", "//a///b//", "/a/b"},
		{"escaped", "/a%2Fb/./c%20d/", "/a%2Fb/c%20d"},
		{"escaped dots", "/a/%2e%2e/b", "/a/%2e%2e/b"},
		{"name with dots", "/.well-known/...", "/.well-known/..."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			parsed, err := url.Parse("https://service.test" + test.path)
			require.NoError(t, err)
			for kind, setEndpoint := range map[string]func(*cognitosync.Options){
				"BaseEndpoint":     func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("https://service.test" + test.path) },
				"EndpointResolver": cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFromURL("https://service.test" + test.path)),
				"EndpointResolverV2": cognitosync.WithEndpointResolverV2(resolverFunc(
					func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
						uri := *parsed
						uri.Path, uri.RawPath = strings.TrimPrefix(uri.Path, "/"), strings.TrimPrefix(uri.RawPath, "/")
						return smithyendpoints.Endpoint{URI: uri}, nil
					})),
			} {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					bothPaths(t, func(t *testing.T, path string) {
						var sent *http.Request
						client := fuzzClient(path, func(req *http.Request) (*http.Response, error) {
							sent = req
							return clienttest.Response(req, http.StatusOK, nil, `{"IdentityPoolUsage":{}}`), nil
						}, setEndpoint)

						_, err := describe(t.Context(), t, client, poolID)

						require.NoError(t, err)
						assert.Equal(t, test.want+"/identitypools/"+escapedID(poolID), sent.URL.EscapedPath())
						assert.Nil(t, verifier.Verify(sent))
					})
				})
			}
		})
	}
}

// TestOtherAuthSchemes checks that requests are signed as the endpoint's sigv4 scheme
// specifies, whatever other schemes come before or after it.
func TestOtherAuthSchemes(t *testing.T) {
	t.Parallel()
	scheme := func(id, name, region string) *smithyauth.Option {
		var signing smithy.Properties
		smithyhttp.SetSigV4SigningName(&signing, name)
		smithyhttp.SetSigV4SigningRegion(&signing, region)
		return &smithyauth.Option{SchemeID: id, SignerProperties: signing}
	}
	ours := scheme(smithyauth.SchemeIDSigV4, "local", "local-1")
	theirs := scheme(smithyauth.SchemeIDSigV4A, "theirs", "theirs-1")
	for _, test := range []struct {
		name    string
		schemes []*smithyauth.Option
		want    string
	}{
		{"none", nil, "cognito-sync us-east-1"},
		{"another", []*smithyauth.Option{theirs}, "cognito-sync us-east-1"},
		{"another first", []*smithyauth.Option{theirs, ours}, "local local-1"},
		{"another last", []*smithyauth.Option{ours, theirs}, "local local-1"},
		{"anonymous last", []*smithyauth.Option{ours, scheme(smithyauth.SchemeIDAnonymous, "theirs", "theirs-1")}, "local local-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				var signed clienttest.Notes
				client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, stubBody)), path,
					cognitosync.WithEndpointResolverV2(resolverFunc(func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
						endpoint := smithyendpoints.Endpoint{URI: url.URL{Scheme: "https", Host: "resolved.test"}}
						smithyauth.SetAuthOptions(&endpoint.Properties, test.schemes)
						return endpoint, nil
					})), func(o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&signed) })

				_, err := describe(t.Context(), t, client, poolID)

				require.NoError(t, err)
				lines := signed.Take()
				require.Len(t, lines, 1)
				assert.True(t, strings.HasSuffix(lines[0], " "+test.want), lines[0])
			})
		})
	}
}

// TestScopeOfTheSignature checks that signing names and regions that would break the
// Authorization header are rejected, whichever setting they come from.
func TestScopeOfTheSignature(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		breaks bool
	}{
		{"a/b", true},
		{"/", true},
		{"a,b", true},
		{"a b", true},
		{" a", true},
		{"a\tb", true},
		{"a\x1f", true},
		{"a\r\nX-Evil: 1", true},
		{"a\x7f", true},
		{"ä", true},
		{"a\u2028", true},
		{"!", false},
		{"~", false},
		{"a.b", false}, // adjacent to "/" in ASCII, like the others here
		{"a0", false},
		{"a+b", false},
		{"a-b", false},
	} {
		for place, option := range map[string]func(*cognitosync.Options){
			"WithSigV4SigningName":   cognitosync.WithSigV4SigningName(test.name),
			"WithSigV4SigningRegion": cognitosync.WithSigV4SigningRegion(test.name),
			"name of an endpoint": cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFromURL(host,
				func(e *aws.Endpoint) { e.SigningName = test.name })),
			"region of an endpoint": cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFromURL(host,
				func(e *aws.Endpoint) { e.SigningRegion = test.name })),
		} {
			t.Run(fmt.Sprintf("%q in %s", test.name, place), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
					client := newClient(configOf(sent), path, option)

					output, err := describe(t.Context(), t, client, poolID)

					requests := sent.Take()
					if !test.breaks {
						require.NoError(t, err)
						require.Len(t, requests, 1)
						assert.Contains(t, requests[0].Header.Get("Authorization"), "/"+test.name+"/")
						return
					}
					requireFailure(t, output, err)
					configuration := requireAs[*cognitosync.ConfigurationError](t, err)
					assert.NotEmpty(t, configuration.Setting)
					require.Error(t, configuration.Err)
					assert.Empty(t, requests)
				})
			})
		}
	}
}

// TestPoolRegionWithoutRegion checks that the region of a pool replaces a missing region
// only if UseIdentityPoolRegion is set.
func TestPoolRegionWithoutRegion(t *testing.T) {
	t.Parallel()
	resolver := cognitosync.WithEndpointResolverV2(resolveTo("resolved.test"))
	base := func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("https://base.test") }
	for _, test := range []struct {
		name    string
		options []func(*cognitosync.Options)
		host    string // "": rejected
	}{
		{"not enabled", nil, ""},
		{"enabled", []func(*cognitosync.Options){usePoolRegion}, "cognito-sync.us-east-1.amazonaws.com"},
		{"custom endpoint", []func(*cognitosync.Options){base}, ""},
		{"custom endpoint, enabled", []func(*cognitosync.Options){base, usePoolRegion}, "base.test"},
		{"resolver", []func(*cognitosync.Options){resolver}, ""},
		{"resolver, enabled", []func(*cognitosync.Options){resolver, usePoolRegion}, "resolved.test"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
				cfg := configOf(sent)
				cfg.Region = ""

				output, err := describe(t.Context(), t, newClient(cfg, path, test.options...), poolID)

				requests := sent.Take()
				if test.host == "" {
					requireFailure(t, output, err)
					assert.Equal(t, "Region", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					assert.False(t, isA[*cognitosync.RegionMismatchError](err), "without a region there is no mismatch")
					assert.Empty(t, requests)
					return
				}
				require.NoError(t, err)
				require.Len(t, requests, 1)
				assert.Equal(t, test.host, requests[0].URL.Host)
				assert.Equal(t, "us-east-1", submatch(credentialScope, requests[0].Header.Get("Authorization")))
			})
		})
	}
}

// TestBasePath checks that the path of an endpoint, escaped or not, is joined with that of
// the operation.
func TestBasePath(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":           "/identitypools/pool-of-no-region",
		"/":          "/identitypools/pool-of-no-region",
		"//":         "/identitypools/pool-of-no-region",
		"/a":         "/a/identitypools/pool-of-no-region",
		"/a/":        "/a/identitypools/pool-of-no-region",
		"/a//":       "/a/identitypools/pool-of-no-region",
		"/a%2Fb":     "/a%2Fb/identitypools/pool-of-no-region",
		"/a%2Fb/":    "/a%2Fb/identitypools/pool-of-no-region",
		"/a%2Fb//":   "/a%2Fb/identitypools/pool-of-no-region",
		"/a%20b/c/":  "/a%20b/c/identitypools/pool-of-no-region",
		"/a~/":       "/a~/identitypools/pool-of-no-region",
		"/a%2Fb~/":   "/a%2Fb~/identitypools/pool-of-no-region",
		"/%C3%A4!/":  "/%C3%A4!/identitypools/pool-of-no-region",
		"/a%2Fb!/c/": "/a%2Fb!/c/identitypools/pool-of-no-region",
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
				client := newClient(configOf(sent), path, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("https://base.test" + base) })

				_, err := describe(t.Context(), t, client, anyPool)

				require.NoError(t, err)
				requests := sent.Take()
				require.Len(t, requests, 1)
				assert.Equal(t, want, requests[0].URL.EscapedPath())
				unescaped, err := url.PathUnescape(want)
				require.NoError(t, err)
				assert.Equal(t, unescaped, requests[0].URL.Path)
			})
		})
	}
}

// TestOptionsWithoutSwitches checks the zero value of the options.
func TestOptionsWithoutSwitches(t *testing.T) {
	t.Parallel()
	var options cognitosync.EndpointResolverOptions
	assert.False(t, options.GetDisableHTTPS())
	assert.Equal(t, aws.FIPSEndpointStateUnset, options.GetUseFIPSEndpoint())
	assert.Equal(t, aws.DualStackEndpointStateUnset, options.GetUseDualStackEndpoint())
	assert.Empty(t, options.GetResolvedRegion())
}

// TestRegionWithACustomEndpoint checks that an invalid region is rejected although it is
// not part of the host, and that requests can be signed for the pool's region.
func TestRegionWithACustomEndpoint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, region, pool string
		usePoolRegion      bool
		signedFor          string // "": rejected
	}{
		{"two labels", "a.b", anyPool, false, ""},
		{"a space", "a b", anyPool, false, ""},
		{"two labels, pool with a region", "a.b", poolID, true, ""},
		{"any label", "atlantis", anyPool, false, "atlantis"},
		{"pool of another region", "us-east-1", "eu-west-1:1", false, "us-east-1"},
		{"pool of another partition", "us-east-1", "cn-north-1:1", false, "us-east-1"},
		{"pool of another region, UseIdentityPoolRegion", "us-east-1", "eu-west-1:1", true, "eu-west-1"},
		{"pool of another partition, UseIdentityPoolRegion", "us-east-1", "cn-north-1:1", true, "cn-north-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
				client := newClient(configOf(sent), path, func(o *cognitosync.Options) {
					o.Region, o.UseIdentityPoolRegion, o.BaseEndpoint = test.region, test.usePoolRegion, aws.String("https://base.test")
				})

				output, err := describe(t.Context(), t, client, test.pool)

				requests := sent.Take()
				if test.signedFor == "" {
					requireFailure(t, output, err)
					assert.Equal(t, "Region", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					assert.Contains(t, err.Error(), test.region)
					assert.Empty(t, requests)
					return
				}
				require.NoError(t, err)
				require.Len(t, requests, 1)
				assert.Equal(t, test.signedFor, submatch(credentialScope, requests[0].Header.Get("Authorization")))
			})
		})
	}
}

// TestDisableHTTPSOfOtherSchemes checks that DisableHTTPS replaces https with http, and
// that other schemes are rejected.
func TestDisableHTTPSOfOtherSchemes(t *testing.T) {
	t.Parallel()
	for scheme, sent := range map[string]bool{"https": true, "http": true, "ftp": false} {
		for name, resolver := range map[string]func(*cognitosync.Options){
			"EndpointResolverV2": cognitosync.WithEndpointResolverV2(resolverFunc(func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
				return smithyendpoints.Endpoint{URI: url.URL{Scheme: scheme, Host: "resolved.test"}}, nil
			})),
			"EndpointResolver": cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFromURL(scheme + "://resolved.test")),
		} {
			t.Run(scheme+"/"+name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					wire := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
					client := newClient(configOf(wire), path, resolver, func(o *cognitosync.Options) { o.EndpointOptions.DisableHTTPS = true })

					output, err := describe(t.Context(), t, client, anyPool)

					requests := wire.Take()
					if !sent {
						requireFailure(t, output, err)
						assert.Equal(t, name, requireAs[*cognitosync.ConfigurationError](t, err).Setting)
						assert.Empty(t, requests)
						return
					}
					require.NoError(t, err)
					require.Len(t, requests, 1)
					assert.Equal(t, "http://resolved.test", requests[0].URL.Scheme+"://"+requests[0].URL.Host)
				})
			})
		}
	}
}
