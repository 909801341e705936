package cognitosynctest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

func TestServer_usage(t *testing.T) {
	t.Parallel()
	date := func(year int, month time.Month, day, hour, minute, sec, ms int) *time.Time {
		d := time.Date(year, month, day, hour, minute, sec, ms*1e6, time.UTC)
		return &d
	}
	tests := []struct {
		name string
		pool cognitosynctest.Pool
		want string // ID stands for the pool ID
	}{
		{
			name: "every member null",
			want: `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"ID","LastModifiedDate":null,"SyncSessionsCount":null}}`,
		},
		{
			name: "AWS's own example",
			pool: cognitosynctest.Pool{DataStorage: aws.Int64(0), LastModifiedDate: date(2014, 10, 13, 20, 12, 14, 115)},
			want: `{"IdentityPoolUsage":{"DataStorage":0,"IdentityPoolId":"ID","LastModifiedDate":1.413231134115E9,"SyncSessionsCount":null}}`,
		},
		{
			name: "large numbers",
			pool: cognitosynctest.Pool{SyncSessionsCount: aws.Int64(9007199254740993), DataStorage: aws.Int64(-1)},
			want: `{"IdentityPoolUsage":{"DataStorage":-1,"IdentityPoolId":"ID","LastModifiedDate":null,"SyncSessionsCount":9007199254740993}}`,
		},
		{
			name: "whole seconds",
			pool: cognitosynctest.Pool{LastModifiedDate: date(2033, 5, 18, 3, 33, 20, 0)},
			want: `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"ID","LastModifiedDate":2.0E9,"SyncSessionsCount":null}}`,
		},
		{
			name: "the Unix epoch",
			pool: cognitosynctest.Pool{LastModifiedDate: date(1970, 1, 1, 0, 0, 0, 0)},
			want: `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"ID","LastModifiedDate":0.0,"SyncSessionsCount":null}}`,
		},
		{
			name: "soon after the Unix epoch",
			pool: cognitosynctest.Pool{LastModifiedDate: date(1970, 1, 1, 0, 0, 1, 1)},
			want: `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"ID","LastModifiedDate":1.001,"SyncSessionsCount":null}}`,
		},
		{
			name: "long before the Unix epoch",
			pool: cognitosynctest.Pool{LastModifiedDate: date(1900, 1, 1, 0, 0, 0, 0)},
			want: `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"ID","LastModifiedDate":-2.2089888E9,"SyncSessionsCount":null}}`,
		},
		{
			name: "the latest date of RFC 3339",
			pool: cognitosynctest.Pool{LastModifiedDate: date(9999, 12, 31, 23, 59, 59, 999)},
			want: `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"ID","LastModifiedDate":2.53402300799999E11,"SyncSessionsCount":null}}`,
		},
	}
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		for i, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				id := fmt.Sprintf("us-east-1:%d", i)
				test.pool.IdentityPoolId = id
				server.SetPool(test.pool)

				got := query(t, client, server, id)

				require.NoError(t, got.err)
				require.NoError(t, got.bodyErr)
				assert.Equal(t, http.StatusOK, got.status)
				assert.Equal(t, strings.Replace(test.want, "ID", id, 1), got.body)
				assert.Equal(t, "application/json", got.header.Get("Content-Type"))
				assert.Equal(t, fmt.Sprint(len(got.body)), got.header.Get("Content-Length"))
				sent, err := http.ParseTime(got.header.Get("Date"))
				require.NoError(t, err)
				assert.WithinDuration(t, time.Now(), sent, time.Hour)
				assert.Regexp(t, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", got.header.Get("X-Amzn-Requestid"))
			})
		}
	})
}

func TestServer_requestIDs(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t)
	client := httpClient(t, server)
	seen := map[string]bool{}
	for i := range 10 {
		id := fmt.Sprintf("us-east-1:%d", i%2)
		seen[query(t, client, server, id).header.Get("X-Amzn-Requestid")] = true
	}
	assert.Len(t, seen, 10)
	assert.NotContains(t, seen, "")
}

