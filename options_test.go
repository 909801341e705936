package cognitosync_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// A settingTest checks that a setting has an effect, wherever it is set. It contains what can
// be observed of a call without the setting and with it.
type settingTest struct {
	setting  string // the field of Options or, if there is none, of aws.Config
	pool     string // to query; "" means anyPool
	step     cognitosynctest.Step
	given    func(*scene, *cognitosync.Options) // sets what else the effect depends on
	set      func(*scene, *cognitosync.Options) // nil: Options has no such field
	inConfig func(*scene, *aws.Config)          // nil: aws.Config has no such field
	settle   func()                             // waits for the effect; nil: it is there when the call returns
	seen     func(*scene) string
	without  string
	with     string
}

// A scene is the environment of a setting's test: a service in memory, and everything that can
// be observed of the last call.
type scene struct {
	test   *settingTest
	server *cognitosynctest.Server
	wire   *clienttest.Tap

	notes   clienttest.Notes // written by the setting under test, like those below
	records clienttest.Records
	spans   clienttest.Spans
	meters  clienttest.Meters

	sent     []*http.Request
	noted    []string
	recorded []map[string]any
	started  []*clienttest.Span
	measured map[string][]clienttest.Point
	err      error
}

func newScene(t *testing.T, test *settingTest) *scene {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.InMemory, o.AnyRegion = true, true
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: anyPool}}
	})
	server.Script("", test.step)
	return &scene{test: test, server: server, records: clienttest.Records{Level: slog.LevelDebug}, wire: &clienttest.Tap{Transport: server.RoundTripper()}}
}

// options returns the options of every client of the scene.
func (s *scene) options(path string) cognitosync.Options {
	options := cognitosync.Options{
		Region:      "us-east-1",
		Credentials: cognitosynctest.DefaultCredentials().Provider(),
		HTTPClient:  s.wire,
	}
	takePath(path, &options)
	if s.test.given != nil {
		s.test.given(s, &options)
	}
	return options
}

// config returns the same as an aws.Config.
func (s *scene) config() aws.Config {
	return configOf(s.wire)
}

func (s *scene) set(o *cognitosync.Options) { s.test.set(s, o) }

// see makes a call and returns what can be observed of it.
func (s *scene) see(t *testing.T, client *cognitosync.Client, optFns ...func(*cognitosync.Options)) string {
	t.Helper()
	cognitosync.SetSleep(client, doNotSleep)
	id := s.test.pool
	if id == "" {
		id = anyPool
	}
	_, s.err = describe(t.Context(), t, client, id, optFns...)
	if s.test.settle != nil {
		s.test.settle()
	}
	s.sent, s.noted, s.recorded = s.wire.Take(), s.notes.Take(), s.records.Take()
	s.started, s.measured = s.spans.Take(), s.meters.Take()
	return s.test.seen(s)
}

// run tests the setting in every place, each in its own bubble.
func (test *settingTest) run(t *testing.T, bubble func(t *testing.T, test func(t *testing.T))) {
	for place, try := range map[string]func(t *testing.T, path string){
		"nowhere": func(t *testing.T, path string) {
			s := newScene(t, test)
			assert.Equal(t, test.without, s.see(t, cognitosync.New(s.options(path))))
		},
		"in Options": func(t *testing.T, path string) {
			s := newScene(t, test)
			options := s.options(path)
			s.set(&options)
			assert.Equal(t, test.with, s.see(t, cognitosync.New(options)))
		},
		"in an option function": func(t *testing.T, path string) {
			s := newScene(t, test)
			assert.Equal(t, test.with, s.see(t, cognitosync.New(s.options(path), s.set)))
		},
		"for one call": func(t *testing.T, path string) {
			s := newScene(t, test)
			client := cognitosync.New(s.options(path))
			assert.Equal(t, test.with, s.see(t, client, s.set))
			assert.Equal(t, test.without, s.see(t, client), "the next call")
		},
		"in aws.Config": func(t *testing.T, path string) {
			s := newScene(t, test)
			cfg := s.config()
			test.inConfig(s, &cfg)
			assert.Equal(t, test.with, s.see(t, cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
				takePath(path, o)
				if test.given != nil {
					test.given(s, o)
				}
			})))
		},
	} {
		if place == "in aws.Config" && test.inConfig == nil || place != "in aws.Config" && place != "nowhere" && test.set == nil {
			continue
		}
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				bubble(t, func(t *testing.T) { try(t, path) })
			})
		})
	}
}

// What can be observed of a call.

// target returns where the request was sent, without the operation's path.
func (s *scene) target() string {
	if len(s.sent) == 0 {
		return "nothing sent"
	}
	return strings.TrimSuffix(s.sent[0].URL.String(), s.sent[0].URL.EscapedPath())
}

// header returns a header of the first request.
func (s *scene) header(name string) string {
	if len(s.sent) == 0 {
		return "nothing sent"
	}
	return s.sent[0].Header.Get(name)
}

// scope returns the credential of the first request's signature: key, date, region, name and
// terminator.
func (s *scene) scope() []string {
	credential := submatch(regexp.MustCompile(`Credential=([^,]+)`), s.header("Authorization"))
	return append(strings.Split(credential, "/"), make([]string, 5)...)[:5]
}

// signedFor returns the region and the name that the first request was signed for.
func (s *scene) signedFor() string { return s.scope()[2] + "/" + s.scope()[3] }

func (s *scene) attempts() string { return fmt.Sprint(len(s.sent)) }

func (s *scene) firstNote() string {
	if len(s.noted) == 0 {
		return "nothing"
	}
	return s.noted[0]
}

// Values of settings.

func (s *scene) noteInitialize(stack *middleware.Stack) error {
	s.notes.Add("stack of %s", stack.ID())
	return nil
}

// notingSigner signs like the default signer and records that it was called.
type notingSigner struct {
	v4.Signer
	notes *clienttest.Notes
}

func newNotingSigner(n *clienttest.Notes) *notingSigner { return &notingSigner{*v4.NewSigner(), n} }

func (n *notingSigner) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string,
	at time.Time, optFns ...func(*v4.SignerOptions),
) error {
	n.notes.Add("%s %s %s", payloadHash, service, region)
	return n.Signer.SignHTTP(ctx, credentials, r, payloadHash, service, region, at, optFns...)
}

