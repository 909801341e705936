package cognitosync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/tracing"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// allLogModes are the modes that affect this client.
const allLogModes = aws.LogSigning | aws.LogRetries | aws.LogRequest | aws.LogRequestWithBody | aws.LogResponse | aws.LogResponseWithBody

// TestClientLogMode checks what each mode logs about a call that is throttled once.
func TestClientLogMode(t *testing.T) {
	t.Parallel()
	const (
		signing  = "DEBUG Request Signature:"
		request  = "DEBUG Request"
		response = "DEBUG Response"
		body     = "DEBUG Response body"
		failed   = "DEBUG Cognito Sync/DescribeIdentityPoolUsage attempt 1 of 3 failed, retry, delay 0s: "
	)
	for _, test := range []struct {
		name string
		mode aws.ClientLogMode
		want []string // first lines
	}{
		{"none", 0, nil},
		{"signing", aws.LogSigning, []string{signing, signing}},
		{"retries", aws.LogRetries, []string{failed}},
		{"request", aws.LogRequest, []string{request, request}},
		{"request with body", aws.LogRequestWithBody, []string{request, request}},
		{"response", aws.LogResponse, []string{response, response}},
		{"response with body", aws.LogResponseWithBody, []string{response, body, response, body}},
		{"all", allLogModes, []string{signing, request, response, body, failed, signing, request, response, body}},
		{"without an effect", aws.LogDeprecatedUsage | aws.LogRequestEventMessage | aws.LogResponseEventMessage, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				var log clienttest.Notes
				tr := setup(t, path, func(o *cognitosync.Options) { o.ClientLogMode, o.Logger, o.Retryer = test.mode, &log, tireless() })
				tr.script(cognitosynctest.Throttle(1))
				_, err := tr.call(t.Context())
				require.NoError(t, err)
				var got []string
				for _, line := range log.Take() {
					first, _, _ := strings.Cut(line, "\n")
					if strings.HasPrefix(first, failed) {
						first = failed
					}
					got = append(got, first)
				}
				assert.Equal(t, test.want, got)
			})
		})
	}
}

// TestLogTexts checks the texts of log entries and that secrets in them are redacted.
func TestLogTexts(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		var log clienttest.Notes
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.ClientLogMode, o.Logger, o.AppID = allLogModes, &log, "inventory"
		})
		tr.script(cognitosynctest.AccessDenied())
		_, err := tr.call(t.Context())
		require.Error(t, err)
		text := strings.ReplaceAll(strings.Join(log.Take(), "\n"), "\r", "")
		target := "/identitypools/" + escapedID(poolID)
		for _, part := range []string{
			"---[ CANONICAL STRING  ]", "GET\n" + strings.ReplaceAll(target, "%", "%25") + "\n", "\nx-amz-security-token:REDACTED\n",
			"---[ STRING TO SIGN ]", "AWS4-HMAC-SHA256\n", "/us-east-1/cognito-sync/aws4_request\nREDACTED\n",
			"Request\nGET " + target + " HTTP/1.1\nHost: " + strings.TrimPrefix(tr.server.URL(), "http://") + "\n",
			"app/inventory", "\nAmz-Sdk-Request: attempt=1; max=3\n", "\nAuthorization: REDACTED\n", "\nX-Amz-Security-Token: REDACTED\n",
			"Response\nHTTP/1.1 403 Forbidden\n", "\nX-Amzn-Requestid: " + tr.server.Requests().Last().RequestID + "\n",
			`Response body` + "\n" + `{"message":"User: `,
			"attempt 1 of 3 failed, not retryable, delay 0s: ", "AccessDeniedException: User: ",
		} {
			assert.Contains(t, text, part)
		}
	})
}

// TestLogOfUnlimitedAttempts checks that an attempt without a maximum is not "of 0".
func TestLogOfUnlimitedAttempts(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		var log clienttest.Notes
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.ClientLogMode, o.Logger, o.Retryer = aws.LogRetries, &log, retry.AddWithMaxAttempts(tireless(), 0)
		})
		tr.script(cognitosynctest.Throttle(2))
		tr.succeeds(t)
		entries := log.Take()
		require.Len(t, entries, 2)
		for i, entry := range entries {
			assert.Contains(t, entry, fmt.Sprintf("DescribeIdentityPoolUsage attempt %d failed, retry, delay 0s: ", i+1))
		}
	})
}

// A contextLogger records a value from the context of each entry.
type contextLogger struct {
	notes *clienttest.Notes
	value any
}

func (l contextLogger) WithContext(ctx context.Context) logging.Logger {
	return contextLogger{l.notes, ctx.Value(contextKey{})}
}

func (l contextLogger) Logf(_ logging.Classification, format string, args ...any) {
	l.notes.Add("%v: %s", l.value, firstWords(fmt.Sprintf(format, args...), 2))
}

// TestLoggerSeesTheContext checks that the logger gets the caller's context with every entry.
func TestLoggerSeesTheContext(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		var log clienttest.Notes
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.ClientLogMode, o.Logger = allLogModes, contextLogger{notes: &log}
		})
		tr.script(cognitosynctest.Throttle(1))
		_, err := tr.callPool(context.WithValue(t.Context(), contextKey{}, "mine"), poolID)
		require.NoError(t, err)
		entries := log.Take()
		require.Len(t, entries, 9)
		for _, entry := range entries {
			assert.True(t, strings.HasPrefix(entry, "mine: "), entry)
		}
	})
}

// TestMiddlewareLogs checks that middleware can write to Logger, and that the call's secrets
// are redacted there too.
func TestMiddlewareLogs(t *testing.T) {
	t.Parallel()
	var log clienttest.Notes
	tr := setup(t, direct,
		func(o *cognitosync.Options) { o.Logger = &log },
		atEnd("deserialize", &probe{id: "log", before: func(ctx context.Context, in any) context.Context {
			middleware.GetLogger(ctx).Logf(logging.Warn, "sending %v", in.(*smithyhttp.Request).Header)
			return ctx
		}}, middleware.Before))
	_, err := tr.call(t.Context())
	require.NoError(t, err)
	entries := log.Take()
	require.Len(t, entries, 1)
	assert.True(t, strings.HasPrefix(entries[0], "WARN sending map["), entries[0])
	assert.Contains(t, entries[0], "Authorization:[REDACTED")
	assert.NotContains(t, entries[0], cognitosynctest.DefaultCredentials().SessionToken)
}

// silentEnv marks the process of TestSilentByDefault.
const silentEnv = "COGNITOSYNC_TEST_SILENT"

// TestSilentByDefault checks that a process prints nothing if its client has no logger, even
// with all modes.
func TestSilentByDefault(t *testing.T) {
	t.Parallel()
	if os.Getenv(silentEnv) != "" {
		bothPaths(t, func(t *testing.T, path string) {
			tr := setup(t, path, func(o *cognitosync.Options) { o.ClientLogMode = allLogModes })
			tr.script(cognitosynctest.Throttle(1), cognitosynctest.AccessDenied())
			_, err := tr.call(t.Context())
			require.Error(t, err)
		})
		return
	}
	binary, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), binary, "-test.run=^TestSilentByDefault$")
	process.Env = []string{silentEnv + "=yes", "GORACE=atexit_sleep_ms=0"}
	printed, err := process.CombinedOutput()
	require.NoError(t, err, "%s", printed)
	lines := strings.Split(strings.TrimSpace(string(printed)), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "coverage: ") })
	assert.Equal(t, []string{"PASS"}, lines)
}

