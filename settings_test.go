package cognitosync_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/metrics"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// Sources of an aws.Config that fail.
type (
	brokenFIPSSource      struct{ error }
	brokenDualStackSource struct{ error }
	brokenEndpointSource  struct{ error }
	brokenIgnoreSource    struct{ error }
)

func (s brokenFIPSSource) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return 0, false, s.error
}

func (s brokenDualStackSource) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return 0, false, s.error
}

func (s brokenEndpointSource) GetServiceBaseEndpoint(context.Context, string) (string, bool, error) {
	return "", false, s.error
}

func (s brokenIgnoreSource) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return false, false, s.error
}

// brokenMeterProvider cannot make the instrument of that name.
type brokenMeterProvider struct {
	metrics.NopMeterProvider
	instrument string
}

func (p brokenMeterProvider) Meter(scope string, _ ...metrics.MeterOption) metrics.Meter {
	return brokenMeter{p.NopMeterProvider.Meter(scope), p.instrument}
}

type brokenMeter struct {
	metrics.Meter
	instrument string
}

func (m brokenMeter) Int64Counter(name string, opts ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	if name == m.instrument {
		return nil, errBroken
	}
	return m.Meter.Int64Counter(name, opts...)
}

func (m brokenMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	if name == m.instrument {
		return nil, errBroken
	}
	return m.Meter.Float64Histogram(name, opts...)
}

