package cognitosync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go/internal/endpoints"
	"github.com/cognitosync/cognitosync-go/internal/redact"
)

// defaultSigningName is the service's name in a signature's scope.
const defaultSigningName = "cognito-sync"

// EndpointResolverOptions select among the endpoints of a region.
type EndpointResolverOptions struct {
	// Logger is for an [EndpointResolver] to log to. nil means Options.Logger.
	Logger logging.Logger

	// LogDeprecated asks an [EndpointResolver] to log that an endpoint is deprecated;
	// of the service's own endpoints none is. The client sets it where
	// Options.ClientLogMode has aws.LogDeprecatedUsage.
	LogDeprecated bool

	// DisableHTTPS sends requests over plain HTTP.
	DisableHTTPS bool

	// UseFIPSEndpoint selects the endpoint with FIPS 140 validated cryptography.
	// LoadDefaultConfig takes it from AWS_USE_FIPS_ENDPOINT.
	UseFIPSEndpoint aws.FIPSEndpointState

	// UseDualStackEndpoint selects the endpoint that speaks IPv6 and IPv4.
	// LoadDefaultConfig takes it from AWS_USE_DUALSTACK_ENDPOINT.
	UseDualStackEndpoint aws.DualStackEndpointState

	// ResolvedRegion is the real region where Options.Region is a pseudo region such
	// as "fips-us-west-2". The client fills it for an [EndpointResolver].
	ResolvedRegion string
}

// GetDisableHTTPS returns DisableHTTPS. It serves aws.GetDisableHTTPS.
func (o EndpointResolverOptions) GetDisableHTTPS() bool { return o.DisableHTTPS }

// GetUseFIPSEndpoint returns UseFIPSEndpoint. It serves aws.GetUseFIPSEndpoint.
func (o EndpointResolverOptions) GetUseFIPSEndpoint() aws.FIPSEndpointState {
	return o.UseFIPSEndpoint
}

// GetUseDualStackEndpoint returns UseDualStackEndpoint. It serves
// aws.GetUseDualStackEndpoint.
func (o EndpointResolverOptions) GetUseDualStackEndpoint() aws.DualStackEndpointState {
	return o.UseDualStackEndpoint
}

// GetResolvedRegion returns ResolvedRegion. It serves aws.GetResolvedRegion.
func (o EndpointResolverOptions) GetResolvedRegion() string { return o.ResolvedRegion }

// selectsLike reports whether both select the same endpoints, and are logged to the same.
func (o EndpointResolverOptions) selectsLike(other EndpointResolverOptions) bool {
	sameLogger := same(o.Logger, other.Logger)
	o.Logger, other.Logger = nil, nil // there may be a function in it, which == panics of
	return sameLogger && o == other
}

// EndpointResolverV2 finds the URL that a request is sent to. The answer's
// properties may carry another signing name or region, as smithy auth options.
type EndpointResolverV2 interface {
	ResolveEndpoint(ctx context.Context, params EndpointParameters) (smithyendpoints.Endpoint, error)
}

// EndpointParameters are what a call says about the endpoint it wants.
type EndpointParameters struct {
	Region       *string // nil when the client has none
	UseDualStack *bool   // nil means false
	UseFIPS      *bool   // nil means false
	Endpoint     *string // Options.BaseEndpoint; nil when there is none
}

// WithDefaults returns a copy whose nil switches are false.
func (p EndpointParameters) WithDefaults() EndpointParameters {
	if p.UseDualStack == nil {
		p.UseDualStack = aws.Bool(false)
	}
	if p.UseFIPS == nil {
		p.UseFIPS = aws.Bool(false)
	}
	return p
}

// ValidateRequired returns an error if a switch is nil.
func (p EndpointParameters) ValidateRequired() error {
	if p.UseDualStack == nil {
		return errors.New("parameter UseDualStack is required")
	}
	if p.UseFIPS == nil {
		return errors.New("parameter UseFIPS is required")
	}
	return nil
}