func TestServer_errors(t *testing.T) {
	t.Parallel()
	user := func(change func(*cognitosynctest.Credentials)) cognitosynctest.Credentials {
		c := cognitosynctest.Credentials{AccessKeyID: "AKIDUSER", SecretAccessKey: "secret"}
		change(&c)
		return c
	}
	const noPolicy = "because no identity-based policy allows the cognito-sync:DescribeIdentityPoolUsage action"
	const pattern = `Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+`
	const denied = "with an explicit deny in an identity-based policy"
	forbidden := func(region, id, why string) string {
		partition := map[string]string{"us-east-1": "aws", "us-gov-west-1": "aws-us-gov", "cn-north-1": "aws-cn"}[region]
		return "User: arn:" + partition + ":iam::123456789012:user/AKIDUSER is not authorized to perform: " +
			"cognito-sync:DescribeIdentityPoolUsage on resource: arn:" + partition + ":cognito-sync:" + region +
			":123456789012:identitypool/" + id + " " + why
	}
	tests := []struct {
		name    string
		user    cognitosynctest.Credentials
		region  string // default us-east-1
		poolID  string
		status  int
		code    string
		message string
	}{
		{
			name:   "unknown pool",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: otherID, status: 404, code: "ResourceNotFoundException",
			message: "IdentityPool '" + otherID + "' not found.",
		},
		{
			name:   "strange unknown pool",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: `a "b" %2F ?#é&<>`, status: 400, code: "InvalidParameterException",
			message: `1 validation error detected: Value 'a "b" %2F ?#é&<>' at 'identityPoolId' failed to satisfy constraint: ` + pattern,
		},
		{
			name:   "ID without a region",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: "INVALID", status: 400, code: "InvalidParameterException",
			message: "1 validation error detected: Value 'INVALID' at 'identityPoolId' failed to satisfy constraint: " + pattern,
		},
		{
			name:   "ID of a user pool",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: "us-east-1_AbCdEf", status: 400, code: "InvalidParameterException",
			message: "1 validation error detected: Value 'us-east-1_AbCdEf' at 'identityPoolId' failed to satisfy constraint: " + pattern,
		},
		{
			name:   "ID of 56 characters",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: "us-east-1:" + strings.Repeat("a", 46), status: 400, code: "InvalidParameterException",
			message: "1 validation error detected: Value 'us-east-1:" + strings.Repeat("a", 46) +
				"' at 'identityPoolId' failed to satisfy constraint: Member must have length less than or equal to 55",
		},
		{
			name:   "ID of 55 characters",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: "us-east-1:" + strings.Repeat("a", 45), status: 404, code: "ResourceNotFoundException",
			message: "IdentityPool 'us-east-1:" + strings.Repeat("a", 45) + "' not found.",
		},
		{
			name:   "ID of 70 characters without a region",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: strings.Repeat("x", 70), status: 400, code: "InvalidParameterException",
			message: "2 validation errors detected: Value '" + strings.Repeat("x", 70) +
				"' at 'identityPoolId' failed to satisfy constraint: Member must have length less than or equal to 55; " +
				"Value '" + strings.Repeat("x", 70) + "' at 'identityPoolId' failed to satisfy constraint: " + pattern,
		},
		{
			name:   "malformed ID that is denied",
			user:   user(func(c *cognitosynctest.Credentials) { c.DeniedPools = []string{"INVALID"} }),
			poolID: "INVALID", status: 403, code: "AccessDeniedException",
			message: forbidden("us-east-1", "INVALID", denied),
		},
		{
			name: "pool of another region", region: "eu-west-1",
			user:   user(func(*cognitosynctest.Credentials) {}),
			poolID: poolID, status: 404, code: "ResourceNotFoundException",
			message: "IdentityPool '" + poolID + "' not found.",
		},
		{
			name: "temporary keys",
			user: user(func(c *cognitosynctest.Credentials) {
				c.SessionToken, c.DeniedPools = "token", []string{poolID}
			}),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: strings.Replace(forbidden("us-east-1", poolID, denied),
				":iam::123456789012:user/AKIDUSER", ":sts::123456789012:assumed-role/cognitosynctest/AKIDUSER", 1),
		},
		{
			name: "owner with an ARN",
			user: user(func(c *cognitosynctest.Credentials) {
				c.SessionToken, c.DeniedPools, c.ARN = "token", []string{poolID}, "arn:aws:sts::1:assumed-role/a/b"
			}),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: strings.Replace(forbidden("us-east-1", poolID, denied),
				"arn:aws:iam::123456789012:user/AKIDUSER", "arn:aws:sts::1:assumed-role/a/b", 1),
		},
		{
			name:   "user of Cognito Identity",
			user:   user(func(c *cognitosynctest.Credentials) { c.CognitoIdentityUser = true }),
			poolID: poolID, status: 403, code: "NotAuthorizedException",
			message: "These credentials are not valid for accessing this resource",
		},
		{
			name:   "denied pool",
			user:   user(func(c *cognitosynctest.Credentials) { c.DeniedPools = []string{otherID, poolID} }),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: forbidden("us-east-1", poolID, denied),
		},
		{
			name: "allowed and denied pool",
			user: user(func(c *cognitosynctest.Credentials) {
				c.AllowedPools, c.DeniedPools = []string{poolID}, []string{poolID}
			}),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: forbidden("us-east-1", poolID, denied),
		},
		{
			name:   "pool that is not denied",
			user:   user(func(c *cognitosynctest.Credentials) { c.DeniedPools = []string{otherID} }),
			poolID: poolID, status: 200,
		},
		{
			name:   "allowed pool",
			user:   user(func(c *cognitosynctest.Credentials) { c.AllowedPools = []string{otherID, poolID} }),
			poolID: poolID, status: 200,
		},
		{
			name:   "pool that is not allowed, nor known",
			user:   user(func(c *cognitosynctest.Credentials) { c.AllowedPools = []string{poolID} }),
			poolID: otherID, status: 403, code: "AccessDeniedException",
			message: forbidden("us-east-1", otherID, noPolicy),
		},
		{
			name:   "no pool is allowed",
			user:   user(func(c *cognitosynctest.Credentials) { c.AllowedPools = []string{} }),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: forbidden("us-east-1", poolID, noPolicy),
		},
		{
			name: "denied in GovCloud", region: "us-gov-west-1",
			user:   user(func(c *cognitosynctest.Credentials) { c.DeniedPools = []string{poolID} }),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: forbidden("us-gov-west-1", poolID, denied),
		},
		{
			name: "denied in China", region: "cn-north-1",
			user:   user(func(c *cognitosynctest.Credentials) { c.DeniedPools = []string{poolID} }),
			poolID: poolID, status: 403, code: "AccessDeniedException",
			message: forbidden("cn-north-1", poolID, denied),
		},
		{
			name:   "expired credentials",
			user:   user(func(c *cognitosynctest.Credentials) { c.Expired = true }),
			poolID: poolID, status: 403, code: "ExpiredTokenException",
			message: "The security token included in the request is expired",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
				got := query(t, httpClient(t, server), server, test.poolID, func(s *signing) {
					s.credentials, s.region = test.user, server.Config().Region
				})
				require.NoError(t, got.err)
				assert.Equal(t, test.status, got.status, got.body)
				assert.Equal(t, test.code, got.code())
				assert.NotEmpty(t, got.header.Get("X-Amzn-Requestid"))
				assert.Equal(t, "application/json", got.header.Get("Content-Type"))
				if test.code != "" {
					assert.Equal(t, `{"message":"`+strings.ReplaceAll(test.message, `"`, `\"`)+`"}`, strings.ReplaceAll(got.body, `\\w`, `\w`))
					assert.Equal(t, test.code+":", got.header.Get("X-Amzn-Errortype"))
					assert.Equal(t, test.message, got.header.Get("X-Amzn-Errormessage"))
				}
				last := server.Requests().Last()
				assert.Equal(t, test.poolID, last.PoolID)
				assert.Equal(t, test.status, last.StatusCode)
				assert.Equal(t, test.code, last.ErrorCode)
				assert.Equal(t, got.header.Get("X-Amzn-Requestid"), last.RequestID)
			}, func(o *cognitosynctest.Options) {
				o.Region = test.region
				o.Credentials = []cognitosynctest.Credentials{test.user}
			})
		})
	}
}