// TestStructuredLogger compares the whole record of each attempt.
func TestStructuredLogger(t *testing.T) {
	t.Parallel()
	const delay = 7 * time.Millisecond
	type record = map[string]any
	quota := func(o *cognitosync.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.NewTokenRateLimit(0) })
	}
	for _, test := range []struct {
		name   string
		steps  []cognitosynctest.Step
		option func(*cognitosync.Options)
		want   []record // the differences from a success; nil: the attribute is missing
	}{
		{name: "success", want: []record{{}}},
		{name: "throttled", steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)}, want: []record{
			{"level": slog.LevelWarn, "status": int64(429), "code": "TooManyRequestsException", "reason": "retry", "delay": delay, "error": "Rate exceeded"},
			{"attempt": int64(2)},
		}},
		{name: "denied", steps: []cognitosynctest.Step{cognitosynctest.AccessDenied()}, want: []record{
			{"level": slog.LevelWarn, "status": int64(403), "code": "AccessDeniedException", "reason": "not retryable", "error": "is not authorized"},
		}},
		{name: "exhausted", steps: []cognitosynctest.Step{alwaysFailing}, option: func(o *cognitosync.Options) { o.RetryMaxAttempts = 2 }, want: []record{
			{"level": slog.LevelWarn, "max_attempts": int64(2), "status": int64(500), "code": "InternalErrorException", "reason": "retry", "delay": delay, "error": "Internal error"},
			{"level": slog.LevelWarn, "max_attempts": int64(2), "attempt": int64(2), "status": int64(500), "code": "InternalErrorException", "reason": "attempts exhausted", "error": "Internal error"},
		}},
		{name: "no response", steps: []cognitosynctest.Step{cognitosynctest.Hangup()}, want: []record{
			{"level": slog.LevelWarn, "status": nil, "request_id": nil, "reason": "retry", "delay": delay, "error": "EOF"},
			{"attempt": int64(2)},
		}},
		{name: "a wrong clock", steps: []cognitosynctest.Step{cognitosynctest.SkewedClock(10 * time.Minute)}, want: []record{
			{"level": slog.LevelWarn, "status": int64(403), "code": "InvalidSignatureException", "reason": "retry immediately", "error": "clock skew"},
			{"attempt": int64(2)},
		}},
		{name: "no quota", steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)}, option: quota, want: []record{
			{"level": slog.LevelWarn, "status": int64(429), "code": "TooManyRequestsException", "reason": "retry quota exceeded", "delay": nil, "error": "Rate exceeded"},
		}},
		{name: "no credentials", option: func(o *cognitosync.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errBroken })
		}, want: []record{
			{"level": slog.LevelWarn, "status": nil, "request_id": nil, "reason": "not retryable", "error": "broken on purpose"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				handler := &clienttest.Records{Level: slog.LevelDebug}
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.StructuredLogger = slog.New(handler)
					o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
						o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return delay, nil })
					})
					if test.option != nil {
						test.option(o)
					}
				})
				tr.script(test.steps...)
				_, _ = tr.callPool(context.WithValue(t.Context(), contextKey{}, "mine"), poolID)
				records, requests := handler.Take(), tr.server.Requests()
				require.Len(t, records, len(test.want))
				for i, got := range records {
					want := record{
						"level": slog.LevelDebug, "message": "cognitosync attempt", "operation": "DescribeIdentityPoolUsage",
						"attempt": int64(1), "max_attempts": int64(3), "status": int64(200), "delay": time.Duration(0), "reason": "success",
						"identity_pool_id": poolID, "region": "us-east-1", "host": strings.TrimPrefix(tr.server.URL(), "http://"),
					}
					if len(requests) > 0 {
						want["request_id"] = requests[i].RequestID
					}
					maps.Copy(want, test.want[i])
					assert.IsType(t, time.Duration(0), got["duration"])
					delete(got, "duration")
					if text, ok := want["error"].(string); ok {
						assert.Contains(t, got["error"], text)
						want["error"] = got["error"]
					}
					if want["delay"] == nil {
						assert.IsType(t, time.Duration(0), got["delay"]) // the SDK's, which is random
						want["delay"] = got["delay"]
					}
					for name, value := range want {
						if value == nil {
							delete(want, name)
						}
					}
					assert.Equal(t, want, got)
					assert.Equal(t, "mine", handler.Contexts()[i].Value(contextKey{}), "the caller's context")
				}
			})
		})
	}
}

// TestStructuredLoggerLevel checks that the handler's level applies.
func TestStructuredLoggerLevel(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		handler := &clienttest.Records{Level: slog.LevelWarn}
		tr := setup(t, path, func(o *cognitosync.Options) { o.StructuredLogger = slog.New(handler) })
		tr.script(cognitosynctest.Throttle(1))
		_, err := tr.call(t.Context())
		require.NoError(t, err)
		records := handler.Take()
		require.Len(t, records, 1)
		assert.Equal(t, "retry", records[0]["reason"])
	})
}

// secretCredentials have keys like AWS's, with characters that escaping changes.
var secretCredentials = cognitosynctest.Credentials{
	AccessKeyID:     "ASIAEXAMPLE",
	SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKEY",
	SessionToken:    "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJGMEQCIB7/" + strings.Repeat("k3Yq+Zp/8uVw", 60) + "==",
}

// An echo is a response that contains the client's own secrets.
type echo struct {
	name    string
	respond func(e exposed) (status int, header http.Header, body string)
	err     func(e exposed) error // instead of a response
}

// exposed is what an echo can contain.
type exposed struct {
	header       http.Header // of the request
	canonical    string      // the canonical request
	stringToSign string
}

var echoes = []echo{
	{name: "canonical request and string to sign, as AWS returns them", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, http.Header{"X-Amzn-Errortype": {"SignatureDoesNotMatch"}}, `{"message":` + jsonText(e.mismatch()) + `}`
	}},
	{name: "the same with other line endings", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, http.Header{"X-Amzn-Errortype": {"SignatureDoesNotMatch"}},
			`{"message":` + jsonText(strings.ReplaceAll(e.mismatch(), "\n", "\r\n")) + `}`
	}},
	{name: "the same in XML", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, "<ErrorResponse><StringToSign>" + e.stringToSign + "</StringToSign><CanonicalRequest>" + e.canonical + "</CanonicalRequest></ErrorResponse>"
	}},
	{name: "the same with slashes escaped", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, http.Header{"X-Amzn-Errortype": {"SignatureDoesNotMatch"}},
			`{"message":` + strings.ReplaceAll(jsonText(e.mismatch()), "/", `\/`) + `}`
	}},
	{name: "the same with a reason to retry", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusInternalServerError, nil, `{"__type":"InternalErrorException","message":` + jsonText(e.mismatch()) + `}`
	}},
	{name: "the Authorization header", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"IncompleteSignatureException","message":` +
			jsonText("Authorization header requires existence of a date. Authorization="+e.header.Get("Authorization")) + `}`
	}},
	{name: "the signature alone", respond: func(e exposed) (int, http.Header, string) {
		_, signature, _ := strings.Cut(e.header.Get("Authorization"), "Signature=")
		return http.StatusForbidden, nil, `{"__type":"X","message":"Signature=` + signature + ` is wrong"}`
	}},
	{name: "the token alone", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"X","message":` + jsonText("the token "+e.token()+" is not known") + `}`
	}},
	{name: "the token where a message is truncated", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"X","message":` + jsonText(strings.Repeat("x", 2000)+" "+e.token()) + `}`
	}},
	{name: "the token where a body is truncated", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, strings.Repeat("x", 450) + " " + e.token()
	}},
	{name: "the secret key", respond: func(exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"X","message":` + jsonText("the secret "+secretCredentials.SecretAccessKey) + `}`
	}},
	{name: "the token as the error's code", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":` + jsonText(e.token()) + `,"message":"m"}`
	}},
	{name: "the token with slashes escaped", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"X","message":` + strings.ReplaceAll(jsonText(e.token()), "/", `\/`) + `}`
	}},
	{name: "the token escaped as for HTML", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"X","message":` + strings.NewReplacer("+", `\u002b`, "=", `\u003d`).Replace(jsonText(e.token())) + `}`
	}},
	{name: "the token escaped as for a URL", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, nil, `{"__type":"X","message":` + jsonText("X-Amz-Security-Token="+url.QueryEscape(e.token())+" and "+url.QueryEscape(e.token())) + `}`
	}},
	{name: "all headers, by a proxy", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusBadGateway, nil, fmt.Sprintf("<html>%v</html>", e.header)
	}},
	{name: "all headers, in lines", respond: func(e exposed) (int, http.Header, string) {
		var b strings.Builder
		_ = e.header.Write(&b) // a strings.Builder returns no errors
		return http.StatusBadGateway, nil, b.String()
	}},
	{name: "all headers, in JSON", respond: func(e exposed) (int, http.Header, string) {
		text, err := json.Marshal(e.header)
		return http.StatusBadGateway, nil, fmt.Sprint(string(text), err)
	}},
	{name: "headers of its own", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusForbidden, http.Header{
			"X-Debug":              {"Authorization=" + e.header.Get("Authorization")},
			"X-Amz-Security-Token": {e.token()},
			"X-Amzn-Errormessage":  {"token " + e.token()},
			"X-Amzn-Errortype":     {"X"},
		}, ""
	}},
	{name: "malformed success", respond: func(e exposed) (int, http.Header, string) {
		return http.StatusOK, nil, `{"IdentityPoolUsage":{"DataStorage":` + jsonText(e.token()) + `}}`
	}},
	{name: "an error of the HTTP client", err: func(e exposed) error {
		return fmt.Errorf("cannot send %v with token %s", e.header, e.token())
	}},
}