const host = "https://cognito-sync.us-east-1.amazonaws.com"

// settingTests test all settings but those whose effect is a time, which settingTestsInTime
// test.
var settingTests = []settingTest{
	{
		setting:  "APIOptions",
		set:      func(s *scene, o *cognitosync.Options) { o.APIOptions = append(o.APIOptions, s.noteInitialize) },
		inConfig: func(s *scene, c *aws.Config) { c.APIOptions = append(c.APIOptions, s.noteInitialize) },
		seen:     (*scene).firstNote,
		without:  "nothing",
		with:     "stack of DescribeIdentityPoolUsage",
	},
	{
		setting:  "AppID",
		set:      func(_ *scene, o *cognitosync.Options) { o.AppID = "my inventory" },
		inConfig: func(_ *scene, c *aws.Config) { c.AppID = "my inventory" },
		seen:     func(s *scene) string { return submatch(userAgentAppID, s.header("User-Agent")) },
		with:     "my-inventory",
	},
	{
		setting:  "BaseEndpoint",
		set:      func(_ *scene, o *cognitosync.Options) { o.BaseEndpoint = aws.String("http://proxy.test:8080") },
		inConfig: func(_ *scene, c *aws.Config) { c.BaseEndpoint = aws.String("http://proxy.test:8080") },
		seen:     (*scene).target,
		without:  host,
		with:     "http://proxy.test:8080",
	},
	{
		setting:  "ClientLogMode",
		given:    func(s *scene, o *cognitosync.Options) { o.Logger = &s.notes },
		set:      func(_ *scene, o *cognitosync.Options) { o.ClientLogMode = aws.LogRequest },
		inConfig: func(_ *scene, c *aws.Config) { c.ClientLogMode = aws.LogRequest },
		seen:     func(s *scene) string { return firstWords(s.firstNote(), 2) },
		without:  "nothing",
		with:     "DEBUG Request",
	},
	{
		setting:  "Credentials",
		set:      func(_ *scene, o *cognitosync.Options) { o.Credentials = otherCredentials.Provider() },
		inConfig: func(_ *scene, c *aws.Config) { c.Credentials = otherCredentials.Provider() },
		seen:     func(s *scene) string { return s.scope()[0] },
		without:  cognitosynctest.DefaultCredentials().AccessKeyID,
		with:     otherCredentials.AccessKeyID,
	},
	{
		setting:  "DisableClockSkewCorrection",
		step:     cognitosynctest.Forever(cognitosynctest.SkewedClock(10 * time.Minute)),
		set:      func(_ *scene, o *cognitosync.Options) { o.DisableClockSkewCorrection = true },
		inConfig: func(_ *scene, c *aws.Config) { c.DisableClockSkewCorrection = true },
		seen:     func(s *scene) string { return cognitosync.InspectError(s.err).Code },
		without:  "",
		with:     "InvalidSignatureException",
	},
	{
		setting:  "EndpointOptions.DisableHTTPS",
		set:      func(_ *scene, o *cognitosync.Options) { o.EndpointOptions.DisableHTTPS = true },
		inConfig: nil,
		seen:     (*scene).target,
		without:  host,
		with:     "http://cognito-sync.us-east-1.amazonaws.com",
	},
	{
		setting: "EndpointOptions.UseDualStackEndpoint",
		set: func(_ *scene, o *cognitosync.Options) {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		},
		inConfig: func(_ *scene, c *aws.Config) {
			c.ConfigSources = []any{dualStackSource{aws.DualStackEndpointStateEnabled}}
		},
		seen:    (*scene).target,
		without: host,
		with:    "https://cognito-sync.us-east-1.api.aws",
	},
	{
		setting: "EndpointOptions.UseFIPSEndpoint",
		set: func(_ *scene, o *cognitosync.Options) {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		},
		inConfig: func(_ *scene, c *aws.Config) { c.ConfigSources = []any{fipsSource{aws.FIPSEndpointStateEnabled}} },
		seen:     (*scene).target,
		without:  host,
		with:     "https://cognito-sync-fips.us-east-1.amazonaws.com",
	},
	{
		setting: "EndpointOptions.Logger",
		given: func(_ *scene, o *cognitosync.Options) {
			o.EndpointResolver = cognitosync.EndpointResolverFunc(func(_ string, options cognitosync.EndpointResolverOptions) (aws.Endpoint, error) {
				options.Logger.Logf(logging.Debug, "asked, deprecated %t", options.LogDeprecated)
				return aws.Endpoint{URL: host}, nil
			})
		},
		set:     func(s *scene, o *cognitosync.Options) { o.EndpointOptions.Logger = logging.LoggerFunc(s.notes.Logf) },
		seen:    (*scene).firstNote,
		without: "nothing",
		with:    "DEBUG asked, deprecated false",
	},
	{
		setting: "EndpointOptions.LogDeprecated",
		given: func(s *scene, o *cognitosync.Options) {
			o.Logger = &s.notes
			o.EndpointResolver = cognitosync.EndpointResolverFunc(func(_ string, options cognitosync.EndpointResolverOptions) (aws.Endpoint, error) {
				options.Logger.Logf(logging.Debug, "asked, deprecated %t", options.LogDeprecated)
				return aws.Endpoint{URL: host}, nil
			})
		},
		set:      func(_ *scene, o *cognitosync.Options) { o.EndpointOptions.LogDeprecated = true },
		inConfig: func(_ *scene, c *aws.Config) { c.ClientLogMode = aws.LogDeprecatedUsage },
		seen:     (*scene).firstNote,
		without:  "DEBUG asked, deprecated false",
		with:     "DEBUG asked, deprecated true",
	},
	{
		setting: "EndpointResolver",
		set: func(_ *scene, o *cognitosync.Options) {
			o.EndpointResolver = cognitosync.EndpointResolverFromURL("http://local.test:4566")
		},
		seen:    func(s *scene) string { return s.target() + " " + s.signedFor() },
		without: host + " us-east-1/cognito-sync",
		with:    "http://local.test:4566 us-east-1/cognito-sync",
	},
	{
		setting: "EndpointResolver", // with WithEndpointResolver
		set: func(_ *scene, o *cognitosync.Options) {
			cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFromURL("http://local.test:4566", func(e *aws.Endpoint) {
				e.SigningRegion, e.SigningName = "local-1", "local"
			}))(o)
		},
		seen:    func(s *scene) string { return s.target() + " " + s.signedFor() },
		without: host + " us-east-1/cognito-sync",
		with:    "http://local.test:4566 local-1/local",
	},
	{
		setting: "EndpointResolverV2",
		set:     func(_ *scene, o *cognitosync.Options) { o.EndpointResolverV2 = resolveTo("resolved.test") },
		seen:    (*scene).target,
		without: host,
		with:    "https://resolved.test",
	},
	{
		setting: "EndpointResolverV2", // with WithEndpointResolverV2
		set: func(_ *scene, o *cognitosync.Options) {
			cognitosync.WithEndpointResolverV2(resolveTo("resolved.test"))(o)
		},
		seen:    (*scene).target,
		without: host,
		with:    "https://resolved.test",
	},
	{
		setting:  "HTTPClient",
		set:      func(s *scene, o *cognitosync.Options) { o.HTTPClient = s.otherHTTPClient() },
		inConfig: func(s *scene, c *aws.Config) { c.HTTPClient = s.otherHTTPClient() },
		seen:     (*scene).firstNote,
		without:  "nothing",
		with:     "sent by the other client",
	},
	{
		setting: "HTTPSignerV4",
		set:     func(s *scene, o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&s.notes) },
		seen:    (*scene).firstNote,
		without: "nothing",
		with:    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 cognito-sync us-east-1",
	},
	{
		setting:  "Interceptors",
		set:      func(s *scene, o *cognitosync.Options) { o.Interceptors.AddBeforeExecution(s.hook()) },
		inConfig: func(s *scene, c *aws.Config) { c.Interceptors.AddBeforeExecution(s.hook()) },
		seen:     (*scene).firstNote,
		without:  "nothing",
		with:     "before execution",
	},
	{
		setting:  "Logger",
		given:    func(_ *scene, o *cognitosync.Options) { o.ClientLogMode = aws.LogRequest },
		set:      func(s *scene, o *cognitosync.Options) { o.Logger = &s.notes },
		inConfig: func(s *scene, c *aws.Config) { c.Logger = &s.notes },
		seen:     func(s *scene) string { return firstWords(s.firstNote(), 2) },
		without:  "nothing",
		with:     "DEBUG Request",
	},
	{
		setting: "MeterProvider",
		set:     func(s *scene, o *cognitosync.Options) { o.MeterProvider = &s.meters },
		seen: func(s *scene) string {
			if len(s.measured["client.call.duration"]) == 0 {
				return "nothing"
			}
			return "meter of " + s.measured["client.call.duration"][0].Instrument.Scope
		},
		without: "nothing",
		with:    "meter of github.com/cognitosync/cognitosync-go",
	},
	{
		setting:  "Region",
		set:      func(_ *scene, o *cognitosync.Options) { o.Region = "eu-west-1" },
		inConfig: func(_ *scene, c *aws.Config) { c.Region = "eu-west-1" },
		seen:     func(s *scene) string { return s.target() + " " + s.scope()[2] },
		without:  host + " us-east-1",
		with:     "https://cognito-sync.eu-west-1.amazonaws.com eu-west-1",
	},
	{
		setting:  "RetryMaxAttempts",
		step:     alwaysFailing,
		set:      func(_ *scene, o *cognitosync.Options) { o.RetryMaxAttempts = 2 },
		inConfig: func(_ *scene, c *aws.Config) { c.RetryMaxAttempts = 2 },
		seen:     func(s *scene) string { return s.attempts() + ": " + s.header("Amz-Sdk-Request") },
		without:  "3: attempt=1; max=3",
		with:     "2: attempt=1; max=2",
	},
	{
		setting:  "RetryMaxAttempts", // more than the default, with the caller's retryer
		step:     alwaysFailing,
		given:    func(_ *scene, o *cognitosync.Options) { o.Retryer = retry.NewStandard() },
		set:      func(_ *scene, o *cognitosync.Options) { o.RetryMaxAttempts = 4 },
		inConfig: func(_ *scene, c *aws.Config) { c.RetryMaxAttempts = 4 },
		seen:     func(s *scene) string { return s.attempts() + ": " + s.header("Amz-Sdk-Request") },
		without:  "3: attempt=1; max=3",
		with:     "4: attempt=1; max=4",
	},
	{
		setting:  "RetryMode",
		set:      func(_ *scene, o *cognitosync.Options) { o.RetryMode = aws.RetryModeAdaptive },
		inConfig: func(_ *scene, c *aws.Config) { c.RetryMode = aws.RetryModeAdaptive },
		seen:     (*scene).retryMode,
		without:  "E",
		with:     "F",
	},
	{
		setting:  "Retryer",
		step:     alwaysFailing,
		set:      func(_ *scene, o *cognitosync.Options) { o.Retryer = aws.NopRetryer{} },
		inConfig: func(_ *scene, c *aws.Config) { c.Retryer = func() aws.Retryer { return aws.NopRetryer{} } },
		seen:     (*scene).attempts,
		without:  "3",
		with:     "1",
	},
	{
		setting: "StructuredLogger",
		set:     func(s *scene, o *cognitosync.Options) { o.StructuredLogger = slog.New(&s.records) },
		seen: func(s *scene) string {
			if len(s.recorded) == 0 {
				return "nothing"
			}
			return fmt.Sprint(s.recorded[0]["message"])
		},
		without: "nothing",
		with:    "cognitosync attempt",
	},
	{
		setting: "TracerProvider",
		set:     func(s *scene, o *cognitosync.Options) { o.TracerProvider = &s.spans },
		seen: func(s *scene) string {
			if len(s.started) == 0 {
				return "nothing"
			}
			return s.started[0].Name()
		},
		without: "nothing",
		with:    "Cognito Sync.DescribeIdentityPoolUsage",
	},
	{
		setting: "UseIdentityPoolRegion",
		pool:    "eu-west-1:1f2e",
		set:     func(_ *scene, o *cognitosync.Options) { o.UseIdentityPoolRegion = true },
		seen:    (*scene).target,
		without: "nothing sent",
		with:    "https://cognito-sync.eu-west-1.amazonaws.com",
	},
	{
		setting: "WithSigV4SigningName",
		set:     func(_ *scene, o *cognitosync.Options) { cognitosync.WithSigV4SigningName("execute-api")(o) },
		seen:    func(s *scene) string { return s.scope()[3] },
		without: "cognito-sync",
		with:    "execute-api",
	},
	{
		setting: "WithSigV4SigningRegion",
		set:     func(_ *scene, o *cognitosync.Options) { cognitosync.WithSigV4SigningRegion("ap-south-1")(o) },
		seen:    func(s *scene) string { return s.target() + " " + s.scope()[2] },
		without: host + " us-east-1",
		with:    host + " ap-south-1",
	},
	{
		setting: "WithAPIOptions",
		set:     func(s *scene, o *cognitosync.Options) { cognitosync.WithAPIOptions(s.noteInitialize)(o) },
		seen:    (*scene).firstNote,
		without: "nothing",
		with:    "stack of DescribeIdentityPoolUsage",
	},

	// Only in aws.Config.
	{
		setting: "EndpointResolver",
		inConfig: func(_ *scene, c *aws.Config) {
			c.EndpointResolver = aws.EndpointResolverFunc(func(service, region string) (aws.Endpoint, error) {
				return aws.Endpoint{URL: "http://" + region + ".test", SigningName: "local", SigningRegion: strings.ReplaceAll(service, " ", "-")}, nil
			})
		},
		seen:    func(s *scene) string { return s.target() + " " + s.signedFor() },
		without: host + " us-east-1/cognito-sync",
		with:    "http://us-east-1.test Cognito-Sync/local",
	},
	{
		setting: "EndpointResolverWithOptions",
		inConfig: func(_ *scene, c *aws.Config) {
			c.EndpointResolverWithOptions = resolverWithOptions(func(service, region string, _ ...any) (aws.Endpoint, error) {
				return aws.Endpoint{URL: "http://" + region + ".test", SigningName: "local", SigningRegion: strings.ReplaceAll(service, " ", "-")}, nil
			})
		},
		seen:    func(s *scene) string { return s.target() + " " + s.signedFor() },
		without: host + " us-east-1/cognito-sync",
		with:    "http://us-east-1.test Cognito-Sync/local",
	},
	{
		setting: "ServiceOptions",
		inConfig: func(_ *scene, c *aws.Config) {
			c.ServiceOptions = append(c.ServiceOptions, func(service string, options any) {
				if options, ok := options.(*cognitosync.Options); ok {
					options.AppID = service
				}
			})
		},
		seen: func(s *scene) string { return submatch(userAgentAppID, s.header("User-Agent")) },
		with: "Cognito-Sync",
	},
}

