package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// exceptions are the modelled errors, each made anew with a message and an override.
var exceptions = []struct {
	name   string
	status int
	fault  smithy.ErrorFault
	make   func(message, override *string) smithy.APIError
	null   smithy.APIError // a nil pointer of the type
	is     func(error) bool
}{
	{"NotAuthorizedException", 403, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.NotAuthorizedException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.NotAuthorizedException)(nil), isA[*cognitosync.NotAuthorizedException]},
	{"InvalidParameterException", 400, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.InvalidParameterException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.InvalidParameterException)(nil), isA[*cognitosync.InvalidParameterException]},
	{"ResourceNotFoundException", 404, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.ResourceNotFoundException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.ResourceNotFoundException)(nil), isA[*cognitosync.ResourceNotFoundException]},
	{"InternalErrorException", 500, smithy.FaultServer, func(m, o *string) smithy.APIError {
		return &cognitosync.InternalErrorException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.InternalErrorException)(nil), isA[*cognitosync.InternalErrorException]},
	{"TooManyRequestsException", 429, smithy.FaultClient, func(m, o *string) smithy.APIError {
		return &cognitosync.TooManyRequestsException{Message: m, ErrorCodeOverride: o}
	}, (*cognitosync.TooManyRequestsException)(nil), isA[*cognitosync.TooManyRequestsException]},
}

func TestException(t *testing.T) {
	t.Parallel()
	for _, test := range exceptions {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := test.make(aws.String("what\nit says"), nil)
			assert.Equal(t, test.name, e.ErrorCode())
			assert.Equal(t, "what\nit says", e.ErrorMessage())
			assert.Equal(t, test.fault, e.ErrorFault())
			assert.Equal(t, test.name+": what it says", e.Error())

			e = test.make(nil, aws.String("Renamed"))
			assert.Equal(t, "Renamed", e.ErrorCode())
			assert.Empty(t, e.ErrorMessage())
			assert.Equal(t, "Renamed: ", e.Error())

			assert.Equal(t, test.name, test.null.ErrorCode())
			assert.Empty(t, test.null.ErrorMessage())
			assert.Equal(t, test.fault, test.null.ErrorFault())
			assert.Equal(t, test.name+": ", test.null.Error())
		})
	}
}

