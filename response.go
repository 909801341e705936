package cognitosync

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/restjson"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go/internal/decimal"
	"github.com/cognitosync/cognitosync-go/internal/httpclient"
	"github.com/cognitosync/cognitosync-go/internal/redact"
)

// The most that is read of a body, after decompression. A response of the service has
// a few hundred bytes; of an error that has more, the beginning will do.
const (
	maxResponseBody = 1 << 20
	maxErrorBody    = 64 << 10
)

var (
	errResponseTooLarge = &ResponseTooLargeError{Limit: maxResponseBody}
	errErrorTooLarge    = &ResponseTooLargeError{Limit: maxErrorBody}
)

// readResponse reads a response to its end and makes an output or an error of it.
func (c *call) readResponse(ctx context.Context, a *attempt, resp *http.Response) (*DescribeIdentityPoolUsageOutput, error) {
	success, limit, tooLarge := resp.StatusCode/100 == 2, int64(maxErrorBody), errErrorTooLarge
	if success {
		limit, tooLarge = maxResponseBody, errResponseTooLarge
	}
	body, err := httpclient.ReadBody(ctx, resp, limit, tooLarge)
	defer startTimer(ctx, c.journal.instruments.deserialization)()
	c.journal.logResponseBody(ctx, body)

	if !success {
		return nil, decodeError(resp, body, &c.journal.secrets)
	}
	if err != nil {
		return nil, c.readError(a, err, body)
	}
	output, err := decodeOutput(body)
	if err != nil {
		return nil, c.deserializationError(err, body)
	}
	return output, nil
}

// readError says why a success was not read to its end. One that is too long, or
// compressed wrongly, is malformed; one that was cut off is a failure of the network.
func (c *call) readError(a *attempt, err error, body []byte) error {
	var (
		tooLarge *ResponseTooLargeError
		corrupt  flate.CorruptInputError
	)
	if a.request == nil || errors.As(err, &tooLarge) || errors.As(err, &corrupt) ||
		errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return c.deserializationError(err, body)
	}
	return sendError(a.request, &a.limit, fmt.Errorf("read response body: %w", err))
}

func (c *call) deserializationError(err error, body []byte) error {
	return &smithy.DeserializationError{
		Err:      fmt.Errorf("decode response body: %w", err),
		Snapshot: []byte(c.journal.secrets.Quote(string(body), maxQuote)),
	}
}

// decodeOutput makes an output of the body of a success. An empty one has no usage.
func decodeOutput(body []byte) (*DescribeIdentityPoolUsageOutput, error) {
	var decoded struct {
		IdentityPoolUsage *usageJSON

		output DescribeIdentityPoolUsageOutput
	}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, &decoded); err != nil {
			return nil, err
		}
	}
	if decoded.IdentityPoolUsage != nil {
		decoded.output.IdentityPoolUsage = decoded.IdentityPoolUsage.usage()
	}
	return &decoded.output, nil
}

// usageJSON is an IdentityPoolUsage on the wire, and the memory of what it points to.
type usageJSON struct {
	DataStorage       wholeNumber
	IdentityPoolId    *string
	LastModifiedDate  epochSeconds
	SyncSessionsCount wholeNumber

	result IdentityPoolUsage
}

// usage returns the members as the caller sees them.
func (u *usageJSON) usage() *IdentityPoolUsage {
	u.result.IdentityPoolId = u.IdentityPoolId
	if u.DataStorage.present {
		u.result.DataStorage = &u.DataStorage.value
	}
	if u.LastModifiedDate.present {
		u.result.LastModifiedDate = &u.LastModifiedDate.value
	}
	if u.SyncSessionsCount.present {
		u.result.SyncSessionsCount = &u.SyncSessionsCount.value
	}
	return &u.result
}

// wholeNumber is a JSON number without a fraction, in any spelling, or null.
type wholeNumber struct {
	present bool
	value   int64
}

func (n *wholeNumber) UnmarshalJSON(text []byte) (err error) {
	*n = wholeNumber{present: string(text) != "null"}
	if n.present {
		n.value, err = decimal.Int64(text)
	}
	return err
}

// epochSeconds is a JSON number of seconds since 1970, or null.
type epochSeconds struct {
	present bool
	value   time.Time
}

func (s *epochSeconds) UnmarshalJSON(text []byte) error {
	*s = epochSeconds{present: string(text) != "null"}
	if !s.present {
		return nil
	}
	milliseconds, err := decimal.Milliseconds(text)
	s.value = time.UnixMilli(milliseconds).UTC()
	return err
}