// TestBadSettings shows that a call that could not be made is not begun: the error
// names the setting, and nothing is sent.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	base := func(endpoint string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.BaseEndpoint = &endpoint }
	}
	region := func(region string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.Region = region }
	}
	credentials := func(provider aws.CredentialsProvider) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.Credentials = provider }
	}
	keys := func(c aws.Credentials) func(*cognitosync.Options) {
		return credentials(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }))
	}
	meter := func(instrument string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.MeterProvider = brokenMeterProvider{instrument: instrument} }
	}
	source := func(source any) func(*aws.Config) {
		return func(c *aws.Config) { c.ConfigSources = []any{source} }
	}
	legacy := func(endpoint aws.Endpoint, err error) func(*aws.Config) {
		return func(c *aws.Config) {
			c.EndpointResolverWithOptions = resolverWithOptions(func(string, string, ...any) (aws.Endpoint, error) { return endpoint, err })
		}
	}
	for _, test := range []struct {
		name    string
		set     func(*cognitosync.Options)
		config  func(*aws.Config) // instead
		setting string
		text    string // in the error
		cause   error  // in its chain
	}{
		{name: "no region", set: region(""), setting: "Region", text: "Missing Region"},
		{name: "no region, custom endpoint", setting: "Region", text: "missing", set: func(o *cognitosync.Options) {
			o.Region, o.BaseEndpoint = "", aws.String("http://base.test")
		}},
		{name: "no region, pool region wanted, pool without", setting: "Region", text: "Missing Region", set: func(o *cognitosync.Options) {
			o.Region, o.UseIdentityPoolRegion = "", true
		}},
		{name: "region with a host", set: region("evil.test/"), setting: "Region", text: "not a host label"},
		{name: "region with a user", set: region("x@evil"), setting: "Region", text: "not a host label"},
		{name: "region with a line break", set: region("us-east-1\r\nX-Evil: 1"), setting: "Region", text: "not a host label"},
		{name: "region too long", set: region(strings.Repeat("a", 64)), setting: "Region", text: "not a host label"},
		{name: "blank region", set: region(" "), setting: "Region", text: "not a host label"},

		{name: "no credentials", set: credentials(nil), setting: "Credentials", text: "none given"},
		{name: "anonymous credentials", set: credentials(aws.AnonymousCredentials{}), setting: "Credentials", text: "none given"},
		{name: "pointer to anonymous credentials", set: credentials(&aws.AnonymousCredentials{}), setting: "Credentials", text: "none given"},
		{name: "cached anonymous credentials", set: credentials(aws.NewCredentialsCache(aws.AnonymousCredentials{})), setting: "Credentials", text: "none given"},
		{name: "credentials without keys", set: keys(aws.Credentials{SessionToken: "token"}), setting: "Credentials", text: "no access key"},
		{name: "credentials without secret", set: keys(aws.Credentials{AccessKeyID: "AKID"}), setting: "Credentials", text: "no secret key"},

		{name: "endpoint without scheme", set: base("localhost:4566"), setting: "BaseEndpoint", text: "scheme"},
		{name: "endpoint of another scheme", set: base("ftp://base.test"), setting: "BaseEndpoint", text: "scheme"},
		{name: "endpoint without host", set: base("http://"), setting: "BaseEndpoint", text: "no host"},
		{name: "endpoint with only a port", set: base("http://:4566"), setting: "BaseEndpoint", text: "no host"},
		{name: "endpoint with a user", set: base("http://user:password@base.test"), setting: "BaseEndpoint", text: "user information"},
		{name: "endpoint with a query", set: base("http://base.test?a=b"), setting: "BaseEndpoint", text: "query"},
		{name: "endpoint with an empty query", set: base("http://base.test?"), setting: "BaseEndpoint", text: "query"},
		{name: "endpoint with a fragment", set: base("http://base.test#a"), setting: "BaseEndpoint", text: "fragment"},
		{name: "unreadable endpoint", set: base("http://[::1"), setting: "BaseEndpoint", text: "missing ']'"},
		{name: "empty endpoint", set: base(""), setting: "BaseEndpoint", text: "scheme"},
		{name: "custom FIPS endpoint", setting: "BaseEndpoint", text: "FIPS and custom endpoint are not supported", set: func(o *cognitosync.Options) {
			base("http://base.test")(o)
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}},
		{name: "custom dual-stack endpoint", setting: "BaseEndpoint", text: "Dualstack and custom endpoint are not supported", set: func(o *cognitosync.Options) {
			base("http://base.test")(o)
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}},

		{name: "unknown defaults mode", setting: "DefaultsMode", text: `unknown mode "fast"`, set: func(o *cognitosync.Options) { o.DefaultsMode = "fast" }},
		{name: "unknown retry mode", setting: "RetryMode", text: "eager", set: func(o *cognitosync.Options) { o.RetryMode = "eager" }},
		{name: "negative attempts", setting: "RetryMaxAttempts", text: "-1 is negative", set: func(o *cognitosync.Options) { o.RetryMaxAttempts = -1 }},
		{name: "broken resolver", setting: "EndpointResolverV2", cause: errBroken, set: cognitosync.WithEndpointResolverV2(resolverFunc(
			func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
				return smithyendpoints.Endpoint{}, errBroken
			})),
		},
		{name: "resolver without a host", setting: "EndpointResolverV2", text: "no host", set: cognitosync.WithEndpointResolverV2(resolveTo(""))},
		{name: "broken histogram", set: meter("client.call.duration"), setting: "MeterProvider", cause: errBroken},
		{name: "broken attempts counter", set: meter("client.call.attempts"), setting: "MeterProvider", cause: errBroken},
		{name: "broken errors counter", set: meter("client.call.errors"), setting: "MeterProvider", cause: errBroken},

		{name: "broken FIPS setting", config: source(brokenFIPSSource{errBroken}), setting: "EndpointOptions.UseFIPSEndpoint", cause: errBroken},
		{name: "broken dual-stack setting", config: source(brokenDualStackSource{errBroken}), setting: "EndpointOptions.UseDualStackEndpoint", cause: errBroken},
		{name: "broken endpoint setting", config: source(brokenEndpointSource{errBroken}), setting: "BaseEndpoint", cause: errBroken},
		{name: "broken ignore setting", config: source(brokenIgnoreSource{errBroken}), setting: "BaseEndpoint", cause: errBroken},
		{name: "broken legacy resolver", config: legacy(aws.Endpoint{}, errBroken), setting: "EndpointResolver", cause: errBroken},
		{name: "unreadable legacy endpoint", config: legacy(aws.Endpoint{URL: "http://[::1"}, nil), setting: "EndpointResolver", text: "missing ']'"},
		{name: "empty legacy endpoint", config: legacy(aws.Endpoint{}, nil), setting: "EndpointResolver", text: "scheme"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, way string) {
				s := newScene(t, &settingTest{})
				check := func(client *cognitosync.Client, optFns ...func(*cognitosync.Options)) {
					t.Helper()
					output, err := describePool(t.Context(), t, client, anyPool, optFns...)
					assert.Nil(t, output)
					var bad *cognitosync.ConfigurationError
					require.ErrorAs(t, err, &bad)
					assert.Equal(t, test.setting, bad.Setting)
					assert.ErrorContains(t, err, test.text)
					assert.ErrorContains(t, err, "configuration of "+test.setting)
					if test.cause != nil {
						require.ErrorIs(t, err, test.cause)
					}
					assert.NotContains(t, err.Error(), "password")
					assert.Empty(t, s.wire.take(), "requests sent")
				}
				if test.config != nil {
					cfg := s.config()
					test.config(&cfg)
					check(cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { goThrough(way, o) }))
					return
				}
				check(cognitosync.New(s.options(way), test.set))
				check(cognitosync.New(s.options(way)), test.set)
			})
		})
	}
}

// TestSettingsHealed shows that a call can put right what a client lacks.
func TestSettingsHealed(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, way string) {
		server, client := setup(t, way, func(o *cognitosync.Options) { o.Credentials, o.Region = nil, "" })
		_, err := describe(t, client)
		require.Error(t, err)
		_, err = describe(t, client, func(o *cognitosync.Options) {
			o.Credentials, o.Region = server.Config().Credentials, server.Config().Region
		})
		require.NoError(t, err)
	})
}
