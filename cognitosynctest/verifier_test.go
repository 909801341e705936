package cognitosynctest_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// permanent are credentials without a session token.
var permanent = cognitosynctest.Credentials{AccessKeyID: "AKIDPERMANENT", SecretAccessKey: "secret"}

// newVerifier returns a verifier whose clock shows now.
func newVerifier() *cognitosynctest.Verifier {
	return &cognitosynctest.Verifier{
		Region:      "us-east-1",
		Credentials: []cognitosynctest.Credentials{cognitosynctest.DefaultCredentials(), permanent},
		Now:         func() time.Time { return now },
	}
}

// received returns r as a server receives it.
func received(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	require.NoError(t, r.Write(&wire))
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	require.NoError(t, err)
	return r
}

// request returns an unsigned request.
func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	return r
}

const usageURL = "https://cognito-sync.us-east-1.amazonaws.com/identitypools/us-east-1%3A23ec"

func atNow(s *signing) { s.at = now }

// authorization returns a function that replaces old in the Authorization header.
func authorization(old, other string) func(*http.Request) {
	return func(r *http.Request) {
		value := r.Header.Get("Authorization")
		if !strings.Contains(value, old) {
			panic(value + " does not contain " + old)
		}
		r.Header.Set("Authorization", strings.Replace(value, old, other, 1))
	}
}

// hashed returns s in the form that AWS's messages have.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

const (
	mismatch = "The request signature we calculated does not match the signature you provided." +
		" Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	invalidToken = "The security token included in the request is invalid."
)

