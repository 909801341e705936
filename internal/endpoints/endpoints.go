// Package endpoints finds the URL of the service in a region. It follows the endpoint
// rules and the partitions that AWS publishes for its SDKs.
package endpoints

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// hostPrefix is what the service's host names begin with.
const hostPrefix = "cognito-sync"

// Params are the parameters of the service's endpoint rules.
type Params struct {
	Region    string  // a real region or a partition's global one; "" if there is none
	Endpoint  *string // a custom endpoint; nil if there is none
	FIPS      bool
	DualStack bool
}

// Resolve returns the URL that the endpoint rules give for p. An error contains the
// reason as the rules word it. No error repeats more of a custom endpoint than its
// scheme and host, for there may be a password in the rest.
func Resolve(p Params) (url.URL, error) {
	switch {
	case p.Endpoint != nil && p.FIPS:
		return url.URL{}, errors.New("endpoint rule error, Invalid Configuration: FIPS and custom endpoint are not supported")
	case p.Endpoint != nil && p.DualStack:
		return url.URL{}, errors.New("endpoint rule error, Invalid Configuration: Dualstack and custom endpoint are not supported")
	case p.Endpoint != nil:
		return parse(*p.Endpoint)
	case p.Region == "":
		return url.URL{}, errors.New("endpoint rule error, Invalid Configuration: Missing Region")
	case !IsHostLabel(p.Region):
		return url.URL{}, fmt.Errorf("invalid input region %.128q: not a host label", p.Region)
	}

	prefix, suffix := hostPrefix, partitionOf(p.Region).dnsSuffix
	if p.FIPS {
		prefix += "-fips"
	}
	if p.DualStack {
		suffix = partitionOf(p.Region).dualStackDNSSuffix
	}
	return url.URL{Scheme: "https", Host: prefix + "." + p.Region + "." + suffix}, nil
}

// parse returns a custom endpoint to which requests can be sent.
func parse(endpoint string) (url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		// err quotes the endpoint, and where it goes wrong is often the password.
		return url.URL{}, errors.New("custom endpoint: not a valid URL")
	}
	if reason := Unusable(u); reason != "" {
		return url.URL{}, fmt.Errorf("custom endpoint %q: %s", Origin(u), reason)
	}
	return *u, nil
}

// Unusable returns why requests cannot be sent to u as it stands, or "".
func Unusable(u *url.URL) string {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "the scheme must be http or https"
	case u.Hostname() == "":
		return "it has no host"
	case !isHost(u.Host):
		return "the host is not valid"
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

// isHost reports whether host, with or without a port, is one in a URL as well, and can
// be printed.
func isHost(host string) bool {
	u, err := url.Parse((&url.URL{Host: host}).String())
	return err == nil && u.Host == host && !strings.ContainsFunc(host, isUnprintable)
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }

// Origin returns the scheme and the host of u, cut to 256 bytes: what an error can
// quote of a URL that may contain a password or a token. What is not certain to be a
// scheme or a host is left out.
func Origin(u *url.URL) string {
	if strings.Contains(u.Opaque, "@") { // "user:password@host" has the scheme "user"
		return ""
	}
	origin := u.Scheme + ":"
	if u.Host != "" && isHost(u.Host) {
		origin += "//" + u.Host
	}
	return origin[:min(len(origin), 256)]
}

// WithoutSecrets returns text with nothing left of the URLs in it but scheme and host, for
// an error of a resolver, which may quote what it was given.
func WithoutSecrets(text string) string {
	var b strings.Builder
	for {
		start, end := findURL(text)
		if start < 0 {
			break
		}
		quoted := text[start:end]
		scheme, _, _ := strings.Cut(quoted, "://")
		b.WriteString(text[:start])
		text = text[end:]
		u, err := url.Parse(quoted)
		if err != nil {
			b.WriteString(scheme + "://...")
			text = withoutReason(text, err)
			continue
		}
		b.WriteString(Origin(u))
	}
	return b.String() + text
}

// withoutReason removes from text why a URL cannot be parsed, for that quotes a part of it.
func withoutReason(text string, err error) string {
	var parsing *url.Error
	if errors.As(err, &parsing) {
		return strings.ReplaceAll(text, parsing.Err.Error(), "not a valid URL")
	}
	return text
}

// findURL returns where the first URL in text starts and ends; start is negative if
// there is none. One in quotes ends with them. Any other ends with a space, but if it has
// an "@" only after that: there may be spaces in a password.
func findURL(text string) (start, end int) {
	colon := strings.Index(text, "://")
	if colon < 0 {
		return -1, -1
	}
	start = colon
	for start > 0 && isSchemeByte(text[start-1]) {
		start--
	}
	if start > 0 && strings.IndexByte("\"'`", text[start-1]) >= 0 {
		if length := strings.IndexByte(text[start:], text[start-1]); length >= 0 {
			return start, start + length
		}
	}
	const ends = " \t\r\n\"'`<>"
	end = len(text)
	if length := strings.IndexAny(text[start:], ends); length >= 0 {
		end = start + length
	}
	if at := strings.LastIndexByte(text, '@'); at >= end && !strings.Contains(text[start:end], "@") {
		end = len(text)
		if length := strings.IndexAny(text[at:], ends); length >= 0 {
			end = at + length
		}
	}
	return start, end
}

func isSchemeByte(b byte) bool { return isHostByte(b) || b == '+' || b == '.' }

// RealRegion returns the region that a pseudo region such as "fips-us-west-2" or
// "us-gov-west-1-fips" stands for, and reports whether it asks for FIPS.
func RealRegion(region string) (name string, fips bool) {
	name = strings.ReplaceAll(region, "-fips-", "-")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "fips-"), "-fips")
	return name, name != region
}

// PoolRegion returns the region that an identity pool ID begins with, or "" if it
// begins with none that matches a partition of AWS and can be part of a host name.
func PoolRegion(identityPoolID string) string {
	region, _, ok := strings.Cut(identityPoolID, ":")
	if !ok || !IsHostLabel(region) {
		return ""
	}
	for i := range partitions {
		if partitions[i].matches(region) {
			return region
		}
	}
	return ""
}

// SamePartition reports whether credentials for region a are of use in region b. A
// region that matches no partition counts as one of partition aws. A pseudo region is
// in the partition of the region that it stands for.
func SamePartition(a, b string) bool {
	a, _ = RealRegion(a)
	b, _ = RealRegion(b)
	return partitionOf(a) == partitionOf(b)
}

// PartitionID returns AWS's name of the partition that a region is in.
func PartitionID(region string) string { return partitionOf(region).id }

// IsHostLabel reports whether s is a single label of a host name. Nothing else may
// become part of one.
func IsHostLabel(s string) bool {
	return len(s) <= 63 && isAll(s, isHostByte) && s[0] != '-' && s[len(s)-1] != '-'
}