func (e exposed) token() string { return e.header.Get("X-Amz-Security-Token") }

// mismatch is AWS's message for a signature that does not match.
func (e exposed) mismatch() string {
	return "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method." +
		" Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'" + e.canonical +
		"'\n\nThe String-to-Sign should have been\n'" + e.stringToSign + "'\n"
}

func jsonText(s string) string {
	text, _ := json.Marshal(s) // no error: s is a string
	return string(text)
}

// TestNothingConfidentialIsLogged uses services, proxies and HTTP clients that return the
// client's own secrets. No log, span, metric or error may contain them.
func TestNothingConfidentialIsLogged(t *testing.T) {
	t.Parallel()
	for _, echo := range echoes {
		t.Run(echo.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				testEcho(t, path, echo)
			})
		})
	}
}

func testEcho(t *testing.T, path string, echo echo) {
	var (
		log          clienttest.Notes
		handler      = &clienttest.Records{Level: slog.LevelDebug}
		spans        clienttest.Spans
		meters       clienttest.Meters
		confidential = []string{secretCredentials.SecretAccessKey, secretCredentials.SessionToken}
		wrong        = cognitosynctest.Credentials{AccessKeyID: secretCredentials.AccessKeyID, SecretAccessKey: "wrong", SessionToken: secretCredentials.SessionToken}
		verifier     = cognitosynctest.Verifier{Credentials: []cognitosynctest.Credentials{wrong}}
	)
	client := newClient(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://echo.test"),
		Credentials:  secretCredentials.Provider(),
		Logger:       &log,
		HTTPClient: clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Host = req.URL.Host
			refusal := verifier.Verify(req)
			if refusal == nil {
				return nil, errors.New("the verifier took a wrong signature")
			}
			e := exposed{req.Header, refusal.ExpectedCanonicalRequest, refusal.ExpectedStringToSign}
			lines := strings.Split(refusal.ExpectedStringToSign, "\n")
			_, signature, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
			confidential = append(confidential, lines[len(lines)-1], signature)
			if echo.err != nil {
				return nil, echo.err(e)
			}
			status, header, body := echo.respond(e)
			return &http.Response{
				StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
			}, nil
		}),
	}, path, func(o *cognitosync.Options) {
		o.ClientLogMode, o.StructuredLogger = allLogModes, slog.New(handler)
		o.TracerProvider, o.MeterProvider = &spans, &meters
	})
	_, err := describe(t.Context(), t, client, poolID)
	require.Error(t, err)
	require.Greater(t, len(confidential), 3)

	details := cognitosync.InspectError(err)
	reported := map[string]string{
		"log":            strings.Join(log.Take(), "\n"),
		"structured log": fmt.Sprint(handler.Take()),
		"spans":          spans.Text(),
		"metrics":        fmt.Sprint(meters.Take()),
		"error":          err.Error(),
		"error's code":   details.Code,
		"message":        details.Message,
	}
	if echo.err == nil { // the caller's own error is unchanged
		for e := err; e != nil; e = errors.Unwrap(e) {
			reported[fmt.Sprintf("error %T", e)] = e.Error()
		}
	}
	for _, where := range []string{"log", "structured log", "spans", "metrics", "error", "message"} {
		assert.NotEmpty(t, reported[where], where)
	}
	for where, text := range reported {
		for _, secret := range confidential {
			if part := leaked(text, secret); part != "" {
				assert.Fail(t, "secret leaked", "%q in the %s", part, where)
			}
		}
	}
}

// leaked returns a part of the secret that text contains and that is long enough to be
// useful, or "".
func leaked(text, secret string) string {
	const length = 16
	text = strings.NewReplacer(`\/`, "/", `\u002b`, "+", `\u003d`, "=", "%2F", "/", "%2B", "+", "%3D", "=").Replace(text)
	for i := 0; i+length <= len(secret); i++ {
		if part := secret[i : i+length]; strings.Contains(text, part) {
			return part
		}
	}
	return ""
}

// TestAuthorizationOfAnotherKind checks that the header is redacted whatever the caller's
// signer writes to it.
func TestAuthorizationOfAnotherKind(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		var log clienttest.Notes
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.ClientLogMode, o.Logger = allLogModes, &log
			o.HTTPSignerV4 = bearerSigner{}
		})
		_, err := tr.call(t.Context())
		require.Error(t, err, "the fake rejects it")
		entries := strings.Join(log.Take(), "\n")
		assert.Contains(t, entries, "Authorization: ")
		assert.NotContains(t, entries, "confidential-word")
	})
}

// bearerSigner sends a token instead of a signature.
type bearerSigner struct{}

func (bearerSigner) SignHTTP(_ context.Context, _ aws.Credentials, r *http.Request, _, _, _ string, _ time.Time, _ ...func(*v4.SignerOptions)) error {
	r.Header.Set("Authorization", "Bearer confidential-word")
	return nil
}