// NewDefaultEndpointResolverV2 returns the resolver that follows the rules AWS
// publishes for the service's endpoints, for every partition.
func NewDefaultEndpointResolverV2() EndpointResolverV2 { return defaultResolver{} }

type defaultResolver struct{}

// ResolveEndpoint applies the rules. Its errors contain the rules' own reasons.
func (defaultResolver) ResolveEndpoint(_ context.Context, params EndpointParameters) (smithyendpoints.Endpoint, error) {
	params = params.WithDefaults()
	uri, err := endpoints.Resolve(endpoints.Params{
		Region:    aws.ToString(params.Region),
		Endpoint:  params.Endpoint,
		FIPS:      *params.UseFIPS,
		DualStack: *params.UseDualStack,
	})
	if err != nil {
		return smithyendpoints.Endpoint{}, err
	}
	return smithyendpoints.Endpoint{URI: uri, Headers: http.Header{}}, nil
}

// routing is what decides about region and endpoint: the fields of [Options] of these
// names.
type routing struct {
	region        string
	baseEndpoint  *string
	options       EndpointResolverOptions
	resolver      EndpointResolverV2
	legacy        EndpointResolver // nil: none
	signingName   string
	signingRegion string
	usePoolRegion bool
}

// router finds the region and the endpoint of a call.
type router struct {
	routing
	home string    // region, or what it stands for if it is a pseudo region
	fips bool      // region is a pseudo region that asks for FIPS
	near *endpoint // of home; nil if that is for a resolver to say, or wrong
}

func newRouter(routing routing) *router {
	r := &router{routing: routing}
	r.home, r.fips = endpoints.RealRegion(r.region)
	if r.followsRules() && endpoints.IsHostLabel(r.home) {
		r.near, _ = r.resolve(context.Background(), r.home) // an error is found again by the call
	}
	return r
}

// followsRules reports whether AWS's rules, and no code of the caller's, decide
// about endpoints.
func (r *router) followsRules() bool {
	_, ok := r.resolver.(defaultResolver)
	return ok && r.legacy == nil
}

// regionOf returns the region that a pool is in and requests are signed for. A pool id
// that names another one than the client's decides, where the caller wants that, or is
// refused.
func (r *router) regionOf(identityPoolID string) (string, error) {
	if r.home != "" && !endpoints.IsHostLabel(r.home) {
		return "", &ConfigurationError{Setting: "Region", Err: fmt.Errorf(
			"invalid input region %q: not a host label", redact.Printable(r.region, maxCode))}
	}
	region := endpoints.PoolRegion(identityPoolID)
	custom := r.baseEndpoint != nil || !r.followsRules()
	switch {
	case region == "" || region == r.home:
		return r.home, nil
	// The credentials are of no use in another partition, so they must not travel there.
	case r.usePoolRegion && (custom || r.home == "" || endpoints.SamePartition(region, r.home)):
		return region, nil
	case custom || r.home == "":
		return r.home, nil
	}
	return "", &RegionMismatchError{IdentityPoolId: identityPoolID, PoolRegion: region, ClientRegion: r.home}
}

// endpointOf returns the endpoint for a region; "" is none. Every failure is found here,
// before anything is sent.
func (r *router) endpointOf(ctx context.Context, region string) (*endpoint, error) {
	if r.near != nil && region == r.home {
		return r.near, nil
	}
	return r.resolve(ctx, region)
}

// scope is the service and the region that a request is signed for.
type scope struct{ name, region string }

// endpoint is where a request goes and what it is signed for.
type endpoint struct {
	url     url.URL
	headers http.Header
	scope   scope
	setting string // the field of Options that it comes from
}

// apply directs a request that has the operation's path to the endpoint.
func (e *endpoint) apply(req *http.Request) {
	if e.url.EscapedPath() != "" {
		req.URL.RawPath = e.url.EscapedPath() + req.URL.EscapedPath()
		req.URL.Path = e.url.Path + req.URL.Path
	}
	req.URL.Scheme, req.URL.Host = e.url.Scheme, e.url.Host
	for name, values := range e.headers {
		req.Header[name] = slices.Clone(values)
	}
}

