package cognitosync_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// TestExceptionFromTheService decodes each exception, with its code in each place where the
// service may put it.
func TestExceptionFromTheService(t *testing.T) {
	t.Parallel()
	for _, test := range exceptions {
		for _, place := range []struct {
			name   string
			header string
			body   string
		}{
			{"header", test.name, `{"message":"m"}`},
			{"header with a namespace", "com.amazonaws.cognito.sync#" + test.name, `{"message":"m"}`},
			{"header with a URL", test.name + ":http://internal.amazon.com/coral/com.amazonaws/", `{"message":"m"}`},
			{"header with a colon", test.name + ":", `{"message":"m"}`},
			{"header with all", "com.amazonaws#" + test.name + ":http://internal.amazon.com/", `{"message":"m"}`},
			{"body code", "", `{"code":"` + test.name + `","message":"m"}`},
			{"body type", "", `{"__type":"` + test.name + `","message":"m"}`},
			{"body type with a namespace", "", `{"__type":"com.amazonaws#` + test.name + `","Message":"m"}`},
			{"header before body", test.name, `{"code":"OtherException","__type":"AnotherException","message":"m"}`},
			{"code before type", "", `{"__type":"OtherException","code":"` + test.name + `","message":"m"}`},
		} {
			t.Run(test.name+"/"+place.name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					tr := setup(t, path)
					tr.script(cognitosynctest.Reply(test.status, nil, place.body).
						WithHeader("X-Amzn-ErrorType", place.header).WithHeader("X-Amzn-RequestId", "id-1"))

					err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 })

					assert.True(t, test.is(err), "%v", err)
					retryable := test.status == 429 || test.status == 500
					assert.Equal(t, cognitosync.ErrorDetails{
						Code:       test.name,
						Message:    "m",
						StatusCode: test.status,
						RequestID:  "id-1",
						Attempts:   1,
						Retryable:  retryable,
						Fault:      test.fault,
					}, cognitosync.InspectError(err))
					assert.Contains(t, err.Error(), fmt.Sprintf("StatusCode: %d", test.status))
					assert.Contains(t, err.Error(), "id-1")
					assert.Contains(t, err.Error(), test.name+": m")
				})
			})
		}
	}
}

