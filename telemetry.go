package cognitosync

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
)

// scope is the name that spans and metrics are recorded under.
const scope = "github.com/cognitosync/cognitosync-go"

// telemetry is where a call tells what it does. Its zero value tells nobody, and
// costs nothing.
type telemetry struct {
	tracer      tracing.Tracer // nil: off
	instruments instruments
}

// Logs

// logRequest writes the request as it is about to be sent. It has no body.
func (c *call) logRequest(req *http.Request) {
	if !c.logsRequests() {
		return
	}
	// A signer or middleware of the caller's may put there what no pattern knows.
	req = req.Clone(req.Context())
	for _, name := range [...]string{"Authorization", "Proxy-Authorization", "X-Amz-Security-Token", "Cookie"} {
		if req.Header.Get(name) != "" {
			req.Header.Set(name, redacted)
		}
	}
	dump, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		c.logf(req.Context(), logging.Warn, "cannot log the request: %v", err)
		return
	}
	c.logf(req.Context(), logging.Debug, "Request\n%s", dump)
}

func (c *call) logsRequests() bool {
	return c.ClientLogMode.IsRequest() || c.ClientLogMode.IsRequestWithBody()
}

// logResponse writes the head of the answer.
func (c *call) logResponse(ctx context.Context, resp *http.Response) {
	if !c.ClientLogMode.IsResponse() && !c.ClientLogMode.IsResponseWithBody() {
		return
	}
	dump, err := httputil.DumpResponse(resp, false)
	if err != nil {
		c.logf(ctx, logging.Warn, "cannot log the response: %v", err)
		return
	}
	c.logf(ctx, logging.Debug, "Response\n%s", dump)
}

// logResponseBody writes what has been read of the answer's body.
func (c *call) logResponseBody(ctx context.Context, body []byte) {
	if c.ClientLogMode.IsResponseWithBody() {
		c.logf(ctx, logging.Debug, "Response body\n%s", body)
	}
}

// logf writes to Logger, less the secrets of the call.
func (c *call) logf(ctx context.Context, class logging.Classification, format string, args ...any) {
	logging.WithContext(ctx, c.Logger).Logf(class, "%s", c.secrets().redact(fmt.Sprintf(format, args...)))
}

// signerOptions has the signer write what it signs, where that is asked for.
func (c *call) signerOptions() []func(*v4.SignerOptions) {
	if !c.ClientLogMode.IsSigning() {
		return nil
	}
	return []func(*v4.SignerOptions){func(o *v4.SignerOptions) {
		o.LogSigning, o.Logger = true, callLogger{c}
	}}
}

// callLogger is Logger for others to write to in the course of a call.
type callLogger struct{ call *call }

func (l callLogger) Logf(class logging.Classification, format string, args ...any) {
	l.call.logf(context.Background(), class, format, args...)
}

// WithContext lets Logger see the context of what is logged.
func (l callLogger) WithContext(ctx context.Context) logging.Logger {
	return contextualLogger{l.call, ctx}
}

type contextualLogger struct {
	call *call
	ctx  context.Context
}

func (l contextualLogger) Logf(class logging.Classification, format string, args ...any) {
	l.call.logf(l.ctx, class, format, args...)
}

// secrets are what must not be told of a call's credentials.
type secrets struct{ secretAccessKey, sessionToken string }

func (c *call) secrets() secrets {
	return secrets{c.credentials.SecretAccessKey, c.credentials.SessionToken}
}

const redacted = "REDACTED"

// confidential finds what gives a signature away wherever it came from: the headers,
// the signature itself, the hash it is made of. What is kept is in a group.
var confidential = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + strings.Join([]string{
		`(authorization["']?\s*[:=]\s*["'\[]*)(?:AWS4-HMAC-SHA256[^\r\n]*?signature=[0-9a-f]+|[^\s"'\]]+)`,
		`(x-amz-security-token["']?\s*[:=]\s*["'\[]*)[^\s"'\]]+`,
		`(x-amz-signature=|signature=)[0-9a-f]{16,}`,
		`(aws4_request(?:\s|\\[rn])+)[0-9a-f]{64}`,
	}, "|"))
})

// redact returns text without the secrets, and without headers and signatures that
// carry them. It must come before anything that cuts the text off, for half a secret
// would not be found.
func (s secrets) redact(text string) string {
	const shortest = 16 // what is shorter is no key of AWS's, and part of too many words
	for _, secret := range [...]string{s.secretAccessKey, s.sessionToken} {
		// The longest part without signs is in every spelling, and almost no text has it.
		if part := longestWord(secret); len(secret) >= shortest && strings.Contains(text, part) {
			text = spellings(secret).ReplaceAllLiteralString(text, redacted)
		}
	}
	return confidential().ReplaceAllString(text, "${1}${2}${3}${4}"+redacted)
}