var otherCredentials = cognitosynctest.Credentials{AccessKeyID: "AKIDOTHER", SecretAccessKey: "other secret"}

type resolverWithOptions = aws.EndpointResolverWithOptionsFunc

func (s *scene) otherHTTPClient() cognitosync.HTTPClient {
	return clienttest.Doer(func(req *http.Request) (*http.Response, error) {
		s.notes.Add("sent by the other client")
		return s.server.RoundTripper().RoundTrip(req)
	})
}

func (s *scene) hook() smithyhttp.BeforeExecutionInterceptor {
	h := newHooks()
	h.look = func(string, *smithyhttp.InterceptorContext) { s.notes.Add("before execution") }
	return h
}

func (s *scene) retryMode() string {
	return submatch(regexp.MustCompile(`(?:^| )m/(\S+)`), s.header("User-Agent"))
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for i := range settingTests {
		test := &settingTests[i]
		t.Run(test.setting, func(t *testing.T) {
			t.Parallel()
			test.run(t, func(t *testing.T, test func(t *testing.T)) { test(t) })
		})
	}
}

// settingsInTime are tested by TestSettingsInTime.
var settingsInTime = []string{"AttemptTimeout", "DefaultsMode", "RuntimeEnvironment"}

// The fields of aws.Config that have no effect, and why.
var configOfNoMatter = map[string]string{
	"AccountIDEndpointMode":       "the service's endpoints do not depend on the account",
	"AuthSchemePreference":        "the service has one scheme",
	"BearerAuthTokenProvider":     "the service takes no tokens",
	"DisableRequestCompression":   "the request has no body",
	"RequestChecksumCalculation":  "the request has no body",
	"RequestMinCompressSizeBytes": "the request has no body",
	"ResponseChecksumValidation":  "the response has no checksum",
	"RestrictFilePermissions":     "the client writes no files",
}