// TestSpans compares the spans of calls that end in various ways.
func TestSpans(t *testing.T) {
	t.Parallel()
	type properties = map[any]any
	throttled := properties{
		"operation.attempt": 1, "http.status_code": 429, "error": true, "exception.type": "TooManyRequestsException",
		"api.error_code": "TooManyRequestsException", "api.error_message": "Rate exceeded", "api.error_fault": "client",
	}
	for _, test := range []struct {
		name     string
		pool     string
		steps    []cognitosynctest.Step
		option   func(*cognitosync.Options)
		call     properties
		attempts []properties
	}{
		{
			name:     "success",
			call:     properties{"operation.attempts": 1, "http.status_code": 200, "error": false},
			attempts: []properties{{"operation.attempt": 1, "http.status_code": 200, "error": false}},
		},
		{
			name:  "retry",
			steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)},
			call:  properties{"operation.attempts": 2, "http.status_code": 200, "error": false},
			attempts: []properties{
				throttled,
				{"operation.attempt": 2, "http.status_code": 200, "error": false},
			},
		},
		{
			name:  "failure",
			steps: []cognitosynctest.Step{cognitosynctest.InternalError()},
			option: func(o *cognitosync.Options) {
				o.RetryMaxAttempts = 1
			},
			call: properties{
				"operation.attempts": 1, "http.status_code": 500, "error": true, "exception.type": "InternalErrorException",
				"api.error_code": "InternalErrorException", "api.error_message": "Internal error", "api.error_fault": "server",
			},
			attempts: []properties{{
				"operation.attempt": 1, "http.status_code": 500, "error": true, "exception.type": "InternalErrorException",
				"api.error_code": "InternalErrorException", "api.error_message": "Internal error", "api.error_fault": "server",
			}},
		},
		{
			name:   "no response",
			steps:  []cognitosynctest.Step{cognitosynctest.Hangup()},
			option: func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 },
			call:   properties{"operation.attempts": 1, "error": true, "exception.type": "*retry.MaxAttemptsError"},
			attempts: []properties{{
				"operation.attempt": 1, "error": true, "exception.type": "*http.RequestSendError",
			}},
		},
		{
			name: "refused input",
			pool: "a/b",
			call: properties{"operation.attempts": 0, "cloud.region": "us-east-1", "error": true, "exception.type": "smithy.InvalidParamsError"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				recorder := &clienttest.Spans{}
				transport := &http.Transport{} // the SDK's transport adds spans
				t.Cleanup(transport.CloseIdleConnections)
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.TracerProvider, o.HTTPClient = recorder, &http.Client{Transport: transport}
					if test.option != nil {
						test.option(o)
					}
				})
				tr.script(test.steps...)
				ctx, parent := recorder.Tracer("caller").StartSpan(t.Context(), "caller")
				_, err := tr.callPool(ctx, firstOf(test.pool, poolID))
				requests := tr.server.Requests()

				check := func(span *clienttest.Span, want properties, requestID string) {
					t.Helper()
					assert.Equal(t, "github.com/cognitosync/cognitosync-go", span.Scope)
					assert.Equal(t, 1, span.Ended, "ended once")
					want = mergeProperties(want, nil)
					if test.pool == "" { // otherwise no endpoint is resolved
						want["cloud.region"], want["server.address"] = "us-east-1", strings.TrimPrefix(tr.server.URL(), "http://")
					}
					status := tracing.SpanStatusOK
					if want["error"] == true {
						status = tracing.SpanStatusError
						assert.NotEmpty(t, span.Properties["exception.message"])
						want["exception.message"] = span.Properties["exception.message"]
					}
					if want["http.status_code"] != nil {
						want["aws.request_id"] = requestID
					}
					assert.Equal(t, status, span.Status)
					assert.Equal(t, want, span.Properties)
				}
				calls := recorder.Named("Cognito Sync.DescribeIdentityPoolUsage")
				require.Len(t, calls, 1)
				assert.Equal(t, tracing.SpanKindClient, calls[0].Kind)
				assert.Same(t, parent, calls[0].Parent)
				check(calls[0], mergeProperties(test.call, properties{
					"rpc.system": "aws-api", "rpc.service": "Cognito Sync", "rpc.method": "DescribeIdentityPoolUsage",
					"aws.cognito_sync.identity_pool_id": firstOf(test.pool, poolID),
				}), requests.Last().RequestID)
				assert.Equal(t, err != nil, test.call["error"])

				attempts := recorder.Named("Attempt")
				require.Len(t, attempts, len(test.attempts))
				for i, attempt := range attempts {
					assert.Same(t, calls[0], attempt.Parent)
					assert.Equal(t, tracing.SpanKindInternal, attempt.Kind)
					check(attempt, test.attempts[i], requests[i].RequestID)
				}
				others := len(recorder.All()) - len(recorder.Named("ComputePayloadSHA256")) // the SDK's step adds one
				assert.Equal(t, 2+len(test.attempts), others, "no other spans")
			})
		})
	}
}

func mergeProperties(a, b map[any]any) map[any]any {
	merged := map[any]any{}
	for _, properties := range []map[any]any{a, b} {
		maps.Copy(merged, properties)
	}
	return merged
}

// TestSpansAreInTheContext checks that the attempt's span is the active one in its context,
// and that middleware can add spans.
func TestSpansAreInTheContext(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		recorder := &clienttest.Spans{}
		var active clienttest.Notes
		note := func(where string, ctx context.Context) {
			span, _ := tracing.GetSpan(ctx)
			number := any("-")
			if span, ok := span.(*clienttest.Span); ok {
				number = span.Properties["operation.attempt"]
			}
			active.Add("%s in %s %v", where, span.Name(), number)
		}
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.TracerProvider = recorder
			credentials, httpClient := o.Credentials, o.HTTPClient
			o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				note("credentials", ctx)
				return credentials.Retrieve(ctx)
			})
			o.HTTPClient = clienttest.Doer(func(req *http.Request) (*http.Response, error) {
				note("HTTP", req.Context())
				_, span := tracing.StartSpan(req.Context(), "of the HTTP client")
				span.End()
				return httpClient.Do(req)
			})
		})
		tr.script(cognitosynctest.Throttle(1))
		_, err := tr.call(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{
			"credentials in Attempt 1", "HTTP in Attempt 1",
			"credentials in Attempt 2", "HTTP in Attempt 2",
		}, active.Take())
		added := recorder.Named("of the HTTP client")
		require.Len(t, added, 2)
		for i, attempt := range recorder.Named("Attempt") {
			assert.Same(t, attempt, added[i].Parent)
		}
	})
}

// TestSpansOfOneCall checks that a provider that is set for one call only gets its spans.
func TestSpansOfOneCall(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		always, once := &clienttest.Spans{}, &clienttest.Spans{}
		tr := setup(t, path, func(o *cognitosync.Options) { o.TracerProvider = always })
		for _, optFns := range [][]func(*cognitosync.Options){nil, {func(o *cognitosync.Options) { o.TracerProvider = once }}, nil} {
			_, err := tr.call(t.Context(), optFns...)
			require.NoError(t, err)
		}
		assert.Len(t, always.Named("Attempt"), 2)
		assert.Len(t, once.Named("Attempt"), 1)
	})
}

// clientInstruments are the SDK's client metrics: name, kind and unit.
var clientInstruments = [][3]string{
	{"client.call.attempt_duration", "histogram", "s"},
	{"client.call.attempts", "counter", "{attempt}"},
	{"client.call.auth.resolve_identity_duration", "histogram", "s"},
	{"client.call.auth.signing_duration", "histogram", "s"},
	{"client.call.deserialization_duration", "histogram", "s"},
	{"client.call.duration", "histogram", "s"},
	{"client.call.errors", "counter", "{error}"},
	{"client.call.resolve_endpoint_duration", "histogram", "s"},
	{"client.call.serialization_duration", "histogram", "s"},
	{"client.http.connections.acquire_duration", "histogram", "s"},
	{"client.http.connections.dns_lookup_duration", "histogram", "s"},
	{"client.http.connections.tls_handshake_duration", "histogram", "s"},
	{"client.http.connections.usage", "up-down counter", "{connection}"},
	{"client.http.do_request_duration", "histogram", "s"},
	{"client.http.time_to_first_byte", "histogram", "s"},
}

// TestInstruments checks that the instruments are created once for a client, whatever its
// calls change, and again for a call with another provider.
func TestInstruments(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		recorder, own := &clienttest.Meters{}, &clienttest.Meters{}
		tr := setup(t, path, func(o *cognitosync.Options) { o.MeterProvider = recorder })
		for range 3 {
			_, err := tr.call(t.Context())
			require.NoError(t, err)
			_, err = tr.call(t.Context(), func(o *cognitosync.Options) { o.AppID = "inventory" })
			require.NoError(t, err)
		}
		var made [][3]string
		for _, instrument := range recorder.Created() {
			assert.Equal(t, "github.com/cognitosync/cognitosync-go", instrument.Scope)
			assert.NotEmpty(t, instrument.Description)
			made = append(made, [3]string{instrument.Name, instrument.Kind, instrument.Unit})
		}
		assert.Equal(t, clientInstruments, made)
		assert.Len(t, recorder.Take()["client.call.duration"], 6)

		_, err := tr.call(t.Context(), func(o *cognitosync.Options) { o.MeterProvider = own })
		require.NoError(t, err)
		assert.Len(t, own.Created(), len(clientInstruments))
		assert.Len(t, own.Take()["client.call.duration"], 1)
		assert.Empty(t, recorder.Take(), "another provider counts the call")
	})
}