func TestServer_unknownOperation(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, method, path string }{
		{"root", http.MethodGet, "/"},
		{"no pool", http.MethodGet, "/identitypools/"},
		{"no slash", http.MethodGet, "/identitypools"},
		{"more than a pool", http.MethodGet, "/identitypools/a/identities"},
		{"slash at the end", http.MethodGet, "/identitypools/a/"},
		{"other path", http.MethodGet, "/pools/a"},
		{"other method", http.MethodPost, "/identitypools/a"},
		{"only the headers", http.MethodHead, "/identitypools/a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.InternalError())
				got := do(httpClient(t, server), request(t, test.method, server.URL()+test.path, ""))
				require.NoError(t, got.err)
				assert.Equal(t, http.StatusNotFound, got.status)
				assert.Equal(t, "UnknownOperationException", got.code())
				if test.method != http.MethodHead {
					assert.JSONEq(t, `{"message":"The requested operation is not recognized by the service."}`, got.body)
				}
				assert.Empty(t, server.Requests().Last().PoolID)
				assert.Equal(t, 1, server.Pending(), "other operations consume no step")
			})
		})
	}
}

// The server refuses requests with an invalid signature, and records the reason.
func TestServer_refusal(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		server.Script("", cognitosynctest.InternalError())

		got := query(t, client, server, poolID, func(s *signing) { s.credentials.SecretAccessKey = "wrong" })

		require.NoError(t, got.err)
		assert.Equal(t, http.StatusForbidden, got.status)
		assert.Equal(t, "InvalidSignatureException", got.code())
		last := server.Requests().Last()
		require.NotNil(t, last.Refusal)
		assert.Equal(t, "the request was signed with another secret key or changed after signing", last.Refusal.Reason)
		assert.JSONEq(t, fmt.Sprintf(`{"message":%q}`, last.Refusal.Message), got.body)
		assert.Equal(t, "InvalidSignatureException", last.ErrorCode)
		assert.Equal(t, 1, server.Pending(), "a refused request consumes no step")

		assert.Equal(t, http.StatusInternalServerError, query(t, client, server, poolID).status)
		assert.Nil(t, server.Requests().Last().Refusal)
		assert.Equal(t, 1, server.Requests().Refused().Count())
	})
}