// TestOddErrorBody decodes unusual errors of proxies and of the service.
func TestOddErrorBody(t *testing.T) {
	t.Parallel()
	const (
		denied  = "AccessDeniedException"
		unknown = "UnknownError"
	)
	for _, test := range []struct {
		name    string
		status  int
		headers map[string]string
		body    string
		code    string
		message string
	}{
		// Not JSON, not an object, or incomplete.
		{name: "HTML", body: "<html>\r\n<h1>502</h1>\r\n</html>", code: unknown, message: "<html>  <h1>502</h1>  </html>"},
		{name: "text", body: "no such thing", code: unknown, message: "no such thing"},
		{name: "XML", body: `<Error><Code>AccessDenied</Code></Error>`, code: unknown, message: `<Error><Code>AccessDenied</Code></Error>`},
		{name: "empty", code: unknown, message: "the response has no body"},
		{name: "null", body: "null", code: unknown, message: "null"},
		{name: "true", body: "true", code: unknown, message: "true"},
		{name: "array", body: `[{"code":"AccessDeniedException"}]`, code: unknown, message: `[{"code":"AccessDeniedException"}]`},
		{name: "number", body: "42", code: unknown, message: "42"},
		{name: "string", body: `"denied"`, code: unknown, message: `"denied"`},
		{name: "empty object", body: "{}", code: unknown, message: "{}"},
		{name: "truncated", body: `{"code":"AccessDeniedException","mess`, code: unknown, message: `{"code":"AccessDeniedException","mess`},
		{name: "two documents", body: `{"message":"a"}{"message":"b"}`, code: unknown, message: `{"message":"a"}{"message":"b"}`},
		{name: "byte order mark", body: "\ufeff{\"message\":\"m\"}", code: unknown, message: ` {"message":"m"}`},
		{name: "binary", body: "\x00\x01\xfe\xff", code: unknown, message: "    "},
		{name: "HTML with a code", body: "<p>no</p>", headers: map[string]string{"X-Amzn-ErrorType": denied}, code: denied, message: "<p>no</p>"},
		{name: "empty with a code", headers: map[string]string{"X-Amzn-ErrorType": denied}, code: denied, message: ""},

		// The content type is ignored.
		{name: "JSON as text", headers: map[string]string{"Content-Type": "text/plain"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "JSON with a charset", headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "JSON of another name", headers: map[string]string{"Content-Type": "application/x-amz-json-1.1"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "HTML as JSON", headers: map[string]string{"Content-Type": "application/json"}, body: `<p>no</p>`, code: unknown, message: "<p>no</p>"},
		{name: "no type", headers: map[string]string{"Content-Type": ""}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},

		// Members with unexpected types.
		{name: "numeric code", body: `{"code":42,"message":"m"}`, code: unknown, message: "m"},
		{name: "numeric code beside a type", body: `{"code":42,"__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "null code", body: `{"code":null,"__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "empty code", body: `{"code":"","__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "blank code", body: `{"code":" ","__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "colon as the code", body: `{"code":":","__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "object as code", body: `{"code":{"a":1},"message":"m"}`, code: unknown, message: "m"},
		{name: "code with spaces around", body: `{"code":" AccessDeniedException ","message":"m"}`, code: denied, message: "m"},
		{name: "numeric message", body: `{"code":"AccessDeniedException","message":42}`, code: denied, message: "42"},
		{name: "message of an object", body: `{"code":"AccessDeniedException","message":{"a":[1]}}`, code: denied, message: `{"a":[1]}`},
		{name: "null message", body: `{"code":"AccessDeniedException","message":null}`, code: denied, message: ""},
		{name: "empty message", body: `{"code":"AccessDeniedException","message":""}`, code: denied, message: ""},
		{name: "message in capitals", body: `{"code":"AccessDeniedException","Message":"m"}`, code: denied, message: "m"},
		{name: "message of escapes", body: `{"code":"AccessDeniedException","message":"\u00e4\ud83d\ude00\n"}`, code: denied, message: "ä😀\n"},
		{name: "message of broken escapes", body: `{"code":"AccessDeniedException","message":"\ud83d"}`, code: denied, message: "\ufffd"},

		// The message in a header.
		{name: "message in the header", headers: map[string]string{"X-Amzn-ErrorType": denied, "X-Amzn-ErrorMessage": "from the header"}, code: denied, message: "from the header"},
		{name: "message in both", headers: map[string]string{"X-Amzn-ErrorMessage": "from the header"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "message in the header, HTML", headers: map[string]string{"X-Amzn-ErrorMessage": "from the header"}, body: `<p>no</p>`, code: unknown, message: "from the header"},

		// Statuses that are neither a success nor an error.
		{name: "status 599", status: 599, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "status 300", status: 300, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				status := test.status
				if status == 0 {
					status = http.StatusForbidden
				}
				step := cognitosynctest.Reply(status, nil, test.body).WithHeader("X-Amzn-RequestId", "id-1")
				for name, value := range test.headers {
					step = step.WithHeader(name, value)
				}
				tr := setup(t, path)
				tr.script(step)

				err := tr.fails(t, t.Context())

				fault := map[int]smithy.ErrorFault{3: smithy.FaultUnknown, 4: smithy.FaultClient, 5: smithy.FaultServer}[status/100]
				api := requireAs[smithy.APIError](t, err)
				assert.Equal(t, &smithy.GenericAPIError{Code: test.code, Message: test.message, Fault: fault}, api)
				response := requireAs[*awshttp.ResponseError](t, err)
				assert.Equal(t, status, response.HTTPStatusCode())
				assert.Equal(t, "id-1", response.ServiceRequestID())
				assert.Equal(t, 1, tr.requests())
			})
		})
	}
}

// TestErrorBodyIsCut closes the connection in the body of an error. The error contains what
// was received.
func TestErrorBodyIsCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		step    cognitosynctest.Step
		code    string
		message string
	}{
		{"with a message header", cognitosynctest.ResourceNotFound().CutAfter(5), "ResourceNotFoundException", "IdentityPool '" + poolID + "' not found."},
		{"with a code", notFoundWith(`{"message":"lost"}`).CutAfter(5), "ResourceNotFoundException", `{"mes`},
		{"before the body", notFoundWith(`{"message":"lost"}`).CutAfter(0), "ResourceNotFoundException", ""},
		{"without a code", cognitosynctest.Reply(404, nil, "no such page").CutAfter(7), "UnknownError", "no such"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(test.step)
				details := cognitosync.InspectError(tr.fails(t, t.Context()))
				assert.Equal(t, test.code, details.Code)
				assert.Equal(t, test.message, details.Message)
				assert.Equal(t, http.StatusNotFound, details.StatusCode)
				assert.Equal(t, 1, tr.requests())
			})
		})
	}
}

// notFoundWith returns a 404 with its code in a header and its message only in the body.
func notFoundWith(body string) cognitosynctest.Step {
	return cognitosynctest.Reply(http.StatusNotFound, http.Header{"X-Amzn-Errortype": {"ResourceNotFoundException"}}, body)
}

