package cognitosynctest

import (
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// partitions maps prefixes of region names to the suffixes of AWS's host names. The first
// match counts.
var partitions = []struct{ regionPrefix, suffix, dualStackSuffix string }{
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
	{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
	{"", "amazonaws.com", "api.aws"},
}

// regionName matches the form of AWS's region names.
var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)

// An awsHost is the service and region in the host name of an AWS endpoint.
type awsHost struct{ service, region string }

// parseHost parses the host name of a regional AWS endpoint, with or without FIPS and
// dual-stack. It reports whether host is one.
func parseHost(host string) (awsHost, bool) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "443"
	}
	labels := strings.SplitN(strings.ToLower(name), ".", 3)
	if len(labels) != 3 || port != "443" && port != "80" {
		return awsHost{}, false
	}
	service, region, suffix := labels[0], labels[1], labels[2]
	i := slices.IndexFunc(partitions, func(p struct{ regionPrefix, suffix, dualStackSuffix string }) bool {
		return strings.HasPrefix(region, p.regionPrefix)
	})
	found := suffix == partitions[i].suffix || suffix == partitions[i].dualStackSuffix
	return awsHost{strings.TrimSuffix(service, "-fips"), region}, found
}

// reaches reports whether a request for host gets to the server: host is the server's own,
// one of Options.Hosts, or that of an AWS endpoint that the server stands in for.
func (s *Server) reaches(host string) bool {
	if strings.EqualFold(host, s.host) || slices.Contains(s.options.Hosts, "*") ||
		slices.ContainsFunc(s.options.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	to, ok := parseHost(host)
	switch {
	case !ok:
		return false
	case s.options.AnyRegion:
		return regionName.MatchString(to.region) || to.region == s.options.Region
	default:
		return to == awsHost{signingService, s.options.Region}
	}
}

// unreachable returns the error of a client that dials a host that does not exist.
func (s *Server) unreachable(host string) error {
	served := "only serves cognito-sync in " + s.options.Region + "; see Options.AnyRegion and Options.Hosts"
	if s.options.AnyRegion {
		served = "only serves AWS's hosts; see Options.Hosts"
	}
	return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{
		Err: "no such host (cognitosynctest: the server " + served + ")", Name: host, IsNotFound: true,
	}}
}

// hostOf returns the host that r is for.
func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// A reroutingTransport sends the requests that the server serves to its socket, whatever
// their host, and lets all others fail.
type reroutingTransport struct {
	server *Server
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t reroutingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.server.reaches(r.URL.Host) {
		closeBody(r)
		return nil, t.server.unreachable(r.URL.Host)
	}
	rerouted := r.Clone(r.Context())
	rerouted.Host = hostOf(r)
	rerouted.URL.Scheme, rerouted.URL.Host = t.server.scheme, t.server.host
	response, err := t.next.RoundTrip(rerouted)
	if response != nil {
		response.Request = r
	}
	return response, err
}