func TestServer_pools(t *testing.T) {
	t.Parallel()
	n := int64(1)
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID, DataStorage: &n}}
	})
	client := httpClient(t, server)
	n = 2
	assert.Contains(t, query(t, client, server, poolID).body, `"DataStorage":1,`, "the server has its own copy")
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID, DataStorage: &n})
	assert.Contains(t, query(t, client, server, poolID).body, `"DataStorage":2,`)
	server.RemovePool(otherID)
	assert.Equal(t, http.StatusOK, query(t, client, server, poolID).status)
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: otherID})
	assert.Equal(t, http.StatusOK, query(t, client, server, otherID).status)
	server.RemovePool(otherID)
	assert.Equal(t, http.StatusNotFound, query(t, client, server, otherID).status)
}

func TestServer_SetCredentials(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
	})
	client := httpClient(t, server)
	asUser := func(s *signing) { s.credentials = permanent }
	assert.Equal(t, "UnrecognizedClientException", query(t, client, server, poolID, asUser).code())
	server.SetCredentials(permanent)
	assert.Equal(t, http.StatusOK, query(t, client, server, poolID, asUser).status)
	expired := permanent
	expired.Expired = true
	server.SetCredentials(expired)
	assert.Equal(t, "ExpiredTokenException", query(t, client, server, poolID, asUser).code())
	assert.Equal(t, http.StatusOK, query(t, client, server, poolID).status, "the other credentials are still accepted")
}

