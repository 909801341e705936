package cognitosync_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// redirectNotFollowed is the code of a redirect that names none itself.
const redirectNotFollowed = "RedirectNotFollowed"

// redirectStatuses are those that net/http would follow.
var redirectStatuses = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
	http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// A bystander is a host that a redirect points to, and that must see no request. It
// would send what comes on to a second one.
type bystander struct {
	*httptest.Server
	requests atomic.Int32
}

func newBystander(t *testing.T) *bystander {
	t.Helper()
	b := &bystander{}
	last := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.requests.Add(1) }))
	t.Cleanup(last.Close)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		http.Redirect(w, r, last.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(b.Close)
	return b
}

// host is what an error has to name.
func (b *bystander) host() string { return strings.TrimPrefix(b.URL, "http://") }

// follow is the CheckRedirect of a caller who does not mind where requests go.
func follow(*http.Request, []*http.Request) error { return nil }

// httpClients are the kinds of clients that a caller can bring, each made anew.
var httpClients = []struct {
	name string
	make func() cognitosync.HTTPClient
}{
	{"none", func() cognitosync.HTTPClient { return nil }},
	{"http.Client", func() cognitosync.HTTPClient { return &http.Client{} }},
	{"nil http.Client", func() cognitosync.HTTPClient { return (*http.Client)(nil) }},
	{"http.Client that follows", func() cognitosync.HTTPClient { return &http.Client{CheckRedirect: follow} }},
	{"http.Client with a transport", func() cognitosync.HTTPClient {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: follow}
	}},
	{"http.Client with a timeout", func() cognitosync.HTTPClient {
		return &http.Client{Timeout: time.Hour, CheckRedirect: follow}
	}},
	{"http.Client with a jar", func() cognitosync.HTTPClient {
		jar, _ := cookiejar.New(nil) // without options it cannot fail
		return &http.Client{Jar: jar, CheckRedirect: follow}
	}},
	{"BuildableClient", func() cognitosync.HTTPClient { return awshttp.NewBuildableClient() }},
	{"BuildableClient with a timeout", func() cognitosync.HTTPClient {
		return awshttp.NewBuildableClient().WithTimeout(time.Hour)
	}},
	{"BuildableClient with options", func() cognitosync.HTTPClient {
		return awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DisableKeepAlives = true })
	}},
	{"custom", func() cognitosync.HTTPClient { return doFunc(http.DefaultTransport.RoundTrip) }},
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, client := range httpClients {
		for _, status := range redirectStatuses {
			t.Run(fmt.Sprintf("%s/%d", client.name, status), func(t *testing.T) {
				t.Parallel()
				eachWay(t, func(t *testing.T, way string) {
					tr := newTrial(t, way, func(o *cognitosync.Options) { o.HTTPClient = client.make() })
					other := newBystander(t)
					tr.script(cognitosynctest.Redirect(status, other.URL+"/elsewhere").WithHeader("X-Amzn-RequestId", "id-1"))

					err := tr.fails(t, t.Context())

					assert.Zero(t, other.requests.Load(), "requests to the other host")
					assert.Equal(t, 1, tr.requests())
					assert.Empty(t, tr.naps.all())
					details := cognitosync.InspectError(err)
					assert.Equal(t, redirectNotFollowed, details.Code)
					assert.Equal(t, status, details.StatusCode)
					assert.Equal(t, "id-1", details.RequestID)
					assert.Contains(t, details.Message, other.host())
					requireAs[smithy.APIError](t, err)
					assert.Equal(t, status, requireAs[*awshttp.ResponseError](t, err).HTTPStatusCode())
				})
			})
		}
	}
}

// TestRedirectOfACall has a call bring a client of its own.
func TestRedirectOfACall(t *testing.T) {
	t.Parallel()
	for _, client := range httpClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, direct)
			other := newBystander(t)
			tr.script(cognitosynctest.Redirect(http.StatusFound, other.URL))

			err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.HTTPClient = client.make() })

			assert.Zero(t, other.requests.Load(), "requests to the other host")
			assert.Equal(t, redirectNotFollowed, cognitosync.InspectError(err).Code)
		})
	}
}

func TestRedirectFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := trialOf(t, way, cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = true }))
		other := newBystander(t)
		tr.script(cognitosynctest.Redirect(http.StatusTemporaryRedirect, other.URL))

		err := tr.fails(t, t.Context())

		assert.Zero(t, other.requests.Load(), "requests to the other host")
		details := cognitosync.InspectError(err)
		assert.Equal(t, redirectNotFollowed, details.Code)
		assert.Contains(t, details.Message, other.host())
	})
}

