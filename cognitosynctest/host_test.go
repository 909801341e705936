package cognitosynctest_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const european = "eu-west-1:00000000-0000-0000-0000-000000000002"

// awsHostModes are the modes in which clients use AWS's host names.
var awsHostModes = []struct {
	name   string
	option func(*cognitosynctest.Options)
}{
	{"http", func(o *cognitosynctest.Options) { o.AWSHosts = true }},
	{"tls", func(o *cognitosynctest.Options) { o.AWSHosts, o.TLS = true, true }},
	{"memory", func(o *cognitosynctest.Options) { o.InMemory = true }},
}

func describe(t *testing.T, cfg aws.Config, id string, optFns ...func(*cognitosync.Options)) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
	t.Helper()
	return cognitosync.NewFromConfig(cfg, optFns...).DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(id),
	})
}

// The client checks the region as in production: it sends no request for a pool of another
// region. With a custom endpoint it does, and the server does not find the pool.
func TestServer_regionOfClient(t *testing.T) {
	t.Parallel()
	for _, mode := range awsHostModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, mode.option, func(o *cognitosynctest.Options) {
				o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}, {IdentityPoolId: european}}
			})
			cfg := server.Config()
			assert.Nil(t, cfg.BaseEndpoint)

			_, err := describe(t, cfg, poolID)
			require.NoError(t, err)
			assert.Equal(t, "cognito-sync.us-east-1.amazonaws.com", server.Requests().Last().Host)
			assert.Equal(t, "us-east-1", server.Requests().Last().Region)

			var mismatch *cognitosync.RegionMismatchError
			out, err := describe(t, cfg, european)
			assert.Nil(t, out)
			require.ErrorAs(t, err, &mismatch)
			assert.Equal(t, "eu-west-1", mismatch.PoolRegion)
			assert.Equal(t, 1, server.Count(), "no request was sent")

			out, err = describe(t, cfg, european, func(o *cognitosync.Options) { o.UseIdentityPoolRegion = true })
			assert.Nil(t, out)
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
			assert.Equal(t, "cognito-sync.eu-west-1.amazonaws.com", dns.Name)
			assert.Contains(t, err.Error(), "the server only serves cognito-sync in us-east-1; see Options.AnyRegion")
			assert.Equal(t, 1, server.Count())

			cfg.BaseEndpoint = aws.String(server.URL())
			out, err = describe(t, cfg, european)
			assert.Nil(t, out)
			require.ErrorAs(t, err, new(*cognitosync.ResourceNotFoundException))
		})
	}
}

