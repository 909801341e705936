package cognitosync

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/defaults"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/tracing"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// DefaultAttemptTimeout is how long one attempt may take unless
// [Options.AttemptTimeout] says otherwise.
const DefaultAttemptTimeout = 15 * time.Second

// Options are a client's settings, or with an option function those of one call.
// The zero value of each field stands for its default; only Region, unless
// UseIdentityPoolRegion is set, and Credentials have none.
//
// [NewFromConfig] fills them from an aws.Config. Option functions run after the
// defaults have been filled in, so that they can build on them:
//
//	func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 5) }
type Options struct {
	// APIOptions change the smithy middleware stack of a call. The client runs its
	// steps as a stack, under the SDK's step IDs, only when there are any.
	APIOptions []func(*middleware.Stack) error

	// AppID is added to the User-Agent header as "app/AppID"; what may not stand
	// there becomes "-". LoadDefaultConfig takes it from AWS_SDK_UA_APP_ID.
	AppID string

	// AttemptTimeout is how long one attempt may take to send its request and read the
	// response to its end. That includes the wait for a free connection, where all that
	// are allowed are in use. When it has passed, the attempt fails with an
	// [AttemptTimeoutError] and is retried. 0 means [DefaultAttemptTimeout], a
	// negative value no limit. The context of a call limits the call as a whole. It
	// alone limits how long Credentials may take; without a deadline, 5 minutes do.
	AttemptTimeout time.Duration

	// BaseEndpoint is the URL to send requests to in place of AWS's, for example
	// "http://127.0.0.1:4566": http or https, a host, perhaps a port and a path that
	// is kept in front of the operation's. A user, a query or a fragment is refused, by
	// an error that repeats only scheme and host. Only DisableHTTPS changes it. Requests are
	// signed for the same region as without it. LoadDefaultConfig takes it from AWS_ENDPOINT_URL_COGNITO_SYNC,
	// AWS_ENDPOINT_URL and the shared configuration.
	BaseEndpoint *string

	// ClientLogMode selects what is written to Logger: LogSigning, LogRetries,
	// LogRequest, LogRequestWithBody, LogResponse, LogResponseWithBody. The request
	// has no body. Keys, tokens and signatures are redacted in every mode, and control
	// characters other than tabs and line ends are replaced with spaces.
	ClientLogMode aws.ClientLogMode

	// Credentials sign the requests: of an IAM user or role, not those that Amazon
	// Cognito Identity gives to end users. There is no default, and anonymous
	// credentials are refused. Each attempt asks once, so that a provider that is slow
	// or asks a person belongs into an aws.CredentialsCache. Credentials that the service
	// reports as expired are renewed, at most once a minute, for all calls that have them.
	Credentials aws.CredentialsProvider

	// DefaultsMode chooses connect and TLS timeouts and the retry mode where
	// nothing else does. LoadDefaultConfig takes it from AWS_DEFAULTS_MODE.
	DefaultsMode aws.DefaultsMode

	// DisableClockSkewCorrection stops the client from signing by the service's
	// clock once it has found its own to be wrong. It has when the service accepted a
	// signature made by the Date of a response that refused another.
	DisableClockSkewCorrection bool

	// EndpointOptions select FIPS, dual-stack and plain HTTP endpoints.
	EndpointOptions EndpointResolverOptions

	// EndpointResolver finds the URL of a call, before BaseEndpoint and EndpointResolverV2
	// have a say. The default is none.
	//
	// Deprecated: set BaseEndpoint, or EndpointResolverV2.
	EndpointResolver EndpointResolver

	// EndpointResolverV2 finds the URL of a call. The default follows the rules AWS
	// publishes for the service. The region check of UseIdentityPoolRegion is left
	// to a resolver that is not the default one.
	EndpointResolverV2 EndpointResolverV2

	// HTTPClient sends the requests. The default is the SDK's awshttp.BuildableClient,
	// which LoadDefaultConfig gives where it gives one. Where its transport still has
	// the SDK's own numbers, there are at most 256 HTTP/1.1 connections a host, and while
	// idle all of them are kept, up to 1024 for all hosts. Over HTTP/2 calls share
	// connections, and one that has been silent for 14 s is given up.
	//
	// Redirects are never followed, for they would carry credentials elsewhere: of an
	// *http.Client or an awshttp.BuildableClient the client uses a copy that does not
	// follow. Any other implementation must see to that itself.
	HTTPClient HTTPClient

	// HTTPSignerV4 signs the requests. The default is v4.NewSigner().
	HTTPSignerV4 HTTPSignerV4

	// Interceptors are called at the 13 points of a call that smithy names. Like
	// APIOptions they have the call run as a middleware stack.
	Interceptors smithyhttp.InterceptorRegistry

	// Logger receives what ClientLogMode selects. The default is silent.
	Logger logging.Logger

	// MeterProvider receives the SDK's client metrics. The default records nothing.
	MeterProvider metrics.MeterProvider

	// Region is the region to ask and to sign for, such as "us-east-1".
	// LoadDefaultConfig takes it from AWS_REGION and the shared configuration.
	Region string

	// RetryMaxAttempts is the most attempts of one call, the first included. 0
	// leaves it to Retryer, whose default is 3. LoadDefaultConfig takes it from
	// AWS_MAX_ATTEMPTS.
	RetryMaxAttempts int

	// RetryMode chooses the default Retryer: aws.RetryModeStandard (the default), or
	// aws.RetryModeAdaptive, which also slows the client down while it is throttled.
	// A Retryer of your own makes it irrelevant; a call that changes it starts with a
	// retry quota of its own. Each region has its own quota and rate. LoadDefaultConfig
	// takes it from AWS_RETRY_MODE.
	RetryMode aws.RetryMode

	// Retryer decides what is tried again, how often and after what delay. The
	// default is the SDK's for RetryMode, with 3 attempts, a quota of retries, and
	// delays of at most 50 ms that double each time (1 s when throttled, never
	// above 20 s), chosen at random up to that bound. Where UseIdentityPoolRegion has
	// calls go to several regions, each has a quota of its own. A Retryer of your own
	// serves them all.
	Retryer aws.Retryer

	// RuntimeEnvironment helps DefaultsMode "auto". LoadDefaultConfig fills it.
	RuntimeEnvironment aws.RuntimeEnvironment

	// StructuredLogger gets one record for each attempt: number, status, error
	// code, request id, duration, what follows. The default is silent.
	StructuredLogger *slog.Logger

	// TracerProvider receives a span for each call and one for each attempt. The
	// default records nothing.
	TracerProvider tracing.TracerProvider

	// UseIdentityPoolRegion asks for each pool in the region that its id names, and
	// signs for that region; Region serves ids that name none. Where Region is set, and
	// AWS's own endpoints are used, an id of another partition is refused with a
	// [RegionMismatchError]: the credentials are of no use there. Without it, and
	// without a custom endpoint, an id of another region is refused with a
	// [RegionMismatchError] before anything is sent.
	UseIdentityPoolRegion bool

	signingName      string        // WithSigV4SigningName
	signingRegion    string        // WithSigV4SigningRegion
	defaultRetryer   aws.Retryer   // the Retryer that is not the caller's
	defaultRetryMode aws.RetryMode // and what it was made for
	configErr        error         // what was wrong with an aws.Config
}