// TestRequestID reads the request ID from each header that may contain it.
func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		headers map[string]string
		want    string
	}{
		{"Amzn", map[string]string{"X-Amzn-RequestId": "id-1"}, "id-1"},
		{"Amz with a dash", map[string]string{"X-Amz-Request-Id": "id-2"}, "id-2"},
		{"Amz", map[string]string{"X-Amz-RequestId": "id-3"}, "id-3"},
		{"all", map[string]string{"X-Amz-RequestId": "id-3", "X-Amz-Request-Id": "id-2", "X-Amzn-RequestId": "id-1"}, "id-1"},
		{"none", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				step := cognitosynctest.Reply(http.StatusForbidden, nil, "")
				for name, value := range test.headers {
					step = step.WithHeader(name, value)
				}
				tr.script(step)
				err := tr.fails(t, t.Context())
				assert.Equal(t, test.want, cognitosync.InspectError(err).RequestID)
				assert.Equal(t, test.want, requireAs[*awshttp.ResponseError](t, err).ServiceRequestID())
			})
		})
	}
}

// TestInspectMalformedSuccess checks that the details contain the headers of a response with
// a malformed body.
func TestInspectMalformedSuccess(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.Reply(http.StatusOK, nil, "<p>welcome</p>").WithHeader("X-Amzn-RequestId", "id-1"))
		err := tr.fails(t, t.Context())
		malformed := requireAs[*smithy.DeserializationError](t, err)
		assert.Equal(t, "<p>welcome</p>", string(malformed.Snapshot))
		assert.Equal(t, cognitosync.ErrorDetails{
			Message: err.Error(), StatusCode: http.StatusOK, RequestID: "id-1", Attempts: 1,
		}, cognitosync.InspectError(err))
	})
}

// TestSecretsInResponses checks that no error contains the caller's secrets if the response
// does.
func TestSecretsInResponses(t *testing.T) {
	t.Parallel()
	credentials := cognitosynctest.DefaultCredentials()
	secrets := credentials.SecretAccessKey + " " + credentials.SessionToken
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
	}{
		{"message", cognitosynctest.Error(403, "AccessDeniedException", secrets)},
		{"message of an exception", cognitosynctest.Error(404, "ResourceNotFoundException", secrets)},
		{"page", cognitosynctest.Reply(403, nil, "<p>"+secrets)},
		{"code", cognitosynctest.Error(403, secrets, "")},
		{"success", cognitosynctest.Reply(200, nil, `{"IdentityPoolUsage":{"DataStorage":"`+secrets+`"}}`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(test.step)
				err := tr.fails(t, t.Context())
				details := cognitosync.InspectError(err)
				for _, text := range []string{err.Error(), details.Message, details.Code} {
					for secret := range strings.FieldsSeq(secrets) {
						assert.NotContains(t, text, secret)
					}
				}
			})
		})
	}
}

// TestShortSecrets uses short credentials, as tests do. Text of the service must not be
// redacted because it contains them.
func TestShortSecrets(t *testing.T) {
	t.Parallel()
	credentials := cognitosynctest.Credentials{AccessKeyID: "test", SecretAccessKey: "s", SessionToken: "Denied"}
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) { o.Credentials = credentials.Provider() })
		tr.server.SetCredentials(credentials)
		tr.script(cognitosynctest.AccessDenied(), cognitosynctest.ResourceNotFound(), cognitosynctest.Error(400, "ThrottlingException", ""))
		assert.True(t, cognitosync.IsDenied(tr.fails(t, t.Context())))
		requireAs[*cognitosync.ResourceNotFoundException](t, tr.fails(t, t.Context()))
		tr.succeeds(t) // the second time
	})
}

// maxAllocated is how many bytes a call with all its attempts may allocate, whatever the
// server sends.
var maxAllocated = func() uint64 {
	if strings.Contains(runtime.Version(), "jsonv2") {
		return 8_000_000 // the decoder of GOEXPERIMENT=jsonv2 allocates twice as much for odd documents
	}
	return 4_000_000
}()

// filled returns prefix and suffix with units between them, up to size bytes in total.
func filled(size int, prefix, unit, suffix string) []byte {
	count := (size - len(prefix) - len(suffix)) / len(unit)
	return []byte(prefix + strings.Repeat(unit, count) + suffix)
}