// In each case, one thing is wrong and everything else is correct.
func TestVerifier_refuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(*http.Request) // before signing
		sign    func(*signing)
		tamper  func(*http.Request) // after signing
		verify  func(*cognitosynctest.Verifier)
		status  int // default 403
		code    string
		message string // a prefix; HASH stands for the hash of the Authorization header
		reason  string // a prefix
	}{
		{
			name:    "no Authorization",
			tamper:  func(r *http.Request) { r.Header.Del("Authorization") },
			code:    "MissingAuthenticationTokenException",
			message: "Missing Authentication Token",
			reason:  "there is no Authorization header",
		},
		{
			name:    "blank Authorization",
			tamper:  func(r *http.Request) { r.Header.Set("Authorization", " ") },
			code:    "MissingAuthenticationTokenException",
			message: "Missing Authentication Token",
			reason:  "there is no Authorization header",
		},
		{
			name:    "other algorithm",
			tamper:  authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
			code:    "IncompleteSignatureException",
			message: "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'.",
			reason:  "the algorithm is not AWS4-HMAC-SHA256",
		},
		{
			name:    "two Authorization headers",
			tamper:  func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			code:    "IncompleteSignatureException",
			message: "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '",
			reason:  "the Authorization header is not a list of distinct key=value pairs",
		},
		{
			name:    "field without equal sign",
			tamper:  authorization("Signature=", "Signature "),
			code:    "IncompleteSignatureException",
			message: "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'HASH'.",
			reason:  "the Authorization header is not a list of distinct key=value pairs",
		},
		{
			name:    "field twice",
			tamper:  authorization("SignedHeaders=", "SignedHeaders=host, SignedHeaders="),
			code:    "IncompleteSignatureException",
			message: "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'HASH'.",
			reason:  "the Authorization header is not a list of distinct key=value pairs",
		},
		{
			name:    "no Credential",
			tamper:  authorization("Credential=", "Other="),
			code:    "IncompleteSignatureException",
			message: "Authorization header requires 'Credential' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH",
			reason:  "missing: Credential",
		},
		{
			name:    "no SignedHeaders",
			tamper:  authorization("SignedHeaders=", "Other="),
			code:    "IncompleteSignatureException",
			message: "Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH",
			reason:  "missing: SignedHeaders",
		},
		{
			name:    "no Signature",
			tamper:  authorization("Signature=", "Other="),
			code:    "IncompleteSignatureException",
			message: "Authorization header requires 'Signature' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH",
			reason:  "missing: Signature",
		},
		{
			name:    "no X-Amz-Date",
			tamper:  func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			code:    "IncompleteSignatureException",
			message: "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed",
			reason:  "missing: X-Amz-Date",
		},
		{
			name: "nothing but the algorithm",
			tamper: func(r *http.Request) {
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256")
				r.Header.Del("X-Amz-Date")
			},
			code: "IncompleteSignatureException",
			message: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. " +
				"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed",
			reason: "missing: Credential, Signature, SignedHeaders, X-Amz-Date",
		},
		{
			name:    "X-Amz-Date in another format",
			tamper:  func(r *http.Request) { r.Header.Set("X-Amz-Date", "2026-07-30T12:00:00Z") },
			code:    "IncompleteSignatureException",
			message: "Date must be in ISO-8601 'basic format'. Got '2026-07-30T12:00:00Z'. See http://en.wikipedia.org/wiki/ISO_8601",
			reason:  "X-Amz-Date does not have the format 20060102T150405Z",
		},
		{
			name:    "two X-Amz-Dates",
			tamper:  func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260730T120000Z") },
			code:    "IncompleteSignatureException",
			message: "Date must be in ISO-8601 'basic format'. Got '20260730T120000Z,20260730T120000Z'.",
			reason:  "X-Amz-Date does not have the format 20060102T150405Z",
		},
		{
			name:   "Credential of four elements",
			tamper: authorization("/aws4_request", ""),
			code:   "IncompleteSignatureException",
			message: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term," +
				" got 'AKIDCOGNITOSYNCTEST/20260730/us-east-1/cognito-sync'",
			reason: "Credential does not have the form ACCESSKEYID/DATE/REGION/SERVICE/aws4_request",
		},
		{
			name:    "unknown access key",
			sign:    func(s *signing) { s.credentials.AccessKeyID = "AKIDNOBODY" },
			code:    "UnrecognizedClientException",
			message: invalidToken,
			reason:  `unknown access key "AKIDNOBODY"`,
		},
		{
			name:    "no session token",
			sign:    func(s *signing) { s.credentials.SessionToken = "" },
			code:    "UnrecognizedClientException",
			message: invalidToken,
			reason:  "the credentials are temporary, but there is no X-Amz-Security-Token",
		},
		{
			name:    "other session token",
			sign:    func(s *signing) { s.credentials.SessionToken = "other" },
			code:    "UnrecognizedClientException",
			message: invalidToken,
			reason:  "X-Amz-Security-Token is not the session token of the credentials",
		},
		{
			name: "session token of permanent credentials",
			sign: func(s *signing) {
				s.credentials = permanent
				s.credentials.SessionToken = "token"
			},
			code:    "UnrecognizedClientException",
			message: invalidToken,
			reason:  "there is an X-Amz-Security-Token, but the credentials are not temporary",
		},
		{
			name:    "expired credentials",
			verify:  func(v *cognitosynctest.Verifier) { v.Credentials[0].Expired = true },
			code:    "ExpiredTokenException",
			message: "The security token included in the request is expired",
			reason:  "the credentials are marked as expired",
		},
		{
			name:    "other region",
			sign:    func(s *signing) { s.region = "eu-west-1" },
			code:    "InvalidSignatureException",
			message: "Credential should be scoped to a valid region, not 'eu-west-1'.",
			reason:  "the scope in Credential is 20260730/eu-west-1/cognito-sync/aws4_request, not 20260730/us-east-1/cognito-sync/aws4_request",
		},
		{
			name:    "no region",
			sign:    func(s *signing) { s.region = "" },
			verify:  func(v *cognitosynctest.Verifier) { v.Region = "" },
			code:    "InvalidSignatureException",
			message: "Credential should be scoped to a valid region, not ''.",
			reason:  "the scope in Credential is 20260730//cognito-sync/aws4_request",
		},
		{
			name:    "other service",
			sign:    func(s *signing) { s.service = "cognito-identity" },
			code:    "InvalidSignatureException",
			message: "Credential should be scoped to correct service: 'cognito-sync'.",
			reason:  "the scope in Credential is 20260730/us-east-1/cognito-identity/aws4_request, not",
		},
		{
			name:    "other service than the verifier's own",
			verify:  func(v *cognitosynctest.Verifier) { v.Service = "other" },
			code:    "InvalidSignatureException",
			message: "Credential should be scoped to correct service: 'other'.",
			reason:  "the scope in Credential is 20260730/us-east-1/cognito-sync/aws4_request, not 20260730/us-east-1/other/aws4_request",
		},
		{
			name:    "other terminator",
			tamper:  authorization("/aws4_request", "/aws5_request"),
			code:    "InvalidSignatureException",
			message: "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.",
			reason:  "the scope in Credential is 20260730/us-east-1/cognito-sync/aws5_request, not",
		},
		{
			name:   "other day",
			tamper: authorization("/20260730/", "/20260729/"),
			code:   "InvalidSignatureException",
			message: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP:" +
				" '20260729' != '20260730', from '20260730T120000Z'.",
			reason: "the scope in Credential is 20260729/us-east-1/cognito-sync/aws4_request, not",
		},
		{
			name: "other region and service",
			sign: func(s *signing) { s.region, s.service = "eu-west-1", "sync" },
			code: "InvalidSignatureException",
			message: "Credential should be scoped to a valid region, not 'eu-west-1'. " +
				"Credential should be scoped to correct service: 'cognito-sync'.",
			reason: "the scope in Credential is 20260730/eu-west-1/sync/aws4_request, not",
		},
		{
			name:    "unsigned host",
			tamper:  authorization("SignedHeaders=host;", "SignedHeaders="),
			code:    "InvalidSignatureException",
			message: "'Host' must be a 'SignedHeader' in the AWS Authorization.",
			reason:  "unsigned headers: host",
		},
		{
			name:    "unsigned date",
			tamper:  authorization("x-amz-date;", ""),
			code:    "InvalidSignatureException",
			message: "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.",
			reason:  "unsigned headers: x-amz-date",
		},
		{
			name:    "unsigned session token",
			tamper:  authorization(";x-amz-security-token", ""),
			code:    "InvalidSignatureException",
			message: "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.",
			reason:  "unsigned headers: x-amz-security-token",
		},
		{
			name:    "unsigned other x-amz header",
			tamper:  func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") },
			code:    "InvalidSignatureException",
			message: "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
			reason:  "unsigned headers: x-amz-target",
		},
		{
			name:    "signed too long ago",
			sign:    func(s *signing) { s.at = now.Add(-5*time.Minute - time.Second) },
			code:    "InvalidSignatureException",
			message: "Signature expired: 20260730T115459Z is now earlier than 20260730T115500Z (20260730T120000Z - 5 min.)",
			reason:  "X-Amz-Date differs from the service's clock by more than 5 minutes",
		},
		{
			name:    "signed too far ahead",
			sign:    func(s *signing) { s.at = now.Add(5*time.Minute + time.Second) },
			code:    "InvalidSignatureException",
			message: "Signature not yet current: 20260730T120501Z is still later than 20260730T120500Z (20260730T120000Z + 5 min.)",
			reason:  "X-Amz-Date differs from the service's clock by more than 5 minutes",
		},
		{
			name:    "other date within the window",
			tamper:  func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260730T120001Z") },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "other secret key",
			sign:    func(s *signing) { s.credentials.SecretAccessKey = "other" },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "secret key of another access key",
			sign:    func(s *signing) { s.credentials.SecretAccessKey = permanent.SecretAccessKey },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with the secret key of AKIDPERMANENT",
		},
		{
			name:    "other signature",
			tamper:  authorization("Signature=", "Signature=0"),
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "other method",
			tamper:  func(r *http.Request) { r.Method = http.MethodPost },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "other path",
			tamper:  func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "23ec", "23ed", 1) },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "path escaped once",
			sign:    func(s *signing) { s.once = true },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the signed path is escaped once, not twice",
		},
		{
			name:    "path escaped by a proxy",
			tamper:  func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "%3A", ":", 1) },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "additional query",
			tamper:  func(r *http.Request) { r.RequestURI += "?x=1" },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the query is not signed",
		},
		{
			name:    "other query",
			prepare: func(r *http.Request) { r.URL.RawQuery = "x=1" },
			tamper:  func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "x=1", "x=2", 1) },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "other host",
			tamper:  func(r *http.Request) { r.Host = "cognito-sync.eu-west-1.amazonaws.com" },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "host without the port",
			tamper:  func(r *http.Request) { r.Host += ":8443" },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the signed host lacks the port",
		},
		{
			name:    "other signed header",
			prepare: func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", "1") },
			tamper:  func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", "2") },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "signed header twice",
			prepare: func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", "1") },
			tamper:  func(r *http.Request) { r.Header.Add("Amz-Sdk-Invocation-Id", "2") },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "signed header gone",
			prepare: func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", "") },
			tamper:  func(r *http.Request) { r.Header.Del("Amz-Sdk-Invocation-Id") },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "other body",
			prepare: func(r *http.Request) { *r = *request(t, http.MethodGet, usageURL, "body") },
			tamper:  func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("ydob")) },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the request was signed with another secret key or changed after signing",
		},
		{
			name:    "unsigned body",
			sign:    func(s *signing) { s.bodyHash = "UNSIGNED-PAYLOAD" },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the body is not signed",
		},
		{
			name:    "signed hash of another body",
			prepare: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "0123") },
			sign:    func(s *signing) { s.bodyHash = "0123" },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "the signed hash is not that of the body",
		},
		{
			name:    "X-Amz-Content-Sha256 of another body",
			prepare: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "0123") },
			code:    "InvalidSignatureException",
			message: mismatch,
			reason:  "X-Amz-Content-Sha256 is not the hash of the body",
		},
		{
			name:    "oversized body",
			tamper:  func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<20+1))) },
			status:  413,
			code:    "RequestEntityTooLargeException",
			message: "Request size exceeded the limit",
			reason:  "the body exceeds 1048576 bytes",
		},
		{
			name:    "broken body",
			tamper:  func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) },
			status:  400,
			code:    "SerializationException",
			message: "The request could not be read",
			reason:  "the body could not be read: unexpected EOF",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, http.MethodGet, usageURL, "")
			if test.prepare != nil {
				test.prepare(r)
			}
			alter := []func(*signing){atNow}
			if test.sign != nil {
				alter = append(alter, test.sign)
			}
			sign(t, r, alter...)
			r = received(t, r)
			if test.tamper != nil {
				test.tamper(r)
			}
			verifier := newVerifier()
			if test.verify != nil {
				test.verify(verifier)
			}
			if test.status == 0 {
				test.status = http.StatusForbidden
			}

			refusal := verifier.Verify(r)

			require.NotNil(t, refusal)
			assert.Equal(t, test.status, refusal.StatusCode)
			assert.Equal(t, test.code, refusal.Code)
			message := strings.ReplaceAll(test.message, "HASH", hashed(r.Header.Get("Authorization")))
			assert.True(t, strings.HasPrefix(refusal.Message, message), refusal.Message)
			assert.True(t, strings.HasPrefix(refusal.Reason, test.reason), refusal.Reason)
		})
	}
}

