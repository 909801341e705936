package cognitosync

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// Client calls Amazon Cognito Sync. Its settings do not change once it is created, and
// it is safe for concurrent use. All calls share its connections, so create one client
// and reuse it. The zero value is not usable; use [New] or [NewFromConfig].
type Client struct {
	settings    *settings
	clock       clockOffset
	renewals    renewals
	httpClients httpclient.Set
	sleep       func(context.Context, time.Duration) error
}

// New returns a client with the given settings. Option functions run after the defaults
// have been filled in. New returns no error. If a setting is invalid, every call fails
// with a [*ConfigurationError] that names the setting, before anything is sent.
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

// NewFromConfig returns a client with the settings of an [aws.Config], such as the one
// that config.LoadDefaultConfig returns. It uses every setting that applies to the
// operation. cfg.ServiceOptions run before optFns.
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

// Options returns a copy of the client's settings, including the defaults.
func (c *Client) Options() Options {
	return c.settings.options.Copy()
}

// settings are Options and everything derived from them. They are computed once, not for
// each call, and do not change.
type settings struct {
	options    *Options
	err        error // why the options are invalid; nil if they are valid
	router     *router
	retryers   *regionalRetryers
	httpClient HTTPClient // does not follow redirects
	userAgent  string
	inLambda   bool
	usesStack  bool // there is middleware, or an interceptor, to run
	telemetry  telemetry
}

// newSettings returns the settings for the options of the client or of one call. A call
// reuses whatever its options leave unchanged.
func (c *Client) newSettings(options *Options) *settings {
	base := c.settings
	if base == nil { // these are the client's own settings
		base = &settings{options: &Options{}, inLambda: os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != ""}
	}
	if isNil(options.HTTPClient) {
		options.HTTPClient = base.options.HTTPClient // a new one would open connections for one call
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

// identity returns what the User-Agent header contains about the caller.
func (s *settings) identity() callerIdentity {
	return callerIdentity{
		appID:     s.options.AppID,
		retryMode: s.options.effectiveRetryMode(),
		sources:   credentialSources(s.options.Credentials),
	}
}