// TestEverySettingIsTested fails if there is a field without a test.
func TestEverySettingIsTested(t *testing.T) {
	t.Parallel()
	tested, inConfig := map[string]bool{}, map[string]bool{"ConfigSources": true}
	for _, test := range settingTests {
		field, _, _ := strings.Cut(test.setting, ".")
		tested[field] = tested[field] || test.set != nil
		inConfig[field] = inConfig[field] || test.inConfig != nil
	}
	for _, field := range settingsInTime {
		tested[field], inConfig[field] = true, true
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[cognitosync.Options]()) {
		assert.True(t, !field.IsExported() || tested[field.Name], "no test of Options.%s", field.Name)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[aws.Config]()) {
		known := inConfig[field.Name] || configOfNoMatter[field.Name] != ""
		assert.True(t, !field.IsExported() || known, "no test of aws.Config.%s", field.Name)
	}
}

// TestDefaultsComeFirst checks that the defaults are filled in before option functions run.
func TestDefaultsComeFirst(t *testing.T) {
	t.Parallel()
	fiveAttempts := func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 5) }
	for _, test := range []struct {
		name string
		make func(cfg aws.Config, fn func(*cognitosync.Options)) *cognitosync.Client
		call []func(*cognitosync.Options)
	}{
		{name: "New", make: func(cfg aws.Config, fn func(*cognitosync.Options)) *cognitosync.Client {
			options := cognitosync.Options{Region: cfg.Region, Credentials: cfg.Credentials, HTTPClient: cfg.HTTPClient, BaseEndpoint: cfg.BaseEndpoint}
			return cognitosync.New(options, fn, fiveAttempts)
		}},
		{name: "NewFromConfig", make: func(cfg aws.Config, fn func(*cognitosync.Options)) *cognitosync.Client {
			return cognitosync.NewFromConfig(cfg, fn, fiveAttempts)
		}},
		{name: "ServiceOptions", make: func(cfg aws.Config, fn func(*cognitosync.Options)) *cognitosync.Client {
			cfg.ServiceOptions = append(cfg.ServiceOptions, func(_ string, o any) { fiveAttempts(o.(*cognitosync.Options)) })
			return cognitosync.NewFromConfig(cfg, fn)
		}},
		{name: "a call", call: []func(*cognitosync.Options){fiveAttempts}, make: func(cfg aws.Config, fn func(*cognitosync.Options)) *cognitosync.Client {
			return cognitosync.NewFromConfig(cfg, fn)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				server := cognitosynctest.NewServer(t)
				server.Script("", alwaysFailing)
				cfg := server.Config()
				cfg.Retryer = nil
				client := test.make(cfg, func(o *cognitosync.Options) {
					assert.Equal(t, cognitosync.DefaultAttemptTimeout, o.AttemptTimeout)
					assert.NotNil(t, o.EndpointResolverV2)
					assert.NotNil(t, o.HTTPClient)
					assert.NotNil(t, o.HTTPSignerV4)
					assert.NotNil(t, o.Logger)
					assert.NotNil(t, o.MeterProvider)
					assert.NotNil(t, o.TracerProvider)
					assert.NotNil(t, o.Retryer)
					assert.Equal(t, aws.RetryModeStandard, o.RetryMode)
					takePath(path, o)
				})
				cognitosync.SetSleep(client, doNotSleep)
				_, err := describe(t.Context(), t, client, poolID, test.call...)
				assert.Equal(t, 5, cognitosync.InspectError(err).Attempts)
				assert.Equal(t, 5, server.Requests().Count())
			})
		})
	}
}