// wrapResponseError adds status and request ID to the error of a response.
func (c *call) wrapResponseError(resp *http.Response, err error) error {
	return &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: resp},
			Err:      err,
		},
		RequestID: c.journal.secrets.Line(requestID(resp), maxCode),
	}
}

// noteRequestID puts the request ID where GetRequestIDMetadata of the SDK looks for it.
func noteRequestID(metadata *middleware.Metadata, resp *http.Response) {
	if id := requestID(resp); id != "" {
		awsmiddleware.SetRequestIDMetadata(metadata, redact.Printable(id, maxCode))
	}
}

// requestID returns the ID the service gave the request as it came, or "". Which header
// carries it depends on what stands in front of the service.
func requestID(resp *http.Response) string {
	for _, name := range [...]string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Requestid"} {
		if id := resp.Header.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// errorBody is the JSON of an error. The members are raw so that one of
// an odd type does not hide the others; encoding/json takes "Message" for
// "message", as the service's older responses need.
type errorBody struct {
	Code    json.RawMessage `json:"code"`
	Type    json.RawMessage `json:"__type"`
	Message json.RawMessage `json:"message"`
}

// decodeError makes a typed error of a response that is no success. It cannot
// fail: whatever came is an error of the service, with a code.
func decodeError(resp *http.Response, body []byte, secrets *redact.Secrets) smithy.APIError {
	var parsed errorBody
	isObject := json.Unmarshal(body, &parsed) == nil

	code := errorCode(resp.Header.Get("X-Amzn-Errortype"), jsonString(parsed.Code), jsonString(parsed.Type))
	message := errorMessage(parsed.Message, resp.Header.Get("X-Amzn-Errormessage"))
	if message != nil {
		*message = secrets.Quote(*message, maxMessage)
	} else if len(body) > 0 && (!isObject || code == "") {
		quoted := secrets.Line(string(body), maxQuote)
		message = &quoted
	}
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		notice := "redirect to " + redirectHost(location, secrets) + " not followed"
		if said := aws.ToString(message); said != "" {
			notice += ": " + said
		}
		message, code = &notice, cmp.Or(code, codeRedirect)
	}

	switch code {
	case codeNotAuthorized:
		return &NotAuthorizedException{Message: message}
	case codeInvalidParameter:
		return &InvalidParameterException{Message: message}
	case codeResourceNotFound:
		return &ResourceNotFoundException{Message: message}
	case codeInternalError:
		return &InternalErrorException{Message: message}
	case codeTooManyRequests:
		return &TooManyRequestsException{Message: message}
	}
	return unmodelledError(resp, secrets.Line(code, maxCode), message)
}

// errorCode returns the first of the candidates that names a code, or "".
func errorCode(candidates ...string) string {
	for _, candidate := range candidates {
		if code := strings.TrimSpace(restjson.SanitizeErrorCode(candidate)); code != "" {
			return code
		}
	}
	return ""
}

// errorMessage returns the message in the body or, failing that, in a header; nil if
// there is none. What is not a string is quoted as it came.
func errorMessage(raw json.RawMessage, header string) *string {
	var text string
	switch {
	case len(raw) > 0 && string(raw) != "null":
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
	case header != "":
		text = header
	default:
		return nil
	}
	return &text
}

// jsonString returns the JSON string in raw, or "" for anything else.
func jsonString(raw json.RawMessage) (text string) {
	if len(raw) == 0 || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// unmodelledError is a response that is none of the five exceptions.
func unmodelledError(resp *http.Response, code string, message *string) *smithy.GenericAPIError {
	generic := &smithy.GenericAPIError{Code: code, Message: aws.ToString(message)}
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		generic.Fault = smithy.FaultServer
	case resp.StatusCode >= http.StatusBadRequest:
		generic.Fault = smithy.FaultClient
	}
	if code == "" {
		generic.Code = codeUnknown
		generic.Message = cmp.Or(generic.Message, "the response has no body")
	}
	return generic
}

// redirectHost names the host that a Location header points to.
func redirectHost(location string, secrets *redact.Secrets) string {
	target, err := url.Parse(location)
	switch {
	case err != nil:
		return "an unreadable location"
	case target.Host == "":
		return "another path of the same host"
	}
	return "host " + secrets.Line(target.Host, maxCode)
}
