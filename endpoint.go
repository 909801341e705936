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
)

// defaultSigningName is the service's name in the scope of a signature.
const defaultSigningName = "cognito-sync"

// EndpointResolverOptions select one of the endpoints of a region.
type EndpointResolverOptions struct {
	// Logger is the log of an [EndpointResolver]. nil means [Options.Logger].
	Logger logging.Logger

	// LogDeprecated makes an [EndpointResolver] log that an endpoint is deprecated. None of
	// AWS's endpoints for the service is. The client sets LogDeprecated if
	// [Options.ClientLogMode] contains [aws.LogDeprecatedUsage].
	LogDeprecated bool

	// DisableHTTPS sends requests over plain HTTP.
	DisableHTTPS bool

	// UseFIPSEndpoint selects the endpoint with FIPS 140 validated cryptography.
	// LoadDefaultConfig sets it from AWS_USE_FIPS_ENDPOINT.
	UseFIPSEndpoint aws.FIPSEndpointState

	// UseDualStackEndpoint selects the endpoint that supports IPv6 and IPv4.
	// LoadDefaultConfig sets it from AWS_USE_DUALSTACK_ENDPOINT.
	UseDualStackEndpoint aws.DualStackEndpointState

	// ResolvedRegion is the actual region if [Options.Region] is a pseudo region such as
	// "fips-us-west-2". The client sets it for an [EndpointResolver].
	ResolvedRegion string
}

// GetDisableHTTPS returns DisableHTTPS, for [aws.GetDisableHTTPS].
func (o EndpointResolverOptions) GetDisableHTTPS() bool { return o.DisableHTTPS }

// GetUseFIPSEndpoint returns UseFIPSEndpoint, for [aws.GetUseFIPSEndpoint].
func (o EndpointResolverOptions) GetUseFIPSEndpoint() aws.FIPSEndpointState {
	return o.UseFIPSEndpoint
}

// GetUseDualStackEndpoint returns UseDualStackEndpoint, for [aws.GetUseDualStackEndpoint].
func (o EndpointResolverOptions) GetUseDualStackEndpoint() aws.DualStackEndpointState {
	return o.UseDualStackEndpoint
}

// GetResolvedRegion returns ResolvedRegion, for [aws.GetResolvedRegion].
func (o EndpointResolverOptions) GetResolvedRegion() string { return o.ResolvedRegion }

// selectsLike reports whether o and other are equal.
func (o EndpointResolverOptions) selectsLike(other EndpointResolverOptions) bool {
	sameLogger := same(o.Logger, other.Logger)
	o.Logger, other.Logger = nil, nil // == panics if a logger is not comparable
	return sameLogger && o == other
}

// EndpointResolverV2 resolves the URL that requests are sent to. The auth options in the
// endpoint's properties may set the service name and the region to sign for.
type EndpointResolverV2 interface {
	ResolveEndpoint(ctx context.Context, params EndpointParameters) (smithyendpoints.Endpoint, error)
}

// EndpointParameters are the parameters for resolving an endpoint.
type EndpointParameters struct {
	Region       *string // nil if there is none
	UseDualStack *bool   // nil means false
	UseFIPS      *bool   // nil means false
	Endpoint     *string // Options.BaseEndpoint; nil if there is none
}

// WithDefaults returns a copy in which UseDualStack and UseFIPS are false if they were nil.
func (p EndpointParameters) WithDefaults() EndpointParameters {
	if p.UseDualStack == nil {
		p.UseDualStack = aws.Bool(false)
	}
	if p.UseFIPS == nil {
		p.UseFIPS = aws.Bool(false)
	}
	return p
}

// ValidateRequired returns an error if UseDualStack or UseFIPS is nil.
func (p EndpointParameters) ValidateRequired() error {
	if p.UseDualStack == nil {
		return errors.New("parameter UseDualStack is required")
	}
	if p.UseFIPS == nil {
		return errors.New("parameter UseFIPS is required")
	}
	return nil
}

// NewDefaultEndpointResolverV2 returns a resolver that follows the rules that AWS publishes
// for the service's endpoints, in all partitions.
func NewDefaultEndpointResolverV2() EndpointResolverV2 { return defaultResolver{} }

type defaultResolver struct{}

// ResolveEndpoint applies the rules. Its errors contain the texts of the rules.
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

// routing has the options that determine the region and the endpoint.
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

// router chooses the region and resolves the endpoint of a call.
type router struct {
	routing
	home         string    // the region of the client, not a pseudo region
	fips         bool      // region is a pseudo region that selects FIPS
	homeEndpoint *endpoint // nil if a resolver of the caller's decides, or home is invalid
}

func newRouter(routing routing) *router {
	r := &router{routing: routing}
	r.home, r.fips = endpoints.RealRegion(r.region)
	if r.followsRules() && endpoints.IsHostLabel(r.home) {
		r.homeEndpoint, _ = r.resolve(context.Background(), r.home) // the call reports an error
	}
	return r
}

// followsRules reports whether AWS's rules, not a resolver of the caller's, resolve
// endpoints.
func (r *router) followsRules() bool {
	_, ok := r.resolver.(defaultResolver)
	return ok && r.legacy == nil
}

// regionOf returns the region to call for a pool. If the region in the pool's ID is not the
// client's, regionOf returns it or rejects the pool, depending on the options.
func (r *router) regionOf(identityPoolID string) (string, error) {
	if r.home != "" && !endpoints.IsHostLabel(r.home) {
		return "", &ConfigurationError{Setting: "Region", Err: endpoints.InvalidRegion(r.region)}
	}
	region := endpoints.PoolRegion(identityPoolID)
	custom := r.baseEndpoint != nil || !r.followsRules()
	switch {
	case region == "" || region == r.home:
		return r.home, nil
	// The credentials are not valid in another partition, so they must not be sent there.
	case r.usePoolRegion && (custom || r.home == "" || endpoints.SamePartition(region, r.home)):
		return region, nil
	case custom || r.home == "":
		return r.home, nil
	}
	return "", &RegionMismatchError{IdentityPoolId: identityPoolID, PoolRegion: region, ClientRegion: r.home}
}

