// Package endpoints resolves the URL of the service in a region. It follows the endpoint
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

// hostPrefix is the beginning of the service's host names.
const hostPrefix = "cognito-sync"

// Params are the parameters of the service's endpoint rules.
type Params struct {
	Region    string  // a region or the global region of a partition; "" if there is none
	Endpoint  *string // a custom endpoint; nil if there is none
	FIPS      bool
	DualStack bool
}

// Resolve returns the URL that the endpoint rules define for p. Errors contain the texts of
// the rules. Of a custom endpoint they only contain the scheme and the host, because the
// rest may contain a password.
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
		return url.URL{}, InvalidRegion(p.Region)
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

// InvalidRegion returns the error for a region that cannot be part of a host name.
func InvalidRegion(region string) error {
	return fmt.Errorf("invalid region %.128q: must be a single host label, such as us-east-1", region)
}

// parse parses a custom endpoint. Requests can be sent to the URL that it returns.
func parse(endpoint string) (url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		// err quotes the endpoint, which may contain a password.
		return url.URL{}, errors.New("custom endpoint: not a valid URL")
	}
	if reason := Unusable(u); reason != "" {
		return url.URL{}, fmt.Errorf("custom endpoint %q: %s", Origin(u), reason)
	}
	return *u, nil
}

// Unusable returns why requests cannot be sent to u, or "" if they can.
func Unusable(u *url.URL) string {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "the scheme must be http or https"
	case u.Hostname() == "":
		return "the host is missing"
	case !isHost(u.Host):
		return "the host is not valid"
	case u.User != nil:
		return "it must not contain user information"
	case u.RawQuery != "" || u.ForceQuery:
		return "it must not contain a query"
	case u.Fragment != "":
		return "it must not contain a fragment"
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "the port must be at most 65535"
		}
	}
	return ""
}

// isHost reports whether host, with or without a port, is printable and remains the host if
// it is part of a URL.
func isHost(host string) bool {
	u, err := url.Parse((&url.URL{Host: host}).String())
	return err == nil && u.Host == host && !strings.ContainsFunc(host, isUnprintable)
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }

// Origin returns the scheme and the host of u, truncated to 256 bytes. It is safe to print,
// even if u contains a password or a token. It omits what may not be a scheme or a host.
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

// WithoutSecrets returns text with every URL reduced to its scheme and host. It is for the
// error of a resolver, which may quote its input.
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

// withoutReason removes the error of parsing a URL from text, because it quotes a part of
// the URL.
func withoutReason(text string, err error) string {
	var parsing *url.Error
	if errors.As(err, &parsing) {
		return strings.ReplaceAll(text, parsing.Err.Error(), "not a valid URL")
	}
	return text
}

// findURL returns where the first URL in text starts and ends. start is negative if there
// is none. A quoted URL ends at its quote. Any other URL ends at the first space after its
// last "@", because a password may contain spaces.
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

// RealRegion returns the actual region of a pseudo region such as "fips-us-west-2" or
// "us-gov-west-1-fips", and reports whether region is such a pseudo region.
func RealRegion(region string) (name string, fips bool) {
	name = strings.ReplaceAll(region, "-fips-", "-")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "fips-"), "-fips")
	return name, name != region
}

// PoolRegion returns the region at the beginning of an identity pool ID. It returns "" if
// there is none, or if it does not match a partition or cannot be part of a host name.
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

// SamePartition reports whether regions a and b are in the same partition, so that the same
// credentials are valid. A region that matches no partition counts as part of aws. A pseudo
// region is in the partition of its actual region.
func SamePartition(a, b string) bool {
	a, _ = RealRegion(a)
	b, _ = RealRegion(b)
	return partitionOf(a) == partitionOf(b)
}

// PartitionID returns the ID of a region's partition, such as "aws-cn".
func PartitionID(region string) string { return partitionOf(region).id }

// IsHostLabel reports whether s is a single label of a host name. A region must be one,
// because any other text could change the host.
func IsHostLabel(s string) bool {
	return len(s) <= 63 && isAll(s, isHostByte) && s[0] != '-' && s[len(s)-1] != '-'
}