func TestServer_region(t *testing.T) {
	t.Parallel()
	const pool, european = "us-east-1:1", "eu-west-1:1"
	tests := []struct {
		name             string
		option           func(*cognitosynctest.Options)
		region, poolID   string
		configuredRegion string
		status           int
		code             string
	}{
		{"default", func(*cognitosynctest.Options) {}, "us-east-1", pool, "us-east-1", 200, ""},
		{"empty", func(o *cognitosynctest.Options) { o.Region = "" }, "us-east-1", pool, "us-east-1", 200, ""},
		{"signed for another region", func(*cognitosynctest.Options) {}, "eu-west-1", european, "us-east-1", 403, "InvalidSignatureException"},
		{"another region", func(o *cognitosynctest.Options) { o.Region = "eu-west-1" }, "eu-west-1", european, "eu-west-1", 200, ""},
		{"AnyRegion", func(o *cognitosynctest.Options) { o.AnyRegion = true }, "eu-west-1", european, "us-east-1", 200, ""},
		{"AnyRegion, but not that of the pool", func(o *cognitosynctest.Options) { o.AnyRegion = true }, "eu-west-1", pool, "us-east-1", 404, "ResourceNotFoundException"},
		{"not the region of the pool", func(*cognitosynctest.Options) {}, "us-east-1", european, "us-east-1", 404, "ResourceNotFoundException"},
		{"an ID without a region", func(*cognitosynctest.Options) {}, "us-east-1", "x", "us-east-1", 200, ""},
		{"an ID with a prefix that is not a region", func(*cognitosynctest.Options) {}, "us-east-1", "local:1", "us-east-1", 200, ""},
		{"AnyRegion, an ID without a region", func(o *cognitosynctest.Options) { o.AnyRegion = true }, "eu-west-1", "x", "us-east-1", 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, test.option, func(o *cognitosynctest.Options) {
				o.Pools = []cognitosynctest.Pool{{IdentityPoolId: pool}, {IdentityPoolId: european}, {IdentityPoolId: "x"}, {IdentityPoolId: "local:1"}}
			})
			assert.Equal(t, test.configuredRegion, server.Config().Region)
			got := query(t, httpClient(t, server), server, test.poolID, func(s *signing) { s.region = test.region })
			assert.Equal(t, test.status, got.status)
			assert.Equal(t, test.code, got.code())
		})
	}
}

func TestServer_Now(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		got := query(t, client, server, poolID, atNow)
		assert.Equal(t, http.StatusOK, got.status)
		assert.Equal(t, now.Format(http.TimeFormat), got.header.Get("Date"))
		assert.Equal(t, now, server.Requests().Last().Time)
		got = query(t, client, server, poolID)
		assert.Contains(t, got.body, "Signature not yet current: ")
	}, func(o *cognitosynctest.Options) { o.Now = func() time.Time { return now } })
}

func TestServer_Config(t *testing.T) {
	t.Parallel()
	first := cognitosynctest.Credentials{AccessKeyID: "AKIDFIRST", SecretAccessKey: "secret", SessionToken: "token"}
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		cfg := server.Config()
		assert.Equal(t, "us-east-1", cfg.Region)
		if strings.HasSuffix(server.URL(), ".invalid") {
			assert.Nil(t, cfg.BaseEndpoint, "in memory, the client's endpoint rules apply")
		} else {
			assert.Equal(t, server.URL(), *cfg.BaseEndpoint)
		}
		credentials, err := cfg.Credentials.Retrieve(t.Context())
		require.NoError(t, err)
		assert.Equal(t, aws.Credentials{
			AccessKeyID: "AKIDFIRST", SecretAccessKey: "secret", SessionToken: "token", Source: "cognitosynctest",
		}, credentials)
		assert.True(t, credentials.HasKeys())

		retryer := cfg.Retryer()
		assert.Equal(t, 3, retryer.MaxAttempts())
		for attempt := range 3 {
			delay, err := retryer.RetryDelay(attempt+1, errors.New("x"))
			require.NoError(t, err)
			assert.Zero(t, delay)
		}
		assert.True(t, retryer.IsErrorRetryable(&retryable{}))
		assert.False(t, retryer.IsErrorRetryable(errors.New("x")))
		assert.NotSame(t, retryer, cfg.Retryer(), "each client has its own quota")
	}, func(o *cognitosynctest.Options) {
		o.Credentials = []cognitosynctest.Credentials{first, cognitosynctest.DefaultCredentials()}
	})
}

type retryable struct{ error }

func (*retryable) RetryableError() bool { return true }

func TestServer_CertificatePEM(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = true })
	require.True(t, strings.HasPrefix(server.URL(), "https://"))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(server.CertificatePEM()))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	got := query(t, &http.Client{Transport: transport}, server, otherID)
	require.NoError(t, got.err)
	assert.Equal(t, "ResourceNotFoundException", got.code())

	other := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = true })
	got = query(t, server.Config().HTTPClient, other, poolID)
	require.ErrorAs(t, got.err, new(*tls.CertificateVerificationError), "another server's certificate is not trusted")

	assert.Nil(t, cognitosynctest.NewServer(t).CertificatePEM())
}

func TestNewServer_cannotStart(t *testing.T) {
	t.Parallel()
	tb := &testTB{}
	assert.Nil(t, cognitosynctest.NewServer(tb, func(o *cognitosynctest.Options) { o.TLS, o.InMemory = true, true }))
	assert.Equal(t, "cognitosynctest: Options.InMemory and Options.TLS are mutually exclusive", tb.fatal)
	assert.Empty(t, tb.cleanups)
}