// resolve asks the resolvers for the endpoint of a region, and checks what they say.
func (r *router) resolve(ctx context.Context, region string) (*endpoint, error) {
	found, err := r.legacyEndpoint(region)
	var notFound *aws.EndpointNotFoundError
	if r.legacy == nil || errors.As(err, &notFound) {
		found, err = r.resolvedEndpoint(ctx, region)
	}
	if err != nil {
		return nil, err
	}
	if reason := endpoints.Unusable(&found.url); reason != "" {
		return nil, &ConfigurationError{Setting: found.setting, Err: fmt.Errorf("endpoint %q: %s", endpoints.Origin(&found.url), reason)}
	}
	found.url = normalized(&found.url)
	found.scope.name = cmp.Or(r.signingName, found.scope.name, defaultSigningName)
	found.scope.region = cmp.Or(r.signingRegion, found.scope.region, region)
	switch {
	case found.scope.region == "":
		return nil, &ConfigurationError{Setting: "Region", Err: errors.New("missing: requests are signed for a region")}
	case !canBeSignedFor(found.scope.region), !canBeSignedFor(found.scope.name):
		return nil, &ConfigurationError{Setting: found.setting, Err: fmt.Errorf(
			"cannot sign for service %q in region %q", found.scope.name, found.scope.region)}
	}
	return found, nil
}

// normalized returns the scheme, the host and the path of u. The path is as AWS checks the
// signature over it, without ".", ".." and empty segments, and has no slash at its end.
func normalized(u *url.URL) url.URL {
	root := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	n := *root.JoinPath(u.EscapedPath())
	n.Path, n.RawPath = strings.TrimSuffix(n.Path, "/"), strings.TrimSuffix(n.RawPath, "/")
	return n
}