// The verifier accepts every request that the SDK's signer signs and that arrives with the
// same meaning.
func TestVerifier_accepts(t *testing.T) {
	t.Parallel()
	const host = "https://cognito-sync.us-east-1.amazonaws.com"
	tests := []struct {
		name   string
		method string // default GET
		url    string // default usageURL
		body   string
		header http.Header
		host   string // Host header; default the host of url
		sign   func(*signing)
		tamper func(*http.Request)
	}{
		{name: "usage"},
		{name: "no session token", sign: func(s *signing) { s.credentials = permanent }},
		{name: "no path", url: host},
		{name: "only a query", url: host + "?x=1"},
		{name: "path with a slash at its end", url: host + "/identitypools/"},
		{name: "path with a prefix", url: host + "/proxy/v1/identitypools/x"},
		{name: "path with every kind of character", url: host + "/-._~ !$&'()*+,;=:@%22%25%2F%3F%E2%82%AC"},
		{name: "path with escapes in lower case", url: host + "/a%3ab"},
		{name: "path with needless escapes", url: host + "/%41%2D"},
		{name: "query out of order", url: host + "/?b=2&a=1&b=1"},
		{name: "query sorted after escaping", url: host + "/?a=b-c&a=b/c&a-b=1&a/b=1&A=1"},
		{
			name: "query reordered by a proxy", url: host + "/?a=1&b=1&b=2",
			tamper: func(r *http.Request) { r.RequestURI = "/?b=2&a=1&b=1" },
		},
		{
			name: "query escaped differently by a proxy", url: host + "/?a%2Fb=b%2Fc",
			tamper: func(r *http.Request) { r.RequestURI = "/?a/b=%62/c" },
		},
		{name: "query with spaces", url: host + "/?a=b+c&d=e%20f&g=h%2Bi"},
		{name: "query without values", url: host + "/?a&b=&=c"},
		{name: "query with every kind of character", url: host + "/?-._~%20!$'()*,:@%22%25%26%2F%3D%3F%E2%82%AC=%E2%82%AC"},
		{name: "header with spaces", header: http.Header{"X-Spaces": {"  a   b  "}}},
		{name: "header with tabs", header: http.Header{"X-Tabs": {"a \t b"}}},
		{name: "header several times", header: http.Header{"X-Several": {"b", " a", "", "c"}}},
		{name: "empty header", header: http.Header{"X-Empty": {""}}},
		{name: "header with commas and semicolons", header: http.Header{"X-List": {"a,b;c"}}},
		{name: "header beyond ASCII", header: http.Header{"X-Beyond": {"h\u00e9"}}},
		{name: "x-amz header", header: http.Header{"X-Amz-Target": {"x"}}},
		{name: "headers of the SDK", header: http.Header{"Amz-Sdk-Invocation-Id": {"1"}, "User-Agent": {"x"}, "Content-Type": {"application/json"}}},
		{name: "host with a port", url: "http://127.0.0.1:8080/identitypools/x"},
		{name: "host with the default port", url: "http://example.com:80/identitypools/x"},
		{name: "host of IPv6", url: "http://[::1]:8080/identitypools/x"},
		{name: "other Host header", host: "other.example"},
		{name: "body", method: http.MethodPost, body: "body"},
		{
			name: "body with its hash", method: http.MethodPost, body: "body",
			header: http.Header{"X-Amz-Content-Sha256": {"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"}},
		},
		{name: "signed long ago, but not too long", sign: func(s *signing) { s.at = now.Add(-5 * time.Minute) }},
		{name: "signed ahead, but not too far", sign: func(s *signing) { s.at = now.Add(5 * time.Minute) }},
		{
			name: "list without spaces",
			tamper: func(r *http.Request) {
				r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
			},
		},
		{
			name:   "signed headers listed in another order and case",
			tamper: authorization("SignedHeaders=host;x-amz-date;x-amz-security-token", "SignedHeaders=X-Amz-Security-Token;x-amz-date;Host"),
		},
		{name: "additional unsigned header", tamper: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "x") }},
		{name: "other unsigned header", tamper: func(r *http.Request) { r.Header.Set("User-Agent", "x") }},
		{name: "request in absolute form", tamper: func(r *http.Request) { r.RequestURI = host + r.RequestURI }},
		{name: "no path in absolute form", url: host, tamper: func(r *http.Request) { r.RequestURI = host }},
		{name: "only a query in absolute form", url: host + "?x=1", tamper: func(r *http.Request) { r.RequestURI = host + "?x=1" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			method, url := test.method, test.url
			if method == "" {
				method = http.MethodGet
			}
			if url == "" {
				url = usageURL
			}
			r := request(t, method, url, test.body)
			maps.Copy(r.Header, test.header)
			if test.host != "" {
				r.Host = test.host
			}
			alter := []func(*signing){atNow}
			if test.sign != nil {
				alter = append(alter, test.sign)
			}
			sign(t, r, alter...)
			assert.Nil(t, newVerifier().Verify(r), "before sending")
			r = received(t, r)
			if test.tamper != nil {
				test.tamper(r)
			}

			assert.Nil(t, newVerifier().Verify(r))

			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			assert.Equal(t, test.body, string(body), "the body can still be read")
		})
	}
}