// endpointOf returns the endpoint of a region, which may be "". It rejects every endpoint
// that requests cannot be sent to or signed for.
func (r *router) endpointOf(ctx context.Context, region string) (*endpoint, error) {
	if r.homeEndpoint != nil && region == r.home {
		return r.homeEndpoint, nil
	}
	return r.resolve(ctx, region)
}

// scope has the names of the service and the region that a request is signed for.
type scope struct{ name, region string }

// endpoint is the target of a request.
type endpoint struct {
	url     url.URL
	headers http.Header
	scope   scope
	setting string // the field of Options that it comes from
}

// apply sends req to the endpoint. req.URL has the operation's path.
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

// resolve resolves the endpoint of a region and checks it.
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
		return nil, &ConfigurationError{Setting: "Region", Err: errors.New("missing: " + regionAdvice)}
	case !canBeSignedFor(found.scope.region), !canBeSignedFor(found.scope.name):
		return nil, &ConfigurationError{Setting: found.setting, Err: fmt.Errorf(
			"cannot sign for service %q in region %q: both must be printable ASCII without spaces, slashes and commas",
			found.scope.name, found.scope.region)}
	}
	return found, nil
}

// regionAdvice is what to do if there is no region.
const regionAdvice = "set AWS_REGION or Options.Region, or use pool IDs with a region and Options.UseIdentityPoolRegion"

// normalized returns the scheme, the host and the path of u. Because AWS normalizes the path
// before it checks the signature, the path has no ".", ".." or empty segments. It does not
// end with a slash.
func normalized(u *url.URL) url.URL {
	root := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	n := *root.JoinPath(u.EscapedPath())
	n.Path, n.RawPath = strings.TrimSuffix(n.Path, "/"), strings.TrimSuffix(n.RawPath, "/")
	return n
}

// resolvedEndpoint calls EndpointResolverV2.
func (r *router) resolvedEndpoint(ctx context.Context, region string) (*endpoint, error) {
	params := EndpointParameters{
		UseFIPS:      aws.Bool(r.fips || r.options.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(r.options.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	}
	if r.baseEndpoint != nil {
		params.Endpoint = aws.String(*r.baseEndpoint) // a copy, because the resolver may change it
	}
	if region != "" {
		params.Region = aws.String(region)
	}
	resolved, err := r.resolver.ResolveEndpoint(ctx, params)
	if err != nil {
		err = &resolverError{err}
		if region == "" && r.endpointSetting() == "Region" {
			err = fmt.Errorf("%w: %s", err, regionAdvice)
		}
		return nil, &ConfigurationError{Setting: r.endpointSetting(), Err: err}
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

// resolverError is an error of a resolver. Its text contains only the scheme and the host
// of a URL, because the rest may contain secrets.
type resolverError struct{ err error }

func (e *resolverError) Error() string {
	return "resolve endpoint: " + endpoints.WithoutSecrets(e.err.Error())
}
func (e *resolverError) Unwrap() error { return e.err }

// schemeSigV4 is the ID of the service's only auth scheme.
const schemeSigV4 = "aws.auth#sigv4"

// endpointSetting returns the option that determines what EndpointResolverV2 returns.
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

// legacyEndpoint calls the deprecated resolver, if there is one. EndpointResolverV2 is used
// if it returns an EndpointNotFoundError.
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
	if err != nil { // its text contains the whole URL, which may contain secrets
		return nil, &ConfigurationError{Setting: "EndpointResolver", Err: errors.New("the endpoint is not a valid URL")}
	}
	if r.options.DisableHTTPS && !resolved.HostnameImmutable && uri.Scheme == "https" {
		uri.Scheme = "http"
	}
	return &endpoint{setting: "EndpointResolver", url: *uri, scope: scope{name: resolved.SigningName, region: resolved.SigningRegion}}, nil
}

// canBeSignedFor reports whether the scope of a signature can contain the name of a service
// or a region. Any other name would break the Authorization header.
func canBeSignedFor(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ',' })
}

// EndpointResolver resolves the URL for a region. It takes precedence over
// [EndpointResolverV2], unless its error is an [*aws.EndpointNotFoundError].
//
// Deprecated: Set [Options.BaseEndpoint] or implement [EndpointResolverV2].
type EndpointResolver interface {
	ResolveEndpoint(region string, options EndpointResolverOptions) (aws.Endpoint, error)
}

// EndpointResolverFunc is an adapter that lets a function be an [EndpointResolver].
//
// Deprecated: Set [Options.BaseEndpoint] or implement [EndpointResolverV2].
type EndpointResolverFunc func(region string, options EndpointResolverOptions) (aws.Endpoint, error)

// ResolveEndpoint calls fn.
func (fn EndpointResolverFunc) ResolveEndpoint(region string, options EndpointResolverOptions) (aws.Endpoint, error) {
	return fn(region, options)
}

// EndpointResolverFromURL returns a resolver that returns the same URL for every region. The
// option functions can change the endpoint. Requests are signed for the region that is
// resolved, unless an option function sets another.
//
// Deprecated: Set [Options.BaseEndpoint].
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

// NewDefaultEndpointResolver returns a resolver that follows the rules that AWS publishes
// for the service's endpoints. Without a region it returns an [*aws.MissingRegionError].
//
// Deprecated: Use [NewDefaultEndpointResolverV2].
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