// TestMetrics checks what is recorded for calls that end in various ways.
func TestMetrics(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		pool    string
		steps   []cognitosynctest.Step
		option  func(*cognitosync.Options)
		want    map[string]int // number of points
		failing []string       // the exception.type of each error
	}{
		{
			name: "success",
			want: map[string]int{
				"duration": 1, "attempts": 1, "attempt_duration": 1, "auth.resolve_identity_duration": 1, "auth.signing_duration": 1,
				"serialization_duration": 1, "deserialization_duration": 1, "resolve_endpoint_duration": 1,
			},
		},
		{
			name:  "retry",
			steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)},
			want: map[string]int{
				"duration": 1, "attempts": 2, "attempt_duration": 2, "auth.resolve_identity_duration": 2, "auth.signing_duration": 2,
				"deserialization_duration": 2, "errors": 1,
			},
			failing: []string{"TooManyRequestsException"},
		},
		{
			name:   "no response",
			steps:  []cognitosynctest.Step{cognitosynctest.Hangup()},
			option: func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 },
			want: map[string]int{
				"duration": 1, "attempts": 1, "attempt_duration": 1, "auth.resolve_identity_duration": 1, "auth.signing_duration": 1,
				"serialization_duration": 1, "resolve_endpoint_duration": 1, "errors": 1,
			},
			failing: []string{"*http.RequestSendError"},
		},
		{
			name: "no credentials",
			option: func(o *cognitosync.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errBroken })
			},
			want:    map[string]int{"duration": 1, "attempts": 1, "attempt_duration": 1, "auth.resolve_identity_duration": 1, "errors": 1},
			failing: []string{"*v4.SigningError"},
		},
		{name: "refused input", pool: "a/b", want: map[string]int{"duration": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				recorder := &clienttest.Meters{}
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.MeterProvider = recorder
					if test.option != nil {
						test.option(o)
					}
				})
				tr.script(test.steps...)
				_, _ = tr.callPool(t.Context(), firstOf(test.pool, poolID))

				got, failing := map[string]int{}, []string(nil)
				for name, points := range recorder.Take() {
					name, ofCall := strings.CutPrefix(name, "client.call.")
					if !ofCall {
						continue // smithy's own, for each request
					}
					got[name] = len(points)
					for _, p := range points {
						assert.Equal(t, "Cognito Sync", p.Attributes["rpc.service"], name)
						assert.Equal(t, "DescribeIdentityPoolUsage", p.Attributes["rpc.method"], name)
						if name == "attempts" || name == "errors" {
							assert.InDelta(t, 1, p.Value, 0, name)
						}
						if name == "errors" {
							failing = append(failing, fmt.Sprint(p.Attributes["exception.type"]))
						}
					}
				}
				assert.Equal(t, test.failing, failing)
				// A request may be built, and its endpoint resolved, once for all attempts or
				// for each attempt.
				for _, name := range []string{"serialization_duration", "resolve_endpoint_duration"} {
					if test.want[name] == 0 {
						delete(got, name)
					}
				}
				assert.Equal(t, test.want, got)
			})
		})
	}
}

// TestHTTPMetrics checks what is recorded about connections and requests, and that metrics do
// not change the outcome.
func TestHTTPMetrics(t *testing.T) {
	t.Parallel()
	const connect, handshake = "connections.acquire_duration", "connections.tls_handshake_duration"
	const request, firstByte = "do_request_duration", "time_to_first_byte"
	for _, test := range []struct {
		name     string
		steps    []cognitosynctest.Step
		option   func(*cognitosync.Options)
		want     map[string]int // number of points
		acquired float64        // connections
		is       func(error) bool
	}{
		{name: "success", want: map[string]int{connect: 1, handshake: 1, request: 1, firstByte: 1}, acquired: 1},
		{
			name: "retry", steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)}, acquired: 2,
			want: map[string]int{connect: 1, handshake: 1, request: 2, firstByte: 2},
		},
		{
			name: "redirect", steps: []cognitosynctest.Step{cognitosynctest.Redirect(http.StatusTemporaryRedirect, "https://elsewhere.test/")},
			want: map[string]int{connect: 1, handshake: 1, request: 1, firstByte: 1}, acquired: 1,
			is: func(err error) bool { return cognitosync.InspectError(err).Code == "RedirectNotFollowed" },
		},
		{
			name: "attempt timeout", steps: []cognitosynctest.Step{cognitosynctest.Stall()}, acquired: 1,
			option: func(o *cognitosync.Options) { o.AttemptTimeout, o.RetryMaxAttempts = 3*time.Second, 1 },
			want:   map[string]int{connect: 1, handshake: 1, request: 1},
			is:     isA[*cognitosync.AttemptTimeoutError],
		},
		{
			name: "another client",
			option: func(o *cognitosync.Options) {
				o.HTTPClient = clienttest.Respond(http.StatusOK, nil, stubBody)
			},
			want: map[string]int{request: 1},
		},
		{name: "refused", option: func(o *cognitosync.Options) { o.Region = "" }, want: map[string]int{}, is: isA[*cognitosync.ConfigurationError]},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				recorder := &clienttest.Meters{}
				server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = true })
				tr := setupServer(t, path, server, func(o *cognitosync.Options) {
					o.MeterProvider = recorder
					if test.option != nil {
						test.option(o)
					}
				})
				tr.script(test.steps...)
				output, err := tr.call(t.Context())
				if test.is == nil {
					require.NoError(t, err)
				} else {
					requireFailure(t, output, err)
					assert.True(t, test.is(err), err)
				}

				got, acquired := map[string]int{}, 0.0
				for name, points := range recorder.Take() {
					name, ofHTTP := strings.CutPrefix(name, "client.http.")
					switch {
					case !ofHTTP:
					case name == "connections.usage":
						for _, p := range points {
							assert.Equal(t, map[any]any{"state": "acquired"}, p.Attributes)
							acquired += max(p.Value, 0) // net/http releases connections at any time
						}
					default:
						got[name] = len(points)
					}
				}
				assert.Equal(t, test.want, got)
				assert.InDelta(t, test.acquired, acquired, 0)
			})
		})
	}
}

// TestTarget checks that errors end with the pool, its region and the host if the endpoint is
// known, and begin like the SDK's.
func TestTarget(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		for _, test := range []struct {
			name, pool string
			step       cognitosynctest.Step
			begins     string
		}{
			{"an error of the service", poolID, cognitosynctest.ResourceNotFound(), "https response error StatusCode: 404, RequestID: 00000000-0000-4000-8000-000000000001, " +
				"ResourceNotFoundException: IdentityPool '" + poolID + "' not found."},
			{"of another region", "eu-west-1:1f2e", cognitosynctest.AccessDenied(), "https response error StatusCode: 403"},
			{"no response", poolID, cognitosynctest.Forever(cognitosynctest.Hangup()), "exceeded maximum number of attempts, 3, request send failed, Get \"https://"},
			{"a malformed response", poolID, cognitosynctest.Reply(http.StatusOK, nil, "<"), "https response error StatusCode: 200"},
			{"a long text", poolID, cognitosynctest.Error(http.StatusBadRequest, strings.Repeat("c", 300), strings.Repeat("m", 9000)), "https response error StatusCode: 400"},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				tr := setupWorld(t, path, "us-east-1", usePoolRegion)
				tr.server.Script("", test.step)
				output, err := tr.callPool(t.Context(), test.pool)
				requireFailure(t, output, err)
				region, _, _ := strings.Cut(test.pool, ":")
				assert.Regexp(t, "^"+regexp.QuoteMeta("operation error Cognito Sync: DescribeIdentityPoolUsage, "+test.begins), err.Error())
				assert.Regexp(t, regexp.QuoteMeta(" (pool "+test.pool+", region "+region+", host cognito-sync."+region+".amazonaws.com)")+"$", err.Error())
			})
		}
	})
}