func FuzzVerifier(f *testing.F) {
	f.Add("/identitypools/us-east-1:23ec", "b=2&a=1", "  a  b ")
	f.Add("", "", "")
	f.Add("//a/../%2F \u20ac", "a=b/c&a=b-c&&;=+", "\t,a , ")
	f.Fuzz(func(t *testing.T, path, query, value string) {
		r := request(t, http.MethodGet, "https://example.com", "")
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header.Set("X-Fuzzed", value)
		if path != "" && path[0] != '/' || strings.Contains(query, "#") || strings.ContainsFunc(query+value, func(c rune) bool {
			return c != '\t' && c < ' ' || c > '~'
		}) {
			t.Skip() // net/http rejects or modifies it
		}
		sign(t, r, atNow)
		refusal := newVerifier().Verify(received(t, r))
		// AWS normalizes paths, but the SDK's signer does not.
		if segments := strings.Split(r.URL.EscapedPath(), "/"); len(segments) > 1 &&
			(slices.Contains(segments[1:len(segments)-1], "") || slices.Contains(segments, ".") || slices.Contains(segments, "..")) {
			require.NotNil(t, refusal)
			assert.Contains(t, refusal.Reason, "is not normalized")
			return
		}
		assert.Nil(t, refusal)
	})
}

func TestVerifier_zeroValue(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		r := request(t, http.MethodGet, usageURL, "")
		sign(t, r, func(s *signing) { s.region = region })
		assert.Nil(t, new(cognitosynctest.Verifier).Verify(received(t, r)))
	}
	r := request(t, http.MethodGet, usageURL, "")
	sign(t, r, func(s *signing) { s.credentials = permanent })
	assert.NotNil(t, new(cognitosynctest.Verifier).Verify(received(t, r)), "only the default credentials are accepted")
}