// zipped returns size spaces and a usage, compressed with gzip.
func zipped(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	spaces := bytes.Repeat([]byte(" "), mib)
	for range size / mib {
		_, err := w.Write(spaces)
		require.NoError(t, err)
	}
	_, err := io.WriteString(w, stubBody)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// endless means that a body continues as long as the client reads it.
const endless = -1

// The results of hostile responses.
type ending string

const (
	endsWell          ending = "output"
	endsDeserializing ending = "smithy.DeserializationError"
	endsTooLarge      ending = "ResponseTooLargeError"
	endsAPIError      ending = "smithy.APIError"
	endsUnsent        ending = "smithyhttp.RequestSendError"
	endsSomehow       ending = "whatever is cheap"
)

// assertEnding checks the type of an error.
func assertEnding(t *testing.T, want ending, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	t.Helper()
	switch want {
	case endsSomehow:
		assertSound(t, output, err)
		return
	case endsWell:
		require.NoError(t, err)
		assert.NotNil(t, output)
		return
	}
	requireFailure(t, output, err)
	switch want {
	case endsDeserializing:
		requireAs[*smithy.DeserializationError](t, err)
	case endsTooLarge:
		requireAs[*smithy.DeserializationError](t, err)
		assert.EqualValues(t, mib, requireAs[*cognitosync.ResponseTooLargeError](t, err).Limit)
	case endsAPIError:
		assert.NotEmpty(t, requireAs[smithy.APIError](t, err).ErrorCode())
	case endsUnsent:
		requireAs[*smithyhttp.RequestSendError](t, err)
	}
}

// A hostileResponse is a response that no real service sends.
type hostileResponse struct {
	name    string
	headers string
	body    []byte
	times   int // how often the body is sent
	want    ending
}

// Status lines, and the ends of headers.
const (
	headersOK          = "HTTP/1.1 200 OK\r\n"
	headersBadRequest  = "HTTP/1.1 400 Bad Request\r\n"
	headersServerError = "HTTP/1.1 500 Internal Server Error\r\n"
	headersEnd         = "\r\n"
	headersNoBody      = "Content-Length: 0\r\n\r\n"
	headersChunked     = "Transfer-Encoding: chunked\r\n\r\n"
	headersGzip        = "Content-Encoding: gzip\r\n\r\n"
)

// usageStart is the beginning of the JSON of a successful response.
const usageStart = `{"IdentityPoolUsage":{`

// testHostile makes a call whose attempts all get a hostile response, and measures the
// memory. Tests that use it are not parallel, so that they measure nothing else.
func testHostile(t *testing.T, paths []string, responses []hostileResponse) {
	t.Helper()
	for _, test := range responses {
		for _, path := range paths {
			t.Run(test.name+"/"+path, func(t *testing.T) {
				server := newRawServer(t, test.headers, test.body, test.times)
				tr := setup(t, path, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.url()) })
				var (
					output *cognitosync.DescribeIdentityPoolUsageOutput
					err    error
				)
				allocated := allocatedBy(func() { output, err = tr.call(t.Context()) })
				assert.Less(t, allocated, maxAllocated, "bytes allocated")
				assertEnding(t, test.want, output, err)
				if isA[*smithy.DeserializationError](err) {
					assert.EqualValues(t, 1, server.requests.Load(), "requests")
				}
			})
		}
	}
}

// TestHostileLength sends responses that are too large.
func TestHostileLength(t *testing.T) {
	xs := bytes.Repeat([]byte("x"), 64<<10)
	chunk := []byte("8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n")
	bomb := zipped(t, 64*mib)
	testHostile(t, paths, []hostileResponse{
		{"endless", headersOK + headersEnd, xs, endless, endsTooLarge},
		{"endless in chunks", headersOK + headersChunked, chunk, endless, endsTooLarge},
		{"endless spaces", headersOK + headersEnd, bytes.Repeat([]byte(" "), 64<<10), endless, endsTooLarge},
		{"endless although announced", headersOK + "Content-Length: 9223372036854775807\r\n\r\n", xs, endless, endsTooLarge},
		{"endless client error", headersBadRequest + headersEnd, xs, endless, endsAPIError},
		{"endless server error", headersServerError + headersEnd, xs, endless, endsAPIError},
		{"5 MiB of JSON", headersOK + headersEnd, filled(5*mib, usageStart+`"DataStorage":1},"Pad":"`, "x", `"}`), 1, endsTooLarge},
		{"1 MiB and a byte", headersOK + headersEnd, append(filled(mib, "{", " ", "}"), ' '), 1, endsTooLarge},
		{"1 MiB", headersOK + headersEnd, filled(mib, "{", " ", "}"), 1, endsWell},
		{"gzip bomb", headersOK + headersGzip, bomb, 1, endsTooLarge},
		{"gzip bomb as a client error", headersBadRequest + headersGzip, bomb, 1, endsAPIError},
		{"gzip bomb as a server error", headersServerError + headersGzip, bomb, 1, endsAPIError},
		{"truncated at 1 MiB", headersOK + "Content-Length: 1048576\r\n\r\n", filled(mib-1, "{", " ", ""), 1, endsUnsent},
	})
}

