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

// DefaultAttemptTimeout is the default of [Options.AttemptTimeout].
const DefaultAttemptTimeout = 15 * time.Second

// Options are the settings of a client or, in an option function, of one call. The zero
// value of a field selects its default. Credentials has no default, and neither has Region,
// which is required unless UseIdentityPoolRegion is set.
//
// [NewFromConfig] copies the settings from an [aws.Config]. Option functions run after the
// defaults have been filled in, so they can build on them:
//
//	func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 5) }
type Options struct {
	// APIOptions modify the smithy middleware stack of a call. If there are any, the client
	// runs the call as a stack whose steps have the SDK's IDs.
	APIOptions []func(*middleware.Stack) error

	// AppID is added to the User-Agent header as "app/AppID". Characters that are not
	// allowed there are replaced with "-". LoadDefaultConfig sets it from AWS_SDK_UA_APP_ID.
	AppID string

	// AttemptTimeout limits the time for each attempt to send its request and read the
	// complete response. It includes the wait for a free connection, but not the time to
	// retrieve credentials, which is limited by the deadline of the call's context, or to 5
	// minutes if that has none. An attempt that takes longer fails with an
	// [*AttemptTimeoutError] and is retried. 0 means [DefaultAttemptTimeout]; a negative
	// value means no limit.
	AttemptTimeout time.Duration

	// BaseEndpoint is the URL to send requests to instead of AWS's, for example
	// "http://127.0.0.1:4566". It has the scheme http or https, a host, and optionally a
	// port and a path. The path is normalized and precedes the operation's path. The URL
	// must not contain user information, a query or a fragment. It does not change the
	// region that requests are signed for. LoadDefaultConfig sets it from
	// AWS_ENDPOINT_URL_COGNITO_SYNC, AWS_ENDPOINT_URL and the shared configuration.
	BaseEndpoint *string

	// ClientLogMode selects what is written to Logger: [aws.LogSigning], [aws.LogRetries],
	// [aws.LogRequest], [aws.LogRequestWithBody], [aws.LogResponse] and
	// [aws.LogResponseWithBody]. The request has no body. Keys, tokens and signatures are
	// always redacted. Control characters other than tabs and line breaks are replaced with
	// spaces.
	ClientLogMode aws.ClientLogMode

	// Credentials provides the credentials of an IAM user or role to sign requests with.
	// There is no default, and anonymous credentials are rejected. Every attempt calls the
	// provider once, so wrap a slow or interactive one in an [aws.CredentialsCache]. When
	// the service reports that credentials have expired, the client renews them once for
	// all calls that use them, and not again within a minute.
	Credentials aws.CredentialsProvider

	// DefaultsMode selects the connect and TLS timeouts, and the RetryMode, unless they are
	// set otherwise. LoadDefaultConfig sets it from AWS_DEFAULTS_MODE.
	DefaultsMode aws.DefaultsMode

	// DisableClockSkewCorrection disables the correction of a wrong local clock. If it is
	// false and the service rejects a signature because of its time, the client retries
	// with the Date of the response. It keeps the correction for later calls once the
	// service has accepted it.
	DisableClockSkewCorrection bool

	// EndpointOptions select FIPS, dual-stack and plain HTTP endpoints.
	EndpointOptions EndpointResolverOptions

	// EndpointResolver resolves the URL of a call. It takes precedence over BaseEndpoint and
	// EndpointResolverV2. The default is none.
	//
	// Deprecated: Set BaseEndpoint or EndpointResolverV2.
	EndpointResolver EndpointResolver

	// EndpointResolverV2 resolves the URL of a call. The default follows the rules that AWS
	// publishes for the service. With any other resolver, the client does not compare the
	// region of a pool with its own.
	EndpointResolverV2 EndpointResolverV2

	// HTTPClient sends the requests. The default is an [*awshttp.BuildableClient], which
	// LoadDefaultConfig uses too. Unless you have changed its connection limits, the client
	// replaces them: it opens up to 256 HTTP/1.1 connections per host, and keeps up to 1024
	// idle connections for all hosts. HTTP/2 connections are shared by calls, and closed if
	// nothing is received on them for 14 s, not even the response to a ping.
	//
	// The client never follows redirects, because they would send credentials to another
	// host. It uses an [*http.Client] or [*awshttp.BuildableClient] without following them,
	// and does not modify it. Any other implementation must not follow redirects itself.
	HTTPClient HTTPClient

	// HTTPSignerV4 signs the requests. The default is [v4.NewSigner].
	HTTPSignerV4 HTTPSignerV4

	// Interceptors run at the 13 hooks that smithy defines. If there are any, the call runs
	// as a middleware stack, as with APIOptions.
	Interceptors smithyhttp.InterceptorRegistry

	// Logger receives what ClientLogMode selects. The default discards it.
	Logger logging.Logger

	// MeterProvider receives the SDK's client metrics. The default records nothing.
	MeterProvider metrics.MeterProvider

	// Region is the region to call and to sign for, such as "us-east-1".
	// LoadDefaultConfig sets it from AWS_REGION and the shared configuration.
	Region string

	// RetryMaxAttempts is the maximum number of attempts of a call, including the first. 0
	// leaves it to Retryer, whose default is 3. LoadDefaultConfig sets it from
	// AWS_MAX_ATTEMPTS.
	RetryMaxAttempts int

	// RetryMode selects the default Retryer: [aws.RetryModeStandard], which is the default,
	// or [aws.RetryModeAdaptive], which also slows the client down while it is throttled.
	// It has no effect if you set a Retryer. A call that changes it does not share the
	// client's retry quota. LoadDefaultConfig sets it from AWS_RETRY_MODE.
	RetryMode aws.RetryMode

	// Retryer decides which errors are retried, how often and after which delay. The default
	// is the SDK's retryer for RetryMode. It makes 3 attempts and has a retry quota. Its
	// delays are random, up to a limit that starts at 50 ms, or at 1 s if the call was
	// throttled, and doubles with each attempt up to 20 s. If UseIdentityPoolRegion is set,
	// every region has its own default retryer. A Retryer that you set is used for all of
	// them.
	Retryer aws.Retryer

	// RuntimeEnvironment is used by DefaultsMode "auto". LoadDefaultConfig sets it.
	RuntimeEnvironment aws.RuntimeEnvironment

	// StructuredLogger receives a record for each attempt. It contains the pool ID, the
	// region, the host, the attempt's number, status, error code, request ID and duration,
	// and what follows the attempt. The default is no log.
	StructuredLogger *slog.Logger

	// TracerProvider receives a span for each call and for each attempt. The default
	// records nothing.
	TracerProvider tracing.TracerProvider

	// UseIdentityPoolRegion makes the client call, and sign for, the region in each pool's
	// ID. Region is used for IDs without one. If Region is set and AWS's endpoints are
	// used, a pool in another partition is rejected with a [*RegionMismatchError], because
	// the client's credentials are not valid there.
	//
	// If UseIdentityPoolRegion is false, the client always calls Region. With AWS's
	// endpoints, it rejects a pool in another region with a [*RegionMismatchError].
	UseIdentityPoolRegion bool

	signingName      string        // set by WithSigV4SigningName
	signingRegion    string        // set by WithSigV4SigningRegion
	defaultRetryer   aws.Retryer   // the default that was last filled in
	defaultRetryMode aws.RetryMode // the mode that defaultRetryer was created for
	configErr        error         // an invalid setting of an aws.Config
}

