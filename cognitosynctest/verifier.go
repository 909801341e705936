package cognitosynctest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signingAlgorithm  = "AWS4-HMAC-SHA256"
	signingTerminator = "aws4_request"
	signingService    = "cognito-sync"
	signingTimeFormat = "20060102T150405Z"

	// clockWindow is the maximum difference between X-Amz-Date and the service's clock.
	// AWS: "In most cases, a request must reach AWS within five minutes of the time stamp
	// in the request."
	clockWindow = 5 * time.Minute

	// maxRequestBody limits the request body. The operation's own requests have none.
	maxRequestBody = 1 << 20
)

// A Verifier checks the AWS Signature Version 4 of requests: it computes the signature from
// the request as received, and compares. The zero value accepts requests to Cognito Sync in
// any region that are signed with [DefaultCredentials]. A Verifier is safe for concurrent use
// as long as its fields are not modified.
//
// A [Server] has a Verifier built in. On its own, a Verifier checks the requests to your own
// server:
//
//	verifier := &cognitosynctest.Verifier{Region: "eu-west-1"}
//	server := httptest.NewServer(verifier.Handler(yourHandler))
//
// A Verifier checks, in this order:
//
//   - the size of the body, at most 1 MiB
//   - the Authorization header: there is exactly one, with the algorithm AWS4-HMAC-SHA256,
//     Credential, SignedHeaders and Signature
//   - the X-Amz-Date header and the form of Credential
//   - the access key, the session token, and whether the credentials have expired
//   - the scope in Credential: date, region, service and terminator
//   - that the host header and all X-Amz-* headers of the request are signed
//   - that X-Amz-Date is at most 5 minutes from the clock
//   - the signature
//   - the X-Amz-Content-Sha256 header, if there is one: it must be the hash of the body
//
// AWS documents how to compute the signature. The order of the checks and the messages are
// inferred. Two forms that AWS documents are refused here: presigned requests, with their
// signature in the query, and a Date header in place of X-Amz-Date.
type Verifier struct {
	// Region is the region that requests must be signed for. Empty means any.
	Region string

	// Service is the signing name that requests must be signed for. Empty means
	// cognito-sync.
	Service string

	// Credentials are the accepted credentials. nil means [DefaultCredentials].
	Credentials []Credentials

	// Now is the service's clock. nil means [time.Now].
	Now func() time.Time
}

// A Refusal says why the signature check refused a request: with the error that AWS returns,
// and in more detail than AWS gives.
type Refusal struct {
	StatusCode int    // HTTP status of the response
	Code       string // AWS's error code, such as InvalidSignatureException
	Message    string // in AWS's wording

	// Reason is a short description of what is wrong with the request.
	Reason string

	// What the sender should have signed for the request as received. Empty if the
	// Authorization header could not be parsed.
	ExpectedCanonicalRequest string
	ExpectedStringToSign     string

	// What the sender signed. Empty unless the signature matches the request, with or
	// without one of the common mistakes.
	ReceivedCanonicalRequest string
	ReceivedStringToSign     string
}

// String describes the refusal, over several lines if the expected and received canonical
// requests or strings to sign differ. It redacts session tokens, because a real one may have
// been sent to the fake by mistake.
func (r *Refusal) String() string {
	if r == nil {
		return "not refused"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s: %s", r.StatusCode, r.Code, r.Reason)
	write := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s:\n\t%s", title, strings.ReplaceAll(text, "\n", "\n\t"))
		}
	}
	if r.ExpectedCanonicalRequest != r.ReceivedCanonicalRequest {
		write("expected canonical request", r.ExpectedCanonicalRequest)
		write("received canonical request", r.ReceivedCanonicalRequest)
	}
	if r.ExpectedStringToSign != r.ReceivedStringToSign {
		write("expected string to sign", r.ExpectedStringToSign)
		write("received string to sign", r.ReceivedStringToSign)
	}
	return sessionToken.ReplaceAllString(b.String(), "${1}REDACTED")
}

// sessionToken matches the line of the session token in a canonical request.
var sessionToken = regexp.MustCompile(`(?m)^(\tx-amz-security-token:).*$`)

// Verify returns the reason to refuse r, or nil if its signature is valid. r is a request as
// received by a handler, or a complete outgoing request. Verify reads the body, up to 1 MiB,
// and replaces it with a copy.
func (v *Verifier) Verify(r *http.Request) *Refusal {
	return v.authenticate(r).refusalAt(v.now())
}

// Handler returns a handler that responds to refused requests as AWS does, and passes all
// others to next.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal := v.Verify(r)
		if refusal == nil {
			next.ServeHTTP(w, r)
			return
		}
		resp := refusal.response()
		maps.Copy(w.Header(), resp.header)
		w.WriteHeader(resp.status)
		_, _ = io.Copy(w, resp.body) // fails only if the client is gone
	})
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) service() string {
	if v.Service == "" {
		return signingService
	}
	return v.Service
}