// Copy returns a copy that shares nothing with o that an option function may change in
// place: APIOptions, Interceptors and what BaseEndpoint points to.
func (o Options) Copy() Options {
	o.APIOptions = slices.Clone(o.APIOptions)
	o.Interceptors = o.Interceptors.Copy()
	if o.BaseEndpoint != nil {
		o.BaseEndpoint = aws.String(*o.BaseEndpoint)
	}
	return o
}

// WithAPIOptions returns an option function that adds to [Options.APIOptions].
func WithAPIOptions(optFns ...func(*middleware.Stack) error) func(*Options) {
	return func(o *Options) {
		o.APIOptions = append(o.APIOptions, optFns...)
	}
}

// WithEndpointResolver returns an option function that sets [Options.EndpointResolver].
//
// Deprecated: set [Options.BaseEndpoint], or use [WithEndpointResolverV2].
func WithEndpointResolver(resolver EndpointResolver) func(*Options) {
	return func(o *Options) {
		o.EndpointResolver = resolver
	}
}

// WithEndpointResolverV2 returns an option function that sets
// [Options.EndpointResolverV2].
func WithEndpointResolverV2(resolver EndpointResolverV2) func(*Options) {
	return func(o *Options) {
		o.EndpointResolverV2 = resolver
	}
}

