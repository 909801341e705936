package interop_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// TestMain removes the AWS settings from the environment, because the clients would use them.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

// A call has the parameters of a call for the usage of a pool, without retries.
type call struct {
	endpoint string
	region   string
	keys     cognitosynctest.Credentials
	poolID   string
	roots    []byte // PEM-encoded certificates to trust; nil for the machine's
}

// A describer makes the call with one of the clients. It returns the usage or the service's
// error. Any other outcome fails the test.
type describer func(*testing.T, call) (*cognitosynctest.Pool, *failure)

// A failure is an error of the service.
type failure struct{ code, message string }

const (
	region = "us-east-1"
	poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"
)

// callTo returns a valid call to server.
func callTo(server *cognitosynctest.Server) call {
	return call{
		endpoint: server.URL(),
		region:   region,
		keys:     cognitosynctest.DefaultCredentials(),
		poolID:   poolID,
		roots:    server.CertificatePEM(),
	}
}

// testClient makes calls of every kind with a client.
func testClient(t *testing.T, describe describer) {
	t.Run("responses", func(t *testing.T) { t.Parallel(); testResponses(t, describe) })
	t.Run("errors", func(t *testing.T) { t.Parallel(); testErrors(t, describe) })
	t.Run("permissions", func(t *testing.T) { t.Parallel(); testPermissions(t, describe) })
	t.Run("bad credentials", func(t *testing.T) { t.Parallel(); testBadCredentials(t, describe) })
	t.Run("tampering", func(t *testing.T) { t.Parallel(); testTampering(t, describe) })
}

func testResponses(t *testing.T, describe describer) {
	full := cognitosynctest.Pool{
		IdentityPoolId:    poolID,
		SyncSessionsCount: aws.Int64(1284),
		DataStorage:       aws.Int64(52_428_800),
		LastModifiedDate:  aws.Time(time.UnixMilli(1_413_231_134_115).UTC()),
	}
	tests := []struct {
		name string
		pool cognitosynctest.Pool
		keys *cognitosynctest.Credentials // nil: the default credentials, which are temporary
		tls  bool
	}{
		{name: "every member", pool: full},
		{name: "zeros", pool: cognitosynctest.Pool{
			IdentityPoolId:    poolID,
			SyncSessionsCount: aws.Int64(0),
			DataStorage:       aws.Int64(0),
			LastModifiedDate:  aws.Time(time.Unix(0, 0).UTC()),
		}},
		{name: "null members", pool: cognitosynctest.Pool{IdentityPoolId: poolID}},
		{name: "an ID with unusual characters", pool: cognitosynctest.Pool{
			IdentityPoolId: "us-east-1:é ~*+%2F?#&='(x)",
			DataStorage:    aws.Int64(1),
		}},
		{
			name: "permanent keys",
			pool: full,
			keys: &cognitosynctest.Credentials{AccessKeyID: "AKIDPERMANENT", SecretAccessKey: "permanent"},
		},
		{name: "over TLS", pool: full, tls: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = tt.tls })
			server.SetPool(tt.pool)
			c := callTo(server)
			c.poolID = tt.pool.IdentityPoolId
			if tt.keys != nil {
				server.SetCredentials(*tt.keys)
				c.keys = *tt.keys
			}

			got, failed := describe(t, c)

			require.Nil(t, failed)
			assert.Equal(t, tt.pool, *got)
			assert.Equal(t, 1, server.Requests().Count())
		})
	}
}

