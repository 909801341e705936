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

// A scope is a credential scope: where and when a signing key is valid.
type scope struct{ date, region, service, terminator string }

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + s.terminator
}

// An authorization is the content of the headers that carry the signature.
type authorization struct {
	accessKeyID   string
	scope         scope
	signedHeaders []string // lower case, in the order listed
	signature     string
	date          string // X-Amz-Date
	signedAt      time.Time
}

// parseAuthorization parses the Authorization and X-Amz-Date headers. The signature of a
// presigned request is in its query instead.
func parseAuthorization(header http.Header, presigned bool) (*authorization, *Refusal) {
	value := strings.Join(header.Values("Authorization"), ",")
	switch {
	case strings.TrimSpace(value) != "":
	case presigned:
		return nil, refuse(http.StatusForbidden, missingToken, "Missing Authentication Token",
			"the request is presigned, which is not supported: it needs an Authorization header")
	default:
		return nil, refuse(http.StatusForbidden, missingToken, "Missing Authentication Token", "there is no Authorization header")
	}
	incomplete := func(reason, format string, args ...any) *Refusal {
		return refuse(http.StatusForbidden, incompleteSignature, fmt.Sprintf(format, args...), reason)
	}
	// AWS's messages contain only a hash of the header.
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
		if _, duplicate := fields[name]; !ok || duplicate {
			return nil, incomplete("the Authorization header is not a list of distinct key=value pairs",
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
		return nil, incomplete("X-Amz-Date does not have the format "+signingTimeFormat,
			"Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	credential := strings.Split(fields["Credential"], "/")
	if len(credential) != 5 {
		return nil, incomplete("Credential does not have the form ACCESSKEYID/DATE/REGION/SERVICE/aws4_request",
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

// scopeProblem returns AWS's message if the scope is not the expected one, otherwise "".
func (a *authorization) scopeProblem(expected scope) string {
	var messages []string
	add := func(format string, args ...any) { messages = append(messages, fmt.Sprintf(format, args...)) }
	if a.scope.region != expected.region || a.scope.region == "" {
		add("Credential should be scoped to a valid region, not '%s'.", a.scope.region)
	}
	if a.scope.service != expected.service {
		add("Credential should be scoped to correct service: '%s'.", expected.service)
	}
	if a.scope.terminator != expected.terminator {
		add("Credential should be scoped with a valid terminator: '%s', not '%s'.", expected.terminator, a.scope.terminator)
	}
	if a.scope.date != expected.date {
		add("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			a.scope.date, expected.date, a.date)
	}
	return strings.Join(messages, " ")
}

// tokenProblem returns what is wrong with the request's session token, or "".
func tokenProblem(header http.Header, c *Credentials) string {
	sent := strings.Join(header.Values("X-Amz-Security-Token"), ",")
	switch {
	case sent == c.SessionToken:
		return ""
	case sent == "":
		return "the credentials are temporary, but there is no X-Amz-Security-Token"
	case c.SessionToken == "":
		return "there is an X-Amz-Security-Token, but the credentials are not temporary"
	default:
		return "X-Amz-Security-Token is not the session token of the credentials"
	}
}

// requiredHeaders returns the lower-case names of the headers that must be signed: according
// to AWS's documentation, host and every x-amz-* header.
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

// missing returns the required names that names lacks.
func missing(required, names []string) []string {
	return slices.DeleteFunc(slices.Clone(required), func(name string) bool { return slices.Contains(names, name) })
}

func union(names, more []string) []string {
	return append(slices.Clone(names), missing(more, names)...)
}

// A canonicalRequest is the form of a request that Signature Version 4 signs.
type canonicalRequest struct {
	method, path, query, headers, signedHeaders, bodyHash string
}

// newCanonicalRequest returns the canonical request of r with these signed headers.
func newCanonicalRequest(r *http.Request, signedHeaders []string, body []byte) canonicalRequest {
	path, query := rawTarget(r)
	names := slices.Sorted(slices.Values(signedHeaders))
	hash := sha256.Sum256(body)
	return canonicalRequest{
		method:        r.Method,
		path:          escape(normalize(path), "/"), // escaped twice: it arrives escaped
		query:         canonicalQuery(query),
		headers:       canonicalHeaders(r, names),
		signedHeaders: strings.Join(names, ";"),
		bodyHash:      hex.EncodeToString(hash[:]),
	}
}

func (c canonicalRequest) String() string {
	return strings.Join([]string{c.method, c.path, c.query, c.headers, c.signedHeaders, c.bodyHash}, "\n")
}

// rawTarget returns the path and the query of r as they are sent.
func rawTarget(r *http.Request) (path, query string) {
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	if !strings.HasPrefix(target, "/") { // absolute form, as in a request to a proxy
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

// normalize removes empty segments, "." and "..", with the segment before it, from a path.
// AWS's documentation requires that for every service except Amazon S3.
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

// isPresigned reports whether the query of r contains a signature.
func isPresigned(r *http.Request) bool {
	_, query := rawTarget(r)
	for parameter := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(parameter, "="); strings.EqualFold(name, "X-Amz-Signature") {
			return true
		}
	}
	return false
}

// escape percent-encodes every byte of s except unreserved characters and those in keep.
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

// canonicalQuery returns the parameters of a raw query, unescaped and escaped again, and
// sorted by name, then value.
func canonicalQuery(raw string) string {
	reescape := func(s string) string {
		if plain, err := url.QueryUnescape(s); err == nil {
			s = plain
		}
		return escape(s, "")
	}
	var parameters [][2]string
	for parameter := range strings.SplitSeq(raw, "&") {
		if parameter != "" {
			name, value, _ := strings.Cut(parameter, "=")
			parameters = append(parameters, [2]string{reescape(name), reescape(value)})
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

// canonicalHeaders returns a line for each name, with all the values of the header. A header
// that r lacks gets no line, so a signature that covers it does not match.
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

// headerValues returns a copy of the values of a header. net/http keeps some headers in
// other fields of [http.Request].
func headerValues(r *http.Request, name string) []string {
	switch {
	case name == "host" && r.Host != "":
		return []string{r.Host}
	case name == "host":
		return []string{r.URL.Host} // of an outgoing request
	case name == "content-length" && r.ContentLength > 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	default:
		return slices.Clone(r.Header.Values(name))
	}
}

// trimSpaces removes leading and trailing spaces, and collapses runs of spaces inside.
func trimSpaces(s string) string {
	s = strings.Trim(s, " \t") // to HTTP, other white space is part of the value
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

func stringToSign(date string, in scope, c canonicalRequest) string {
	hash := sha256.Sum256([]byte(c.String()))
	return strings.Join([]string{signingAlgorithm, date, in.String(), hex.EncodeToString(hash[:])}, "\n")
}

// signature signs text with the key derived from secret for the scope.
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

// signingMistake finds out what the sender of r signed, and stores it in found. It returns a
// description of the mistake, or "" if the signature is correct.
func (v *Verifier) signingMistake(r *http.Request, auth *authorization, body []byte, c *Credentials, found *Refusal) (mistake string) {
	correct := newCanonicalRequest(r, auth.signedHeaders, body)
	signed := func(candidate canonicalRequest, secret string) bool {
		text := stringToSign(auth.date, auth.scope, candidate)
		if !hmac.Equal([]byte(signature(secret, auth.scope, text)), []byte(auth.signature)) {
			return false
		}
		found.ReceivedCanonicalRequest, found.ReceivedStringToSign = candidate.String(), text
		return true
	}
	if signed(correct, c.SecretAccessKey) {
		return ""
	}
	for _, common := range commonMistakes {
		candidate := correct
		common.make(&candidate, r)
		if signed(candidate, c.SecretAccessKey) {
			return common.name
		}
	}
	for _, other := range v.allCredentials() {
		if signed(correct, other.SecretAccessKey) {
			return "the request was signed with the secret key of " + other.AccessKeyID
		}
	}
	return "the request was signed with another secret key or changed after signing"
}

// commonMistakes are common mistakes of clients: each turns the correct canonical request
// into the one that such a client signs.
var commonMistakes = []struct {
	name string
	make func(*canonicalRequest, *http.Request)
}{
	{`the signed path is not normalized: it contains an empty segment, "." or ".."`, func(c *canonicalRequest, r *http.Request) {
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
	{"the signed hash is not that of the body", func(c *canonicalRequest, r *http.Request) {
		c.bodyHash = r.Header.Get("X-Amz-Content-Sha256")
	}},
	{"the signed host lacks the port", func(c *canonicalRequest, r *http.Request) {
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			c.headers = strings.Replace(c.headers, "host:"+r.Host+"\n", "host:"+name+"\n", 1)
		}
	}},
}