// WithSigV4SigningName returns an option function that has requests signed for
// the service of that name, whatever the endpoint says.
func WithSigV4SigningName(name string) func(*Options) {
	return func(o *Options) {
		o.signingName = name
	}
}

// WithSigV4SigningRegion returns an option function that has requests signed for
// that region, whatever the endpoint says.
func WithSigV4SigningRegion(region string) func(*Options) {
	return func(o *Options) {
		o.signingRegion = region
	}
}

// optionsFromConfig takes over what of an aws.Config matters to the operation.
func optionsFromConfig(cfg aws.Config) Options {
	o := Options{
		APIOptions:                 cfg.APIOptions,
		AppID:                      cfg.AppID,
		BaseEndpoint:               cfg.BaseEndpoint,
		ClientLogMode:              cfg.ClientLogMode,
		Credentials:                cfg.Credentials,
		DefaultsMode:               cfg.DefaultsMode,
		DisableClockSkewCorrection: cfg.DisableClockSkewCorrection,
		EndpointResolver:           resolverFromConfig(cfg),
		HTTPClient:                 cfg.HTTPClient,
		Interceptors:               cfg.Interceptors,
		Logger:                     cfg.Logger,
		Region:                     cfg.Region,
		RetryMaxAttempts:           cfg.RetryMaxAttempts,
		RetryMode:                  cfg.RetryMode,
		RuntimeEnvironment:         cfg.RuntimeEnvironment,
	}
	if cfg.Retryer != nil {
		o.Retryer = cfg.Retryer()
	}
	o.readConfigSources(cfg.ConfigSources)
	return o
}

// resolverFromConfig returns the deprecated resolver of cfg, or nil.
func resolverFromConfig(cfg aws.Config) EndpointResolver {
	switch {
	case cfg.EndpointResolverWithOptions != nil:
		return EndpointResolverFunc(func(region string, options EndpointResolverOptions) (aws.Endpoint, error) {
			return cfg.EndpointResolverWithOptions.ResolveEndpoint(ServiceID, region, options)
		})
	case cfg.EndpointResolver != nil:
		return EndpointResolverFunc(func(region string, _ EndpointResolverOptions) (aws.Endpoint, error) {
			return cfg.EndpointResolver.ResolveEndpoint(ServiceID, region)
		})
	}
	return nil
}

// readConfigSources takes from the sources of an aws.Config the settings that the
// Config itself has no field for. The first source that knows a setting wins.
func (o *Options) readConfigSources(sources []any) {
	ctx := context.Background()

	type fipsSource interface {
		GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
	}
	if state, found, err := firstSetting(sources, func(s fipsSource) (aws.FIPSEndpointState, bool, error) {
		return s.GetUseFIPSEndpoint(ctx)
	}); err != nil {
		o.configErr = &ConfigurationError{Setting: "EndpointOptions.UseFIPSEndpoint", Err: err}
	} else if found {
		o.EndpointOptions.UseFIPSEndpoint = state
	}

	type dualStackSource interface {
		GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
	}
	if state, found, err := firstSetting(sources, func(s dualStackSource) (aws.DualStackEndpointState, bool, error) {
		return s.GetUseDualStackEndpoint(ctx)
	}); err != nil {
		o.configErr = &ConfigurationError{Setting: "EndpointOptions.UseDualStackEndpoint", Err: err}
	} else if found {
		o.EndpointOptions.UseDualStackEndpoint = state
	}

	o.readServiceEndpoint(ctx, sources)
}