// An outgoing request without Host has the host of its URL.
func TestVerifier_hostOfURL(t *testing.T) {
	t.Parallel()
	r := request(t, http.MethodGet, usageURL, "")
	r.Host = ""
	sign(t, r, atNow)
	assert.Nil(t, newVerifier().Verify(r))
}

func TestVerifier_service(t *testing.T) {
	t.Parallel()
	r := request(t, http.MethodGet, usageURL, "")
	sign(t, r, atNow, func(s *signing) { s.service = "other" })
	verifier := newVerifier()
	verifier.Service = "other"
	assert.Nil(t, verifier.Verify(received(t, r)))
}

const (
	emptyHash   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	correctPath = "/identitypools/us-east-1%253A23ec"
	headers     = "host:cognito-sync.us-east-1.amazonaws.com\nx-amz-date:20260730T120000Z\nx-amz-security-token:T0k3nV7xQ2mB9cL4zR8dW1yK5sJ6fH3g\n"
	correct     = "GET\n" + correctPath + "\n\n" + headers + "\nhost;x-amz-date;x-amz-security-token\n" + emptyHash
)

// A refusal shows what should have been signed and, if it can be found out, what was.
func TestRefusal_evidence(t *testing.T) {
	t.Parallel()
	text := func(scope, canonical string) string {
		return "AWS4-HMAC-SHA256\n20260730T120000Z\n" + scope + "\n" + hexSHA256(canonical)
	}
	const correctScope = "20260730/us-east-1/cognito-sync/aws4_request"
	tests := []struct {
		name               string
		prepare            func(*http.Request)
		sign               func(*signing)
		tamper             func(*http.Request)
		expected, received string
		receivedText       string // default: with the correct scope
	}{
		{
			name:     "other secret key",
			sign:     func(s *signing) { s.credentials.SecretAccessKey = "other" },
			expected: correct,
		},
		{
			name:     "unknown access key",
			sign:     func(s *signing) { s.credentials.AccessKeyID = "AKIDNOBODY" },
			expected: correct,
		},
		{
			name:         "other region",
			sign:         func(s *signing) { s.region = "eu-west-1" },
			expected:     correct,
			received:     correct,
			receivedText: text("20260730/eu-west-1/cognito-sync/aws4_request", correct),
		},
		{
			name:     "path escaped once",
			sign:     func(s *signing) { s.once = true },
			expected: correct,
			received: strings.Replace(correct, "%253A", "%3A", 1),
		},
		{
			name: "path not escaped",
			prepare: func(r *http.Request) {
				r.URL.RawPath = "/identitypools/us-east-1:23ec"
			},
			sign:     func(s *signing) { s.once = true },
			tamper:   func(r *http.Request) { r.RequestURI = "/identitypools/us-east-1%3A23ec" },
			expected: correct,
			received: strings.Replace(correct, "%253A", ":", 1),
		},
		{
			name:     "query not signed",
			tamper:   func(r *http.Request) { r.RequestURI += "?b=2&a=1" },
			expected: strings.Replace(correct, "23ec\n\n", "23ec\na=1&b=2\n", 1),
			received: correct,
		},
		{
			name:     "unsigned body",
			sign:     func(s *signing) { s.bodyHash = "UNSIGNED-PAYLOAD" },
			expected: correct,
			received: strings.Replace(correct, emptyHash, "UNSIGNED-PAYLOAD", 1),
		},
		{
			name:     "host without the port",
			tamper:   func(r *http.Request) { r.Host += ":8443" },
			expected: strings.Replace(correct, ".com\n", ".com:8443\n", 1),
			received: correct,
		},
		{
			name:   "header not signed",
			tamper: func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") },
			expected: strings.NewReplacer(
				"fH3g\n\n", "fH3g\nx-amz-target:x\n\n",
				"token\n"+emptyHash, "token;x-amz-target\n"+emptyHash).Replace(correct),
			received: correct,
		},
		{
			name:     "secret key of another access key",
			sign:     func(s *signing) { s.credentials.SecretAccessKey = permanent.SecretAccessKey },
			expected: correct,
			received: correct,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, http.MethodGet, usageURL, "")
			if test.prepare != nil {
				test.prepare(r)
			}
			alter := []func(*signing){atNow}
			if test.sign != nil {
				alter = append(alter, test.sign)
			}
			sign(t, r, alter...)
			r = received(t, r)
			if test.tamper != nil {
				test.tamper(r)
			}

			refusal := newVerifier().Verify(r)

			require.NotNil(t, refusal)
			assert.Equal(t, test.expected, refusal.ExpectedCanonicalRequest)
			assert.Equal(t, text(correctScope, test.expected), refusal.ExpectedStringToSign)
			assert.Equal(t, test.received, refusal.ReceivedCanonicalRequest)
			if test.receivedText == "" && test.received != "" {
				test.receivedText = text(correctScope, test.received)
			}
			assert.Equal(t, test.receivedText, refusal.ReceivedStringToSign)
			if strings.HasPrefix(refusal.Message, mismatch) {
				assert.Equal(t, mismatch+"\n\nThe Canonical String for this request should have been\n'"+test.expected+
					"'\n\nThe String-to-Sign should have been\n'"+text(correctScope, test.expected)+"'\n", refusal.Message)
			}
		})
	}
}