// quote returns at most limit bytes of text, redacted. It looks no further than it
// must to find what begins there.
func (s secrets) quote(text string, limit int) string {
	return clip(s.redact(clip(text, limit+8<<10)), limit)
}

// spellings matches a secret as it stands, and escaped as for JSON, HTML or a URL.
func spellings(secret string) *regexp.Regexp {
	var pattern strings.Builder
	for i := range len(secret) {
		switch b := secret[i]; {
		case isLetter(b), isDigit(b):
			pattern.WriteByte(b)
		default:
			fmt.Fprintf(&pattern, `(?:\\?%s|(?i:%%%02x|\\u00%02x|&#x%02x;|&#%d;))`, regexp.QuoteMeta(string(rune(b))), b, b, b, b)
		}
	}
	return regexp.MustCompile(pattern.String())
}

func longestWord(text string) (longest string) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !isLetter(byte(r)) && !isDigit(byte(r)) }) {
		if len(word) > len(longest) {
			longest = word
		}
	}
	return longest
}

// observe tells what came of an attempt and what follows.
func (c *call) observe(ctx context.Context, r *reply, what verdict, delay time.Duration) {
	c.results = append(c.results, retry.AttemptResult{
		Err:              r.err,
		Retryable:        c.retryable,
		Retried:          what == verdictRetry || what == verdictRetryNow,
		ResponseMetadata: r.metadata,
	})
	if c.ClientLogMode.IsRetries() && r.err != nil {
		c.logf(ctx, logging.Debug, "%s/%s attempt %d of %d failed, %s, delay %v: %v",
			ServiceID, operationName, c.attempt, c.maxAttempts, what, delay, r.err)
	}
	c.instruments.attempt(ctx, c.elapsed, r.err)
	if c.StructuredLogger != nil {
		c.logAttempt(ctx, r.err, what, delay)
	}
}

// logAttempt writes the record of an attempt to StructuredLogger.
func (c *call) logAttempt(ctx context.Context, err error, what verdict, delay time.Duration) {
	level := slog.LevelDebug
	if err != nil {
		level = slog.LevelWarn
	}
	if !c.StructuredLogger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("operation", operationName),
		slog.Int("attempt", c.attempt),
		slog.Int("max_attempts", c.maxAttempts),
	)
	if c.response != nil {
		attrs = append(attrs,
			slog.Int("status", c.response.StatusCode),
			slog.String("request_id", requestID(c.response.Header)))
	}
	if code := apiErrorCode(err); code != "" {
		attrs = append(attrs, slog.String("code", code))
	}
	attrs = append(attrs,
		slog.Duration("duration", c.elapsed),
		slog.Duration("delay", delay),
		slog.String("reason", string(what)))
	if err != nil {
		attrs = append(attrs, slog.String("error", printable(c.secrets().quote(err.Error(), maxErrorText), maxErrorText)))
	}
	c.StructuredLogger.LogAttrs(ctx, level, "cognitosync attempt", attrs...)
}

// Spans

// newTracer returns the provider's tracer, or nil if it records nothing.
func newTracer(provider tracing.TracerProvider) tracing.Tracer {
	switch provider.(type) {
	case tracing.NopTracerProvider, *tracing.NopTracerProvider:
		return nil
	}
	return provider.Tracer(scope)
}

// startCallSpan starts the span of a call, and its clock. end ends both.
func (c *call) startCallSpan(ctx context.Context) (_ context.Context, end func(error)) {
	if c.tracer == nil && c.instruments.callDuration == nil {
		return ctx, func(error) {}
	}
	stop := c.startTimer(ctx, c.instruments.callDuration)
	if c.tracer == nil {
		return ctx, func(error) { stop() }
	}
	ctx, span := c.tracer.StartSpan(tracing.WithOperationTracer(ctx, c.tracer), ServiceID+"."+operationName, func(o *tracing.SpanOptions) {
		o.Kind = tracing.SpanKindClient
		o.Properties.Set("rpc.system", "aws-api")
		o.Properties.Set("rpc.service", ServiceID)
		o.Properties.Set("rpc.method", operationName)
	})
	return ctx, func(err error) {
		stop()
		span.SetProperty("operation.attempts", c.attempt)
		c.endSpan(span, err)
	}
}

// startAttemptSpan starts the span of an attempt. end ends it.
func (c *call) startAttemptSpan(ctx context.Context) (_ context.Context, end func(error)) {
	if c.tracer == nil {
		return ctx, func(error) {}
	}
	ctx, span := c.tracer.StartSpan(ctx, "Attempt", func(o *tracing.SpanOptions) {
		o.Properties.Set("operation.attempt", c.attempt)
	})
	return ctx, func(err error) { c.endSpan(span, err) }
}