// TestClearedSettings checks that a setting that an option function clears has its default.
func TestClearedSettings(t *testing.T) {
	t.Parallel()
	cleared := func(o *cognitosync.Options) {
		*o = cognitosync.Options{
			Region: o.Region, Credentials: o.Credentials, BaseEndpoint: o.BaseEndpoint,
			APIOptions: o.APIOptions, // keeps the path
		}
	}
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, cleared)
		_, err := tr.call(t.Context())
		require.NoError(t, err)
		_, err = tr.call(t.Context(), cleared)
		require.NoError(t, err)
		assert.Equal(t, 2, tr.server.Requests().Count())
		options := tr.client.Options()
		assert.Equal(t, cognitosync.DefaultAttemptTimeout, options.AttemptTimeout)
		assert.IsType(t, &awshttp.BuildableClient{}, options.HTTPClient)
		assert.IsType(t, logging.Nop{}, options.Logger)
	})
}

// TestOptionsAreIsolated checks that a client cannot be changed by modifying the Options it
// was created with, the Options it returns, or those of a call.
func TestOptionsAreIsolated(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.Pools = []cognitosynctest.Pool{poolUsage} })
		var intruders clienttest.Notes
		intrude := func(*middleware.Stack) error {
			intruders.Add("middleware")
			return nil
		}
		hook := newHooks()
		hook.look = func(string, *smithyhttp.InterceptorContext) { intruders.Add("hook") }

		cfg := server.Config()
		options := cognitosync.Options{
			Region: cfg.Region, Credentials: cfg.Credentials, BaseEndpoint: cfg.BaseEndpoint, HTTPClient: cfg.HTTPClient,
			APIOptions: make([]func(*middleware.Stack) error, 0, 8), // append does not reallocate
		}
		options.Interceptors.BeforeExecution = make([]smithyhttp.BeforeExecutionInterceptor, 0, 8)
		takePath(path, &options)
		client := cognitosync.New(options)

		change := func(o *cognitosync.Options) {
			o.Region = "nowhere"
			o.BaseEndpoint = nil
			o.Credentials = nil
			if len(o.APIOptions) > 0 {
				o.APIOptions[0] = intrude
			}
			o.APIOptions = append(o.APIOptions, intrude)
			o.Interceptors.AddBeforeExecution(hook)
		}
		change(&options)
		handedOut := client.Options()
		change(&handedOut)
		copied := handedOut.Copy()
		change(&copied)
		_, err := describe(t.Context(), t, client, poolID, change)
		require.Error(t, err, "the call is made with the changed options")
		intruders.Take()

		_, err = describe(t.Context(), t, client, poolID)
		require.NoError(t, err)
		assert.Empty(t, intruders.Take())
		assert.Equal(t, "us-east-1", client.Options().Region)
		assert.Equal(t, 1, server.Requests().Count())
	})
}

// TestOptionsCopy checks that appending to a copy does not change the original, and vice
// versa.
func TestOptionsCopy(t *testing.T) {
	t.Parallel()
	original := cognitosync.Options{Region: "us-east-1", APIOptions: make([]func(*middleware.Stack) error, 1, 8)}
	original.Interceptors.AddAfterExecution(newHooks())
	clone := original.Copy()
	assert.Equal(t, "us-east-1", clone.Region)
	assert.Len(t, clone.APIOptions, 1)
	assert.Len(t, clone.Interceptors.AfterExecution, 1)

	clone.APIOptions[0] = func(*middleware.Stack) error { return nil }
	clone.Interceptors.AfterExecution[0] = nil
	_ = append(clone.APIOptions, func(*middleware.Stack) error { return nil })
	assert.Nil(t, original.APIOptions[0])
	assert.Nil(t, original.APIOptions[:2][1])
	assert.NotNil(t, original.Interceptors.AfterExecution[0])
}