// readServiceEndpoint looks for an endpoint meant for this service alone. The
// variable for all services, which is in aws.Config.BaseEndpoint already, comes
// before the shared configuration file, but after the service's own variable.
func (o *Options) readServiceEndpoint(ctx context.Context, sources []any) {
	type ignoreSource interface {
		GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
	}
	ignore, _, err := firstSetting(sources, func(s ignoreSource) (bool, bool, error) {
		return s.GetIgnoreConfiguredEndpoints(ctx)
	})
	if err != nil {
		o.configErr = &ConfigurationError{Setting: "BaseEndpoint", Err: err}
		return
	}
	_, forAll := os.LookupEnv("AWS_ENDPOINT_URL")
	_, forThis := os.LookupEnv("AWS_ENDPOINT_URL_COGNITO_SYNC")
	if ignore || forAll && !forThis {
		return
	}

	type endpointSource interface {
		GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
	}
	endpoint, found, err := firstSetting(sources, func(s endpointSource) (string, bool, error) {
		return s.GetServiceBaseEndpoint(ctx, ServiceID)
	})
	if err != nil {
		o.configErr = &ConfigurationError{Setting: "BaseEndpoint", Err: err}
	} else if found {
		o.BaseEndpoint = &endpoint
	}
}

// firstSetting returns what the first of the sources that has the setting says.
// A source has it if it implements S, the method that get calls.
func firstSetting[S, V any](sources []any, get func(S) (V, bool, error)) (value V, found bool, err error) {
	for _, source := range sources {
		if s, ok := source.(S); ok {
			if value, found, err = get(s); found || err != nil {
				return value, found, err
			}
		}
	}
	return value, false, nil
}

// fillDefaults gives every field that has a default and is not set its default. It
// runs before the option functions, so that they can build on the defaults, and
// again after them, for what they cleared. A nil pointer in an interface is not set.
func (o *Options) fillDefaults() {
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = DefaultAttemptTimeout
	}
	if isNil(o.Credentials) {
		o.Credentials = nil
	}
	if isNil(o.EndpointResolver) {
		o.EndpointResolver = nil
	}
	if isNil(o.EndpointResolverV2) {
		o.EndpointResolverV2 = NewDefaultEndpointResolverV2()
	}
	if isNil(o.HTTPClient) {
		o.HTTPClient = awshttp.NewBuildableClient()
	}
	if isNil(o.HTTPSignerV4) {
		o.HTTPSignerV4 = v4.NewSigner()
	}
	if isNil(o.Logger) {
		o.Logger = logging.Nop{}
	}
	if isNil(o.MeterProvider) {
		o.MeterProvider = metrics.NopMeterProvider{}
	}
	if isNil(o.TracerProvider) {
		o.TracerProvider = &tracing.NopTracerProvider{}
	}
	if o.RetryMode == "" {
		o.RetryMode = aws.RetryModeStandard
		if mode, err := defaults.GetModeConfiguration(o.resolvedDefaultsMode()); err == nil {
			o.RetryMode = mode.RetryMode
		}
	}
	// The default retryer follows a later choice of the mode; any other is the caller's.
	if isNil(o.Retryer) || o.hasDefaultRetryer() && o.defaultRetryMode != o.RetryMode {
		o.Retryer = newRetryer(o.RetryMode)
		o.defaultRetryer, o.defaultRetryMode = o.Retryer, o.RetryMode
	}
}

// isNil reports whether v is nil, or holds a nil of some type.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map:
		return value.IsNil()
	}
	return false
}

func (o *Options) hasDefaultRetryer() bool {
	return o.defaultRetryer != nil && same(o.Retryer, o.defaultRetryer)
}

// limitAttempts has Retryer obey RetryMaxAttempts, unless base already does.
func (o *Options) limitAttempts(base *Options) {
	if o.RetryMaxAttempts <= 0 || o.RetryMaxAttempts == base.RetryMaxAttempts {
		return
	}
	ours := o.hasDefaultRetryer()
	o.Retryer = retry.AddWithMaxAttempts(o.Retryer, o.RetryMaxAttempts)
	if ours {
		o.defaultRetryer = o.Retryer
	}
}

// limitsRetryerOf reports whether both have the default retryer of one client, and differ
// only in the number of attempts.
func (o *Options) limitsRetryerOf(base *Options) bool {
	return o.hasDefaultRetryer() && base.hasDefaultRetryer() && o.defaultRetryMode == base.defaultRetryMode &&
		o.RetryMaxAttempts > 0 && o.RetryMaxAttempts != base.RetryMaxAttempts
}

