package cognitosync_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// newWorld returns a server that stands for the services of all regions, and the
// options of a client that reaches them under their real names.
func newWorld(t *testing.T, way, region string, optFns ...func(*cognitosync.Options)) (*cognitosynctest.Server, *cognitosync.Client) {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.AnyRegion, o.InMemory = true, true })
	options := cognitosync.Options{
		Region:      region,
		Credentials: cognitosynctest.DefaultCredentials().Provider(),
		HTTPClient:  &http.Client{Transport: server.RoundTripper()},
	}
	goThrough(way, &options)
	client := cognitosync.New(options, optFns...)
	cognitosync.SetSleep(client, doNotSleep)
	return server, client
}

func usePoolRegion(o *cognitosync.Options) { o.UseIdentityPoolRegion = true }

// TestUseIdentityPoolRegion asks for each pool where its id says that it is.
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
		{"another partition", "us-east-1", "cn-north-1:1", nil, "cognito-sync.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"government", "us-east-1", "us-gov-west-1:1", nil, "cognito-sync.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{"region to come", "us-east-1", "eu-north-99:1", nil, "cognito-sync.eu-north-99.amazonaws.com", "eu-north-99"},
		{"FIPS", "us-west-2", "us-east-2:1", fips, "cognito-sync-fips.us-east-2.amazonaws.com", "us-east-2"},
		{"pseudo region with FIPS", "fips-us-west-2", "us-east-2:1", nil, "cognito-sync-fips.us-east-2.amazonaws.com", "us-east-2"},
		{"dual stack", "us-west-2", "eu-west-1:1", dualStack, "cognito-sync.eu-west-1.api.aws", "eu-west-1"},
		{"id without a region", "us-west-2", "1", nil, "cognito-sync.us-west-2.amazonaws.com", "us-west-2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				alter := []func(*cognitosync.Options){usePoolRegion}
				if test.alter != nil {
					alter = append(alter, test.alter)
				}
				server, client := newWorld(t, way, test.region, alter...)
				server.SetPool(cognitosynctest.Pool{IdentityPoolId: test.id, DataStorage: aws.Int64(1)})

				output, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput(test.id))

				require.NoError(t, err)
				assert.Equal(t, test.id, aws.ToString(output.IdentityPoolUsage.IdentityPoolId))
				requests := server.Requests()
				require.Len(t, requests, 1)
				assert.Equal(t, test.host, requests[0].Host)
				assert.Contains(t, requests[0].Header.Get("Authorization"), "/"+test.signed+"/cognito-sync/aws4_request")
			})
		})
	}
}

// TestUseIdentityPoolRegionOfACall sets the option for one call alone.
func TestUseIdentityPoolRegionOfACall(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		server, client := newWorld(t, way, "us-east-1")
		server.SetPool(cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1"})
		_, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput("eu-west-1:1"), usePoolRegion)
		require.NoError(t, err)
		output, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput("eu-west-1:1"))
		requireFailure(t, output, err)
		requireAs[*cognitosync.RegionMismatchError](t, err)
		assert.Equal(t, 1, server.Requests().Count())
	})
}

// TestUseIdentityPoolRegionWithEndpoint signs for the pool's region, and sends where
// the caller says.
func TestUseIdentityPoolRegionWithEndpoint(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"us-east-1", ""} {
		t.Run("client in "+region, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				server, client := newWorld(t, way, region, usePoolRegion, func(o *cognitosync.Options) {
					o.BaseEndpoint = aws.String("http://127.0.0.1:4566")
				})
				server.SetPool(cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1"})
				_, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput("eu-west-1:1"))
				require.NoError(t, err)
				last := server.Requests().Last()
				assert.Equal(t, "127.0.0.1:4566", last.Host)
				assert.Contains(t, last.Header.Get("Authorization"), "/eu-west-1/cognito-sync/")
			})
		})
	}
}

// dialCounter is an HTTP client that counts its dials, all of which fail.
func dialCounter() (client *http.Client, dials *atomic.Int32) {
	dials = new(atomic.Int32)
	return &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
	}}, dials
}

// TestRegionMismatch notices a pool of another region before it dials, asks for
// credentials, or waits.
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
		{"region that cannot be", "us-east-1", "mars-north-1:1", nil},
		{"region in capitals", "us-east-1", "EU-WEST-1:1", nil},
		{"region with something before it", "us-east-1", " eu-west-1:1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				client, dials := dialCounter()
				var retrieved atomic.Int32
				options := cognitosync.Options{
					Region:     test.region,
					HTTPClient: client,
					Credentials: aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
						retrieved.Add(1)
						return cognitosynctest.DefaultCredentials().Provider().Retrieve(ctx)
					}),
				}
				goThrough(way, &options)

				output, err := cognitosync.New(options).DescribeIdentityPoolUsage(t.Context(), poolInput(test.id))

				requireFailure(t, output, err)
				if test.want == nil {
					assert.EqualValues(t, 1, dials.Load())
					assert.False(t, isA[*cognitosync.RegionMismatchError](err))
					return
				}
				assert.Zero(t, dials.Load())
				assert.Zero(t, retrieved.Load(), "credentials asked for in vain")
				assert.Equal(t, test.want, requireAs[*cognitosync.RegionMismatchError](t, err))
				for _, word := range []string{test.want.PoolRegion, test.want.ClientRegion, "UseIdentityPoolRegion"} {
					assert.Contains(t, err.Error(), word)
				}
			})
		})
	}
}