// TestOptionFunctionsInOrder checks the order of option functions: those of ServiceOptions
// run first.
func TestOptionFunctionsInOrder(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.Pools = []cognitosynctest.Pool{poolUsage} })
		add := func(letter string) func(*cognitosync.Options) {
			return func(o *cognitosync.Options) { o.AppID += letter }
		}
		cfg := server.Config()
		cfg.AppID = "a"
		for _, letter := range []string{"b", "c"} {
			cfg.ServiceOptions = append(cfg.ServiceOptions, func(_ string, o any) { add(letter)(o.(*cognitosync.Options)) })
		}
		_, err := describe(t.Context(), t, newClient(cfg, path, add("d"), add("e")), poolID, add("f"), add("g"))
		require.NoError(t, err)
		assert.Equal(t, "abcdefg", submatch(userAgentAppID, server.Requests().Last().Header.Get("User-Agent")))
	})
}

// TestWithAPIOptionsAdds checks that the helper appends.
func TestWithAPIOptionsAdds(t *testing.T) {
	t.Parallel()
	var order clienttest.Notes
	noting := func(line string) func(*middleware.Stack) error {
		return func(*middleware.Stack) error {
			order.Add("%s", line)
			return nil
		}
	}
	tr := setup(t, direct, cognitosync.WithAPIOptions(noting("1"), noting("2")), cognitosync.WithAPIOptions(noting("3")))
	_, err := tr.call(t.Context(), cognitosync.WithAPIOptions(noting("4")), cognitosync.WithAPIOptions())
	require.NoError(t, err)
	assert.Equal(t, []string{"1", "2", "3", "4"}, order.Take())
}

// TestCallersHTTPClientIsUnchanged checks that the client does not modify the caller's.
func TestCallersHTTPClientIsUnchanged(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		own := &http.Client{}
		tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPClient = own })
		tr.server.Script("", cognitosynctest.Redirect(http.StatusTemporaryRedirect, tr.server.URL()+"/elsewhere"))
		_, err := tr.call(t.Context())
		require.Error(t, err)
		assert.Equal(t, 1, tr.server.Requests().Count(), "redirects are not followed")
		assert.Nil(t, own.CheckRedirect)
		assert.Same(t, own, tr.client.Options().HTTPClient)
	})
}

// Sources of an aws.Config, each with one setting.
type (
	fipsSource      struct{ state aws.FIPSEndpointState }
	dualStackSource struct{ state aws.DualStackEndpointState }
	endpointSource  map[string]string // by service
	ignoreSource    bool
)

func (s fipsSource) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return s.state, s.state != aws.FIPSEndpointStateUnset, nil
}

func (s dualStackSource) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return s.state, s.state != aws.DualStackEndpointStateUnset, nil
}

func (s endpointSource) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	endpoint, found := s[sdkID]
	return endpoint, found, nil
}

func (s ignoreSource) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return bool(s), true, nil
}

// TestConfigSources is not parallel, because it sets environment variables.
func TestConfigSources(t *testing.T) {
	const own, forAll = "AWS_ENDPOINT_URL_COGNITO_SYNC", "AWS_ENDPOINT_URL"
	for _, test := range []struct {
		name    string
		sources []any
		env     map[string]string
		base    string
		want    string
	}{
		{name: "none", want: host},
		{
			name: "the first that knows", want: "https://cognito-sync-fips.us-east-1.amazonaws.com",
			sources: []any{struct{}{}, fipsSource{}, fipsSource{aws.FIPSEndpointStateEnabled}, fipsSource{aws.FIPSEndpointStateDisabled}},
		},
		{
			name: "switched off", want: host,
			sources: []any{dualStackSource{aws.DualStackEndpointStateDisabled}, dualStackSource{aws.DualStackEndpointStateEnabled}},
		},
		{
			name: "an endpoint of the service", want: "http://one.test", base: "http://base.test",
			sources: []any{endpointSource{"S3": "http://s3.test"}, endpointSource{"Cognito Sync": "http://one.test"}, endpointSource{"Cognito Sync": "http://two.test"}},
		},
		{
			name: "endpoints of others", want: "http://base.test", base: "http://base.test",
			sources: []any{endpointSource{"S3": "http://s3.test"}},
		},
		{
			name: "configured endpoints are ignored", want: host,
			sources: []any{ignoreSource(true), endpointSource{"Cognito Sync": "http://one.test"}},
		},
		{
			name: "configured endpoints are not ignored", want: "http://one.test",
			sources: []any{ignoreSource(false), ignoreSource(true), endpointSource{"Cognito Sync": "http://one.test"}},
		},
		{
			name: "the variable for all services comes before the file", want: "http://base.test", base: "http://base.test",
			env:     map[string]string{forAll: "http://base.test"},
			sources: []any{endpointSource{"Cognito Sync": "http://one.test"}},
		},
		{
			name: "the service's own variable comes before both", want: "http://one.test", base: "http://base.test",
			env:     map[string]string{forAll: "http://base.test", own: "http://one.test"},
			sources: []any{endpointSource{"Cognito Sync": "http://one.test"}},
		},
	} {
		for _, path := range paths {
			t.Run(test.name+"/"+path, func(t *testing.T) {
				for _, name := range []string{own, forAll} {
					t.Setenv(name, test.env[name]) // restored when the test ends
					if test.env[name] == "" {
						require.NoError(t, os.Unsetenv(name))
					}
				}
				s := newScene(t, &settingTest{seen: (*scene).target})
				cfg := s.config()
				cfg.ConfigSources = test.sources
				if test.base != "" {
					cfg.BaseEndpoint = aws.String(test.base)
				}
				client := cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { takePath(path, o) })
				assert.Equal(t, test.want, s.see(t, client))
			})
		}
	}
}

// Sources of an aws.Config that return an error.
type (
	brokenFIPSSource      struct{ error }
	brokenDualStackSource struct{ error }
	brokenEndpointSource  struct{ error }
	brokenIgnoreSource    struct{ error }
)

func (s brokenFIPSSource) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return 0, false, s.error
}

func (s brokenDualStackSource) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return 0, false, s.error
}

func (s brokenEndpointSource) GetServiceBaseEndpoint(context.Context, string) (string, bool, error) {
	return "", false, s.error
}

func (s brokenIgnoreSource) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return false, false, s.error
}

// brokenMeterProvider returns an error for the instrument with that name.
type brokenMeterProvider struct {
	metrics.NopMeterProvider
	instrument string
}

func (p brokenMeterProvider) Meter(scope string, _ ...metrics.MeterOption) metrics.Meter {
	return brokenMeter{p.NopMeterProvider.Meter(scope), p.instrument}
}