func testErrors(t *testing.T, describe describer) {
	tests := []struct {
		name    string
		step    cognitosynctest.Step
		code    string
		message string // part of the message
	}{
		{"not authorized", cognitosynctest.NotAuthorized(), "NotAuthorizedException", "These credentials are not valid for accessing this resource"},
		{"invalid parameter", cognitosynctest.InvalidParameter(), "InvalidParameterException", "'" + poolID + "' at 'identityPoolId'"},
		{"not found", cognitosynctest.ResourceNotFound(), "ResourceNotFoundException", "IdentityPool '" + poolID + "' not found."},
		{"malformed ID", cognitosynctest.OK(), "InvalidParameterException", "1 validation error detected: Value '" + poolID + "'"},
		{"internal error", cognitosynctest.InternalError(), "InternalErrorException", "Internal error"},
		{"throttled", cognitosynctest.Throttle(1), "TooManyRequestsException", "Rate exceeded"},
		{"denied by IAM", cognitosynctest.AccessDenied(), "AccessDeniedException", "is not authorized to perform: cognito-sync:DescribeIdentityPoolUsage"},
		{"expired token", cognitosynctest.ExpiredToken(), "ExpiredTokenException", "expired"},
		{"unmodelled", cognitosynctest.Error(http.StatusBadRequest, "OddException", "it is odd"), "OddException", "it is odd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t)
			server.Script(poolID, tt.step)

			got, failed := describe(t, callTo(server))

			require.NotNil(t, failed, "got %+v", got)
			assert.Equal(t, tt.code, failed.code)
			assert.Contains(t, failed.message, tt.message)
			assert.Equal(t, 1, server.Requests().Count())
			assert.Empty(t, server.Requests().Refused())
			assert.Zero(t, server.Pending())
		})
	}
}

func testPermissions(t *testing.T, describe describer) {
	keys := cognitosynctest.Credentials{AccessKeyID: "AKIDLIMITED", SecretAccessKey: "limited"}
	tests := []struct {
		name string
		may  func(*cognitosynctest.Credentials)
		code string // empty: the call succeeds
	}{
		{"allowed this pool", func(c *cognitosynctest.Credentials) { c.AllowedPools = []string{poolID} }, ""},
		{"allowed another", func(c *cognitosynctest.Credentials) { c.AllowedPools = []string{"us-east-1:2"} }, "AccessDeniedException"},
		{"denied this pool", func(c *cognitosynctest.Credentials) { c.DeniedPools = []string{poolID} }, "AccessDeniedException"},
		{"a user of Cognito Identity", func(c *cognitosynctest.Credentials) { c.CognitoIdentityUser = true }, "NotAuthorizedException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t)
			pool := cognitosynctest.Pool{IdentityPoolId: poolID, DataStorage: aws.Int64(4096)}
			server.SetPool(pool)
			limited := keys
			tt.may(&limited)
			server.SetCredentials(limited)
			c := callTo(server)
			c.keys = keys

			got, failed := describe(t, c)

			assert.Empty(t, server.Requests().Refused())
			if tt.code == "" {
				require.Nil(t, failed)
				assert.Equal(t, pool, *got)
				return
			}
			require.NotNil(t, failed, "got %+v", got)
			assert.Equal(t, tt.code, failed.code)
		})
	}
}

func testBadCredentials(t *testing.T, describe describer) {
	tests := []struct {
		name    string
		spoil   func(*call, *cognitosynctest.Options)
		code    string
		message string // part of the message
	}{
		{
			name:    "wrong secret",
			spoil:   func(c *call, _ *cognitosynctest.Options) { c.keys.SecretAccessKey = "wrong" },
			code:    "InvalidSignatureException",
			message: "The request signature we calculated does not match the signature you provided.",
		},
		{
			name:    "wrong region",
			spoil:   func(c *call, _ *cognitosynctest.Options) { c.region = "eu-west-1" },
			code:    "InvalidSignatureException",
			message: "Credential should be scoped to a valid region, not 'eu-west-1'.",
		},
		{
			name:    "unknown key",
			spoil:   func(c *call, _ *cognitosynctest.Options) { c.keys.AccessKeyID = "AKIDUNKNOWN" },
			code:    "UnrecognizedClientException",
			message: "The security token included in the request is invalid.",
		},
		{
			name:    "wrong session token",
			spoil:   func(c *call, _ *cognitosynctest.Options) { c.keys.SessionToken = "wrong" },
			code:    "UnrecognizedClientException",
			message: "The security token included in the request is invalid.",
		},
		{
			name:    "no session token",
			spoil:   func(c *call, _ *cognitosynctest.Options) { c.keys.SessionToken = "" },
			code:    "UnrecognizedClientException",
			message: "The security token included in the request is invalid.",
		},
		{
			name: "expired keys",
			spoil: func(c *call, o *cognitosynctest.Options) {
				expired := c.keys
				expired.Expired = true
				o.Credentials = []cognitosynctest.Credentials{expired}
			},
			code:    "ExpiredTokenException",
			message: "The security token included in the request is expired",
		},
		{
			name: "client's clock is slow",
			spoil: func(_ *call, o *cognitosynctest.Options) {
				o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
			},
			code:    "InvalidSignatureException",
			message: "Signature expired: ",
		},
		{
			name: "client's clock is fast",
			spoil: func(_ *call, o *cognitosynctest.Options) {
				o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
			},
			code:    "InvalidSignatureException",
			message: "Signature not yet current: ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := call{region: region, keys: cognitosynctest.DefaultCredentials(), poolID: poolID}
			// Not NewServer, which would log the refusals that are expected here.
			server := start(t, func(o *cognitosynctest.Options) { tt.spoil(&c, o) })
			c.endpoint = server.URL()

			got, failed := describe(t, c)

			require.NotNil(t, failed, "got %+v", got)
			assert.Equal(t, tt.code, failed.code)
			assert.Contains(t, failed.message, tt.message)
			assert.Equal(t, 1, server.Requests().Refused().Count())
		})
	}
}