// lookUp returns the credentials of an access key, or nil if it is unknown.
func (v *Verifier) lookUp(accessKeyID string) *Credentials {
	all := v.allCredentials()
	i := slices.IndexFunc(all, func(c Credentials) bool { return c.AccessKeyID == accessKeyID })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (v *Verifier) allCredentials() []Credentials {
	if v.Credentials == nil {
		return []Credentials{DefaultCredentials()}
	}
	return v.Credentials
}

// An authentication is the result of all checks of a request's signature except for the
// clock, which depends on the step that the request consumes.
type authentication struct {
	body        []byte
	credentials *Credentials // nil if unknown
	region      string       // as signed
	signedAt    time.Time
	evidence    Refusal  // only the canonical requests and strings to sign
	before      *Refusal // from a check that precedes that of the clock
	after       *Refusal // from a check that follows it
}

// refusalAt returns the refusal if the service's clock shows now.
func (a *authentication) refusalAt(now time.Time) *Refusal {
	if a.before != nil {
		return a.before
	}
	at := func(t time.Time) string { return t.UTC().Format(signingTimeFormat) }
	var message string
	switch off := now.Sub(a.signedAt); {
	case off > clockWindow:
		message = fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)",
			at(a.signedAt), at(now.Add(-clockWindow)), at(now))
	case off < -clockWindow:
		message = fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			at(a.signedAt), at(now.Add(clockWindow)), at(now))
	default:
		return a.after
	}
	return a.evidence.withReason(invalidSignature, message, "X-Amz-Date differs from the service's clock by more than 5 minutes")
}

// AWS's error codes for requests that it cannot authenticate.
const (
	missingToken        = "MissingAuthenticationTokenException"
	incompleteSignature = "IncompleteSignatureException"
	unrecognizedClient  = "UnrecognizedClientException"
	expiredToken        = "ExpiredTokenException"
	invalidSignature    = "InvalidSignatureException"
	requestTooLarge     = "RequestEntityTooLargeException"
	unreadableRequest   = "SerializationException"

	invalidTokenMessage = "The security token included in the request is invalid."
	expiredTokenMessage = "The security token included in the request is expired"
)

func refuse(status int, code, message, reason string) *Refusal {
	return &Refusal{StatusCode: status, Code: code, Message: message, Reason: reason}
}

// withReason returns a copy of r, which has the canonical requests and strings to sign, with
// the code, message and reason.
func (r Refusal) withReason(code, message, reason string) *Refusal {
	r.StatusCode, r.Code, r.Message, r.Reason = http.StatusForbidden, code, message, reason
	return &r
}

func (r *Refusal) response() response { return errorResponse(r.StatusCode, r.Code, r.Message) }

// authenticate runs all checks on r except for that of the clock.
func (v *Verifier) authenticate(r *http.Request) *authentication {
	body, refusal := readBody(r)
	if refusal != nil {
		return &authentication{before: refusal}
	}
	auth, refusal := parseAuthorization(r.Header, isPresigned(r))
	if refusal != nil {
		return &authentication{body: body, before: refusal}
	}

	a := &authentication{
		body:        body,
		credentials: v.lookUp(auth.accessKeyID),
		region:      auth.scope.region,
		signedAt:    auth.signedAt,
	}
	required := requiredHeaders(r.Header)
	expected := newCanonicalRequest(r, union(auth.signedHeaders, required), body)
	expectedScope := v.expectedScope(auth)
	a.evidence.ExpectedCanonicalRequest = expected.String()
	a.evidence.ExpectedStringToSign = stringToSign(auth.date, expectedScope, expected)
	if a.credentials == nil {
		a.before = a.evidence.withReason(unrecognizedClient, invalidTokenMessage, "unknown access key "+strconv.Quote(auth.accessKeyID))
		return a
	}
	mistake := v.signingMistake(r, auth, body, a.credentials, &a.evidence)
	hashes := r.Header.Values("X-Amz-Content-Sha256")

	if reason := tokenProblem(r.Header, a.credentials); reason != "" {
		a.before = a.evidence.withReason(unrecognizedClient, invalidTokenMessage, reason)
	} else if a.credentials.Expired {
		a.before = a.evidence.withReason(expiredToken, expiredTokenMessage, "the credentials are marked as expired")
	} else if message := auth.scopeProblem(expectedScope); message != "" {
		reason := "the scope in Credential is " + auth.scope.String() + ", not " + expectedScope.String()
		a.before = a.evidence.withReason(invalidSignature, message, reason)
	} else if unsigned := missing(required, auth.signedHeaders); len(unsigned) > 0 {
		a.before = a.evidence.withReason(invalidSignature, unsignedMessage(unsigned), "unsigned headers: "+strings.Join(unsigned, ", "))
	} else if mistake != "" {
		a.after = a.evidence.withReason(invalidSignature, mismatchMessage(&a.evidence), mistake)
	} else if len(hashes) > 0 && strings.Join(hashes, ",") != expected.bodyHash {
		a.after = a.evidence.withReason(invalidSignature, mismatchMessage(&a.evidence), "X-Amz-Content-Sha256 is not the hash of the body")
	}
	return a
}

func unsignedMessage(names []string) string {
	messages := make([]string, len(names))
	for i, name := range names {
		messages[i] = "'" + http.CanonicalHeaderKey(name) + "' must be a 'SignedHeader' in the AWS Authorization."
	}
	return strings.Join(messages, " ")
}

func mismatchMessage(r *Refusal) string {
	return "The request signature we calculated does not match the signature you provided." +
		" Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n" +
		"The Canonical String for this request should have been\n'" + r.ExpectedCanonicalRequest + "'\n\n" +
		"The String-to-Sign should have been\n'" + r.ExpectedStringToSign + "'\n"
}

// readBody returns r's body, and replaces it with a copy.
func readBody(r *http.Request) ([]byte, *Refusal) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody+1))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, unreadableRequest, "The request could not be read", "the body could not be read: "+err.Error())
	}
	if len(body) > maxRequestBody {
		return nil, refuse(http.StatusRequestEntityTooLarge, requestTooLarge, "Request size exceeded the limit",
			fmt.Sprintf("the body exceeds %d bytes", maxRequestBody))
	}
	_ = r.Body.Close() // fully read
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}