type brokenMeter struct {
	metrics.Meter
	instrument string
}

func (m brokenMeter) Int64Counter(name string, opts ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	if name == m.instrument {
		return nil, errBroken
	}
	return m.Meter.Int64Counter(name, opts...)
}

func (m brokenMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	if name == m.instrument {
		return nil, errBroken
	}
	return m.Meter.Float64Histogram(name, opts...)
}

// TestBadSettings checks that a call with an invalid setting sends nothing, and that its error
// names the setting and what is wrong.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	const setRegion = ": set AWS_REGION or Options.Region, or use pool IDs with a region and Options.UseIdentityPoolRegion"
	base := func(endpoint string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.BaseEndpoint = &endpoint }
	}
	region := func(region string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.Region = region }
	}
	credentials := func(provider aws.CredentialsProvider) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.Credentials = provider }
	}
	keys := func(c aws.Credentials) func(*cognitosync.Options) {
		return credentials(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }))
	}
	meter := func(instrument string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) { o.MeterProvider = brokenMeterProvider{instrument: instrument} }
	}
	source := func(source any) func(*aws.Config) {
		return func(c *aws.Config) { c.ConfigSources = []any{source} }
	}
	legacy := func(endpoint aws.Endpoint, err error) func(*aws.Config) {
		return func(c *aws.Config) {
			c.EndpointResolverWithOptions = resolverWithOptions(func(string, string, ...any) (aws.Endpoint, error) { return endpoint, err })
		}
	}
	for _, test := range []struct {
		name    string
		set     func(*cognitosync.Options)
		config  func(*aws.Config) // instead of set
		setting string
		text    string // in the error
		cause   error  // in its chain
	}{
		{name: "no region", set: region(""), setting: "Region", text: "Missing Region" + setRegion},
		{name: "no region, custom endpoint", setting: "Region", text: "missing" + setRegion, set: func(o *cognitosync.Options) {
			o.Region, o.BaseEndpoint = "", aws.String("http://base.test")
		}},
		{name: "no region, pool region wanted, pool without", setting: "Region", text: "Missing Region" + setRegion, set: func(o *cognitosync.Options) {
			o.Region, o.UseIdentityPoolRegion = "", true
		}},
		{name: "region with a host", set: region("evil.test/"), setting: "Region", text: "must be a single host label, such as us-east-1"},
		{name: "region with a user", set: region("x@evil"), setting: "Region", text: "must be a single host label, such as us-east-1"},
		{name: "region with a line break", set: region("us-east-1\r\nX-Evil: 1"), setting: "Region", text: "must be a single host label, such as us-east-1"},
		{name: "region too long", set: region(strings.Repeat("a", 64)), setting: "Region", text: "must be a single host label, such as us-east-1"},
		{name: "blank region", set: region(" "), setting: "Region", text: "must be a single host label, such as us-east-1"},

		{name: "no credentials", set: credentials(nil), setting: "Credentials", text: "missing or anonymous: requests must be signed; use config.LoadDefaultConfig or set Options.Credentials"},
		{name: "anonymous credentials", set: credentials(aws.AnonymousCredentials{}), setting: "Credentials", text: "missing or anonymous: requests must be signed; use config.LoadDefaultConfig or set Options.Credentials"},
		{name: "pointer to anonymous credentials", set: credentials(&aws.AnonymousCredentials{}), setting: "Credentials", text: "missing or anonymous: requests must be signed; use config.LoadDefaultConfig or set Options.Credentials"},
		{name: "cached anonymous credentials", set: credentials(aws.NewCredentialsCache(aws.AnonymousCredentials{})), setting: "Credentials", text: "missing or anonymous: requests must be signed; use config.LoadDefaultConfig or set Options.Credentials"},
		{name: "credentials without keys", set: keys(aws.Credentials{SessionToken: "token"}), setting: "Credentials", text: "the provider returned no access key ID or no secret access key"},
		{name: "credentials without secret", set: keys(aws.Credentials{AccessKeyID: "AKID"}), setting: "Credentials", text: "the provider returned no access key ID or no secret access key"},

		{name: "endpoint without scheme", set: base("localhost:4566"), setting: "BaseEndpoint", text: "scheme"},
		{name: "endpoint of another scheme", set: base("ftp://base.test"), setting: "BaseEndpoint", text: "scheme"},
		{name: "endpoint without host", set: base("http://"), setting: "BaseEndpoint", text: "the host is missing"},
		{name: "endpoint with only a port", set: base("http://:4566"), setting: "BaseEndpoint", text: "the host is missing"},
		{name: "endpoint with a user", set: base("http://user:password@base.test"), setting: "BaseEndpoint", text: "user information"},
		{name: "endpoint with a query", set: base("http://base.test?a=b"), setting: "BaseEndpoint", text: "query"},
		{name: "endpoint with an empty query", set: base("http://base.test?"), setting: "BaseEndpoint", text: "query"},
		{name: "endpoint with a fragment", set: base("http://base.test#a"), setting: "BaseEndpoint", text: "fragment"},
		{name: "unparsable endpoint", set: base("http://[::1"), setting: "BaseEndpoint", text: "not a valid URL"},
		{name: "empty endpoint", set: base(""), setting: "BaseEndpoint", text: "scheme"},
		{name: "custom FIPS endpoint", setting: "BaseEndpoint", text: "FIPS and custom endpoint are not supported", set: func(o *cognitosync.Options) {
			base("http://base.test")(o)
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}},
		{name: "custom dual-stack endpoint", setting: "BaseEndpoint", text: "Dualstack and custom endpoint are not supported", set: func(o *cognitosync.Options) {
			base("http://base.test")(o)
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}},

		{name: "unknown defaults mode", setting: "DefaultsMode", text: `unknown mode "fast": use auto, cross-region`, set: func(o *cognitosync.Options) { o.DefaultsMode = "fast" }},
		{name: "unknown retry mode", setting: "RetryMode", text: `unknown mode "eager": use standard or adaptive`, set: func(o *cognitosync.Options) { o.RetryMode = "eager" }},
		{name: "negative attempts", setting: "RetryMaxAttempts", text: "-1 is negative: use 0", set: func(o *cognitosync.Options) { o.RetryMaxAttempts = -1 }},
		{name: "broken resolver", setting: "EndpointResolverV2", cause: errBroken, set: cognitosync.WithEndpointResolverV2(resolverFunc(
			func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
				return smithyendpoints.Endpoint{}, errBroken
			})),
		},
		{name: "resolver without a host", setting: "EndpointResolverV2", text: "the host is missing", set: cognitosync.WithEndpointResolverV2(resolveTo(""))},
		{name: "broken histogram", set: meter("client.call.duration"), setting: "MeterProvider", cause: errBroken},
		{name: "broken attempts counter", set: meter("client.call.attempts"), setting: "MeterProvider", cause: errBroken},
		{name: "broken errors counter", set: meter("client.call.errors"), setting: "MeterProvider", cause: errBroken},

		{name: "broken FIPS setting", config: source(brokenFIPSSource{errBroken}), setting: "EndpointOptions.UseFIPSEndpoint", cause: errBroken},
		{name: "broken dual-stack setting", config: source(brokenDualStackSource{errBroken}), setting: "EndpointOptions.UseDualStackEndpoint", cause: errBroken},
		{name: "broken endpoint setting", config: source(brokenEndpointSource{errBroken}), setting: "BaseEndpoint", cause: errBroken},
		{name: "broken ignore setting", config: source(brokenIgnoreSource{errBroken}), setting: "BaseEndpoint", cause: errBroken},
		{name: "broken legacy resolver", config: legacy(aws.Endpoint{}, errBroken), setting: "EndpointResolver", cause: errBroken},
		{name: "unparsable legacy endpoint", config: legacy(aws.Endpoint{URL: "http://[::1"}, nil), setting: "EndpointResolver", text: "not a valid URL"},
		{name: "empty legacy endpoint", config: legacy(aws.Endpoint{}, nil), setting: "EndpointResolver", text: "scheme"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				s := newScene(t, &settingTest{})
				check := func(client *cognitosync.Client, optFns ...func(*cognitosync.Options)) {
					t.Helper()
					output, err := describe(t.Context(), t, client, anyPool, optFns...)
					assert.Nil(t, output)
					var bad *cognitosync.ConfigurationError
					require.ErrorAs(t, err, &bad)
					assert.Equal(t, test.setting, bad.Setting)
					assert.ErrorContains(t, err, test.text)
					assert.ErrorContains(t, err, "configuration of "+test.setting)
					if test.cause != nil {
						require.ErrorIs(t, err, test.cause)
					}
					assert.NotContains(t, err.Error(), "password")
					assert.Empty(t, s.wire.Take(), "requests sent")
				}
				if test.config != nil {
					cfg := s.config()
					test.config(&cfg)
					check(cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { takePath(path, o) }))
					return
				}
				check(cognitosync.New(s.options(path), test.set))
				check(cognitosync.New(s.options(path)), test.set)
			})
		})
	}
}