// TestRejectedCallIsRecorded checks that a call that sends nothing has a record and a span.
func TestRejectedCallIsRecorded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pool string
		option     func(*cognitosync.Options)
	}{
		{"input", "a/b", nil},
		{"setting", poolID, func(o *cognitosync.Options) { o.Credentials = nil }},
		{"another region", "eu-west-1:1f2e", func(o *cognitosync.Options) { o.BaseEndpoint = nil }},
		{"endpoint", poolID, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("ftp://host") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				records, spans := &clienttest.Records{Level: slog.LevelDebug}, &clienttest.Spans{}
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.StructuredLogger, o.TracerProvider = slog.New(records), spans
					if test.option != nil {
						test.option(o)
					}
				})
				output, err := tr.callPool(t.Context(), test.pool)
				requireFailure(t, output, err)

				logged := records.Take()
				require.Len(t, logged, 1)
				assert.Contains(t, err.Error(), logged[0]["error"])
				delete(logged[0], "error")
				delete(logged[0], "duration")
				assert.Equal(t, map[string]any{
					"level": slog.LevelWarn, "message": "cognitosync call", "operation": "DescribeIdentityPoolUsage",
					"identity_pool_id": test.pool, "region": "us-east-1", "host": "", "attempt": int64(0), "max_attempts": int64(0),
					"delay": time.Duration(0), "reason": "refused before sending",
				}, logged[0])

				traced := spans.Take()
				require.Len(t, traced, 1)
				assert.Equal(t, "Cognito Sync.DescribeIdentityPoolUsage", traced[0].Name())
				assert.Equal(t, tracing.SpanStatusError, traced[0].Status)
				assert.Equal(t, test.pool, traced[0].Properties["aws.cognito_sync.identity_pool_id"])
				assert.Equal(t, "us-east-1", traced[0].Properties["cloud.region"])
				assert.Equal(t, 0, traced[0].Properties["operation.attempts"])
			})
		})
	}
}

// TestProvidersThatRecordNothing checks that such providers are not used: the context of a
// request contains nothing of them.
func TestProvidersThatRecordNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		option           func(*cognitosync.Options)
		traced, measured bool
	}{
		{"default", func(*cognitosync.Options) {}, false, false},
		{"NopTracerProvider", func(o *cognitosync.Options) { o.TracerProvider = tracing.NopTracerProvider{} }, false, false},
		{"*NopTracerProvider", func(o *cognitosync.Options) { o.TracerProvider = &tracing.NopTracerProvider{} }, false, false},
		{"NopMeterProvider", func(o *cognitosync.Options) { o.MeterProvider = metrics.NopMeterProvider{} }, false, false},
		{"*NopMeterProvider", func(o *cognitosync.Options) { o.MeterProvider = &metrics.NopMeterProvider{} }, false, false},
		{"a tracer", func(o *cognitosync.Options) { o.TracerProvider = &clienttest.Spans{} }, true, false},
		{"a meter", func(o *cognitosync.Options) { o.MeterProvider = &clienttest.Meters{} }, true, true}, // smithy's, which records no span
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				var traced, measured bool
				httpClient := clienttest.Doer(func(req *http.Request) (*http.Response, error) {
					_, traced = tracing.GetOperationTracer(req.Context())
					measured = httptrace.ContextClientTrace(req.Context()) != nil
					return clienttest.Response(req, http.StatusOK, nil, stubBody), nil
				})
				ofClient := newClient(configOf(httpClient), path, test.option)
				ofCall := newClient(configOf(httpClient), path)
				for _, call := range []func() error{
					func() error { _, err := describe(t.Context(), t, ofClient, poolID); return err },
					func() error { _, err := describe(t.Context(), t, ofCall, poolID, test.option); return err },
				} {
					require.NoError(t, call())
					assert.Equal(t, test.traced, traced, "tracer")
					assert.Equal(t, test.measured, measured, "meter")
				}
			})
		})
	}
}

// attemptCredentials have keys of the usual length that differ for each attempt.
func attemptCredentials(attempt int32) cognitosynctest.Credentials {
	digits := strings.Repeat(fmt.Sprint(attempt), 3)
	return cognitosynctest.Credentials{
		AccessKeyID:     "ASIAEXAMPLE" + digits,
		SecretAccessKey: "wJalr" + digits + "XUtnFEMI/K7MDENG+bPxRfiCY" + digits + "EXAMPLE",
		SessionToken:    "IQoJb3" + strings.Repeat("Jp"+digits+"/Z2lu+X2", 40) + "==",
	}
}

// confidentialParts returns all sequences of 12 letters and digits in the keys of an attempt.
func confidentialParts(attempt int32) []string {
	credentials := attemptCredentials(attempt)
	var parts []string
	for _, key := range []string{credentials.SecretAccessKey, credentials.SessionToken[:60]} {
		key = lettersOf(key)
		for i := 0; i+12 <= len(key); i++ {
			parts = append(parts, key[i:i+12])
		}
	}
	return parts
}

// TestKeysOfEveryAttempt uses different keys for each attempt. The second response contains
// those of the first attempt.
func TestKeysOfEveryAttempt(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		var attempt atomic.Int32
		witness := newWitness()
		client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			var b strings.Builder
			for n := range attempt.Load() {
				c := attemptCredentials(n + 1)
				fmt.Fprintf(&b, "%s %s ", c.SecretAccessKey, c.SessionToken)
			}
			code := b.String()
			if attempt.Load() == 1 {
				code = "ExpiredTokenException" // makes the client renew its credentials
			}
			return clienttest.Response(req, http.StatusBadRequest, http.Header{
				"X-Amzn-Requestid": {b.String()}, "X-Amzn-Errortype": {code},
			}, `{"message":`+jsonText(b.String())+`}`), nil
		})), path, witness.watch, func(o *cognitosync.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				return attemptCredentials(attempt.Add(1)).Provider().Retrieve(ctx)
			})
		})
		_, err := describe(t.Context(), t, client, poolID)
		require.Error(t, err)
		require.EqualValues(t, 2, attempt.Load())
		assert.Contains(t, err.Error(), "REDACTED")
		witness.assertSilent(t, err, append(confidentialParts(1), confidentialParts(2)...)...)
	})
}

// TestSecretsAnywhere puts the token into every part of a response, also where a text is
// truncated.
func TestSecretsAnywhere(t *testing.T) {
	t.Parallel()
	credentials := attemptCredentials(1)
	token, key := credentials.SessionToken, credentials.SecretAccessKey
	cut := func(limit int) string { return strings.Repeat("x", limit-20) + " " + key + token }
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		body   string
	}{
		{"request ID", 400, http.Header{"X-Amzn-Requestid": {token}}, ""},
		{"truncated request ID", 400, http.Header{"X-Amzn-Requestid": {cut(256)}}, ""},
		{"request ID, escaped and truncated", 400, http.Header{"X-Amz-Request-Id": {strings.Repeat("x", 240) + url.QueryEscape(url.QueryEscape(token))}}, ""},
		{"Location", 302, http.Header{"Location": {"https://" + strings.NewReplacer("/", ".", "+", "-", "=", "").Replace(token) + ".test/"}}, ""},
		{"Location that is cut", 302, http.Header{"Location": {"https://" + strings.Repeat("x", 240) + "." + strings.NewReplacer("/", ".", "+", "-", "=", "").Replace(token) + ".test/"}}, ""},
		{"Set-Cookie", 400, http.Header{"Set-Cookie": {"session=short1; Path=/", "other=" + token}, "set-cookie": {"third=short1"}}, ""},
		{"truncated message", 400, nil, `{"__type":"X","message":` + jsonText(cut(2<<10)) + `}`},
		{"truncated page", 400, nil, cut(512)},
		{"truncated code", 400, http.Header{"X-Amzn-Errortype": {cut(256)}}, ""},
		{"malformed success", 200, nil, cut(512)},
		{"success with an invalid number", 200, nil, `{"IdentityPoolUsage":{"DataStorage":"` + key + `"}}`},
		{"without padding", 400, nil, strings.TrimRight(token, "=")},
		{"folded", 400, nil, strings.Join(strings.SplitAfter(key+token, "J"), "\r\n ")},
		{"space for plus", 400, nil, strings.ReplaceAll(token, "+", " ")},
		{"escaped twice", 400, nil, url.QueryEscape(url.QueryEscape(token))},
		{"padded entities", 400, nil, strings.NewReplacer("/", "&#0047;", "+", "&#x0002b;").Replace(token)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				witness := newWitness()
				client := newClient(configOf(clienttest.Respond(test.status, test.header, test.body)), path, witness.watch,
					func(o *cognitosync.Options) { o.Credentials = credentials.Provider() })
				_, err := describe(t.Context(), t, client, poolID)
				require.Error(t, err)
				texts := err.Error()
				var malformed *smithy.DeserializationError
				if errors.As(err, &malformed) {
					texts += string(malformed.Snapshot)
				}
				for _, part := range confidentialParts(1) {
					assert.NotContains(t, lettersOf(texts), part)
				}
				witness.assertSilent(t, err, append(confidentialParts(1), "short1")...)
			})
		})
	}
}