// regionalRetryer returns a function that makes another retryer like the default one, or
// nil if the retryer is the caller's.
func (o *Options) regionalRetryer() func() aws.Retryer {
	if !o.hasDefaultRetryer() {
		return nil
	}
	mode, limit := o.RetryMode, o.RetryMaxAttempts
	return func() aws.Retryer {
		retryer := newRetryer(mode)
		if limit > 0 {
			retryer = retry.AddWithMaxAttempts(retryer, limit)
		}
		return retryer
	}
}

// retryModeName returns the mode of a retryer whose kind can be told, or "".
func (o *Options) retryModeName() aws.RetryMode {
	if o.hasDefaultRetryer() {
		return o.RetryMode
	}
	switch o.Retryer.(type) {
	case *retry.Standard:
		return aws.RetryModeStandard
	case *retry.AdaptiveMode:
		return aws.RetryModeAdaptive
	}
	return ""
}

// identifiesLike reports whether the User-Agent of both is the same.
func (o *Options) identifiesLike(base *Options) bool {
	return o.AppID == base.AppID && o.retryModeName() == base.retryModeName() &&
		(same(o.Credentials, base.Credentials) || slices.Equal(credentialSources(o.Credentials), credentialSources(base.Credentials)))
}

// hasInterceptors reports whether any of the 13 hooks has a taker.
func (o *Options) hasInterceptors() bool {
	in := &o.Interceptors
	return len(in.BeforeExecution)+len(in.BeforeSerialization)+len(in.AfterSerialization)+
		len(in.BeforeRetryLoop)+len(in.BeforeAttempt)+len(in.BeforeSigning)+len(in.AfterSigning)+
		len(in.BeforeTransmit)+len(in.AfterTransmit)+len(in.BeforeDeserialization)+
		len(in.AfterDeserialization)+len(in.AfterAttempt)+len(in.AfterExecution) > 0
}

// routing returns what decides about region and endpoint.
func (o *Options) routing() routing {
	options := o.EndpointOptions
	if isNil(options.Logger) {
		options.Logger = o.Logger
	}
	options.LogDeprecated = options.LogDeprecated || o.ClientLogMode.IsDeprecatedUsage()
	return routing{
		region:        o.Region,
		baseEndpoint:  o.BaseEndpoint,
		options:       options,
		resolver:      o.EndpointResolverV2,
		legacy:        o.EndpointResolver,
		signingName:   o.signingName,
		signingRegion: o.signingRegion,
		usePoolRegion: o.UseIdentityPoolRegion,
	}
}

// routesLike reports whether both are sure to find the same endpoints.
func (o *Options) routesLike(base *Options) bool {
	return o.Region == base.Region && o.UseIdentityPoolRegion == base.UseIdentityPoolRegion &&
		o.signingName == base.signingName && o.signingRegion == base.signingRegion &&
		o.EndpointOptions.selectsLike(base.EndpointOptions) && same(o.EndpointResolverV2, base.EndpointResolverV2) &&
		o.EndpointResolver == nil && base.EndpointResolver == nil &&
		(o.BaseEndpoint == nil) == (base.BaseEndpoint == nil) && aws.ToString(o.BaseEndpoint) == aws.ToString(base.BaseEndpoint)
}

// check returns what is wrong with the settings, whatever the call.
func (o *Options) check() error {
	if o.configErr != nil {
		return o.configErr
	}
	var mode aws.DefaultsMode
	if !mode.SetFromString(string(o.DefaultsMode)) {
		return &ConfigurationError{Setting: "DefaultsMode", Err: fmt.Errorf("unknown mode %q", o.DefaultsMode)}
	}
	if _, err := aws.ParseRetryMode(string(o.RetryMode)); err != nil {
		return &ConfigurationError{Setting: "RetryMode", Err: err}
	}
	if o.RetryMaxAttempts < 0 {
		return &ConfigurationError{Setting: "RetryMaxAttempts", Err: fmt.Errorf("%d is negative", o.RetryMaxAttempts)}
	}
	return checkProvider(o.Credentials)
}

// resolvedDefaultsMode returns DefaultsMode with "auto" worked out.
func (o *Options) resolvedDefaultsMode() aws.DefaultsMode {
	var mode aws.DefaultsMode
	mode.SetFromString(string(o.DefaultsMode))
	if mode == aws.DefaultsModeAuto {
		return defaults.ResolveDefaultsModeAuto(o.Region, o.RuntimeEnvironment)
	}
	return mode
}