func TestServer_hosts(t *testing.T) {
	t.Parallel()
	const unreachable = "unreachable"
	anyRegion := func(o *cognitosynctest.Options) { o.AnyRegion = true }
	tests := []struct {
		name   string
		option func(*cognitosynctest.Options)
		host   string
		region string // to sign for; default us-east-1
		id     string // default poolID
		want   string // an error code, unreachable, or "" for success
	}{
		{name: "the region's", host: "cognito-sync.us-east-1.amazonaws.com"},
		{name: "FIPS", host: "cognito-sync-fips.us-east-1.amazonaws.com"},
		{name: "dual-stack", host: "cognito-sync.us-east-1.api.aws"},
		{name: "FIPS and dual-stack", host: "cognito-sync-fips.us-east-1.api.aws"},
		{name: "with the default port", host: "cognito-sync.us-east-1.amazonaws.com:443"},
		{name: "in upper case", host: "Cognito-Sync.US-east-1.amazonaws.com"},
		{name: "another port", host: "cognito-sync.us-east-1.amazonaws.com:8443", want: unreachable},
		{name: "another partition's suffix", host: "cognito-sync.us-east-1.amazonaws.com.cn", want: unreachable},
		{name: "another region", host: "cognito-sync.eu-west-1.amazonaws.com", want: unreachable},
		{name: "another service", host: "cognito-identity.us-east-1.amazonaws.com", want: unreachable},
		{name: "a subdomain of AWS's", host: "x.cognito-sync.us-east-1.amazonaws.com", want: unreachable},
		{name: "without a region", host: "cognito-sync.amazonaws.com", want: unreachable},
		{name: "not AWS's", host: "example.com", want: unreachable},
		{name: "a name like AWS's", host: "cognito-sync.us-east-1.amazonaws.com.example.com", want: unreachable},
		{name: "one of Hosts", option: func(o *cognitosynctest.Options) { o.Hosts = []string{"example.com"} }, host: "Example.com"},
		{name: "not one of Hosts", option: func(o *cognitosynctest.Options) { o.Hosts = []string{"example.com"} }, host: "example.com:8443", want: unreachable},
		{name: "all Hosts", option: func(o *cognitosynctest.Options) { o.Hosts = []string{"*"} }, host: "example.com:8443"},

		{
			name: "China", option: func(o *cognitosynctest.Options) { o.Region = "cn-north-1" },
			host: "cognito-sync.cn-north-1.amazonaws.com.cn", region: "cn-north-1", id: "x",
		},
		{
			name: "China, dual-stack", option: func(o *cognitosynctest.Options) { o.Region = "cn-north-1" },
			host: "cognito-sync.cn-north-1.api.amazonwebservices.com.cn", region: "cn-north-1", id: "x",
		},
		{
			name: "China, the suffix of another partition", option: func(o *cognitosynctest.Options) { o.Region = "cn-north-1" },
			host: "cognito-sync.cn-north-1.amazonaws.com", region: "cn-north-1", id: "x", want: unreachable,
		},
		{
			name: "GovCloud", option: func(o *cognitosynctest.Options) { o.Region = "us-gov-west-1" },
			host: "cognito-sync-fips.us-gov-west-1.amazonaws.com", region: "us-gov-west-1", id: "x",
		},
		{
			name: "European Sovereign Cloud", option: anyRegion,
			host: "cognito-sync.eusc-de-east-1.amazonaws.eu", region: "eusc-de-east-1", id: "x",
		},
		{name: "ISO", option: anyRegion, host: "cognito-sync.us-iso-east-1.c2s.ic.gov", region: "us-iso-east-1", id: "x"},
		{name: "ISO B", option: anyRegion, host: "cognito-sync.us-isob-east-1.sc2s.sgov.gov", region: "us-isob-east-1", id: "x"},

		{name: "AnyRegion, the server's own region", option: anyRegion, host: "cognito-sync.us-east-1.amazonaws.com"},
		{name: "AnyRegion, another region", option: anyRegion, host: "cognito-sync.eu-west-1.amazonaws.com", region: "eu-west-1", id: european},
		{
			name: "AnyRegion, not the pool's region", option: anyRegion, host: "cognito-sync.eu-west-1.amazonaws.com", region: "eu-west-1",
			want: "ResourceNotFoundException",
		},
		{name: "AnyRegion, signed for another region", option: anyRegion, host: "cognito-sync.eu-west-1.amazonaws.com", want: "InvalidSignatureException"},
		{
			name: "AnyRegion, another service", option: anyRegion, host: "cognito-identity.us-east-1.amazonaws.com",
			want: "InvalidSignatureException",
		},
		{name: "AnyRegion, not a region name", option: anyRegion, host: "cognito-sync.nowhere.amazonaws.com", region: "nowhere", want: unreachable},
		{
			name: "AnyRegion, an invented region as Region", option: func(o *cognitosynctest.Options) { o.AnyRegion, o.Region = true, "nowhere" },
			host: "cognito-sync.nowhere.amazonaws.com", region: "nowhere", id: "x",
		},
		{name: "AnyRegion, not AWS's", option: anyRegion, host: "example.com", want: unreachable},
		{
			name: "AnyRegion, one of Hosts", option: func(o *cognitosynctest.Options) { o.AnyRegion, o.Hosts = true, []string{"example.com"} },
			host: "example.com", region: "eu-west-1", id: european,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range awsHostModes {
				t.Run(mode.name, func(t *testing.T) {
					t.Parallel()
					options := []func(*cognitosynctest.Options){mode.option, func(o *cognitosynctest.Options) {
						o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}, {IdentityPoolId: european}, {IdentityPoolId: "x"}}
					}}
					if test.option != nil {
						options = append(options, test.option)
					}
					server := cognitosynctest.NewServer(t, options...)
					id := test.id
					if id == "" {
						id = poolID
					}
					r := request(t, http.MethodGet, "https://"+test.host+"/identitypools/"+strings.ReplaceAll(id, ":", "%3A"), "")
					sign(t, r, func(s *signing) {
						if test.region != "" {
							s.region = test.region
						}
					})

					got := do(server.Config().HTTPClient, r)

					if test.want == unreachable {
						var dns *net.DNSError
						require.ErrorAs(t, got.err, &dns)
						assert.True(t, dns.IsNotFound)
						assert.Equal(t, test.host, dns.Name)
						assert.Zero(t, server.Count())
						return
					}
					require.NoError(t, got.err)
					assert.Equal(t, test.want, got.code(), got.body)
					assert.Equal(t, strings.TrimSuffix(test.host, ":443"), server.Requests().Last().Host, "the host as signed")
				})
			}
		})
	}
}

// The message says which part of the scope does not match the host.
func TestServer_hostScope(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory, o.AnyRegion = true, true })
	for host, want := range map[string]string{
		"cognito-sync.eu-west-1.amazonaws.com":     "Credential should be scoped to a valid region, not 'us-east-1'.",
		"cognito-identity.us-east-1.amazonaws.com": "Credential should be scoped to correct service: 'cognito-identity'.",
	} {
		r := request(t, http.MethodGet, "https://"+host+"/identitypools/x", "")
		sign(t, r)
		assert.Contains(t, do(server.Config().HTTPClient, r).body, want)
	}
}

// The response does not show that the request was redirected.
func TestServer_awsHostsRequest(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, awsHostModes[0].option)
	r := request(t, http.MethodGet, usageURL, "")
	sign(t, r)
	response, err := server.Config().HTTPClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, usageURL, response.Request.URL.String())

	closed := false
	r = request(t, http.MethodPost, "https://example.com", "body")
	r.Body = closer{r.Body, &closed}
	_, err = server.Config().HTTPClient.Do(r)
	require.Error(t, err)
	assert.True(t, closed, "the body is closed")
}

func TestServer_pathPrefix(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, mode.option, func(o *cognitosynctest.Options) {
				o.PathPrefix = "/proxy/v1/"
				o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
			})
			assert.True(t, strings.HasSuffix(server.URL(), "/proxy/v1"), server.URL())
			_, err := describe(t, server.Config(), poolID)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(server.Requests().Last().Path, "/proxy/v1/identitypools/us-east-1%3A"))

			cfg := server.Config()
			cfg.BaseEndpoint = aws.String(strings.TrimSuffix(server.URL(), "/proxy/v1"))
			_, err = describe(t, cfg, poolID)
			require.ErrorContains(t, err, "UnknownOperationException")

			r := request(t, http.MethodGet, usageURL, "")
			sign(t, r)
			got := do(&http.Client{Transport: server.RoundTripper()}, r)
			assert.Equal(t, "ResourceNotFoundException", got.code(), "AWS's hosts have no path prefix")
		})
	}
}