// To HTTP, white space other than spaces and tabs is part of a header's value.
func TestVerifier_spaces(t *testing.T) {
	t.Parallel()
	for _, space := range []string{"\u00a0", "\u0085", "\u2003", "\v"} {
		r := request(t, http.MethodGet, usageURL, "")
		r.Header.Set("X-Own", "value")
		sign(t, r, atNow)
		require.Nil(t, newVerifier().Verify(r))
		r.Header.Set("X-Own", "value"+space)
		refusal := newVerifier().Verify(r)
		require.NotNil(t, refusal, "%q", space)
		assert.Equal(t, "InvalidSignatureException", refusal.Code)
	}
}

// The SDK's signer always sorts the query, so this test signs the request itself.
func TestRefusal_unsortedQuery(t *testing.T) {
	t.Parallel()
	r := request(t, http.MethodGet, usageURL, "")
	sign(t, r, atNow)
	r = received(t, r)
	r.RequestURI += "?b=2&a=1"
	canonical := strings.Replace(correct, "23ec\n\n", "23ec\nb=2&a=1\n", 1)
	key := []byte("AWS4" + cognitosynctest.DefaultCredentials().SecretAccessKey)
	for _, text := range []string{
		"20260730", "us-east-1", "cognito-sync", "aws4_request",
		"AWS4-HMAC-SHA256\n20260730T120000Z\n20260730/us-east-1/cognito-sync/aws4_request\n" + hexSHA256(canonical),
	} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		key = mac.Sum(nil)
	}
	list, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", list+"Signature="+hex.EncodeToString(key))

	refusal := newVerifier().Verify(r)

	require.NotNil(t, refusal)
	assert.Equal(t, "the signed query is not sorted or not escaped", refusal.Reason)
	assert.Equal(t, canonical, refusal.ReceivedCanonicalRequest)
}