// TestHostileJSON sends successful responses that are expensive to decode. Both paths use the
// same decoder.
func TestHostileJSON(t *testing.T) {
	testHostile(t, []string{direct}, []hostileResponse{
		{"deep arrays", headersOK + headersEnd, filled(mib, "", "[", ""), 1, endsDeserializing},
		{"deep objects", headersOK + headersEnd, filled(mib, "", `{"a":`, ""), 1, endsDeserializing},
		{"deep usages", headersOK + headersEnd, filled(mib, "", `{"IdentityPoolUsage":`, ""), 1, endsDeserializing},
		{"deep and whole", headersOK + headersEnd, []byte(`{"a":` + strings.Repeat("[", mib/4) + strings.Repeat("]", mib/4) + "}"), 1, endsDeserializing},
		{"huge count", headersOK + headersEnd, filled(mib, usageStart+`"DataStorage":`, "9", `}}`), 1, endsDeserializing},
		{"huge count of zeros", headersOK + headersEnd, filled(mib, usageStart+`"DataStorage":0.`, "0", `}}`), 1, endsSomehow},
		{"huge fraction", headersOK + headersEnd, filled(mib, usageStart+`"LastModifiedDate":0.`, "9", `}}`), 1, endsSomehow},
		{"huge exponent", headersOK + headersEnd, []byte(usageStart + `"DataStorage":1e1000000000}}`), 1, endsDeserializing},
		{"huge exponent of a date", headersOK + headersEnd, []byte(usageStart + `"LastModifiedDate":1e1000000000}}`), 1, endsDeserializing},
		{"huge exponent of zero", headersOK + headersEnd, []byte(usageStart + `"DataStorage":0e1000000000}}`), 1, endsWell},
		{"small exponent", headersOK + headersEnd, []byte(usageStart + `"LastModifiedDate":1e-1000000000}}`), 1, endsWell},
		{"exponent of many digits", headersOK + headersEnd, filled(mib, usageStart+`"DataStorage":1e`, "9", `}}`), 1, endsDeserializing},
		{"huge ID", headersOK + headersEnd, filled(mib, usageStart+`"IdentityPoolId":"`, "x", `"}}`), 1, endsWell},
		{"huge ID of escapes", headersOK + headersEnd, filled(mib, usageStart+`"IdentityPoolId":"`, `\n`, `"}}`), 1, endsWell},
		{"many usages", headersOK + headersEnd, filled(mib, "{", `"IdentityPoolUsage":{},`, `"a":1}`), 1, endsSomehow},
		// Half the limit of a body: encoding/json creates an error for each, and 1 MiB of them exceeds maxAllocated.
		{"many usages of the wrong type", headersOK + headersEnd, filled(mib/2, "{", `"IdentityPoolUsage":1,`, `"a":1}`), 1, endsDeserializing},
		{"many counts", headersOK + headersEnd, filled(mib, usageStart, `"DataStorage":1,`, `"a":1}}`), 1, endsWell},
		{"many invalid counts", headersOK + headersEnd, filled(mib, usageStart, `"DataStorage":"x",`, `"a":1}}`), 1, endsDeserializing},
		{"many fractions", headersOK + headersEnd, filled(mib, usageStart, `"DataStorage":1.5,`, `"a":1}}`), 1, endsDeserializing},
		{"many dates", headersOK + headersEnd, filled(mib, usageStart, `"LastModifiedDate":1.5,`, `"a":1}}`), 1, endsWell},
		{"many IDs", headersOK + headersEnd, filled(mib, usageStart, `"IdentityPoolId":null,"IdentityPoolId":"x",`, `"a":1}}`), 1, endsWell},
		{"many members", headersOK + headersEnd, filled(mib, usageStart, `"a":1,`, `"a":1}}`), 1, endsWell},
	})
}

// TestHostileErrors sends unsuccessful responses that are expensive to decode.
func TestHostileErrors(t *testing.T) {
	testHostile(t, []string{direct}, []hostileResponse{
		{"huge page", headersBadRequest + headersEnd, filled(mib, "<p>", "x", "</p>"), 1, endsAPIError},
		{"huge message", headersBadRequest + headersEnd, filled(mib, `{"message":"`, "x", `"}`), 1, endsAPIError},
		{"huge message of escapes", headersBadRequest + headersEnd, filled(mib, `{"message":"`, `\n`, `"}`), 1, endsAPIError},
		{"huge non-ASCII message", headersBadRequest + headersEnd, filled(mib, `{"message":"\n`, "é", `"}`), 1, endsAPIError},
		{"huge message of a server error", headersServerError + headersEnd, filled(mib, `{"message":"`, `\n`, `"}`), 1, endsAPIError},
		{"huge code", headersBadRequest + headersEnd, filled(mib, `{"code":"`, `\n`, `"}`), 1, endsAPIError},
		{"huge code and message", headersBadRequest + headersEnd,
			append(filled(mib/2, `{"__type":"\n`, "x", `",`), filled(mib/2, `"message":"\n`, "x", `"}`)...), 1, endsAPIError},
		{"huge message of the wrong type", headersBadRequest + headersEnd, filled(mib, `{"message":[`, "1,", `1]}`), 1, endsAPIError},
		{"many messages", headersBadRequest + headersEnd, filled(mib, `{`, `"message":"x",`, `"message":1}`), 1, endsAPIError},
		{"deep error", headersServerError + headersEnd, filled(mib, "", "[", ""), 1, endsAPIError},
	})
}

