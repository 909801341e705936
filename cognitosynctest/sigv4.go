package cognitosynctest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A scope is what a signing key is good for.
type scope struct{ date, region, service, terminator string }

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + s.terminator
}

// An authorization is what the headers of a request say about its signature.
type authorization struct {
	accessKeyID   string
	scope         scope
	signedHeaders []string // lower case, in the order in which they are listed
	signature     string
	date          string // X-Amz-Date
	signedAt      time.Time
}

// parseAuthorization reads the Authorization and X-Amz-Date headers. A presigned request
// has a signature in its query.
func parseAuthorization(header http.Header, presigned bool) (*authorization, *Refusal) {
	value := strings.Join(header.Values("Authorization"), ",")
	switch {
	case strings.TrimSpace(value) != "":
	case presigned:
		return nil, refuse(http.StatusForbidden, missingToken, "Missing Authentication Token",
			"the request is presigned: a signature in the query is not supported, there must be an Authorization header")
	default:
		return nil, refuse(http.StatusForbidden, missingToken, "Missing Authentication Token", "there is no Authorization header")
	}
	incomplete := func(reason, format string, args ...any) *Refusal {
		return refuse(http.StatusForbidden, incompleteSignature, fmt.Sprintf(format, args...), reason)
	}
	// AWS repeats the header in its messages, but not so that it can be used.
	sum := sha256.Sum256([]byte(value))
	hashed := base64.StdEncoding.EncodeToString(sum[:])

	algorithm, list, _ := strings.Cut(strings.TrimSpace(value), " ")
	if algorithm != signingAlgorithm {
		return nil, incomplete("the algorithm is not "+signingAlgorithm, "Unsupported AWS 'algorithm': '%s'.", algorithm)
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(list, ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		name, content, ok := strings.Cut(field, "=")
		if _, twice := fields[name]; !ok || twice {
			return nil, incomplete("the Authorization header is not a list of different key=value pairs",
				"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '%s'.", hashed)
		}
		fields[name] = content
	}
	date := strings.Join(header.Values("X-Amz-Date"), ",")
	var messages, absent []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			absent = append(absent, name)
			messages = append(messages, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if date == "" {
		absent = append(absent, "X-Amz-Date")
		messages = append(messages, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(messages) > 0 {
		return nil, incomplete("missing: "+strings.Join(absent, ", "),
			"%s (Hashed with SHA-256 and encoded with Base64) Authorization=%s", strings.Join(messages, " "), hashed)
	}
	signedAt, err := time.Parse(signingTimeFormat, date)
	if err != nil {
		return nil, incomplete("X-Amz-Date has another format than "+signingTimeFormat,
			"Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	credential := strings.Split(fields["Credential"], "/")
	if len(credential) != 5 {
		return nil, incomplete("Credential is not ACCESSKEYID/DATE/REGION/SERVICE/aws4_request",
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", fields["Credential"])
	}
	return &authorization{
		accessKeyID:   credential[0],
		scope:         scope{credential[1], credential[2], credential[3], credential[4]},
		signedHeaders: strings.Split(strings.ToLower(fields["SignedHeaders"]), ";"),
		signature:     fields["Signature"],
		date:          date,
		signedAt:      signedAt,
	}, nil
}

// expectedScope returns the scope that auth should have.
func (v *Verifier) expectedScope(auth *authorization) scope {
	expected := scope{auth.signedAt.Format("20060102"), v.Region, v.service(), signingTerminator}
	if expected.region == "" {
		expected.region = auth.scope.region
	}
	return expected
}

// wrongScope returns AWS's message if the scope is not the expected one,
// otherwise "".
func (a *authorization) wrongScope(expected scope) string {
	var messages []string
	say := func(format string, args ...any) { messages = append(messages, fmt.Sprintf(format, args...)) }
	if a.scope.region != expected.region || a.scope.region == "" {
		say("Credential should be scoped to a valid region, not '%s'.", a.scope.region)
	}
	if a.scope.service != expected.service {
		say("Credential should be scoped to correct service: '%s'.", expected.service)
	}
	if a.scope.terminator != expected.terminator {
		say("Credential should be scoped with a valid terminator: '%s', not '%s'.", expected.terminator, a.scope.terminator)
	}
	if a.scope.date != expected.date {
		say("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			a.scope.date, expected.date, a.date)
	}
	return strings.Join(messages, " ")
}

// wrongToken says what is wrong with the request's session token, or "".
func wrongToken(header http.Header, c *Credentials) string {
	sent := strings.Join(header.Values("X-Amz-Security-Token"), ",")
	switch {
	case sent == c.SessionToken:
		return ""
	case sent == "":
		return "the credentials are temporary, but there is no X-Amz-Security-Token"
	case c.SessionToken == "":
		return "there is an X-Amz-Security-Token, but the credentials are not temporary"
	default:
		return "X-Amz-Security-Token is another one than that of the credentials"
	}
}

// requiredHeaders returns the names, lower case, of the headers that must be
// signed: AWS's documentation asks for host and every x-amz-* header.
func requiredHeaders(header http.Header) []string {
	required := []string{"host"}
	for name := range header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	return required
}

// missing returns the wanted names that names lacks.
func missing(wanted, names []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return slices.Contains(names, name) })
}

func union(names, more []string) []string {
	return append(slices.Clone(names), missing(more, names)...)
}

// A canonicalRequest is what SigV4 signs of a request.
type canonicalRequest struct {
	method, path, query, headers, signedHeaders, bodyHash string
}

// newCanonicalRequest returns what has to be signed of r when the named headers
// are.
func newCanonicalRequest(r *http.Request, signedHeaders []string, body []byte) canonicalRequest {
	path, query := rawTarget(r)
	names := slices.Sorted(slices.Values(signedHeaders))
	hash := sha256.Sum256(body)
	return canonicalRequest{
		method:        r.Method,
		path:          escape(normalize(path), "/"), // it arrives escaped, this is the second time
		query:         canonicalQuery(query),
		headers:       canonicalHeaders(r, names),
		signedHeaders: strings.Join(names, ";"),
		bodyHash:      hex.EncodeToString(hash[:]),
	}
}

func (c canonicalRequest) String() string {
	return strings.Join([]string{c.method, c.path, c.query, c.headers, c.signedHeaders, c.bodyHash}, "\n")
}

// rawTarget returns path and query of r as they are, or will be, on the wire.
func rawTarget(r *http.Request) (path, query string) {
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	if !strings.HasPrefix(target, "/") { // the absolute form, as for a proxy
		if _, rest, ok := strings.Cut(target, "://"); ok {
			target = strings.TrimLeftFunc(rest, func(c rune) bool { return c != '/' && c != '?' })
		}
	}
	path, query, _ = strings.Cut(target, "?")
	if path == "" {
		path = "/"
	}
	return path, query
}

// normalize removes what is redundant in a path, as AWS does for every service but S3:
// empty segments, "." and ".." with the segment before it.
func normalize(path string) string {
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "" || segment == ".":
		case segment != "..":
			kept = append(kept, segment)
		case len(kept) > 0:
			kept = kept[:len(kept)-1]
		}
	}
	if len(kept) > 0 && strings.HasSuffix(path, "/") {
		kept = append(kept, "")
	}
	return "/" + strings.Join(kept, "/")
}

// isPresigned reports whether the query of r holds a signature.
func isPresigned(r *http.Request) bool {
	_, query := rawTarget(r)
	for parameter := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(parameter, "="); strings.EqualFold(name, "X-Amz-Signature") {
			return true
		}
	}
	return false
}

// escape percent-encodes every byte of s but the unreserved ones and those in
// keep.
func escape(s, keep string) string {
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// canonicalQuery returns the parameters of a raw query, each escaped anew, and
// sorted by name, then value.
func canonicalQuery(raw string) string {
	again := func(s string) string {
		if plain, err := url.QueryUnescape(s); err == nil {
			s = plain
		}
		return escape(s, "")
	}
	var parameters [][2]string
	for parameter := range strings.SplitSeq(raw, "&") {
		if parameter != "" {
			name, value, _ := strings.Cut(parameter, "=")
			parameters = append(parameters, [2]string{again(name), again(value)})
		}
	}
	slices.SortFunc(parameters, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var b strings.Builder
	for i, parameter := range parameters {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(parameter[0] + "=" + parameter[1])
	}
	return b.String()
}

// canonicalHeaders returns a line for each name, with all the values of the
// header. A header that r does not have gets none, so that it cannot have been
// signed.
func canonicalHeaders(r *http.Request, names []string) string {
	var b strings.Builder
	for _, name := range names {
		if values := headerValues(r, name); len(values) > 0 {
			for i := range values {
				values[i] = trimSpaces(values[i])
			}
			b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
		}
	}
	return b.String()
}

// headerValues returns a copy of the values of a header. net/http keeps some of
// them beside [http.Request.Header].
func headerValues(r *http.Request, name string) []string {
	switch {
	case name == "host" && r.Host != "":
		return []string{r.Host}
	case name == "host":
		return []string{r.URL.Host} // r is an outgoing request
	case name == "content-length" && r.ContentLength > 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	default:
		return slices.Clone(r.Header.Values(name))
	}
}

// trimSpaces removes the spaces around s, and all but one of each run inside.
func trimSpaces(s string) string {
	s = strings.Trim(s, " \t") // other spaces are part of the value
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

func stringToSign(date string, in scope, c canonicalRequest) string {
	hash := sha256.Sum256([]byte(c.String()))
	return strings.Join([]string{signingAlgorithm, date, in.String(), hex.EncodeToString(hash[:])}, "\n")
}

// signature signs text with the key that is derived from secret for the scope.
func signature(secret string, in scope, text string) string {
	key := []byte("AWS4" + secret)
	for _, part := range []string{in.date, in.region, in.service, in.terminator} {
		key = hmacSHA256(key, part)
	}
	return hex.EncodeToString(hmacSHA256(key, text))
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// whatWasSigned finds out what the sender of r signed, and notes it in found. It
// returns "" if that is right, or else says what the mistake was.
func (v *Verifier) whatWasSigned(r *http.Request, auth *authorization, body []byte, c *Credentials, found *Refusal) (mistake string) {
	right := newCanonicalRequest(r, auth.signedHeaders, body)
	signed := func(candidate canonicalRequest, secret string) bool {
		text := stringToSign(auth.date, auth.scope, candidate)
		if !hmac.Equal([]byte(signature(secret, auth.scope, text)), []byte(auth.signature)) {
			return false
		}
		found.ReceivedCanonicalRequest, found.ReceivedStringToSign = candidate.String(), text
		return true
	}
	if signed(right, c.SecretAccessKey) {
		return ""
	}
	for _, usual := range usualMistakes {
		candidate := right
		usual.make(&candidate, r)
		if signed(candidate, c.SecretAccessKey) {
			return usual.name
		}
	}
	for _, other := range v.all() {
		if signed(right, other.SecretAccessKey) {
			return "it is signed with the secret key of " + other.AccessKeyID
		}
	}
	return "it is signed with another secret key, or was changed after signing"
}

// usualMistakes are the ways in which clients are known to sign wrongly.
var usualMistakes = []struct {
	name string
	make func(*canonicalRequest, *http.Request)
}{
	{"the signed path is not normalized: there is an empty segment, a \".\" or a \"..\" in it", func(c *canonicalRequest, r *http.Request) {
		path, _ := rawTarget(r)
		c.path = escape(path, "/")
	}},
	{"the signed path is escaped once, not twice", func(c *canonicalRequest, r *http.Request) {
		c.path, _ = rawTarget(r)
	}},
	{"the signed path is not escaped", func(c *canonicalRequest, r *http.Request) {
		c.path = r.URL.Path
	}},
	{"the query is not signed", func(c *canonicalRequest, _ *http.Request) {
		c.query = ""
	}},
	{"the signed query is not sorted or not escaped", func(c *canonicalRequest, r *http.Request) {
		_, c.query = rawTarget(r)
	}},
	{"the body is not signed", func(c *canonicalRequest, _ *http.Request) {
		c.bodyHash = "UNSIGNED-PAYLOAD"
	}},
	{"the signed hash is that of another body", func(c *canonicalRequest, r *http.Request) {
		c.bodyHash = r.Header.Get("X-Amz-Content-Sha256")
	}},
	{"the signed host lacks the port", func(c *canonicalRequest, r *http.Request) {
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			c.headers = strings.Replace(c.headers, "host:"+r.Host+"\n", "host:"+name+"\n", 1)
		}
	}},
}
