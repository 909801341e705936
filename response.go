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

// Limits for the body of a response, after decompression. The service's responses are a few
// hundred bytes long. The body of an error is truncated, not rejected.
const (
	maxResponseBody = 1 << 20
	maxErrorBody    = 64 << 10
)

var (
	errResponseTooLarge = &ResponseTooLargeError{Limit: maxResponseBody}
	errErrorTooLarge    = &ResponseTooLargeError{Limit: maxErrorBody}
)

// readResponse reads the complete response and decodes it to an output or an error.
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

// readError returns the error of a successful response that could not be read completely. A
// body that is too large, or corrupt, is a deserialization error. Any other failure is one of
// the network.
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

// decodeOutput decodes the body of a successful response. An empty body has no usage.
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

// usageJSON is an IdentityPoolUsage in JSON. It also holds the values that the result points
// to, to save allocations.
type usageJSON struct {
	DataStorage       wholeNumber
	IdentityPoolId    *string
	LastModifiedDate  epochSeconds
	SyncSessionsCount wholeNumber

	result IdentityPoolUsage
}

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

// wholeNumber is null, or a JSON number without a fraction in any notation, such as 1e3.
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

// epochSeconds is null, or a JSON number of seconds since 1970.
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

// wrapResponseError adds the status and the request ID of a response to its error.
func (c *call) wrapResponseError(resp *http.Response, err error) error {
	return &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: resp},
			Err:      err,
		},
		RequestID: c.journal.secrets.Line(requestID(resp), maxCode),
	}
}

// noteRequestID stores the request ID in metadata, for the SDK's GetRequestIDMetadata.
func noteRequestID(metadata *middleware.Metadata, resp *http.Response) {
	if id := requestID(resp); id != "" {
		awsmiddleware.SetRequestIDMetadata(metadata, redact.Printable(id, maxCode))
	}
}

// requestID returns the unredacted request ID in a response, or "". The header's name
// depends on the gateway that sent the response.
func requestID(resp *http.Response) string {
	for _, name := range [...]string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Requestid"} {
		if id := resp.Header.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// errorBody is an error in JSON. Its members are raw, so that a member of an unexpected type
// does not prevent the others from being decoded. encoding/json also decodes "Message", which
// older responses of the service contain.
type errorBody struct {
	Code    json.RawMessage `json:"code"`
	Type    json.RawMessage `json:"__type"`
	Message json.RawMessage `json:"message"`
}

// decodeError returns the typed error of an unsuccessful response. The error has a code,
// whatever the response contains.
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
		if text := aws.ToString(message); text != "" {
			notice += ": " + text
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

// errorCode returns the first candidate that contains a code, without its namespace, or "".
func errorCode(candidates ...string) string {
	for _, candidate := range candidates {
		if code := strings.TrimSpace(restjson.SanitizeErrorCode(candidate)); code != "" {
			return code
		}
	}
	return ""
}

// errorMessage returns the message in the body or, if it contains none, in the header. It
// returns nil if there is none. A message that is not a string is returned as JSON.
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

// unmodelledError returns the error of a response that is none of the five exceptions.
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

// redirectHost describes the target of a Location header, without its path and query.
func redirectHost(location string, secrets *redact.Secrets) string {
	target, err := url.Parse(location)
	switch {
	case err != nil:
		return "an invalid location"
	case target.Host == "":
		return "another path on the same host"
	}
	return "host " + secrets.Line(target.Host, maxCode)
}