// allocatedBy returns how many bytes f allocates.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC() // finish the work that earlier tests left
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBodiesAreClosed ends calls in every way after the headers of a response were received.
func TestBodiesAreClosed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		status   int
		body     string
		attempts int
	}{
		{"success", 200, stubBody, 1},
		{"success without a body", 204, "", 1},
		{"malformed", 200, "{", 1},
		{"too long", 200, strings.Repeat(" ", mib+1), 1},
		{"client error", 404, `{"message":"m"}`, 1},
		{"long client error", 400, strings.Repeat("x", 2*mib), 1},
		{"server error", 500, `{"message":"m"}`, 3},
		{"redirect", 302, "elsewhere", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body) // the client may close the connection
				}))
				t.Cleanup(server.Close)
				client := &clienttest.Tap{Transport: &http.Transport{}}
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.BaseEndpoint, o.HTTPClient = aws.String(server.URL), client
				})

				output, err := tr.call(t.Context())

				assert.NotEqual(t, output == nil, err == nil)
				assertClosed(t, client, test.attempts)
			})
		})
	}
}

// TestBodyIsClosedAfterCancel cancels a call in the middle of a response.
func TestBodyIsClosedAfterCancel(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		ctx, cancel := context.WithCancel(t.Context())
		client := &clienttest.Tap{Transport: &http.Transport{}, AfterHeaders: cancel}
		tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPClient = client })
		tr.script(cognitosynctest.Forever(cognitosynctest.OK().StallAfter(10)))

		err := tr.fails(t, ctx)

		assert.ErrorIs(t, err, context.Canceled)
		assertClosed(t, client, 1)
	})
}

// TestBodyThatCannotBeClosed checks that an error of Close is ignored.
func TestBodyThatCannotBeClosed(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.HTTPClient = clienttest.Doer(func(req *http.Request) (*http.Response, error) {
				resp := clienttest.Response(req, http.StatusOK, nil, stubBody)
				resp.Body = unclosable{resp.Body}
				return resp, nil
			})
		})
		tr.succeeds(t)
	})
}

type unclosable struct{ io.Reader }

func (unclosable) Close() error { return errors.New("cannot be closed") }

// TestErrorTextIsClean puts unprintable characters in every part of a response that an error
// contains.
func TestErrorTextIsClean(t *testing.T) {
	t.Parallel()
	const dirty = "a\x00b\x1b[31mc\r\nd\u0085e\u202ef\u2028g\xffh\U000e0001i"
	printed := regexp.MustCompile(`[^\x20-\x7e]`)
	for _, test := range []struct {
		name, headers, body string
	}{
		{"page", "HTTP/1.1 400 Bad Request\r\n\r\n", dirty},
		{"message", "HTTP/1.1 400 Bad Request\r\n\r\n", `{"message":"a\u0000b\u001b[31mc\r\nd\u0085e\u202ef\u2028g"}`},
		{"message of an exception", "HTTP/1.1 404 Not Found\r\nX-Amzn-ErrorType: ResourceNotFoundException\r\n\r\n", `{"message":"a\u0000b\u001b[31mc\r\nd\u0085e\u202ef\u2028g"}`},
		{"code", "HTTP/1.1 400 Bad Request\r\n\r\n", `{"code":"a\u0000b\u001b[31mc\r\nd\u0085e\u202ef\u2028g"}`},
		{"headers", "HTTP/1.1 400 Bad Request\r\nX-Amzn-RequestId: \u0085\u202e\u2028\r\nX-Amzn-ErrorType: \u0085a\u202e\u2028\r\nX-Amzn-ErrorMessage: \u0085\u202e\u2028\xff\r\n\r\n", ""},
		{"Location", "HTTP/1.1 302 Found\r\nLocation: https://a\u0085\u202e\u2028\xff/\r\n\r\n", ""},
		{"count", "HTTP/1.1 200 OK\r\n\r\n", `{"IdentityPoolUsage":{"DataStorage":"a\u001b` + "\u0085\u202e\u2028" + `"}}`},
		{"JSON", "HTTP/1.1 200 OK\r\n\r\n", dirty},
		{"not HTTP", dirty + "\r\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				server := newRawServer(t, test.headers, []byte(test.body), 1)
				tr := setup(t, path, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.url()) })
				err := tr.fails(t, t.Context())
				assert.NotRegexp(t, printed, err.Error())
				if details := cognitosync.InspectError(err); details.StatusCode >= 300 {
					assert.NotRegexp(t, printed, details.Code)
					assert.NotRegexp(t, printed, details.RequestID)
				}
			})
		})
	}
}

// TestQuoteIsShort checks that an error quotes at most 512 bytes of a body that could not be
// parsed.
func TestQuoteIsShort(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body string }{
		{"text", strings.Repeat("x", 10_000)},
		{"not ASCII", strings.Repeat("é", 10_000)},
		{"runes of three bytes", strings.Repeat("€", 10_000)},
		{"nothing to print", strings.Repeat("\x00", 10_000)},
		{"broken UTF-8", strings.Repeat("\xff", 10_000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newRawServer(t, "HTTP/1.1 400 Bad Request\r\n\r\n", []byte(test.body), 1)
			tr := setup(t, direct, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.url()) })
			message := requireAs[*smithy.GenericAPIError](t, tr.fails(t, t.Context())).ErrorMessage()
			assert.LessOrEqual(t, len(message), 512)
			assert.Greater(t, len(message), 500)
			assert.True(t, strings.HasSuffix(message, "..."))
		})
	}
}