// TestRedirectLeavesTheCallersClient shows that a client that the caller has other
// uses for is as it was, and still follows redirects.
func TestRedirectLeavesTheCallersClient(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Hour} {
		t.Run(timeout.String(), func(t *testing.T) {
			t.Parallel()
			given := &http.Client{Timeout: timeout}
			before := *given
			tr := newTrial(t, direct, func(o *cognitosync.Options) { o.HTTPClient = given })
			other := newBystander(t)
			tr.script(cognitosynctest.Redirect(http.StatusFound, other.URL))
			tr.fails(t, t.Context())

			assert.Equal(t, before, *given)
			resp, err := given.Get(other.URL)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.EqualValues(t, 2, other.requests.Load(), "the caller's own request, and what it was redirected to")
		})
	}
}

// TestRedirectErrors makes something of whatever a redirect is like.
func TestRedirectErrors(t *testing.T) {
	t.Parallel()
	clients := []struct {
		name   string
		client cognitosync.HTTPClient
	}{
		{"default", nil},
		{"http.Client with a timeout", &http.Client{Timeout: time.Hour}},
	}
	for _, test := range []struct {
		name     string
		status   int
		location string
		body     string
		headers  map[string]string
		code     string // "" for any
		message  string // what it has to contain
		secret   string // what it must not contain
	}{
		{name: "no location", status: 302, code: "UnknownError"},
		{name: "not modified", status: 304, code: "UnknownError"},
		{name: "choices", status: 300, location: "https://other.example/", code: redirectNotFollowed, message: "other.example"},
		{name: "use proxy", status: 305, location: "https://other.example/", code: redirectNotFollowed, message: "other.example"},
		{name: "same host", status: 307, location: "/elsewhere", code: redirectNotFollowed},
		{name: "no scheme", status: 307, location: "//other.example/x", code: redirectNotFollowed, message: "other.example"},
		{name: "port", status: 307, location: "https://other.example:8443/x", code: redirectNotFollowed, message: "other.example:8443"},
		{name: "password", status: 307, location: "https://user:hunter2@other.example/x", code: redirectNotFollowed, message: "other.example", secret: "hunter2"},
		{name: "query", status: 307, location: "https://other.example/x?token=hunter2", code: redirectNotFollowed, message: "other.example", secret: "hunter2"},
		{name: "unreadable", status: 302, location: "http://[other.example"},
		{name: "unreadable escape", status: 308, location: "http://other.example/%zz"},
		{name: "long", status: 302, location: "https://" + strings.Repeat("other.", 4000) + "example/", code: redirectNotFollowed, message: "other.other."},
		{name: "HTML", status: 301, location: "https://other.example/", body: `<a href="https://other.example/">Moved Permanently</a>.`,
			headers: map[string]string{"Content-Type": "text/html"}, code: redirectNotFollowed, message: "other.example"},
		{name: "with a message", status: 301, location: "https://other.example/", body: `{"message":"go there"}`, code: redirectNotFollowed, message: "other.example"},
		{name: "with a code", status: 307, location: "https://other.example/", body: `{"message":"go there"}`,
			headers: map[string]string{"X-Amzn-ErrorType": "TemporaryRedirect"}, code: "TemporaryRedirect", message: "other.example"},
		{name: "with a code only", status: 307, location: "https://other.example/",
			headers: map[string]string{"X-Amzn-ErrorType": "TemporaryRedirect"}, code: "TemporaryRedirect", message: "other.example"},
	} {
		for _, client := range clients {
			t.Run(test.name+"/"+client.name, func(t *testing.T) {
				t.Parallel()
				eachWay(t, func(t *testing.T, way string) {
					tr := newTrial(t, way, func(o *cognitosync.Options) { o.HTTPClient = client.client })
					step := cognitosynctest.Reply(test.status, nil, test.body).WithHeader("Location", test.location)
					for name, value := range test.headers {
						step = step.WithHeader(name, value)
					}
					tr.script(step)

					err := tr.fails(t, t.Context())

					details := cognitosync.InspectError(err)
					assert.Equal(t, test.status, details.StatusCode)
					if test.code != "" {
						assert.Equal(t, test.code, details.Code)
					}
					assert.NotEmpty(t, requireAs[smithy.APIError](t, err).ErrorCode())
					assert.Contains(t, details.Message, test.message)
					assert.Contains(t, err.Error(), test.message)
					if test.secret != "" {
						assert.NotContains(t, err.Error(), test.secret)
					}
					assert.Equal(t, 1, tr.requests())
				})
			})
		}
	}
}