// TestExceptionFromTheService has each exception come over HTTP, its code in each of
// the places where the service may put it.
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
				eachWay(t, func(t *testing.T, way string) {
					tr := newTrial(t, way)
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

// TestOddErrorBody makes a useful error of whatever a proxy, or the service, sends.
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
		// No JSON, no object, or none that is whole.
		{name: "HTML", body: "<html>\r\n<h1>502</h1>\r\n</html>", code: unknown, message: "<html>  <h1>502</h1>  </html>"},
		{name: "text", body: "no such thing", code: unknown, message: "no such thing"},
		{name: "XML", body: `<Error><Code>AccessDenied</Code></Error>`, code: unknown, message: `<Error><Code>AccessDenied</Code></Error>`},
		{name: "empty", code: unknown, message: "the answer has no body"},
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

		// Content types do not matter.
		{name: "JSON as text", headers: map[string]string{"Content-Type": "text/plain"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "JSON with a charset", headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "JSON of another name", headers: map[string]string{"Content-Type": "application/x-amz-json-1.1"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "HTML as JSON", headers: map[string]string{"Content-Type": "application/json"}, body: `<p>no</p>`, code: unknown, message: "<p>no</p>"},
		{name: "no type", headers: map[string]string{"Content-Type": ""}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},

		// Members of odd types.
		{name: "numeric code", body: `{"code":42,"message":"m"}`, code: unknown, message: "m"},
		{name: "numeric code beside a type", body: `{"code":42,"__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "null code", body: `{"code":null,"__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "empty code", body: `{"code":"","__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "blank code", body: `{"code":" ","__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "code of a colon", body: `{"code":":","__type":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "object as code", body: `{"code":{"a":1},"message":"m"}`, code: unknown, message: "m"},
		{name: "code with spaces around", body: `{"code":" AccessDeniedException ","message":"m"}`, code: denied, message: "m"},
		{name: "numeric message", body: `{"code":"AccessDeniedException","message":42}`, code: denied, message: "42"},
		{name: "message of an object", body: `{"code":"AccessDeniedException","message":{"a":[1]}}`, code: denied, message: `{"a":[1]}`},
		{name: "null message", body: `{"code":"AccessDeniedException","message":null}`, code: denied, message: ""},
		{name: "empty message", body: `{"code":"AccessDeniedException","message":""}`, code: denied, message: ""},
		{name: "message in capitals", body: `{"code":"AccessDeniedException","Message":"m"}`, code: denied, message: "m"},
		{name: "message of escapes", body: `{"code":"AccessDeniedException","message":"\u00e4\ud83d\ude00\n"}`, code: denied, message: "ä😀\n"},
		{name: "message of broken escapes", body: `{"code":"AccessDeniedException","message":"\ud83d"}`, code: denied, message: "\ufffd"},

		// The header's message.
		{name: "message in the header", headers: map[string]string{"X-Amzn-ErrorType": denied, "X-Amzn-ErrorMessage": "from the header"}, code: denied, message: "from the header"},
		{name: "message in both", headers: map[string]string{"X-Amzn-ErrorMessage": "from the header"}, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "message in the header, HTML", headers: map[string]string{"X-Amzn-ErrorMessage": "from the header"}, body: `<p>no</p>`, code: unknown, message: "from the header"},

		// Statuses that are neither success nor error.
		{name: "status 599", status: 599, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
		{name: "status 300", status: 300, body: `{"code":"AccessDeniedException","message":"m"}`, code: denied, message: "m"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				status := test.status
				if status == 0 {
					status = http.StatusForbidden
				}
				step := cognitosynctest.Reply(status, nil, test.body).WithHeader("X-Amzn-RequestId", "id-1")
				for name, value := range test.headers {
					step = step.WithHeader(name, value)
				}
				tr := newTrial(t, way)
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

// TestErrorBodyIsCut has the connection break in the body of an error. What has come
// by then is kept.
func TestErrorBodyIsCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		step    cognitosynctest.Step
		code    string
		message string
	}{
		{"with a code", cognitosynctest.ResourceNotFound().CutAfter(5), "ResourceNotFoundException", `{"mes`},
		{"before the body", cognitosynctest.ResourceNotFound().CutAfter(0), "ResourceNotFoundException", ""},
		{"without a code", cognitosynctest.Reply(404, nil, "no such page").CutAfter(7), "UnknownError", "no such"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way)
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

// TestRequestID finds the id under each of the names that it travels under.
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
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way)
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

// TestInspectLocalError has calls fail before anything is sent, or with no answer:
// what only an answer can tell is zero.
func TestInspectLocalError(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, test := range []struct {
		name  string
		id    string
		alter func(*cognitosync.Options)
		want  cognitosync.ErrorDetails // but for Message
	}{
		{name: "no id"},
		{name: "mismatch", id: "eu-west-1:1", alter: func(o *cognitosync.Options) { o.BaseEndpoint = nil }},
		{name: "setting", id: trialPool, alter: func(o *cognitosync.Options) { o.Credentials = nil }},
		{name: "endpoint", id: trialPool, alter: func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("ftp://host") }},
		{name: "provider", id: trialPool, alter: func(o *cognitosync.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, boom
			})
		}, want: cognitosync.ErrorDetails{Attempts: 1}},
		{name: "no answer", id: trialPool, alter: func(o *cognitosync.Options) {
			o.HTTPClient = doFunc(func(*http.Request) (*http.Response, error) { return nil, boom })
		}, want: cognitosync.ErrorDetails{Attempts: 3, Retryable: true}},
		{name: "neither answer nor error", id: trialPool, alter: func(o *cognitosync.Options) {
			o.HTTPClient = doFunc(func(*http.Request) (*http.Response, error) { return nil, nil })
		}, want: cognitosync.ErrorDetails{Attempts: 3, Retryable: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way, func(o *cognitosync.Options) {
					if test.alter != nil {
						test.alter(o)
					}
				})
				output, err := tr.client.DescribeIdentityPoolUsage(t.Context(), poolInput(test.id))
				requireFailure(t, output, err)
				assert.Zero(t, tr.requests())

				want := test.want
				want.Message = err.Error()
				assert.Equal(t, want, cognitosync.InspectError(err))
				assert.False(t, cognitosync.IsDenied(err))
			})
		})
	}
}

// TestInspectAnyError takes errors that are not of this package.
func TestInspectAnyError(t *testing.T) {
	t.Parallel()
	assert.Zero(t, cognitosync.InspectError(nil))
	assert.Equal(t, cognitosync.ErrorDetails{Message: "boom"}, cognitosync.InspectError(errors.New("boom")))
	assert.Equal(t, cognitosync.ErrorDetails{Code: "OddException", Message: "m", Fault: smithy.FaultServer},
		cognitosync.InspectError(fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: "OddException", Message: "m", Fault: smithy.FaultServer})))
	for _, test := range exceptions {
		assert.Equal(t, cognitosync.ErrorDetails{Code: test.name, Fault: test.fault}, cognitosync.InspectError(test.null), test.name)
	}
}

// TestInspectMalformedSuccess tells what the head of an answer says, although its
// body says nothing.
func TestInspectMalformedSuccess(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way)
		tr.script(cognitosynctest.Reply(http.StatusOK, nil, "<p>welcome</p>").WithHeader("X-Amzn-RequestId", "id-1"))
		err := tr.fails(t, t.Context())
		malformed := requireAs[*smithy.DeserializationError](t, err)
		assert.Equal(t, "<p>welcome</p>", string(malformed.Snapshot))
		assert.Equal(t, cognitosync.ErrorDetails{
			Message: err.Error(), StatusCode: http.StatusOK, RequestID: "id-1", Attempts: 1,
		}, cognitosync.InspectError(err))
	})
}