// TestSnapshot checks that the snapshot in the error of a malformed success contains no
// secrets and is short.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	credentials := cognitosynctest.DefaultCredentials()
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
	}{
		{"malformed", cognitosynctest.Reply(http.StatusOK, nil, "<p>"+credentials.SecretAccessKey+" "+credentials.SessionToken+strings.Repeat(" welcome", 1000))},
		{"too long", cognitosynctest.Reply(http.StatusOK, nil, "<p>"+credentials.SecretAccessKey+" "+credentials.SessionToken+strings.Repeat(" welcome", 1<<18))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(test.step)

				err := tr.fails(t, t.Context())

				snapshot := string(requireAs[*smithy.DeserializationError](t, err).Snapshot)
				assert.Regexp(t, "^<p>REDACTED", snapshot)
				assert.NotContains(t, snapshot, credentials.SecretAccessKey)
				assert.NotContains(t, snapshot, credentials.SessionToken)
				assert.Contains(t, snapshot, "welcome")
				assert.Len(t, snapshot, 512)
			})
		})
	}
}

// TestFaultOfAStatus checks that the status determines the fault of errors that are not in
// AWS's model.
func TestFaultOfAStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]smithy.ErrorFault{
		300: smithy.FaultUnknown, 399: smithy.FaultUnknown, 400: smithy.FaultClient, 499: smithy.FaultClient, 500: smithy.FaultServer, 599: smithy.FaultServer,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				client := newClient(configOf(clienttest.Respond(status, http.Header{"X-Amzn-Errortype": {"OddException"}}, "")), path)

				output, err := describe(t.Context(), t, client, poolID)

				requireFailure(t, output, err)
				details := cognitosync.InspectError(err)
				assert.Equal(t, "OddException", details.Code)
				assert.Equal(t, status, details.StatusCode)
				assert.Equal(t, want, details.Fault)
				assert.Equal(t, want, requireAs[*smithy.GenericAPIError](t, err).Fault)
			})
		})
	}
}

// TestLocationWithoutRedirect checks that the Location header only matters in redirects.
func TestLocationWithoutRedirect(t *testing.T) {
	t.Parallel()
	location := http.Header{"Location": {"https://elsewhere.test/"}}
	for _, test := range []struct {
		status int
		code   string
	}{
		{201, ""}, {299, ""}, {300, "RedirectNotFollowed"}, {399, "RedirectNotFollowed"}, {400, "UnknownError"}, {404, "UnknownError"},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				client := newClient(configOf(clienttest.Respond(test.status, location, stubBody)), path)

				output, err := describe(t.Context(), t, client, poolID)

				if test.code == "" {
					require.NoError(t, err)
					assert.NotNil(t, output.IdentityPoolUsage)
					return
				}
				requireFailure(t, output, err)
				details := cognitosync.InspectError(err)
				assert.Equal(t, test.code, details.Code)
				assert.Equal(t, test.code == "RedirectNotFollowed", strings.Contains(details.Message, "elsewhere.test"), details.Message)
			})
		})
	}
}

// TestMaximumLengths checks the maximum lengths of texts. Longer ones are truncated.
func TestMaximumLengths(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return strings.Repeat("m", n) }
	for _, test := range []struct {
		name  string
		limit int
		reply func(text string) (http.Header, string)
		found func(cognitosync.ErrorDetails) string
	}{
		{"code", 256, func(text string) (http.Header, string) { return http.Header{"X-Amzn-Errortype": {text}}, "" },
			func(d cognitosync.ErrorDetails) string { return d.Code }},
		{"request ID", 256, func(text string) (http.Header, string) { return http.Header{"X-Amzn-Requestid": {text}}, "" },
			func(d cognitosync.ErrorDetails) string { return d.RequestID }},
		{"message", 2048, func(text string) (http.Header, string) {
			return http.Header{"X-Amzn-Errortype": {"OddException"}}, `{"message":"` + text + `"}`
		}, func(d cognitosync.ErrorDetails) string { return d.Message }},
		{"page", 512, func(text string) (http.Header, string) { return nil, text }, func(d cognitosync.ErrorDetails) string { return d.Message }},
	} {
		for _, n := range []int{test.limit - 1, test.limit, test.limit + 1} {
			t.Run(fmt.Sprint(test.name, n), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					header, body := test.reply(text(n))
					client := newClient(configOf(clienttest.Respond(http.StatusBadRequest, header, body)), path)

					output, err := describe(t.Context(), t, client, poolID)

					requireFailure(t, output, err)
					want := text(n)
					if n > test.limit {
						want = text(test.limit-3) + "..."
					}
					assert.Equal(t, want, test.found(cognitosync.InspectError(err)))
				})
			})
		}
	}
}