func TestServer_OnRequest(t *testing.T) {
	t.Parallel()
	var seen []cognitosynctest.Request
	inOne := func(r cognitosynctest.Request) { seen = append(seen, r) }
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.OnRequest, o.InMemory = inOne, true })
	query(t, httpClient(t, server), server, poolID)
	query(t, httpClient(t, server), server, otherID)
	assert.Equal(t, []cognitosynctest.Request(server.Requests()), seen)
}

// Parallel tests can share a server if each has its own pool.
func TestServer_parallel(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		for i := range 64 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				id := fmt.Sprintf("us-east-1:%d", i)
				server.SetPool(cognitosynctest.Pool{IdentityPoolId: id, DataStorage: aws.Int64(int64(i))})
				server.Script(id, cognitosynctest.Throttle(2), cognitosynctest.OK().CutAfter(5))
				server.SetCredentials(cognitosynctest.Credentials{AccessKeyID: id, SecretAccessKey: "secret"})
				for _, want := range []int{429, 429, 200, 200} {
					assert.Equal(t, want, query(t, client, server, id).status)
				}
				assert.Contains(t, query(t, client, server, id).body, fmt.Sprintf(`"DataStorage":%d,`, i))
				assert.Equal(t, 5, server.Requests().ByPool(id).Count())
				server.RemovePool(id)
				assert.Equal(t, 404, query(t, client, server, id).status)
			})
		}
	})
}

func TestServer_Close(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{}, 2)
			server, err := cognitosynctest.Start(mode.option, func(o *cognitosynctest.Options) {
				o.OnRequest = func(cognitosynctest.Request) { arrived <- struct{}{} }
			})
			require.NoError(t, err)
			t.Cleanup(server.Close)
			server.Script("", cognitosynctest.Stall(), cognitosynctest.ResourceNotFound().StallAfter(3))
			client := httpClient(t, server)
			outcomes := make(chan outcome)
			for range 2 {
				r := newRequest(t, context.Background(), server, poolID)
				sign(t, r)
				go func() { outcomes <- do(client, r) }()
				<-arrived
			}

			server.Close()

			var errs []error
			for range 2 {
				o := <-outcomes
				errs = append(errs, errors.Join(o.err, o.bodyErr))
			}
			require.Error(t, errs[0])
			require.Error(t, errs[1])
			got := query(t, client, server, poolID)
			require.ErrorIs(t, got.err, clienttest.ConnectionRefused)
			server.Close() // has no effect
		})
	}
}

// No goroutine of a server outlives Close. The test is not parallel, because it counts the
// goroutines of the process.
func TestServer_leaks(t *testing.T) {
	var transport http.Transport
	before := runtime.NumGoroutine()
	for _, mode := range modes {
		arrived := make(chan struct{}, 100)
		server, err := cognitosynctest.Start(mode.option, func(o *cognitosynctest.Options) {
			o.OnRequest = func(cognitosynctest.Request) { arrived <- struct{}{} }
		})
		require.NoError(t, err)
		client := server.Config().HTTPClient
		if client == nil {
			client = &http.Client{Transport: &transport}
		}
		server.Script("",
			cognitosynctest.Throttle(2), cognitosynctest.Stall(), cognitosynctest.OK().StallAfter(3), cognitosynctest.OK().After(time.Hour),
			cognitosynctest.OK().Drip(time.Hour), cognitosynctest.Hangup(), cognitosynctest.Reset(), cognitosynctest.OK().CutAfter(3),
			cognitosynctest.OK().ResetAfter(3), cognitosynctest.Oversized(1<<20), cognitosynctest.Endless())
		var calls sync.WaitGroup
		n := server.Pending()
		for range n {
			r := newRequest(t, context.Background(), server, poolID)
			sign(t, r)
			calls.Add(1)
			go func() {
				defer calls.Done()
				do(client, r)
			}()
		}
		for range n {
			<-arrived
		}
		assert.Zero(t, server.Pending())
		server.Close()
		calls.Wait()
	}
	transport.CloseIdleConnections()
	// A goroutine exists for a moment after the gauge has stopped counting it.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines after Close, %d before:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}