// TestLongHarmlessBody checks that 64 KiB of text that looks like the beginnings of secrets
// are logged unchanged.
func TestLongHarmlessBody(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("authorization:AWS4-HMAC-SHA256 ", 64<<10/31)
	bothPaths(t, func(t *testing.T, path string) {
		var log clienttest.Notes
		client := newClient(configOf(clienttest.Respond(http.StatusForbidden, nil, body)), path, func(o *cognitosync.Options) {
			o.ClientLogMode, o.Logger = aws.LogResponseWithBody, &log
		})
		_, err := describe(t.Context(), t, client, poolID)
		require.Error(t, err)
		assert.Contains(t, strings.Join(log.Take(), "\n"), "Response body\n"+body)
	})
}

// TestSecretsOfACredentialProcess uses a credential_process that prints a line before its
// JSON. The SDK's error for that contains both keys.
func TestSecretsOfACredentialProcess(t *testing.T) {
	t.Parallel()
	credentials := attemptCredentials(7)
	output := "warning: old version\n" + `{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"` + credentials.SecretAccessKey +
		`","SessionToken":"` + credentials.SessionToken + `"}`
	failures := []error{
		fmt.Errorf("parse failed of process output: %s, error: invalid character 'w'", output),
		fmt.Errorf("parse failed of process output: %q", output),
		fmt.Errorf("exit status 1: AWS_SECRET_ACCESS_KEY=%s aws_session_token = %s", credentials.SecretAccessKey, credentials.SessionToken),
	}
	for i, failure := range failures {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				witness := newWitness()
				tr := setup(t, path, witness.watch)
				for _, first := range []*rotation{{sets: []any{failure}}, {sets: []any{expiredCredentials, failure}}} { // the second fails when it renews
					tr.server.SetCredentials(expiredCredentials)
					err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.Credentials = first })
					assert.Contains(t, err.Error(), "REDACTED")
					witness.assertSilent(t, err, confidentialParts(7)...)
				}
			})
		})
	}
}

// TestNoControlCharacters puts control and format characters into everything that comes
// from outside. Logs must not contain them, not even those of middleware.
func TestNoControlCharacters(t *testing.T) {
	t.Parallel()
	const dirty = "a\x1b[31mb\x00c\x07d\u202ee\u2066f\u200bg\x7fh\u0085i\xffj\rk"
	bothPaths(t, func(t *testing.T, path string) {
		witness := newWitness()
		client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			resp := clienttest.Response(req, http.StatusForbidden, http.Header{
				"X-Amzn-Requestid": {dirty}, "X-Amzn-Errortype": {dirty}, "X-Other": {dirty}, dirty: {dirty},
			}, dirty+`{"message":`+jsonText(dirty)+`}`)
			resp.Status = "403 " + dirty
			return resp, nil
		})), path, witness.watch, func(o *cognitosync.Options) {
			if path == stack {
				o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
					return s.Finalize.Add(middleware.FinalizeMiddlewareFunc("Log", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
						middleware.FinalizeOutput, middleware.Metadata, error,
					) {
						middleware.GetLogger(ctx).Logf(logging.Warn, "from middleware: %s %s", dirty, cognitosynctest.DefaultCredentials().SecretAccessKey)
						return next.HandleFinalize(ctx, in)
					}), middleware.After)
				})
			}
		})
		for _, id := range []string{poolID, "pool" + dirty, "pool\u202e"} {
			_, err := describe(t.Context(), t, client, id)
			require.Error(t, err)
			assertLoggable(t, err.Error())
			witness.assertSilent(t, err, "\x1b", "\x00", "\x07", "\u202e", cognitosynctest.DefaultCredentials().SecretAccessKey)
		}
	})
}

// TestMetricsBesideATracer checks that each call is counted and timed once, even if there
// is also a tracer.
func TestMetricsBesideATracer(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		meters, spans := &clienttest.Meters{}, &clienttest.Spans{}
		tr := setup(t, path, func(o *cognitosync.Options) { o.MeterProvider, o.TracerProvider = meters, spans })
		for _, pool := range []string{poolID, "a/b"} {
			_, _ = tr.callPool(t.Context(), pool)
			points := meters.Take()["client.call.duration"]
			require.Len(t, points, 1, pool)
			assert.Equal(t, map[any]any{"rpc.service": "Cognito Sync", "rpc.method": "DescribeIdentityPoolUsage"}, points[0].Attributes)
			traced := spans.Take()
			require.NotEmpty(t, traced)
			assert.Equal(t, 1, traced[0].Ended)
		}
	})
}

// TestCookiesAreNotLogged checks that the cookies of requests and responses are redacted in
// logs.
func TestCookiesAreNotLogged(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		witness := newWitness()
		client := newClient(configOf(clienttest.Respond(http.StatusOK, http.Header{"Set-Cookie": {"session=hunter2; Path=/"}}, stubBody)), path, witness.watch,
			func(o *cognitosync.Options) { o.ClientLogMode = aws.LogSigning | aws.LogRequest | aws.LogResponse },
			cognitosync.WithEndpointResolverV2(resolverFunc(func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
				return smithyendpoints.Endpoint{
					URI: url.URL{Scheme: "https", Host: "resolved.test"}, Headers: http.Header{"Cookie": {"session=hunter2"}, "Cookie2": {"visible"}},
				}, nil
			})))

		_, err := describe(t.Context(), t, client, anyPool)

		require.NoError(t, err)
		reported := witness.reported(err)
		for where, text := range reported {
			assert.NotContains(t, text, "hunter2", where)
		}
		assert.Contains(t, reported["log"], "\ncookie:REDACTED\n", "the canonical request")
		assert.Contains(t, reported["log"], "\nCookie: REDACTED")
		assert.Contains(t, reported["log"], "\nSet-Cookie: REDACTED")
		assert.Contains(t, reported["log"], "\nCookie2: visible")
	})
}