func TestIsDenied(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nil", nil, false},
		{"not authorized", &cognitosync.NotAuthorizedException{}, true},
		{"not authorized, renamed", &cognitosync.NotAuthorizedException{ErrorCodeOverride: aws.String("Renamed")}, true},
		{"nil not authorized", (*cognitosync.NotAuthorizedException)(nil), true},
		{"access denied", &smithy.GenericAPIError{Code: "AccessDeniedException"}, true},
		{"wrapped", fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: "AccessDeniedException"}), true},
		{"not found", &cognitosync.ResourceNotFoundException{}, false},
		{"expired", &smithy.GenericAPIError{Code: "ExpiredTokenException"}, false},
		{"any", errors.New("AccessDeniedException"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, cognitosync.IsDenied(test.err))
		})
	}
}

func TestIsDeniedByTheService(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		credentials cognitosynctest.Credentials
		code        string
	}{
		{"IAM", cognitosynctest.Credentials{AccessKeyID: "AKIDDENIED", SecretAccessKey: "secret-of-a-user", DeniedPools: []string{trialPool}}, "AccessDeniedException"},
		{"user of Cognito Identity", cognitosynctest.Credentials{AccessKeyID: "AKIDUSER", SecretAccessKey: "secret-of-a-user", SessionToken: "token-of-a-user", CognitoIdentityUser: true}, "NotAuthorizedException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way, func(o *cognitosync.Options) { o.Credentials = test.credentials.Provider() })
				tr.server.SetCredentials(test.credentials)
				err := tr.fails(t, t.Context())
				assert.True(t, cognitosync.IsDenied(err))
				assert.Equal(t, test.code, cognitosync.InspectError(err).Code)
				assert.Equal(t, 1, tr.requests())
			})
		})
	}
}

// TestErrorTypesOfTheirOwn looks at the errors that have no counterpart in the SDK.
func TestErrorTypesOfTheirOwn(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	configuration := &cognitosync.ConfigurationError{Setting: "Region", Err: boom}
	assert.Equal(t, "configuration of Region: boom", configuration.Error())
	assert.ErrorIs(t, configuration, boom)

	mismatch := &cognitosync.RegionMismatchError{IdentityPoolId: "eu-west-1:1\n", PoolRegion: "eu-west-1", ClientRegion: "us-east-1"}
	for _, word := range []string{"eu-west-1:1 ", "us-east-1", "UseIdentityPoolRegion"} {
		assert.Contains(t, mismatch.Error(), word)
	}
	assert.NotContains(t, mismatch.Error(), "\n")

	timeout := &cognitosync.AttemptTimeoutError{AttemptTimeout: 7 * time.Second}
	assert.Contains(t, timeout.Error(), "7s")
	assert.True(t, timeout.Timeout())

	tooLarge := &cognitosync.ResponseTooLargeError{Limit: 1234}
	assert.Contains(t, tooLarge.Error(), "1234")
}

// TestNilErrors calls the methods of nil pointers: an error that is logged must not
// bring a program down.
func TestNilErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		(*cognitosync.NotAuthorizedException)(nil),
		(*cognitosync.InvalidParameterException)(nil),
		(*cognitosync.ResourceNotFoundException)(nil),
		(*cognitosync.InternalErrorException)(nil),
		(*cognitosync.TooManyRequestsException)(nil),
		(*cognitosync.ConfigurationError)(nil),
		(*cognitosync.RegionMismatchError)(nil),
		(*cognitosync.AttemptTimeoutError)(nil),
		(*cognitosync.ResponseTooLargeError)(nil),
	} {
		t.Run(reflect.TypeOf(err).Elem().Name(), func(t *testing.T) {
			t.Parallel()
			require.NotPanics(t, func() { _ = err.Error() })
			require.NotPanics(t, func() { _ = errors.Unwrap(err) })
			require.NotPanics(t, func() { _ = cognitosync.InspectError(err) })
			require.NotPanics(t, func() { _ = cognitosync.IsDenied(err) })
		})
	}
}

// TestSecretsInAnswers has the service repeat the caller's secrets: no error does.
func TestSecretsInAnswers(t *testing.T) {
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
			eachWay(t, func(t *testing.T, way string) {
				tr := newTrial(t, way)
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

// TestShortSecrets has the credentials of somebody's test environment: what the
// service says must not be taken for a secret.
func TestShortSecrets(t *testing.T) {
	t.Parallel()
	credentials := cognitosynctest.Credentials{AccessKeyID: "test", SecretAccessKey: "s", SessionToken: "Denied"}
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way, func(o *cognitosync.Options) { o.Credentials = credentials.Provider() })
		tr.server.SetCredentials(credentials)
		tr.script(cognitosynctest.AccessDenied(), cognitosynctest.ResourceNotFound(), cognitosynctest.Error(400, "ThrottlingException", ""))
		assert.True(t, cognitosync.IsDenied(tr.fails(t, t.Context())))
		requireAs[*cognitosync.ResourceNotFoundException](t, tr.fails(t, t.Context()))
		tr.succeeds(t) // the second time
	})
}
