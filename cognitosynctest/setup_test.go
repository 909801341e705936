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

// now is the time on the clock of the verifiers under test.
var now = time.Date(2026, time.July, 30, 12, 0, 0, 0, time.UTC)

// modes are the modes in which a server can run.
var modes = []struct {
	name   string
	option func(*cognitosynctest.Options)
}{
	{"http", func(*cognitosynctest.Options) {}},
	{"tls", func(o *cognitosynctest.Options) { o.TLS = true }},
	{"memory", func(o *cognitosynctest.Options) { o.InMemory = true }},
}

// inEachMode runs test with a server in each mode. The server has the pool poolID.
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

// httpClient returns an HTTP client that sends requests as a client with the server's
// configuration does.
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

// A signing has the parameters for signing a request.
type signing struct {
	credentials     cognitosynctest.Credentials
	service, region string
	at              time.Time
	bodyHash        string
	once            bool // escape the path once instead of twice
}

// sign signs r for the server. alter may change the parameters.
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

// newRequest returns an unsigned request for the usage of a pool.
func newRequest(t testing.TB, ctx context.Context, server *cognitosynctest.Server, id string) *http.Request {
	t.Helper()
	label := strings.ReplaceAll(url.QueryEscape(id), "+", "%20")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL()+"/identitypools/"+label, nil)
	require.NoError(t, err)
	return r
}

// An outcome is the result of a request: err is set if there was no response, bodyErr if its
// body broke off.
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

// query sends a request for the usage of a pool, correctly signed unless alter changes that.
func query(t testing.TB, client aws.HTTPClient, server *cognitosynctest.Server, id string, alter ...func(*signing)) outcome {
	t.Helper()
	r := newRequest(t, t.Context(), server, id)
	sign(t, r, alter...)
	return do(client, r)
}

// code returns the error code of the response, which must end in a colon in the header.
func (o outcome) code() string {
	code, rest, found := strings.Cut(o.header.Get("X-Amzn-Errortype"), ":")
	if found != (code != "") || rest != "" {
		return "malformed: " + code + ":" + rest
	}
	return code
}