// TestLengthsOfTelemetry checks that long texts are truncated in logs, spans and metrics.
func TestLengthsOfTelemetry(t *testing.T) {
	t.Parallel()
	const maxCode, maxMessage, maxText = 256, 2 << 10, 3 << 10
	text := func(n int) string { return strings.Repeat("m", n) }
	cut := func(n, limit int) string {
		if n > limit {
			return text(limit-3) + "..."
		}
		return text(n)
	}
	for _, more := range []int{-1, 0, 1} {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			t.Parallel()
			records, spans, meters := &clienttest.Records{}, &clienttest.Spans{}, &clienttest.Meters{}
			fails := &probe{id: "fail", after: func(middleware.Metadata, any, error) (any, error) {
				return nil, &smithy.GenericAPIError{Code: text(maxCode + more), Message: text(maxMessage + more)}
			}}
			client := newClient(configOf(clienttest.Respond(http.StatusOK, http.Header{"X-Amzn-Requestid": {text(maxCode + more)}}, stubBody)), direct,
				atEnd("finalize", fails, middleware.After),
				func(o *cognitosync.Options) {
					o.StructuredLogger, o.TracerProvider, o.MeterProvider = slog.New(records), spans, meters
				})

			output, err := describe(t.Context(), t, client, text(maxCode+more))

			requireFailure(t, output, err)
			assert.Contains(t, err.Error(), "(pool "+cut(maxCode+more, maxCode)+",")
			logged := records.Take()
			require.Len(t, logged, 1)
			assert.Equal(t, cut(maxCode+more, maxCode), logged[0]["identity_pool_id"])
			assert.Equal(t, cut(maxCode+more, maxCode), logged[0]["request_id"])
			assert.Equal(t, cut(maxCode+more, maxCode), logged[0]["code"])
			traced := spans.All()
			require.Len(t, traced, 2)
			assert.Equal(t, cut(maxCode+more, maxCode), traced[0].Properties["aws.cognito_sync.identity_pool_id"])
			for _, span := range traced {
				assert.Equal(t, cut(maxCode+more, maxCode), span.Properties["aws.request_id"])
				assert.Equal(t, cut(maxCode+more, maxCode), span.Properties["exception.type"])
				assert.Equal(t, cut(maxCode+more, maxCode), span.Properties["api.error_code"])
				assert.Equal(t, cut(maxMessage+more, maxMessage), span.Properties["api.error_message"])
			}
			points := meters.Take()["client.call.errors"]
			require.Len(t, points, 1)
			assert.Equal(t, cut(maxCode+more, maxCode), points[0].Attributes["exception.type"])
		})
	}
	for _, n := range []int{maxText - 100, maxText, maxText + 1} {
		t.Run(fmt.Sprint("error of ", n), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				records := &clienttest.Records{}
				client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, stubBody)), path, func(o *cognitosync.Options) {
					o.StructuredLogger = slog.New(records)
					o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New(text(n)) })
				})
				output, err := describe(t.Context(), t, client, poolID)
				requireFailure(t, output, err)
				logged := records.Take()
				require.Len(t, logged, 1)
				assert.LessOrEqual(t, len(logged[0]["error"].(string)), maxText)
				if n >= maxText {
					assert.Len(t, logged[0]["error"], maxText)
				}
			})
		})
	}
}

// oddMeters fail to create one of the instruments.
type oddMeters struct {
	*clienttest.Meters
	broken string
}

func (m oddMeters) Meter(scope string, opts ...metrics.MeterOption) metrics.Meter {
	return oddMeter{m.Meters.Meter(scope, opts...), m.broken}
}

type oddMeter struct {
	metrics.Meter
	broken string
}

func (m oddMeter) Int64Counter(name string, opts ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	if name == m.broken {
		return nil, errBroken
	}
	return m.Meter.Int64Counter(name, opts...)
}

func (m oddMeter) Int64UpDownCounter(name string, opts ...metrics.InstrumentOption) (metrics.Int64UpDownCounter, error) {
	if name == m.broken {
		return nil, errBroken
	}
	return m.Meter.Int64UpDownCounter(name, opts...)
}

func (m oddMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	if name == m.broken {
		return nil, errBroken
	}
	return m.Meter.Float64Histogram(name, opts...)
}

// TestInstrumentCannotBeCreated checks that calls fail if an instrument cannot be created.
// Other invalid settings are reported first.
func TestInstrumentCannotBeCreated(t *testing.T) {
	t.Parallel()
	for _, instrument := range clientInstruments {
		t.Run(instrument[0], func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				set := func(o *cognitosync.Options) { o.MeterProvider = oddMeters{&clienttest.Meters{}, instrument[0]} }
				noCredentials := func(o *cognitosync.Options) { o.Credentials = nil }
				ofClient, ofCall := setup(t, path, set), setup(t, path)
				for _, err := range []error{ofClient.fails(t, t.Context()), ofCall.fails(t, t.Context(), set)} {
					require.ErrorIs(t, err, errBroken)
					assert.Equal(t, "MeterProvider", requireAs[*cognitosync.ConfigurationError](t, err).Setting)
				}
				assert.Equal(t, "Credentials", requireAs[*cognitosync.ConfigurationError](t, ofCall.fails(t, t.Context(), set, noCredentials)).Setting)
				assert.Zero(t, ofClient.requests()+ofCall.requests())
			})
		})
	}
}

// TestHostOfMiddleware checks that a host that middleware sets is sent, and that metrics
// are still recorded.
func TestHostOfMiddleware(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"virtual.test", "under_score.test", "virtual.test:8080"} {
		for _, measured := range []bool{false, true} {
			t.Run(fmt.Sprint(host, measured), func(t *testing.T) {
				t.Parallel()
				sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
				meters := &clienttest.Meters{}
				client := newClient(configOf(sent), direct, with("finalize", &probe{id: "host", before: func(ctx context.Context, in any) context.Context {
					in.(*smithyhttp.Request).Host = host
					return ctx
				}}, middleware.Before, "Signing"), func(o *cognitosync.Options) {
					if measured {
						o.MeterProvider = meters
					}
				})

				_, err := describe(t.Context(), t, client, poolID)

				require.NoError(t, err)
				requests := sent.Take()
				require.Len(t, requests, 1)
				assert.Equal(t, host, requests[0].Host)
				assert.Len(t, meters.Take()["client.http.do_request_duration"], map[bool]int{false: 0, true: 1}[measured])
			})
		}
	}
}

// TestTelemetryWithoutAttemptOrRegion checks that a call without an attempt has no record,
// and that the span of a call without a region has no region.
func TestTelemetryWithoutAttemptOrRegion(t *testing.T) {
	t.Parallel()
	records, spans := &clienttest.Records{Level: slog.LevelDebug}, &clienttest.Spans{}
	watch := func(o *cognitosync.Options) { o.StructuredLogger, o.TracerProvider = slog.New(records), spans }
	responds := middleware.InitializeMiddlewareFunc("respond", func(context.Context, middleware.InitializeInput, middleware.InitializeHandler) (
		out middleware.InitializeOutput, metadata middleware.Metadata, err error,
	) {
		out.Result = &cognitosync.DescribeIdentityPoolUsageOutput{}
		return out, metadata, nil
	})
	cfg := configOf(clienttest.Respond(http.StatusOK, nil, stubBody))
	_, err := describe(t.Context(), t, newClient(cfg, direct, watch, atEnd("initialize", &probe{id: "respond", instead: responds}, middleware.Before)), poolID)
	require.NoError(t, err)
	assert.Empty(t, records.Take())
	require.Len(t, spans.Take(), 1)

	bothPaths(t, func(t *testing.T, path string) {
		spans := &clienttest.Spans{}
		cfg := cfg
		cfg.Region = ""
		output, err := describe(t.Context(), t, newClient(cfg, path, func(o *cognitosync.Options) { o.TracerProvider = spans }), anyPool)
		requireFailure(t, output, err)
		traced := spans.Take()
		require.Len(t, traced, 1)
		assert.NotContains(t, traced[0].Properties, "cloud.region")
		assert.NotContains(t, traced[0].Properties, "server.address")
		assert.NotContains(t, traced[0].Properties, "http.status_code")
		assert.NotContains(t, traced[0].Properties, "aws.request_id")
	})
}

// TestRequestThatCannotBeLogged checks that the log contains a warning instead of the
// request.
func TestRequestThatCannotBeLogged(t *testing.T) {
	t.Parallel()
	var log clienttest.Notes
	client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, stubBody)), direct, func(o *cognitosync.Options) {
		o.Logger, o.ClientLogMode = &log, aws.LogRequest
	}, with("finalize", &probe{id: "header", before: func(ctx context.Context, in any) context.Context {
		in.(*smithyhttp.Request).Header["Bad Name"] = []string{"x"}
		return ctx
	}}, middleware.After, "Signing"))
	_, err := describe(t.Context(), t, client, poolID)
	require.NoError(t, err)
	lines := log.Take()
	require.Len(t, lines, 1)
	assert.Regexp(t, "^WARN ", lines[0])
}