// TestCallCorrectsSettings checks that a call can correct an invalid setting of the client.
func TestCallCorrectsSettings(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) { o.Credentials, o.Region = nil, "" })
		_, err := tr.call(t.Context())
		require.Error(t, err)
		_, err = tr.call(t.Context(), func(o *cognitosync.Options) {
			o.Credentials, o.Region = tr.server.Config().Credentials, tr.server.Config().Region
		})
		require.NoError(t, err)
	})
}

// TestClearedForACall checks that a call that clears HTTPClient uses the client's, and that
// a call that clears EndpointResolver uses the default endpoint.
func TestClearedForACall(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
		client := newClient(configOf(sent), path, cognitosync.WithEndpointResolver(cognitosync.EndpointResolverFromURL("https://legacy.test")))
		for _, test := range []struct {
			name  string
			clear func(*cognitosync.Options)
			host  string
		}{
			{"nothing", func(*cognitosync.Options) {}, "legacy.test"},
			{"HTTPClient", func(o *cognitosync.Options) { o.HTTPClient = nil }, "legacy.test"},
			{"typed nil HTTPClient", func(o *cognitosync.Options) { o.HTTPClient = (*http.Client)(nil) }, "legacy.test"},
			{"EndpointResolver", func(o *cognitosync.Options) { o.EndpointResolver = nil }, "cognito-sync.us-east-1.amazonaws.com"},
			{"nothing again", func(*cognitosync.Options) {}, "legacy.test"},
		} {
			_, err := describe(t.Context(), t, client, poolID, test.clear)
			require.NoError(t, err, test.name)
			requests := sent.Take()
			require.Len(t, requests, 1, test.name)
			assert.Equal(t, test.host, requests[0].URL.Host, test.name)
		}
	})
}

// TestLimitOfAnotherRegion checks that RetryMaxAttempts also applies to pools outside the
// client's region.
func TestLimitOfAnotherRegion(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 3, 1: 1, 2: 2, 5: 5} {
		for _, pool := range []string{poolID, "eu-west-1:1"} {
			t.Run(fmt.Sprint(limit, pool), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusInternalServerError, nil, "")}
					set := func(o *cognitosync.Options) { o.RetryMaxAttempts = limit }
					for _, call := range []func() error{
						func() error {
							_, err := describe(t.Context(), t, newClient(configOf(sent), path, usePoolRegion, set), pool)
							return err
						},
						func() error {
							_, err := describe(t.Context(), t, newClient(configOf(sent), path, usePoolRegion), pool, set)
							return err
						},
					} {
						err := call()
						require.Error(t, err)
						assert.Len(t, sent.Take(), want)
						assert.Equal(t, want, cognitosync.InspectError(err).Attempts)
					}
				})
			})
		}
	}
}

// TestLimitThatACallClears checks that a call that sets RetryMaxAttempts to 0 uses the
// client's limit.
func TestLimitThatACallClears(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusInternalServerError, nil, "")}
		client := newClient(configOf(sent), path, func(o *cognitosync.Options) { o.RetryMaxAttempts = 2 })
		output, err := describe(t.Context(), t, client, poolID, func(o *cognitosync.Options) { o.RetryMaxAttempts = 0 })
		requireFailure(t, output, err)
		assert.Len(t, sent.Take(), 2)
	})
}