// Copy returns a copy of o. Option functions can modify its APIOptions, Interceptors and
// *BaseEndpoint without changing o.
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
// Deprecated: Set [Options.BaseEndpoint] or use [WithEndpointResolverV2].
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

// WithSigV4SigningName returns an option function that sets the service name to sign for.
// It overrides the endpoint's.
func WithSigV4SigningName(name string) func(*Options) {
	return func(o *Options) {
		o.signingName = name
	}
}

// WithSigV4SigningRegion returns an option function that sets the region to sign for. It
// overrides the endpoint's.
func WithSigV4SigningRegion(region string) func(*Options) {
	return func(o *Options) {
		o.signingRegion = region
	}
}

// optionsFromConfig returns the settings of an aws.Config that apply to the operation.
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

// readConfigSources reads the settings that aws.Config has no field for from its sources.
// The first source that has a setting wins.
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

// readServiceEndpoint sets BaseEndpoint to an endpoint that is configured for this service
// only. The order of precedence is: the service's environment variable, the variable for
// all services, which aws.Config.BaseEndpoint already contains, the shared configuration.
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

// firstSetting returns the setting from the first source that has it. Only sources that
// implement S can have it.
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

// fillDefaults sets every unset field to its default. It runs before the option functions,
// so that they can build on the defaults, and again after them, because they may have
// cleared fields. An interface that contains a nil pointer counts as unset.
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
	// An option function may have changed the mode after the default retryer was created.
	if isNil(o.Retryer) || o.hasDefaultRetryer() && o.defaultRetryMode != o.RetryMode {
		o.Retryer = newRetryer(o.RetryMode)
		o.defaultRetryer, o.defaultRetryMode = o.Retryer, o.RetryMode
	}
}

