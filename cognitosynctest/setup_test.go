package cognitosynctest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const (
	poolID  = "us-east-1:23ec4050-6aea-7089-a2dd-08002example"
	otherID = "us-east-1:00000000-0000-0000-0000-000000000001"
)

// now is when the tests of the verifier take place.
var now = time.Date(2026, time.July, 30, 12, 0, 0, 0, time.UTC)

// modes are the ways to reach a server.
var modes = []struct {
	name   string
	option func(*cognitosynctest.Options)
}{
	{"http", func(*cognitosynctest.Options) {}},
	{"tls", func(o *cognitosynctest.Options) { o.TLS = true }},
	{"memory", func(o *cognitosynctest.Options) { o.InMemory = true }},
}

// inEachMode runs test with a server of each mode, which knows poolID.
func inEachMode(t *testing.T, test func(t *testing.T, server *cognitosynctest.Server), optFns ...func(*cognitosynctest.Options)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, append(optFns, mode.option)...)
			server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID, SyncSessionsCount: aws.Int64(7)})
			test(t, server)
		})
	}
}

// doer returns what sends requests to the server as a client with its
// configuration would.
func httpClient(t testing.TB, server *cognitosynctest.Server) aws.HTTPClient {
	t.Helper()
	if client := server.Config().HTTPClient; client != nil {
		return client
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A signing is how a request is signed.
type signing struct {
	credentials     cognitosynctest.Credentials
	service, region string
	at              time.Time
	bodyHash        string
	once            bool // the path is escaped once
}

// sign signs r for the server, in the way that alter makes of the right one.
func sign(t testing.TB, r *http.Request, alter ...func(*signing)) {
	t.Helper()
	var body []byte
	if r.GetBody != nil {
		reader, err := r.GetBody()
		require.NoError(t, err)
		body, err = io.ReadAll(reader)
		require.NoError(t, err)
	}
	hash := sha256.Sum256(body)
	s := signing{
		credentials: cognitosynctest.DefaultCredentials(),
		service:     "cognito-sync",
		region:      "us-east-1",
		at:          time.Now(),
		bodyHash:    hex.EncodeToString(hash[:]),
	}
	for _, fn := range alter {
		fn(&s)
	}
	credentials, err := s.credentials.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s.once })
	require.NoError(t, signer.SignHTTP(t.Context(), credentials, r, s.bodyHash, s.service, s.region, s.at))
}

// newRequest returns an unsigned request for a pool's usage.
func newRequest(t testing.TB, ctx context.Context, server *cognitosynctest.Server, id string) *http.Request {
	t.Helper()
	label := strings.ReplaceAll(url.QueryEscape(id), "+", "%20")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL()+"/identitypools/"+label, nil)
	require.NoError(t, err)
	return r
}

// An outcome is what became of a request: err if there was no answer, bodyErr if
// it broke off.
type outcome struct {
	status  int
	header  http.Header
	body    string
	err     error
	bodyErr error
}

func do(client aws.HTTPClient, r *http.Request) outcome {
	response, err := client.Do(r)
	if err != nil {
		return outcome{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return outcome{status: response.StatusCode, header: response.Header, body: string(body), bodyErr: err}
}

// ask sends a well-signed request for a pool's usage.
func query(t testing.TB, client aws.HTTPClient, server *cognitosynctest.Server, id string, alter ...func(*signing)) outcome {
	t.Helper()
	r := newRequest(t, t.Context(), server, id)
	sign(t, r, alter...)
	return do(client, r)
}

// code returns the error code of an answer, which stands before a colon.
func (o outcome) code() string {
	code, rest, found := strings.Cut(o.header.Get("X-Amzn-Errortype"), ":")
	if found != (code != "") || rest != "" {
		return "malformed: " + code + ":" + rest
	}
	return code
}