// TestInvalidLocation checks that the error names the host of a redirect only if the
// Location contains one.
func TestInvalidLocation(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"http://[unreadable": "redirect to an invalid location not followed",
		"/elsewhere":         "redirect to another path on the same host not followed",
		"//elsewhere.test/x": "redirect to host elsewhere.test not followed",
	} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				client := newClient(configOf(clienttest.Respond(http.StatusFound, http.Header{"Location": {location}}, "")), path)
				output, err := describe(t.Context(), t, client, poolID)
				requireFailure(t, output, err)
				assert.Equal(t, want, cognitosync.InspectError(err).Message)
			})
		})
	}
}

// TestSuccessAtTheLimit checks that a response may have 1 MiB, but not a byte more.
func TestSuccessAtTheLimit(t *testing.T) {
	t.Parallel()
	for length, fits := range map[int]bool{mib: true, mib + 1: false} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				body := stubBody + strings.Repeat(" ", length-len(stubBody))
				client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, body)), path)
				output, err := describe(t.Context(), t, client, poolID)
				if fits {
					require.NoError(t, err)
					return
				}
				requireFailure(t, output, err)
				assert.EqualValues(t, mib, requireAs[*cognitosync.ResponseTooLargeError](t, err).Limit)
				requireAs[*smithy.DeserializationError](t, err)
			})
		})
	}
}

// TestMessages checks where the message of an error comes from.
func TestMessages(t *testing.T) {
	t.Parallel()
	code := http.Header{"X-Amzn-Errortype": {"OddException"}}
	both := http.Header{"X-Amzn-Errortype": {"OddException"}, "X-Amzn-Errormessage": {"of the header"}}
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   string
	}{
		{"body before header", 400, both, `{"message":"of the body"}`, "of the body"},
		{"null in the body", 400, both, `{"message":null}`, "of the header"},
		{"a digit", 400, both, `{"message":5}`, "5"},
		{"not JSON", 400, both, "<", "of the header"},
		{"one byte", 400, code, "<", "<"},
		{"nothing", 400, code, "", ""},
		{"nothing, no code", 400, nil, "", "the response has no body"},
		{"empty object", 400, code, "{}", ""},
		{"empty object without a code", 400, nil, "{}", "{}"},
		{"redirect with a message", 302, http.Header{"Location": {"//elsewhere.test"}}, `{"message":"moved"}`, "redirect to host elsewhere.test not followed: moved"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				client := newClient(configOf(clienttest.Respond(test.status, test.header, test.body)), path)
				output, err := describe(t.Context(), t, client, poolID)
				requireFailure(t, output, err)
				assert.Equal(t, test.want, cognitosync.InspectError(err).Message)
			})
		})
	}
	bothPaths(t, func(t *testing.T, path string) {
		client := newClient(configOf(clienttest.Respond(404, http.Header{"X-Amzn-Errortype": {"ResourceNotFoundException"}}, "")), path)
		output, err := describe(t.Context(), t, client, poolID)
		requireFailure(t, output, err)
		assert.Nil(t, requireAs[*cognitosync.ResourceNotFoundException](t, err).Message, "the response has no message")
	})
}

// TestShortSuccess checks that short bodies are decoded like all others, and that blank
// ones are empty usages.
func TestShortSuccess(t *testing.T) {
	t.Parallel()
	for body, fails := range map[string]bool{"": false, " ": false, "\n\t": false, "5": true, "{": true, "{}": false} {
		t.Run(fmt.Sprintf("%q", body), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, body)), path)
				output, err := describe(t.Context(), t, client, poolID)
				if fails {
					requireFailure(t, output, err)
					requireAs[*smithy.DeserializationError](t, err)
					return
				}
				require.NoError(t, err)
				assert.Nil(t, output.IdentityPoolUsage)
			})
		})
	}
}

// TestRequestIDOfASuccess checks that the metadata contains the request ID, whichever
// header it is in, truncated to 256 bytes.
func TestRequestIDOfASuccess(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Requestid"} {
		for length, want := range map[int]string{256: strings.Repeat("i", 256), 257: strings.Repeat("i", 253) + "..."} {
			t.Run(fmt.Sprint(name, length), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					client := newClient(configOf(clienttest.Respond(http.StatusOK, http.Header{name: {strings.Repeat("i", length)}}, stubBody)), path)
					output, err := describe(t.Context(), t, client, poolID)
					require.NoError(t, err)
					id, found := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata)
					assert.True(t, found)
					assert.Equal(t, want, id)
				})
			})
		}
	}
}

// TestNoRequestID checks that the metadata contains no request ID if the response has none.
func TestNoRequestID(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, stubBody)), path)
		output, err := describe(t.Context(), t, client, poolID)
		require.NoError(t, err)
		_, found := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata)
		assert.False(t, found)
	})
}