func TestRefusal_String(t *testing.T) {
	t.Parallel()
	var none *cognitosynctest.Refusal
	assert.Equal(t, "not refused", none.String())
	r := request(t, http.MethodGet, usageURL, "")
	sign(t, r, atNow, func(s *signing) { s.once = true })
	refusal := newVerifier().Verify(r)
	indented := func(s string) string {
		s = strings.Replace(s, cognitosynctest.DefaultCredentials().SessionToken, "REDACTED", 1)
		return "\n\t" + strings.ReplaceAll(s, "\n", "\n\t")
	}
	assert.Equal(t, "403 InvalidSignatureException: the signed path is escaped once, not twice"+
		"\nexpected canonical request:"+indented(refusal.ExpectedCanonicalRequest)+
		"\nreceived canonical request:"+indented(refusal.ReceivedCanonicalRequest)+
		"\nexpected string to sign:"+indented(refusal.ExpectedStringToSign)+
		"\nreceived string to sign:"+indented(refusal.ReceivedStringToSign), refusal.String())
	assert.NotContains(t, refusal.String(), cognitosynctest.DefaultCredentials().SessionToken)
}

func TestVerifier_Handler(t *testing.T) {
	t.Parallel()
	handler := newVerifier().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)

	good := request(t, http.MethodPost, server.URL+"/x", "body")
	sign(t, good, atNow)
	got := do(server.Client(), good)
	require.NoError(t, got.err)
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "body", got.body)

	bad := request(t, http.MethodPost, server.URL+"/x", "body")
	got = do(server.Client(), bad)
	require.NoError(t, got.err)
	assert.Equal(t, 403, got.status)
	assert.Equal(t, "MissingAuthenticationTokenException", got.code())
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	assert.JSONEq(t, `{"message":"Missing Authentication Token"}`, got.body)
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