// start starts a server and closes it when the test ends. The server has the pool poolID, so
// requests for it succeed unless they are refused.
func start(t *testing.T, optFns ...func(*cognitosynctest.Options)) *cognitosynctest.Server {
	t.Helper()
	server, err := cognitosynctest.Start(optFns...)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID})
	return server
}

func testTampering(t *testing.T, describe describer) {
	const mismatch = "The request signature we calculated does not match the signature you provided."
	tests := []struct {
		name    string
		tamper  func(*http.Request)
		code    string // empty: the call succeeds
		message string // part of the message
	}{
		{"nothing", func(*http.Request) {}, "", ""},
		{"another pool", func(r *http.Request) {
			r.URL.Path, r.URL.RawPath = "/identitypools/us-east-1:other", "/identitypools/us-east-1%3Aother"
		}, "InvalidSignatureException", mismatch},
		{"an added parameter", func(r *http.Request) { r.URL.RawQuery = "debug=1" }, "InvalidSignatureException", mismatch},
		{"another host", func(r *http.Request) { r.Host = "cognito-sync.eu-west-1.amazonaws.com" }, "InvalidSignatureException", mismatch},
		{"another date", func(r *http.Request) {
			signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if err != nil {
				t.Errorf("X-Amz-Date: %v", err)
			}
			// A second earlier or, if that is the day before, later, so that the scope still
			// matches.
			moved := signed.Add(-time.Second)
			if moved.Day() != signed.Day() {
				moved = signed.Add(time.Second)
			}
			r.Header.Set("X-Amz-Date", moved.Format("20060102T150405Z"))
		}, "InvalidSignatureException", mismatch},
		{"an added header", func(r *http.Request) { r.Header.Set("X-Amz-Debug", "1") },
			"InvalidSignatureException", "'X-Amz-Debug' must be a 'SignedHeader' in the AWS Authorization."},
		{"another signature", func(r *http.Request) {
			authorization := r.Header.Get("Authorization")
			signed, _, _ := strings.Cut(authorization, "Signature=")
			r.Header.Set("Authorization", signed+"Signature="+strings.Repeat("0", 64))
		}, "InvalidSignatureException", mismatch},
		{"no signature", func(r *http.Request) { r.Header.Del("Authorization") },
			"MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"no session token", func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") },
			"UnrecognizedClientException", "The security token included in the request is invalid."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			c := callTo(server)
			c.endpoint = startTamperingProxy(t, server.URL(), tt.tamper)

			got, failed := describe(t, c)

			if tt.code == "" {
				require.Nil(t, failed)
				assert.Equal(t, poolID, got.IdentityPoolId)
				assert.Empty(t, server.Requests().Refused())
				return
			}
			require.NotNil(t, failed, "got %+v", got)
			assert.Equal(t, tt.code, failed.code)
			assert.Contains(t, failed.message, tt.message)
			assert.Equal(t, 1, server.Requests().Refused().Count())
		})
	}
}

// startTamperingProxy returns the URL of a proxy for the server at target. The proxy passes
// requests on unchanged, including the Host header, except for what tamper does.
func startTamperingProxy(t *testing.T, target string, tamper func(*http.Request)) string {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
		r.Out.Host = r.In.Host
		tamper(r.Out)
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}