// resolvedEndpoint asks EndpointResolverV2.
func (r *router) resolvedEndpoint(ctx context.Context, region string) (*endpoint, error) {
	params := EndpointParameters{
		UseFIPS:      aws.Bool(r.fips || r.options.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(r.options.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	}
	if r.baseEndpoint != nil {
		params.Endpoint = aws.String(*r.baseEndpoint) // the client's own is not the resolver's to change
	}
	if region != "" {
		params.Region = aws.String(region)
	}
	resolved, err := r.resolver.ResolveEndpoint(ctx, params)
	if err != nil {
		return nil, &ConfigurationError{Setting: r.endpointSetting(), Err: &resolverError{err}}
	}

	found := &endpoint{url: resolved.URI, headers: resolved.Headers, setting: r.endpointSetting()}
	if r.options.DisableHTTPS && found.url.Scheme == "https" {
		found.url.Scheme = "http"
	}
	schemes, _ := smithyauth.GetAuthOptions(&resolved.Properties)
	for _, scheme := range schemes {
		if scheme.SchemeID != schemeSigV4 {
			continue
		}
		found.scope.name, _ = smithyhttp.GetSigV4SigningName(&scheme.SignerProperties)
		found.scope.region, _ = smithyhttp.GetSigV4SigningRegion(&scheme.SignerProperties)
	}
	return found, nil
}

// resolverError is an error of a resolver. Its text repeats no more of a URL than scheme
// and host.
type resolverError struct{ err error }

func (e *resolverError) Error() string {
	return "resolve endpoint: " + endpoints.WithoutSecrets(e.err.Error())
}
func (e *resolverError) Unwrap() error { return e.err }

// schemeSigV4 is smithy's name for the only way this service is signed for.
const schemeSigV4 = "aws.auth#sigv4"

// endpointSetting names the field that decides about a resolver's answer.
func (r *router) endpointSetting() string {
	_, rules := r.resolver.(defaultResolver)
	switch {
	case !rules:
		return "EndpointResolverV2"
	case r.baseEndpoint != nil:
		return "BaseEndpoint"
	}
	return "Region"
}

// legacyEndpoint asks the deprecated resolver, which comes first where there is
// one. Its EndpointNotFoundError leaves the choice to EndpointResolverV2.
func (r *router) legacyEndpoint(region string) (*endpoint, error) {
	if r.legacy == nil {
		return nil, nil
	}
	options := r.options
	if region != r.region {
		options.ResolvedRegion = region
	}
	if r.fips {
		options.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	resolved, err := r.legacy.ResolveEndpoint(region, options)
	if err != nil {
		return nil, &ConfigurationError{Setting: "EndpointResolver", Err: &resolverError{err}}
	}
	uri, err := url.Parse(resolved.URL)
	if err != nil { // whose text is the whole URL, with what may be secret in it
		return nil, &ConfigurationError{Setting: "EndpointResolver", Err: errors.New("the endpoint is not a valid URL")}
	}
	if r.options.DisableHTTPS && !resolved.HostnameImmutable && uri.Scheme == "https" {
		uri.Scheme = "http"
	}
	return &endpoint{setting: "EndpointResolver", url: *uri, scope: scope{name: resolved.SigningName, region: resolved.SigningRegion}}, nil
}

// canBeSignedFor reports whether a service's or region's name can stand in a
// signature's scope: anything else would break the Authorization header.
func canBeSignedFor(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ',' })
}

// EndpointResolver finds the URL for a region. It is asked before [EndpointResolverV2],
// which has the choice where the error is an *aws.EndpointNotFoundError.
//
// Deprecated: set [Options.BaseEndpoint], or implement [EndpointResolverV2].
type EndpointResolver interface {
	ResolveEndpoint(region string, options EndpointResolverOptions) (aws.Endpoint, error)
}

// EndpointResolverFunc is a function as an [EndpointResolver].
//
// Deprecated: set [Options.BaseEndpoint], or implement [EndpointResolverV2].
type EndpointResolverFunc func(region string, options EndpointResolverOptions) (aws.Endpoint, error)

// ResolveEndpoint calls fn.
func (fn EndpointResolverFunc) ResolveEndpoint(region string, options EndpointResolverOptions) (aws.Endpoint, error) {
	return fn(region, options)
}

// EndpointResolverFromURL returns a resolver that gives the URL for every region, with what
// the option functions make of it. Requests are signed for the region, unless one of them
// sets another.
//
// Deprecated: set [Options.BaseEndpoint].
func EndpointResolverFromURL(url string, optFns ...func(*aws.Endpoint)) EndpointResolver {
	endpoint := aws.Endpoint{URL: url, Source: aws.EndpointSourceCustom}
	for _, fn := range optFns {
		fn(&endpoint)
	}
	return EndpointResolverFunc(func(region string, _ EndpointResolverOptions) (aws.Endpoint, error) {
		resolved := endpoint
		resolved.SigningRegion = cmp.Or(endpoint.SigningRegion, region)
		return resolved, nil
	})
}

// NewDefaultEndpointResolver returns a resolver that follows the rules AWS publishes for
// the service's endpoints. Without a region its error is an *aws.MissingRegionError.
//
// Deprecated: use [NewDefaultEndpointResolverV2].
func NewDefaultEndpointResolver() EndpointResolver { return EndpointResolverFunc(resolveByRules) }

func resolveByRules(region string, options EndpointResolverOptions) (aws.Endpoint, error) {
	region, fips := endpoints.RealRegion(cmp.Or(options.ResolvedRegion, region))
	if region == "" {
		return aws.Endpoint{}, &aws.MissingRegionError{}
	}
	uri, err := endpoints.Resolve(endpoints.Params{
		Region:    region,
		FIPS:      fips || options.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled,
		DualStack: options.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled,
	})
	if err != nil {
		return aws.Endpoint{}, err
	}
	if options.DisableHTTPS {
		uri.Scheme = "http"
	}
	return aws.Endpoint{
		URL:           uri.String(),
		PartitionID:   endpoints.PartitionID(region),
		SigningName:   defaultSigningName,
		SigningRegion: region,
		SigningMethod: "v4",
	}, nil
}