// fixedResolver sends everything to one URL.
type fixedResolver struct{ host string }

func (r fixedResolver) ResolveEndpoint(context.Context, cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
	var endpoint smithyendpoints.Endpoint
	endpoint.URI.Scheme, endpoint.URI.Host = "https", r.host
	return endpoint, nil
}

// TestNoMismatchWithACustomEndpoint leaves it to an endpoint of the caller's which
// pools it knows.
func TestNoMismatchWithACustomEndpoint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		alter func(*cognitosync.Options)
	}{
		{"BaseEndpoint", func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("https://custom.example") }},
		{"EndpointResolverV2", func(o *cognitosync.Options) { o.EndpointResolverV2 = fixedResolver{"custom.example"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				sender := &recorder{status: http.StatusOK}
				options := cognitosync.Options{
					Region:      "us-east-1",
					HTTPClient:  sender,
					Credentials: cognitosynctest.DefaultCredentials().Provider(),
				}
				goThrough(way, &options)
				_, err := cognitosync.New(options, test.alter).DescribeIdentityPoolUsage(t.Context(), poolInput("eu-west-1:1"))
				require.NoError(t, err)
				assert.True(t, strings.HasPrefix(sender.trip.URL, "https://custom.example/"), sender.trip.URL)
				assert.Equal(t, "us-east-1", sender.trip.SigningRegion)
			})
		})
	}
}

// hostileRegions are what somebody might put before an id's colon, or in a
// configuration, to have requests go elsewhere.
var hostileRegions = []string{
	"evil.example", "evil.example#", "evil.example?", "evil.example%23", "@evil.example", "user@evil.example",
	"us-east-1.evil.example", "us-east-1.amazonaws.com.evil.example", "evil.us-east-1",
	"us-east-1@evil.example", "us-east-1#", "us-east-1?x=", "us-east-1%2fevil", "us-east-1%00", "us-east-1;", "us-east-1,",
	"us-east-1 ", " us-east-1", "us east 1", "us-east-1\u3002evil", "us-east-1\uff0eevil", "ｕs-east-1", "us-eаst-1", // the last with a Cyrillic а
	"-us-east-1", "us-east-1-", "us-east--1", "us--1", "us-east-", "us-east-x", "us-east-1x", "us_east_1", "us-ea_st-1", "..", ".", "", "xn--80ak6aa92e",
	"[::1]", "127.0.0.1", "localhost", "169.254.169.254", strings.Repeat("a", 64), "us-" + strings.Repeat("a", 64) + "-1",
}

// TestHostileIDs shows that no id makes a client ask another host than one of AWS's.
func TestHostileIDs(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileRegions {
		t.Run(hostile, func(t *testing.T) {
			t.Parallel()
			for _, region := range []string{"us-west-2", ""} {
				eachWay(t, func(t *testing.T, way string) {
					server, client := newWorld(t, way, region, usePoolRegion)
					_, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput(hostile+":1"))
					require.Error(t, err)
					for _, request := range server.Requests() {
						assert.Equal(t, "cognito-sync.us-west-2.amazonaws.com", request.Host)
						assert.Equal(t, hostile+":1", request.PoolID)
						assert.Nil(t, request.Refusal)
					}
					if region == "" {
						assert.Zero(t, server.Requests().Count())
						assert.Equal(t, "Region", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
					} else {
						assert.Equal(t, 1, server.Requests().Count())
					}
				})
			}
		})
	}
}

// TestHostileRegions shows the same of a region in the client's configuration, which
// may be any host label.
func TestHostileRegions(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileRegions {
		t.Run(hostile, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				server, client := newWorld(t, way, hostile)
				_, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput("1"))
				require.Error(t, err) // no such pool, at best
				for _, request := range server.Requests() {
					assert.Equal(t, "cognito-sync."+hostile+".amazonaws.com", request.Host)
					assert.Regexp(t, `^[0-9A-Za-z-]{1,63}$`, hostile)
				}
				if server.Requests().Count() == 0 {
					assert.Equal(t, "Region", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
				}
			})
		})
	}
}

// TestUnsendableIDs shows that no id becomes another path: what could is refused.
func TestUnsendableIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", " ", "\t", "\u00a0", ".", "..", "/", `\`, "a/b", `a\b`, "../identitypools", "a\x00", "a\r\nHost: evil", "\x7f", "\u0085",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				client, dials := dialCounter()
				options := cognitosync.Options{
					Region: "us-east-1", HTTPClient: client, Credentials: cognitosynctest.DefaultCredentials().Provider(),
				}
				goThrough(way, &options)
				for _, input := range []*cognitosync.DescribeIdentityPoolUsageInput{poolInput(id), {}, nil} {
					output, err := cognitosync.New(options).DescribeIdentityPoolUsage(t.Context(), input)
					requireFailure(t, output, err)
					invalid := requireAs[smithy.InvalidParamsError](t, err)
					assert.Equal(t, 1, invalid.Len())
					assert.Contains(t, err.Error(), "IdentityPoolId")
					assert.Zero(t, cognitosync.InspectError(err).Attempts)
				}
				assert.Zero(t, dials.Load())
			})
		})
	}
}
