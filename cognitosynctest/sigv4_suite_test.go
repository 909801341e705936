package cognitosynctest_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// A suiteCase is a case of AWS's test suite for Signature Version 4.
type suiteCase struct {
	Name             string
	Method           string
	Target           string
	Headers          []string
	Body             string
	SignedHeaders    string
	CanonicalRequest []string
	StringToSign     []string
	Signature        string
}

// suiteTime is the date of all signatures in the suite.
var suiteTime = time.Date(2015, time.August, 30, 12, 36, 0, 0, time.UTC)

func suite(t *testing.T) []suiteCase {
	t.Helper()
	content, err := os.ReadFile("testdata/sigv4.json")
	require.NoError(t, err)
	var cases []suiteCase
	require.NoError(t, json.Unmarshal(content, &cases))
	require.Len(t, cases, 31)
	return cases
}

func (c suiteCase) credentials() cognitosynctest.Credentials {
	credentials := cognitosynctest.Credentials{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	}
	for _, header := range c.Headers {
		if token, ok := strings.CutPrefix(header, "X-Amz-Security-Token:"); ok {
			credentials.SessionToken = token
		}
	}
	return credentials
}

// request returns the signed request as a server receives it.
func (c suiteCase) request(target string) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader(fmt.Sprintf(
		"%s %s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=%s, Signature=%s\r\n\r\n%s",
		c.Method, target, strings.ReplaceAll(strings.Join(c.Headers, "\n"), "\n", "\r\n"), len(c.Body),
		c.SignedHeaders, c.Signature, c.Body))))
}

// The verifier accepts every case of AWS's suite, with two exceptions:
//
//   - get-space has a space in its target. HTTP does not allow that, and net/http cannot
//     parse it. The verifier accepts the request if it is parsed otherwise.
//   - post-sts-header-after has a session token that was added after signing, as a few
//     services require. AWS's documentation says to sign all x-amz- headers.
func TestVerifier_suite(t *testing.T) {
	t.Parallel()
	for _, test := range suite(t) {
		t.Run(test.Name, func(t *testing.T) {
			t.Parallel()
			r, err := test.request(test.Target)
			if test.Name == "get-space" {
				require.ErrorContains(t, err, "malformed HTTP version")
				r, err = test.request("/")
				require.NoError(t, err)
				r.RequestURI = test.Target
			}
			require.NoError(t, err)
			verifier := &cognitosynctest.Verifier{
				Region: "us-east-1", Service: "service",
				Credentials: []cognitosynctest.Credentials{test.credentials()},
				Now:         func() time.Time { return suiteTime },
			}

			refusal := verifier.Verify(r)

			if test.Name == "post-sts-header-after" {
				require.NotNil(t, refusal)
				assert.Equal(t, "unsigned headers: x-amz-security-token", refusal.Reason)
				return
			}
			assert.Nil(t, refusal)

			// A refusal shows what the verifier has computed.
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), test.Signature, strings.Repeat("0", 64), 1))
			refusal = verifier.Verify(r)
			require.NotNil(t, refusal)
			assert.Equal(t, strings.Join(test.CanonicalRequest, "\n"), refusal.ExpectedCanonicalRequest)
			assert.Equal(t, strings.Join(test.StringToSign, "\n"), refusal.ExpectedStringToSign)
		})
	}
}

// The SDK's signer, which shares no code with the verifier, computes the same signatures if
// it is given normalized and escaped paths.
func TestVerifier_suiteBySDK(t *testing.T) {
	t.Parallel()
	for _, test := range suite(t) {
		t.Run(test.Name, func(t *testing.T) {
			t.Parallel()
			if test.Name == "post-sts-header-after" {
				t.Skip("the SDK signs every session token")
			}
			path := test.CanonicalRequest[1]
			r, err := http.NewRequestWithContext(t.Context(), test.Method, "https://example.amazonaws.com"+path, strings.NewReader(test.Body))
			require.NoError(t, err)
			r.ContentLength = 0 // the signatures of the suite do not cover it
			_, r.URL.RawQuery, _ = strings.Cut(test.Target, "?")
			for _, header := range test.Headers {
				name, value, _ := strings.Cut(header, ":")
				if !strings.HasPrefix(name, "X-Amz-") && name != "Host" {
					r.Header.Add(name, strings.Join(strings.Fields(value), " "))
				}
			}
			credentials, err := test.credentials().Provider().Retrieve(t.Context())
			require.NoError(t, err)
			hash := sha256.Sum256([]byte(test.Body))

			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			require.NoError(t, signer.SignHTTP(t.Context(), credentials, r, hex.EncodeToString(hash[:]), "service", "us-east-1", suiteTime))

			_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			assert.Equal(t, test.Signature, signature)
		})
	}
}

// The verifier refuses a signature of a path that is not normalized, and says so.
func TestVerifier_pathNotNormalized(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, normalized string }{
		{"//", "/"},
		{"/./", "/"},
		{"/..", "/"},
		{"/../a", "/a"},
		{"/a/..", "/"},
		{"/a/../", "/"},
		{"/a/b/..", "/a"},
		{"/a/b/../", "/a/"},
		{"/a//b", "/a/b"},
		{"//a//", "/a/"},
		{"/a/./b", "/a/b"},
		{"/a/.", "/a"},
		{"/a/...", "/a/..."},
		{"/a/.b", "/a/.b"},
		{"/a%2F..%2Fb", "/a%252F..%252Fb"},
	} {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			r := request(t, http.MethodGet, "https://example.com"+test.path, "")
			sign(t, r, atNow)
			refusal := newVerifier().Verify(received(t, r))
			if test.path == test.normalized || strings.Contains(test.path, "%") {
				assert.Nil(t, refusal)
				return
			}
			require.NotNil(t, refusal)
			assert.Equal(t, "InvalidSignatureException", refusal.Code)
			assert.Equal(t, `the signed path is not normalized: it contains an empty segment, "." or ".."`, refusal.Reason)
			assert.Equal(t, test.normalized, strings.Split(refusal.ExpectedCanonicalRequest, "\n")[1])
			assert.Equal(t, test.path, strings.Split(refusal.ReceivedCanonicalRequest, "\n")[1])

			r = request(t, http.MethodGet, "https://example.com"+test.normalized, "")
			sign(t, r, atNow)
			r = received(t, r)
			r.RequestURI = test.path
			assert.Nil(t, newVerifier().Verify(r), "a signature of the normalized path")
		})
	}
}

func TestVerifier_presigned(t *testing.T) {
	t.Parallel()
	r := request(t, http.MethodGet, usageURL, "")
	credentials, err := cognitosynctest.DefaultCredentials().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, emptyHash, "cognito-sync", "us-east-1", now)
	require.NoError(t, err)

	refusal := newVerifier().Verify(received(t, request(t, http.MethodGet, uri, "")))

	require.NotNil(t, refusal)
	assert.Equal(t, 403, refusal.StatusCode)
	assert.Equal(t, "MissingAuthenticationTokenException", refusal.Code)
	assert.Equal(t, "the request is presigned, which is not supported: it needs an Authorization header", refusal.Reason)
	assert.NotContains(t, refusal.String(), credentials.SessionToken)
}
