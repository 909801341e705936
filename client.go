// Package cognitosync asks Amazon Cognito Sync one question: how many sync sessions
// and how much data does this identity pool hold, and when was it last changed?
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	...
//	client := cognitosync.NewFromConfig(cfg)
//	out, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{
//		IdentityPoolId: aws.String("us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"),
//	})
//
// It has the shape of the AWS SDK for Go v2, takes an aws.Config and returns the
// SDK's kinds of errors: code written for the SDK's own package needs its import
// path changed. It is not a general AWS client and will not grow other operations.
//
// Package cognitosynctest, beside this one, is a fake of the service for tests.
//
// Amazon Cognito Sync has been closed to new customers since 2026-07-30. The service
// is documented at https://docs.aws.amazon.com/cognitosync/latest/APIReference/.
package cognitosync

import (
	"context"
	"net/http"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Version is the version of this package, as in its tag and in the User-Agent.
const Version = "0.1.0"

// ServiceID is the service's name in the SDK, in aws.Config.ServiceOptions and in
// errors.
const ServiceID = "Cognito Sync"

// ServiceAPIVersion is the version of the service's API.
const ServiceAPIVersion = "2014-06-30"

// Client makes the call. It does not change once it is made, and is safe for
// concurrent use. Its connections are shared by all its calls: make one client and
// keep it. The zero value is not usable; use [New] or [NewFromConfig].
type Client struct {
	settings *settings

	clock    clockOffset   // learned from the service's answers
	renewing chan struct{} // holds one token while credentials are being renewed
	guarded  *sync.Map     // HTTPClient by guardKey
	sleep    func(context.Context, time.Duration) error
}

// New returns a client with the given settings, changed by the option functions
// after defaults have been filled in. It returns no error: settings that no call
// could be made with fail the first one, before anything is sent, with a
// [*ConfigurationError] that names the setting.
func New(options Options, optFns ...func(*Options)) *Client {
	client := &Client{
		renewing: make(chan struct{}, 1),
		guarded:  new(sync.Map),
		sleep:    smithytime.SleepWithContext,
	}
	options = options.Copy()
	options.fillDefaults()
	for _, fn := range optFns {
		fn(&options)
	}
	client.settings = client.settle(options)
	return client
}

// NewFromConfig returns a client with the settings of an aws.Config, such as
// config.LoadDefaultConfig returns. All of it that can matter to this call is
// taken over, cfg.ServiceOptions included, which run before optFns.
func NewFromConfig(cfg aws.Config, optFns ...func(*Options)) *Client {
	return New(optionsFromConfig(cfg), func(o *Options) {
		for _, fn := range cfg.ServiceOptions {
			fn(ServiceID, o)
		}
		for _, fn := range optFns {
			fn(o)
		}
	})
}

// Options returns a copy of the client's settings, defaults filled in.
func (c *Client) Options() Options {
	return c.settings.Options.Copy()
}

// settings are Options with all that follows from them alone, so that it is worked
// out once and not for each call. They do not change.
type settings struct {
	Options

	err            error // why no call can be made with them
	retryer        aws.RetryerV2
	httpClient     HTTPClient // that does not follow redirects
	homeRegion     string     // Region, or what it stands for if it is a pseudo region
	home           *endpoint  // of homeRegion; nil if that is for a resolver to say, or wrong
	userAgent      string
	retryMode      aws.RetryMode // as the User-Agent tells it
	attemptTimeout error         // what an attempt that takes too long fails with
	inLambda       bool
	usesStack      bool // there is middleware to run
	telemetry
}

// settle works out the settings of the client, or of one call, which shares with
// the client's what it does not change.
func (c *Client) settle(options Options) *settings {
	base := c.settings // nil while the client is being made
	if base != nil && options.HTTPClient == nil {
		options.HTTPClient = base.HTTPClient // rather than one whose connections serve one call
	}
	options.fillDefaults()
	if limit := options.RetryMaxAttempts; limit > 0 && (base == nil || limit != base.RetryMaxAttempts) {
		options.Retryer = limitAttempts(options.Retryer, limit)
	}
	_, inLambda := os.LookupEnv("AWS_LAMBDA_FUNCTION_NAME")
	s := &settings{
		Options:        options,
		err:            options.check(),
		retryer:        asRetryerV2(options.Retryer),
		httpClient:     c.withoutRedirects(options.HTTPClient, options.resolvedDefaultsMode()),
		retryMode:      retryModeOf(options.Retryer),
		attemptTimeout: &AttemptTimeoutError{AttemptTimeout: options.AttemptTimeout},
		inLambda:       inLambda,
		usesStack:      len(options.APIOptions) > 0 || hasInterceptors(&options.Interceptors),
	}
	s.userAgent = buildUserAgent(s)
	if s.homeRegion, _ = realRegion(options.Region); s.followsRules() && isHostLabel(s.homeRegion) {
		s.home, _ = s.endpointOf(context.Background(), s.homeRegion) // an error is found again by the call
	}

	var err error
	if base != nil && same(options.MeterProvider, base.MeterProvider) {
		s.instruments = base.instruments
	} else if s.instruments, err = newInstruments(options.MeterProvider); err != nil && s.err == nil {
		s.err = &ConfigurationError{Setting: "MeterProvider", Err: err}
	}
	s.tracer = newTracer(options.TracerProvider)
	return s
}

// same reports whether a and b are one value, of whatever type.
func same(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// newUserAgent returns the SDK's builder of the User-Agent, told who is calling.
func newUserAgent(s *settings) *awsmiddleware.RequestUserAgent {
	agent := awsmiddleware.NewRequestUserAgent()
	agent.AddSDKAgentKeyValue(awsmiddleware.APIMetadata, "cognitosync", Version)
	agent.AddSDKAgentKeyValue(awsmiddleware.FrameworkMetadata, "cognitosync-go", Version)
	if s.AppID != "" {
		agent.AddSDKAgentKey(awsmiddleware.ApplicationIdentifier, s.AppID)
	}
	switch s.retryMode {
	case aws.RetryModeStandard:
		agent.AddUserAgentFeature(awsmiddleware.UserAgentFeatureRetryModeStandard)
	case aws.RetryModeAdaptive:
		agent.AddUserAgentFeature(awsmiddleware.UserAgentFeatureRetryModeAdaptive)
	}
	if provider, ok := s.Credentials.(aws.CredentialProviderSource); ok {
		for _, source := range provider.ProviderSources() {
			agent.AddCredentialsSource(source)
		}
	}
	return agent
}

// buildUserAgent returns the header's value: what the builder sets on a request.
func buildUserAgent(s *settings) string {
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	// It cannot fail: the request is of the type it expects, and nothing comes after.
	_, _, _ = newUserAgent(s).HandleBuild(context.Background(), middleware.BuildInput{Request: req}, endOfBuild)
	return req.Header.Get("User-Agent")
}

// endOfBuild is what comes after a build step that is run by itself.
var endOfBuild = middleware.BuildHandlerFunc(func(context.Context, middleware.BuildInput) (middleware.BuildOutput, middleware.Metadata, error) {
	return middleware.BuildOutput{}, middleware.Metadata{}, nil
})

// call is one invocation of the operation: its settings and what it has come to. It
// belongs to one goroutine.
type call struct {
	*settings
	client *Client
	input  *DescribeIdentityPoolUsageInput

	region       string // to ask and to sign for
	target       *endpoint
	invocationID string        // all attempts have it
	maxAttempts  int           // 0: as many as it takes
	skew         time.Duration // of the service's clock, as far as it is known
	renewed      bool          // credentials have been asked for anew
	sent         bool          // a request has been
	results      []retry.AttemptResult
	firstResult  [1]retry.AttemptResult // where results begin: mostly there is but one

	// Of the attempt:
	attempt     int // its number, from 1
	credentials aws.Credentials
	request     *http.Request
	response    *http.Response // nil until there is one
	elapsed     time.Duration
	retryable   bool // its error is, by the retryer; not asked of an interruption
}

func (c *Client) newCall(input *DescribeIdentityPoolUsageInput, optFns []func(*Options)) *call {
	if input == nil {
		input = &DescribeIdentityPoolUsageInput{}
	}
	call := &call{settings: c.settings, client: c, input: input}
	call.results = call.firstResult[:0]
	if len(optFns) > 0 {
		options := c.Options()
		for _, fn := range optFns {
			fn(&options)
		}
		call.settings = c.settle(options)
	}
	if !call.DisableClockSkewCorrection {
		call.skew = c.clock.load()
	}
	return call
}
