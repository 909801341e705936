package cognitosync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The service as its endpoints and signatures name it.
const (
	endpointPrefix     = "cognito-sync"
	defaultSigningName = "cognito-sync"
)

// EndpointResolverOptions select among the endpoints of a region.
type EndpointResolverOptions struct {
	// DisableHTTPS sends requests over plain HTTP.
	DisableHTTPS bool

	// UseFIPSEndpoint selects the endpoint with FIPS 140 validated cryptography.
	// LoadDefaultConfig takes it from AWS_USE_FIPS_ENDPOINT.
	UseFIPSEndpoint aws.FIPSEndpointState

	// UseDualStackEndpoint selects the endpoint that speaks IPv6 and IPv4.
	// LoadDefaultConfig takes it from AWS_USE_DUALSTACK_ENDPOINT.
	UseDualStackEndpoint aws.DualStackEndpointState

	// ResolvedRegion is the real region where Options.Region is a pseudo region such
	// as "fips-us-west-2". The client fills it for an aws.EndpointResolverWithOptions.
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

// ResolveEndpoint applies the rules. Its errors are the rules' own words.
func (defaultResolver) ResolveEndpoint(_ context.Context, params EndpointParameters) (smithyendpoints.Endpoint, error) {
	params = params.WithDefaults()
	fips, dualStack := *params.UseFIPS, *params.UseDualStack
	switch {
	case params.Endpoint != nil && fips:
		return smithyendpoints.Endpoint{}, errors.New("endpoint rule error, Invalid Configuration: FIPS and custom endpoint are not supported")
	case params.Endpoint != nil && dualStack:
		return smithyendpoints.Endpoint{}, errors.New("endpoint rule error, Invalid Configuration: Dualstack and custom endpoint are not supported")
	case params.Endpoint != nil:
		uri, err := url.Parse(*params.Endpoint)
		if err != nil {
			return smithyendpoints.Endpoint{}, err
		}
		return smithyendpoints.Endpoint{URI: *uri}, nil
	case aws.ToString(params.Region) == "":
		return smithyendpoints.Endpoint{}, errors.New("endpoint rule error, Invalid Configuration: Missing Region")
	}

	region := *params.Region
	prefix, suffix := endpointPrefix, partitionOf(region).dnsSuffix
	if fips {
		prefix += "-fips"
	}
	if dualStack {
		suffix = partitionOf(region).dualStackDNSSuffix
	}
	return smithyendpoints.Endpoint{URI: url.URL{Scheme: "https", Host: prefix + "." + region + "." + suffix}}, nil
}

// partition is a group of regions with endpoints of its own.
type partition struct {
	regionPrefixes     []string // of its regions' names: PREFIX-word-number
	globalRegions      []string // pseudo regions that stand for all of it
	dnsSuffix          string
	dualStackDNSSuffix string
}

// partitions are AWS's, with the one that unknown regions count to first. Each of
// them has FIPS and dual-stack endpoints.
// Source: the partitions file that AWS publishes with its endpoint rules.
var partitions = [...]partition{
	{[]string{"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"}, []string{"aws-global"}, "amazonaws.com", "api.aws"},
	{[]string{"cn"}, []string{"aws-cn-global"}, "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{[]string{"us-gov"}, []string{"aws-us-gov-global"}, "amazonaws.com", "api.aws"},
	{[]string{"eusc-de"}, nil, "amazonaws.eu", "api.amazonwebservices.eu"},
	{[]string{"us-iso"}, []string{"aws-iso-global"}, "c2s.ic.gov", "api.aws.ic.gov"},
	{[]string{"us-isob"}, []string{"aws-iso-b-global"}, "sc2s.sgov.gov", "api.aws.scloud"},
	{[]string{"eu-isoe"}, []string{"aws-iso-e-global"}, "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{[]string{"us-isof"}, []string{"aws-iso-f-global"}, "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
}

// partitionOf returns the partition of a region.
func partitionOf(region string) *partition {
	for i := range partitions {
		if p := &partitions[i]; p.has(region) || slices.Contains(p.globalRegions, region) {
			return p
		}
	}
	return &partitions[0]
}

// has reports whether the name has the form of the partition's regions.
func (p *partition) has(region string) bool {
	for _, prefix := range p.regionPrefixes {
		rest, ok := strings.CutPrefix(region, prefix+"-")
		if !ok {
			continue
		}
		word, number, ok := strings.Cut(rest, "-")
		if ok && isAll(word, isWordByte) && isAll(number, isDigit) {
			return true
		}
	}
	return false
}

func isAll(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

func isWordByte(b byte) bool { return isLetter(b) || isDigit(b) || b == '_' }
func isHostByte(b byte) bool { return isLetter(b) || isDigit(b) || b == '-' }

// isHostLabel reports whether s can be one label of a host name: nothing that is
// not can become part of a URL.
func isHostLabel(s string) bool {
	return len(s) <= 63 && isAll(s, isHostByte) && s[0] != '-' && s[len(s)-1] != '-'
}

// realRegion returns the region that a pseudo region such as "fips-us-west-2" or
// "us-gov-west-1-fips" stands for, and whether it asks for FIPS.
func realRegion(region string) (name string, fips bool) {
	name = strings.ReplaceAll(region, "-fips-", "-")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "fips-"), "-fips")
	return name, name != region
}

// poolRegion returns the region that a pool id names, or "" if it names none that
// AWS could have.
func poolRegion(identityPoolID string) string {
	region, _, ok := strings.Cut(identityPoolID, ":")
	if !ok || !isHostLabel(region) {
		return ""
	}
	for i := range partitions {
		if partitions[i].has(region) {
			return region
		}
	}
	return ""
}

// endpoint is where a request goes and what it is signed for.
type endpoint struct {
	url           url.URL
	headers       http.Header
	signingName   string
	signingRegion string
	setting       string // the field of Options that it comes from
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

// resolveEndpoint finds the endpoint for the call's pool. Every failure is found
// here, before anything is sent.
func (c *call) resolveEndpoint(ctx context.Context) (*endpoint, error) {
	defer c.startTimerOnce(ctx, c.instruments.resolveEndpoint)()
	if c.home != nil && c.region == c.homeRegion {
		return c.home, nil
	}
	return c.endpointOf(ctx, c.region)
}

// chooseRegion returns the region to ask and to sign for. A pool id that names
// another one than the client's decides, where the caller wants that, or is refused.
func (c *call) chooseRegion() (string, error) {
	if c.homeRegion != "" && !isHostLabel(c.homeRegion) {
		return "", &ConfigurationError{Setting: "Region", Err: fmt.Errorf(
			"invalid input region %q: not a host label", clip(c.Region, maxQuote))}
	}
	id := *c.input.IdentityPoolId
	region := poolRegion(id)
	switch {
	case region == "" || region == c.homeRegion:
		return c.homeRegion, nil
	case c.UseIdentityPoolRegion:
		return region, nil
	case c.homeRegion != "" && c.BaseEndpoint == nil && c.followsRules():
		return "", &RegionMismatchError{IdentityPoolId: id, PoolRegion: region, ClientRegion: c.homeRegion}
	}
	return c.homeRegion, nil
}

// followsRules reports whether AWS's rules, and no code of the caller's, decide
// about endpoints.
func (s *settings) followsRules() bool {
	_, ok := s.EndpointResolverV2.(defaultResolver)
	return ok && s.legacyEndpointResolver == nil
}

// endpointOf finds the endpoint for a region; "" is none.
func (s *settings) endpointOf(ctx context.Context, region string) (*endpoint, error) {
	found, err := s.legacyEndpoint(region)
	var notFound *aws.EndpointNotFoundError
	if s.legacyEndpointResolver == nil || errors.As(err, &notFound) {
		found, err = s.resolvedEndpoint(ctx, region)
	}
	if err != nil {
		return nil, err
	}
	if reason := unusableURL(&found.url); reason != "" {
		return nil, &ConfigurationError{Setting: found.setting, Err: fmt.Errorf(
			"endpoint %q: %s", printable(found.url.Redacted(), maxQuote), reason)}
	}
	found.url.Path = strings.TrimRight(found.url.Path, "/")
	found.url.RawPath = strings.TrimRight(found.url.RawPath, "/")
	found.signingName = cmp.Or(s.signingName, found.signingName, defaultSigningName)
	found.signingRegion = cmp.Or(s.signingRegion, found.signingRegion, region)
	switch {
	case found.signingRegion == "":
		return nil, &ConfigurationError{Setting: "Region", Err: errors.New("missing: requests are signed for a region")}
	case !canBeSignedFor(found.signingRegion), !canBeSignedFor(found.signingName):
		return nil, &ConfigurationError{Setting: found.setting, Err: fmt.Errorf(
			"cannot sign for service %q in region %q", found.signingName, found.signingRegion)}
	}
	return found, nil
}

// resolvedEndpoint asks EndpointResolverV2.
func (s *settings) resolvedEndpoint(ctx context.Context, region string) (*endpoint, error) {
	_, pseudo := realRegion(s.Region)
	params := EndpointParameters{
		UseFIPS:      aws.Bool(pseudo || s.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(s.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		Endpoint:     s.BaseEndpoint,
	}
	if region != "" {
		params.Region = aws.String(region)
	}
	resolved, err := s.EndpointResolverV2.ResolveEndpoint(ctx, params)
	if err != nil {
		return nil, &ConfigurationError{Setting: s.endpointSetting(params), Err: fmt.Errorf("resolve endpoint: %w", err)}
	}

	found := &endpoint{url: resolved.URI, headers: resolved.Headers, setting: s.endpointSetting(params)}
	if s.EndpointOptions.DisableHTTPS && found.url.Scheme == "https" {
		found.url.Scheme = "http"
	}
	schemes, _ := smithyauth.GetAuthOptions(&resolved.Properties)
	for _, scheme := range schemes {
		if scheme.SchemeID != schemeSigV4 {
			continue
		}
		found.signingName, _ = smithyhttp.GetSigV4SigningName(&scheme.SignerProperties)
		found.signingRegion, _ = smithyhttp.GetSigV4SigningRegion(&scheme.SignerProperties)
	}
	return found, nil
}

// schemeSigV4 is smithy's name for the only way this service is signed for.
const schemeSigV4 = "aws.auth#sigv4"

// endpointSetting names the field that decides about a resolver's answer.
func (s *settings) endpointSetting(params EndpointParameters) string {
	_, rules := s.EndpointResolverV2.(defaultResolver)
	switch {
	case !rules:
		return "EndpointResolverV2"
	case params.Endpoint != nil:
		return "BaseEndpoint"
	}
	return "Region"
}

// legacyEndpointResolver is the deprecated resolver of an aws.Config.
type legacyEndpointResolver func(region string, options EndpointResolverOptions) (aws.Endpoint, error)

// legacyResolverFromConfig returns the resolver of cfg, or nil.
func legacyResolverFromConfig(cfg aws.Config) legacyEndpointResolver {
	switch {
	case cfg.EndpointResolverWithOptions != nil:
		return func(region string, options EndpointResolverOptions) (aws.Endpoint, error) {
			return cfg.EndpointResolverWithOptions.ResolveEndpoint(ServiceID, region, options)
		}
	case cfg.EndpointResolver != nil:
		return func(region string, _ EndpointResolverOptions) (aws.Endpoint, error) {
			return cfg.EndpointResolver.ResolveEndpoint(ServiceID, region)
		}
	}
	return nil
}

// legacyEndpoint asks the deprecated resolver, which comes first where there is
// one. Its EndpointNotFoundError leaves the choice to EndpointResolverV2.
func (s *settings) legacyEndpoint(region string) (*endpoint, error) {
	if s.legacyEndpointResolver == nil {
		return nil, nil
	}
	options := s.EndpointOptions
	if region != s.Region {
		options.ResolvedRegion = region
	}
	resolved, err := s.legacyEndpointResolver(region, options)
	if err != nil {
		return nil, &ConfigurationError{Setting: "EndpointResolver", Err: fmt.Errorf("resolve endpoint: %w", err)}
	}
	uri, err := url.Parse(resolved.URL)
	if err != nil {
		return nil, &ConfigurationError{Setting: "EndpointResolver", Err: err}
	}
	if s.EndpointOptions.DisableHTTPS && !resolved.HostnameImmutable && uri.Scheme == "https" {
		uri.Scheme = "http"
	}
	return &endpoint{setting: "EndpointResolver", url: *uri, signingName: resolved.SigningName, signingRegion: resolved.SigningRegion}, nil
}

// unusableURL returns why requests cannot be sent to a URL as it stands, or "".
func unusableURL(u *url.URL) string {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "the scheme must be http or https"
	case u.Hostname() == "":
		return "it has no host"
	case u.User != nil:
		return "it has user information"
	case u.RawQuery != "" || u.ForceQuery:
		return "it has a query"
	case u.Fragment != "":
		return "it has a fragment"
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "the port is out of range"
		}
	}
	return ""
}

// canBeSignedFor reports whether a service's or region's name can stand in a
// signature's scope: anything else would break the Authorization header.
func canBeSignedFor(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ',' })
}
