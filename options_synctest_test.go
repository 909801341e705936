//go:build go1.25

package cognitosync_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// settingTestsInTime are the settings that only time shows.
var settingTestsInTime = []settingTest{
	{
		setting: "AttemptTimeout",
		given:   func(s *scene, o *cognitosync.Options) { o.HTTPClient = s.clockedHTTPClient() },
		set:     func(_ *scene, o *cognitosync.Options) { o.AttemptTimeout = time.Minute },
		seen:    (*scene).firstNote,
		without: "15s",
		with:    "1m0s",
	},
	{
		setting: "AttemptTimeout", // switched off
		given:   func(s *scene, o *cognitosync.Options) { o.HTTPClient = s.clockedHTTPClient() },
		set:     func(_ *scene, o *cognitosync.Options) { o.AttemptTimeout = -1 },
		seen:    (*scene).firstNote,
		without: "15s",
		with:    "no limit",
	},
	{
		setting:  "DefaultsMode",
		given:    (*scene).clockDialing,
		set:      func(_ *scene, o *cognitosync.Options) { o.DefaultsMode = aws.DefaultsModeInRegion },
		inConfig: func(_ *scene, c *aws.Config) { c.DefaultsMode = aws.DefaultsModeInRegion },
		seen:     (*scene).firstNote,
		without:  "no limit",
		with:     "1.1s",
	},
	{
		setting: "RuntimeEnvironment",
		given: func(s *scene, o *cognitosync.Options) {
			s.clockDialing(o)
			o.DefaultsMode = aws.DefaultsModeAuto
		},
		set:      func(_ *scene, o *cognitosync.Options) { o.RuntimeEnvironment = inRegion },
		inConfig: func(_ *scene, c *aws.Config) { c.RuntimeEnvironment = inRegion },
		seen:     (*scene).firstNote,
		without:  "3.1s",
		with:     "1.1s",
	},
}

// inRegion is where the region of the tests is near.
var inRegion = aws.RuntimeEnvironment{EnvironmentIdentifier: "AWS_Lambda_go1.x", Region: "us-east-1"}

// limit returns how much time ctx leaves.
func limit(ctx context.Context) string {
	deadline, limited := ctx.Deadline()
	if !limited {
		return "no limit"
	}
	return time.Until(deadline).String()
}

// clockedHTTPClient notes how much time each attempt has.
func (s *scene) clockedHTTPClient() cognitosync.HTTPClient {
	return doerFunc(func(req *http.Request) (*http.Response, error) {
		s.notes.add("%s", limit(req.Context()))
		return s.server.RoundTripper().RoundTrip(req)
	})
}

// clockDialing has the client dial, in vain, and notes how much time it has for it.
func (s *scene) clockDialing(o *cognitosync.Options) {
	o.AttemptTimeout = -1
	o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy = nil
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			s.notes.add("%s", limit(ctx))
			return nil, errBroken
		}
	})
}

func TestSettingsInTime(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range settingTestsInTime {
		test := &settingTestsInTime[i]
		names = append(names, test.setting)
		t.Run(test.setting, func(t *testing.T) {
			t.Parallel()
			test.run(t, synctest.Test)
		})
	}
	assert.Subset(t, names, settingsInTime, "settings that TestEverySettingIsTested counts on")
}

// TestConnectTimeouts shows the timeouts of each DefaultsMode on a connection where
// nobody answers: none for the legacy mode, or the transport's own.
func TestConnectTimeouts(t *testing.T) {
	t.Parallel()
	ownTransport := func(tr *http.Transport) { tr.TLSHandshakeTimeout = 7 * time.Second }
	for _, test := range []struct {
		name      string
		mode      aws.DefaultsMode
		transport func(*http.Transport)
		dial      string
		handshake time.Duration
	}{
		{name: "legacy", mode: aws.DefaultsModeLegacy, dial: "no limit", handshake: awshttp.DefaultHTTPTransportTLSHandleshakeTimeout},
		{name: "none", dial: "no limit", handshake: awshttp.DefaultHTTPTransportTLSHandleshakeTimeout},
		{name: "standard", mode: aws.DefaultsModeStandard, dial: "3.1s", handshake: 3100 * time.Millisecond},
		{name: "in-region", mode: aws.DefaultsModeInRegion, dial: "1.1s", handshake: 1100 * time.Millisecond},
		{name: "cross-region", mode: aws.DefaultsModeCrossRegion, dial: "3.1s", handshake: 3100 * time.Millisecond},
		{name: "mobile", mode: aws.DefaultsModeMobile, dial: "30s", handshake: 30 * time.Second},
		{name: "the caller's number stays", mode: aws.DefaultsModeInRegion, transport: ownTransport, dial: "1.1s", handshake: 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, &settingTest{})
				options := s.options(direct)
				options.AttemptTimeout, options.RetryMaxAttempts, options.DefaultsMode = -1, 1, test.mode
				options.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
					tr.Proxy = nil
					tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
						s.notes.add("%s", limit(ctx))
						near, far := net.Pipe()
						t.Cleanup(func() { _ = far.Close() })
						go func() { _, _ = far.Read(make([]byte, 4096)) }() // takes the greeting, and is silent
						return near, nil
					}
					if test.transport != nil {
						test.transport(tr)
					}
				})
				start := time.Now()
				_, err := describePool(t.Context(), t, cognitosync.New(options), anyPool)
				require.ErrorContains(t, err, "TLS handshake timeout")
				assert.Equal(t, test.handshake, time.Since(start))
				assert.Equal(t, []string{test.dial}, s.notes.take())
			})
		})
	}
}
