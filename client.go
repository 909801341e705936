package cognitosync

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// Client makes the call. It does not change once it is made, and is safe for
// concurrent use. Its connections are shared by all its calls: make one client and
// keep it. The zero value is not usable; use [New] or [NewFromConfig].
type Client struct {
	settings    *settings
	clock       clockOffset
	renewals    renewals
	httpClients httpclient.Set
	sleep       func(context.Context, time.Duration) error
}

// New returns a client with the given settings, changed by the option functions
// after defaults have been filled in. It returns no error: settings that no call
// could be made with fail the first one, before anything is sent, with a
// [*ConfigurationError] that names the setting.
func New(options Options, optFns ...func(*Options)) *Client {
	options = options.Copy()
	options.fillDefaults()
	for _, fn := range optFns {
		fn(&options)
	}
	client := &Client{sleep: smithytime.SleepWithContext}
	client.settings = client.newSettings(&options)
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
	return c.settings.options.Copy()
}

// settings are Options with all that follows from them alone, so that it is worked
// out once and not for each call. They do not change.
type settings struct {
	options    *Options
	err        error // why no call can be made with them
	router     *router
	retryers   *regionalRetryers
	httpClient HTTPClient // that does not follow redirects
	userAgent  string
	inLambda   bool
	usesStack  bool // there is middleware to run
	telemetry  telemetry
}

// newSettings returns the settings that follow from the client's options or from those
// of one call. What a call's options leave as it was is taken from the client's.
func (c *Client) newSettings(options *Options) *settings {
	base := c.settings
	if base == nil { // these are the client's: every option differs from none
		base = &settings{options: &Options{}, inLambda: os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != ""}
	}
	if isNil(options.HTTPClient) {
		options.HTTPClient = base.options.HTTPClient // rather than one whose connections serve one call
	}
	options.fillDefaults()
	options.limitAttempts(base.options)

	s := new(settings)
	*s = *base
	s.options, s.err = options, options.check()
	s.usesStack = len(options.APIOptions) > 0 || options.hasInterceptors()
	s.telemetry.logger, s.telemetry.mode = options.Logger, options.ClientLogMode
	s.telemetry.structured = options.StructuredLogger

	if !options.routesLike(base.options) {
		s.router = newRouter(options.routing())
	}
	switch {
	case same(options.Retryer, base.options.Retryer):
	case options.limitsRetryerOf(base.options):
		s.retryers = base.retryers.limited(options.RetryMaxAttempts)
	default:
		s.retryers = newRegionalRetryers(s.router.home, options.Retryer, options.regionalRetryer())
	}
	if !options.identifiesLike(base.options) {
		s.userAgent = userAgent(s.identity())
	}
	if mode := options.resolvedDefaultsMode(); !same(options.HTTPClient, base.options.HTTPClient) || mode != base.options.resolvedDefaultsMode() {
		s.httpClient = c.httpClients.WithoutRedirects(options.HTTPClient, mode)
	}
	if !same(options.TracerProvider, base.options.TracerProvider) {
		s.telemetry.tracer = newTracer(options.TracerProvider)
	}
	if !same(options.MeterProvider, base.options.MeterProvider) {
		var err error
		if s.telemetry.instruments, err = newInstruments(options.MeterProvider); err != nil && s.err == nil {
			s.err = &ConfigurationError{Setting: "MeterProvider", Err: err}
		}
	}
	return s
}

// identity returns what the User-Agent says of the caller.
func (s *settings) identity() callerIdentity {
	return callerIdentity{
		appID:     s.options.AppID,
		retryMode: s.options.retryModeName(),
		sources:   credentialSources(s.options.Credentials),
	}
}
