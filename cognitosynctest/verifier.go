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

	// clockWindow is how far from its own clock AWS lets a request be signed.
	clockWindow = 5 * time.Minute

	// maxRequestBody is how much of a request's body is read. The operation's own
	// requests have none.
	maxRequestBody = 1 << 20
)

// A Verifier checks the AWS Signature Version 4 of requests as AWS does: it
// computes the signature again from the request as it was received. The zero
// value accepts requests to Cognito Sync in every region that are signed with
// [DefaultCredentials]. A Verifier is safe for concurrent use as long as its
// fields are not changed.
//
// A [Server] has one built in. Alone it checks the requests to a server of your
// own:
//
//	verifier := &cognitosynctest.Verifier{Region: "eu-west-1"}
//	server := httptest.NewServer(verifier.Handler(yourHandler))
//
// It checks, in this order: the body's size; that there is one Authorization
// header with the algorithm AWS4-HMAC-SHA256, Credential, SignedHeaders and
// Signature, and an X-Amz-Date (AWS takes Date instead, no SDK sends it);
// Credential's shape; the access key; the session token; its expiry;
// Credential's date, region, service and terminator; that host and all X-Amz-*
// headers of the request are signed; that X-Amz-Date is at most 5 minutes off;
// the signature, over the path normalized and escaped once more, the query sorted, the
// headers folded and their spaces trimmed, and the hash of the body. An
// X-Amz-Content-Sha256 header has to be that hash. To normalize a path is to remove
// "//", "/./" and "/../". Presigned requests, with their signature in the query, are
// refused.
type Verifier struct {
	// Region is the region that requests must be signed for. Empty means any.
	Region string

	// Service is the signing name that requests must be signed for. Empty means
	// cognito-sync.
	Service string

	// Credentials are the credentials that are known. nil means
	// [DefaultCredentials].
	Credentials []Credentials

	// Now is the service's clock. nil means [time.Now].
	Now func() time.Time
}

// A Refusal says why a request was refused before the service looked at what it
// asks for: first as AWS says it, then in more detail than AWS ever gives.
type Refusal struct {
	StatusCode int    // HTTP status that AWS answers with
	Code       string // AWS's error code, such as InvalidSignatureException
	Message    string // AWS's wording

	// Reason says in one sentence what is wrong with the request.
	Reason string

	// What had to be signed for the request as it was received. Empty if the
	// Authorization header could not be read.
	ExpectedCanonicalRequest string
	ExpectedStringToSign     string

	// What the sender did sign, if that can be told because the signature it sent
	// fits: the expected text with one of the usual mistakes. Otherwise empty.
	ReceivedCanonicalRequest string
	ReceivedStringToSign     string
}

// String describes the refusal, over several lines: canonical requests and strings to
// sign are only there if those that were expected and received differ. It leaves out
// session tokens, which may be real ones that were sent to the fake by mistake.
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

// Verify returns why AWS would refuse r, or nil if r is signed as it has to be.
// r is a request as a handler gets it, or an outgoing one that is complete. Its
// body is read, up to 1 MiB, and put back.
func (v *Verifier) Verify(r *http.Request) *Refusal {
	return v.authenticate(r).refusalAt(v.now())
}

// Handler returns a handler that answers refused requests as AWS does and hands
// all others to next.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal := v.Verify(r)
		if refusal == nil {
			next.ServeHTTP(w, r)
			return
		}
		a := refusal.reply()
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		_, _ = io.Copy(w, a.body) // the client may be gone
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

// known returns the credentials of an access key, or nil.
func (v *Verifier) known(accessKeyID string) *Credentials {
	all := v.all()
	i := slices.IndexFunc(all, func(c Credentials) bool { return c.AccessKeyID == accessKeyID })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (v *Verifier) all() []Credentials {
	if v.Credentials == nil {
		return []Credentials{DefaultCredentials()}
	}
	return v.Credentials
}

// An authentication is all that was found out about a request's signature, but
// for the clock's part: so a caller can decide on the time later.
type authentication struct {
	body        []byte
	credentials *Credentials // nil if not known
	region      string       // as signed
	signedAt    time.Time
	evidence    Refusal  // only the canonical requests and strings to sign
	before      *Refusal // found before AWS looks at the clock
	after       *Refusal // found after it
}

// refusalAt returns the verdict when the service's clock shows now.
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
	return a.evidence.because(invalidSignature, message, "X-Amz-Date is more than 5 minutes away from the service's clock")
}

// The codes that AWS answers with when it cannot tell who sent a request.
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

// because returns a copy of r, which holds canonical requests and strings to
// sign, that says why.
func (r Refusal) because(code, message, reason string) *Refusal {
	r.StatusCode, r.Code, r.Message, r.Reason = http.StatusForbidden, code, message, reason
	return &r
}

// reply returns the answer that AWS gives.
func (r *Refusal) reply() reply { return errorReply(r.StatusCode, r.Code, r.Message) }

// authenticate finds out who sent r.
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
		credentials: v.known(auth.accessKeyID),
		region:      auth.scope.region,
		signedAt:    auth.signedAt,
	}
	required := requiredHeaders(r.Header)
	expected := newCanonicalRequest(r, union(auth.signedHeaders, required), body)
	expectedScope := v.expectedScope(auth)
	a.evidence.ExpectedCanonicalRequest = expected.String()
	a.evidence.ExpectedStringToSign = stringToSign(auth.date, expectedScope, expected)
	if a.credentials == nil {
		a.before = a.evidence.because(unrecognizedClient, invalidTokenMessage, "the access key "+strconv.Quote(auth.accessKeyID)+" is not known")
		return a
	}
	mistake := v.whatWasSigned(r, auth, body, a.credentials, &a.evidence)
	hashes := r.Header.Values("X-Amz-Content-Sha256")

	if reason := wrongToken(r.Header, a.credentials); reason != "" {
		a.before = a.evidence.because(unrecognizedClient, invalidTokenMessage, reason)
	} else if a.credentials.Expired {
		a.before = a.evidence.because(expiredToken, expiredTokenMessage, "the credentials are marked as expired")
	} else if message := auth.wrongScope(expectedScope); message != "" {
		reason := "Credential's scope is " + auth.scope.String() + ", not " + expectedScope.String()
		a.before = a.evidence.because(invalidSignature, message, reason)
	} else if unsigned := missing(required, auth.signedHeaders); len(unsigned) > 0 {
		a.before = a.evidence.because(invalidSignature, unsignedMessage(unsigned), "not signed: "+strings.Join(unsigned, ", "))
	} else if mistake != "" {
		a.after = a.evidence.because(invalidSignature, mismatchMessage(&a.evidence), mistake)
	} else if len(hashes) > 0 && strings.Join(hashes, ",") != expected.bodyHash {
		a.after = a.evidence.because(invalidSignature, mismatchMessage(&a.evidence), "X-Amz-Content-Sha256 is not the hash of the body")
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

// readBody returns r's body and puts it back.
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
			fmt.Sprintf("the body is longer than %d bytes", maxRequestBody))
	}
	_ = r.Body.Close() // nothing is left in it
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}