// endSpan puts on a span what the last answer says.
func (c *call) endSpan(span tracing.Span, err error) {
	if c.response != nil {
		span.SetProperty("http.status_code", c.response.StatusCode)
		if id := requestID(c.response.Header); id != "" {
			span.SetProperty("aws.request_id", id)
		}
	}
	span.SetProperty("error", err != nil)
	if err == nil {
		span.SetStatus(tracing.SpanStatusOK)
	} else {
		span.SetStatus(tracing.SpanStatusError)
		span.SetProperty("exception.type", exceptionType(err))
		span.SetProperty("exception.message", printable(c.secrets().quote(err.Error(), maxErrorText), maxErrorText))
		if api, ok := ofService[smithy.APIError](err); ok {
			span.SetProperty("api.error_code", api.ErrorCode())
			span.SetProperty("api.error_message", c.secrets().quote(api.ErrorMessage(), maxMessage))
			span.SetProperty("api.error_fault", api.ErrorFault().String())
		}
	}
	span.End()
}

// exceptionType names an error: by the service's code, or by its Go type.
func exceptionType(err error) string {
	if code := apiErrorCode(err); code != "" {
		return code
	}
	return fmt.Sprintf("%T", err)
}

// Metrics

// instruments are the SDK's client metrics. Each is nil when nothing is recorded.
type instruments struct {
	callDuration    metrics.Float64Histogram
	serialization   metrics.Float64Histogram
	resolveEndpoint metrics.Float64Histogram
	resolveIdentity metrics.Float64Histogram
	signing         metrics.Float64Histogram
	attemptDuration metrics.Float64Histogram
	deserialization metrics.Float64Histogram
	attempts        metrics.Int64Counter
	errors          metrics.Int64Counter
}

// newInstruments makes the instruments, unless the provider records nothing.
func newInstruments(provider metrics.MeterProvider) (in instruments, err error) {
	switch provider.(type) {
	case metrics.NopMeterProvider, *metrics.NopMeterProvider:
		return instruments{}, nil
	}
	meter := provider.Meter(scope)
	for _, histogram := range []struct {
		place             *metrics.Float64Histogram
		name, description string
	}{
		{&in.callDuration, "client.call.duration", "Duration of a call, retries and the time to send and receive included"},
		{&in.serialization, "client.call.serialization_duration", "Time to build a request"},
		{&in.resolveEndpoint, "client.call.resolve_endpoint_duration", "Time to find the endpoint, without DNS"},
		{&in.resolveIdentity, "client.call.auth.resolve_identity_duration", "Time to get credentials from their provider"},
		{&in.signing, "client.call.auth.signing_duration", "Time to sign a request"},
		{&in.attemptDuration, "client.call.attempt_duration", "Duration of an attempt, from getting credentials to the decoded answer"},
		{&in.deserialization, "client.call.deserialization_duration", "Time to decode an answer"},
	} {
		*histogram.place, err = meter.Float64Histogram(histogram.name, func(o *metrics.InstrumentOptions) {
			o.UnitLabel, o.Description = "s", histogram.description
		})
		if err != nil {
			return instruments{}, err
		}
	}
	in.attempts, err = meter.Int64Counter("client.call.attempts", func(o *metrics.InstrumentOptions) {
		o.UnitLabel, o.Description = "{attempt}", "Attempts made"
	})
	if err != nil {
		return instruments{}, err
	}
	in.errors, err = meter.Int64Counter("client.call.errors", func(o *metrics.InstrumentOptions) {
		o.UnitLabel, o.Description = "{error}", "Attempts that failed"
	})
	if err != nil {
		return instruments{}, err
	}
	return in, nil
}

// startTimer returns a function that records the time since.
func (c *call) startTimer(ctx context.Context, histogram metrics.Float64Histogram) (stop func()) {
	if histogram == nil {
		return func() {}
	}
	started := time.Now()
	return func() { histogram.Record(ctx, time.Since(started).Seconds(), ofOperation) }
}

// startTimerOnce is startTimer for what one way does for each attempt and the other
// for all of them: it is recorded for the first.
func (c *call) startTimerOnce(ctx context.Context, histogram metrics.Float64Histogram) (stop func()) {
	if c.attempt > 1 {
		return func() {}
	}
	return c.startTimer(ctx, histogram)
}

// attempt counts an attempt.
func (in *instruments) attempt(ctx context.Context, elapsed time.Duration, err error) {
	if in.attempts == nil {
		return
	}
	in.attempts.Add(ctx, 1, ofOperation)
	in.attemptDuration.Record(ctx, elapsed.Seconds(), ofOperation)
	if err != nil {
		in.errors.Add(ctx, 1, ofOperation, func(o *metrics.RecordMetricOptions) {
			o.Properties.Set("exception.type", exceptionType(err))
		})
	}
}

func ofOperation(o *metrics.RecordMetricOptions) {
	o.Properties.Set("rpc.service", ServiceID)
	o.Properties.Set("rpc.method", operationName)
}