// isNil reports whether v is nil or contains a nil pointer, function or map.
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

// limitAttempts limits Retryer to RetryMaxAttempts, unless base already does.
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

// limitsRetryerOf reports whether o and base share a default retryer and differ only in
// RetryMaxAttempts.
func (o *Options) limitsRetryerOf(base *Options) bool {
	return o.hasDefaultRetryer() && base.hasDefaultRetryer() && o.defaultRetryMode == base.defaultRetryMode &&
		o.RetryMaxAttempts > 0 && o.RetryMaxAttempts != base.RetryMaxAttempts
}

// regionalRetryer returns a function that creates a retryer like the default one, or nil if
// the caller set the retryer.
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

// effectiveRetryMode returns the mode of the SDK's retryers, or "" for any other.
func (o *Options) effectiveRetryMode() aws.RetryMode {
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

// identifiesLike reports whether o and base have the same User-Agent.
func (o *Options) identifiesLike(base *Options) bool {
	return o.AppID == base.AppID && o.effectiveRetryMode() == base.effectiveRetryMode() &&
		(same(o.Credentials, base.Credentials) || slices.Equal(credentialSources(o.Credentials), credentialSources(base.Credentials)))
}

// hasInterceptors reports whether there is an interceptor for any of the 13 hooks.
func (o *Options) hasInterceptors() bool {
	in := &o.Interceptors
	return len(in.BeforeExecution)+len(in.BeforeSerialization)+len(in.AfterSerialization)+
		len(in.BeforeRetryLoop)+len(in.BeforeAttempt)+len(in.BeforeSigning)+len(in.AfterSigning)+
		len(in.BeforeTransmit)+len(in.AfterTransmit)+len(in.BeforeDeserialization)+
		len(in.AfterDeserialization)+len(in.AfterAttempt)+len(in.AfterExecution) > 0
}

// routing returns the options that determine the region and the endpoint.
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

// routesLike reports whether o and base are certain to resolve the same endpoints.
func (o *Options) routesLike(base *Options) bool {
	return o.Region == base.Region && o.UseIdentityPoolRegion == base.UseIdentityPoolRegion &&
		o.signingName == base.signingName && o.signingRegion == base.signingRegion &&
		o.EndpointOptions.selectsLike(base.EndpointOptions) && same(o.EndpointResolverV2, base.EndpointResolverV2) &&
		o.EndpointResolver == nil && base.EndpointResolver == nil &&
		(o.BaseEndpoint == nil) == (base.BaseEndpoint == nil) && aws.ToString(o.BaseEndpoint) == aws.ToString(base.BaseEndpoint)
}

// check returns an error if a setting is invalid for every call.
func (o *Options) check() error {
	if o.configErr != nil {
		return o.configErr
	}
	var mode aws.DefaultsMode
	if !mode.SetFromString(string(o.DefaultsMode)) {
		return &ConfigurationError{Setting: "DefaultsMode", Err: fmt.Errorf(
			"unknown mode %q: use auto, cross-region, in-region, legacy, mobile or standard", o.DefaultsMode)}
	}
	if _, err := aws.ParseRetryMode(string(o.RetryMode)); err != nil {
		return &ConfigurationError{Setting: "RetryMode", Err: fmt.Errorf(
			"unknown mode %q: use standard or adaptive", o.RetryMode)}
	}
	if o.RetryMaxAttempts < 0 {
		return &ConfigurationError{Setting: "RetryMaxAttempts", Err: fmt.Errorf(
			"%d is negative: use 0 for the retryer's own maximum", o.RetryMaxAttempts)}
	}
	return checkProvider(o.Credentials)
}

// resolvedDefaultsMode returns DefaultsMode, with "auto" resolved to the mode it selects.
func (o *Options) resolvedDefaultsMode() aws.DefaultsMode {
	var mode aws.DefaultsMode
	mode.SetFromString(string(o.DefaultsMode))
	if mode == aws.DefaultsModeAuto {
		return defaults.ResolveDefaultsModeAuto(o.Region, o.RuntimeEnvironment)
	}
	return mode
}
