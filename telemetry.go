package cognitosync

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go/internal/redact"
)

// instrumentationScope is the name of the tracer and the meter.
const instrumentationScope = "github.com/cognitosync/cognitosync-go"

// telemetry has the logs, the tracer and the metrics of a client.
type telemetry struct {
	logger      logging.Logger
	mode        aws.ClientLogMode
	structured  *slog.Logger   // nil: off
	tracer      tracing.Tracer // nil: off
	instruments instruments
}

// record is what logs and spans contain about an attempt or, at the end of a call, about its
// last attempt.
type record struct {
	poolID      string
	region      string
	host        string // "" if the endpoint is not known yet
	attempt     int    // counted from 1; 0: none was made
	maxAttempts int
	status      int // 0: no response
	requestID   string
	elapsed     time.Duration
	delay       time.Duration // before the next attempt
	reason      string        // the verdict
	err         error
}

// attemptOfMax returns a text such as "1 of 3", or "1" if there is no maximum.
func (r record) attemptOfMax() string {
	if r.maxAttempts <= 0 {
		return strconv.Itoa(r.attempt)
	}
	return fmt.Sprintf("%d of %d", r.attempt, r.maxAttempts)
}

// journal is the telemetry of one call. It redacts the secrets of all attempts.
type journal struct {
	*telemetry
	secrets redact.Secrets
}

// Logs

// logRequest logs the request before it is sent. The request has no body.
func (j *journal) logRequest(req *http.Request) {
	if !j.logsRequests() {
		return
	}
	req = req.Clone(req.Context())
	req.Header = redact.Header(req.Header)
	dump, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		j.logf(req.Context(), logging.Warn, "cannot log the request: %v", err)
		return
	}
	j.logf(req.Context(), logging.Debug, "Request\n%s", dump)
}

func (j *journal) logsRequests() bool {
	return j.mode.IsRequest() || j.mode.IsRequestWithBody()
}

// logResponse logs the status and the headers of the response.
func (j *journal) logResponse(ctx context.Context, resp *http.Response) {
	if !j.mode.IsResponse() && !j.mode.IsResponseWithBody() {
		return
	}
	shown := *resp
	shown.Header = redact.Header(resp.Header)
	dump, err := httputil.DumpResponse(&shown, false)
	if err != nil {
		j.logf(ctx, logging.Warn, "cannot log the response: %v", err)
		return
	}
	j.logf(ctx, logging.Debug, "Response\n%s", dump)
}

// logResponseBody logs what has been read of the response's body.
func (j *journal) logResponseBody(ctx context.Context, body []byte) {
	if j.mode.IsResponseWithBody() {
		j.logf(ctx, logging.Debug, "Response body\n%s", body)
	}
}

// logf writes to the logger, without the secrets of the call.
func (j *journal) logf(ctx context.Context, class logging.Classification, format string, args ...any) {
	logging.WithContext(ctx, j.logger).Logf(class, "%s", j.secrets.Log(fmt.Sprintf(format, args...)))
}

// signerOptions makes the signer log what it signs, if ClientLogMode selects that.
func (j *journal) signerOptions() []func(*v4.SignerOptions) {
	if !j.mode.IsSigning() {
		return nil
	}
	return []func(*v4.SignerOptions){func(o *v4.SignerOptions) {
		o.LogSigning, o.Logger = true, callLogger{journal: j, headerLines: true}
	}}
}

// callLogger is the logger that middleware and the signer use during a call.
type callLogger struct {
	journal *journal
	ctx     context.Context // of the log entry; nil if it is not known

	headerLines bool // the entries contain headers in canonical form, as lines
}

func (l callLogger) Logf(class logging.Classification, format string, args ...any) {
	ctx := l.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	text := fmt.Sprintf(format, args...)
	if l.headerLines {
		text = redact.HeaderLines(text)
	}
	l.journal.logf(ctx, class, "%s", text)
}

// WithContext returns a logger that passes ctx on with each entry.
func (l callLogger) WithContext(ctx context.Context) logging.Logger {
	l.ctx = ctx
	return l
}

// attemptEnded logs and counts an attempt.
func (j *journal) attemptEnded(ctx context.Context, r record) {
	if j.mode.IsRetries() && r.err != nil {
		j.logf(ctx, logging.Debug, "%s/%s attempt %s failed, %s, delay %v: %v",
			ServiceID, operationName, r.attemptOfMax(), r.reason, r.delay, r.err)
	}
	if j.instruments.attempts != nil {
		j.instruments.attempt(ctx, r.elapsed, j.exceptionType(r.err))
	}
	j.logRecord(ctx, "cognitosync attempt", r)
}

// logRecord writes a record to the structured log.
func (j *journal) logRecord(ctx context.Context, message string, r record) {
	level := slog.LevelDebug
	if r.err != nil {
		level = slog.LevelWarn
	}
	if j.structured == nil || !j.structured.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("operation", operationName),
		slog.String("identity_pool_id", j.secrets.Line(r.poolID, maxCode)),
		slog.String("region", r.region),
		slog.String("host", r.host),
		slog.Int("attempt", r.attempt),
		slog.Int("max_attempts", r.maxAttempts),
	)
	if r.status != 0 {
		attrs = append(attrs, slog.Int("status", r.status), slog.String("request_id", j.secrets.Line(r.requestID, maxCode)))
	}
	if code := apiErrorCode(r.err); code != "" {
		attrs = append(attrs, slog.String("code", j.secrets.Line(code, maxCode)))
	}
	attrs = append(attrs,
		slog.Duration("duration", r.elapsed),
		slog.Duration("delay", r.delay),
		slog.String("reason", r.reason))
	if r.err != nil {
		attrs = append(attrs, slog.String("error", j.errorText(r.err)))
	}
	j.structured.LogAttrs(ctx, level, message, attrs...)
}

// errorText returns the text of an error as one line, without the secrets of the call.
func (j *journal) errorText(err error) string {
	return j.secrets.Line(strings.TrimSpace(err.Error()), maxErrorText)
}

// Spans

// newTracer returns the provider's tracer, or nil if the provider records nothing.
func newTracer(provider tracing.TracerProvider) tracing.Tracer {
	switch provider.(type) {
	case tracing.NopTracerProvider, *tracing.NopTracerProvider:
		return nil
	}
	return provider.Tracer(instrumentationScope)
}

// callTelemetry lasts from the start to the end of a call.
type callTelemetry struct {
	span    tracing.Span // nil: off
	started time.Time
}

// startCall starts the span and the timer of a call.
func (j *journal) startCall(ctx context.Context, poolID string) (context.Context, callTelemetry) {
	begun := callTelemetry{started: time.Now()}
	if j.tracer == nil {
		return ctx, begun
	}
	ctx, begun.span = j.tracer.StartSpan(tracing.WithOperationTracer(ctx, j.tracer), ServiceID+"."+operationName, func(o *tracing.SpanOptions) {
		o.Kind = tracing.SpanKindClient
		o.Properties.Set("rpc.system", "aws-api")
		o.Properties.Set("rpc.service", ServiceID)
		o.Properties.Set("rpc.method", operationName)
		o.Properties.Set("aws.cognito_sync.identity_pool_id", j.secrets.Line(poolID, maxCode))
	})
	return ctx, begun
}

// endCall ends the span and the timer of a call. It logs a call without attempts, which no
// other log contains.
func (j *journal) endCall(ctx context.Context, begun callTelemetry, r record) {
	if j.instruments.callDuration != nil {
		j.instruments.callDuration.Record(ctx, time.Since(begun.started).Seconds(), ofOperation)
	}
	if r.attempt == 0 && r.err != nil {
		j.logRecord(ctx, "cognitosync call", r)
	}
	if begun.span != nil {
		begun.span.SetProperty("operation.attempts", r.attempt)
		j.endSpan(begun.span, r)
	}
}

// startAttempt starts the span of an attempt. The span is nil if there is no tracer.
func (j *journal) startAttempt(ctx context.Context, number int) (context.Context, tracing.Span) {
	if j.tracer == nil {
		return ctx, nil
	}
	return j.tracer.StartSpan(ctx, "Attempt", func(o *tracing.SpanOptions) {
		o.Properties.Set("operation.attempt", number)
	})
}

// endSpan adds a record to a span and ends it.
func (j *journal) endSpan(span tracing.Span, r record) {
	if span == nil {
		return
	}
	if r.region != "" {
		span.SetProperty("cloud.region", r.region)
	}
	if r.host != "" {
		span.SetProperty("server.address", r.host)
	}
	if r.status != 0 {
		span.SetProperty("http.status_code", r.status)
	}
	if r.requestID != "" {
		span.SetProperty("aws.request_id", j.secrets.Line(r.requestID, maxCode))
	}
	span.SetProperty("error", r.err != nil)
	if r.err == nil {
		span.SetStatus(tracing.SpanStatusOK)
	} else {
		span.SetStatus(tracing.SpanStatusError)
		span.SetProperty("exception.type", j.exceptionType(r.err))
		span.SetProperty("exception.message", j.errorText(r.err))
		if api, ok := ofService[smithy.APIError](r.err); ok {
			span.SetProperty("api.error_code", j.secrets.Line(api.ErrorCode(), maxCode))
			span.SetProperty("api.error_message", j.secrets.Quote(api.ErrorMessage(), maxMessage))
			span.SetProperty("api.error_fault", api.ErrorFault().String())
		}
	}
	span.End()
}

// exceptionType returns the service's code for an error or, if it has none, its Go type. It
// returns "" for nil.
func (j *journal) exceptionType(err error) string {
	if err == nil {
		return ""
	}
	if code := apiErrorCode(err); code != "" {
		return j.secrets.Line(code, maxCode)
	}
	return fmt.Sprintf("%T", err)
}

// Metrics

// instruments are the SDK's client metrics. Each is nil if nothing is recorded.
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
	http            *httpMeter
}

// newInstruments creates the instruments, unless the provider records nothing.
func newInstruments(provider metrics.MeterProvider) (in instruments, err error) {
	switch provider.(type) {
	case metrics.NopMeterProvider, *metrics.NopMeterProvider:
		return instruments{}, nil
	}
	meter := provider.Meter(instrumentationScope)
	for _, histogram := range []struct {
		place             *metrics.Float64Histogram
		name, description string
	}{
		{&in.callDuration, "client.call.duration", "Duration of a call, including retries and the time to send and receive"},
		{&in.serialization, "client.call.serialization_duration", "Time to build a request"},
		{&in.resolveEndpoint, "client.call.resolve_endpoint_duration", "Time to resolve the endpoint, excluding DNS"},
		{&in.resolveIdentity, "client.call.auth.resolve_identity_duration", "Time to retrieve credentials from the provider"},
		{&in.signing, "client.call.auth.signing_duration", "Time to sign a request"},
		{&in.attemptDuration, "client.call.attempt_duration", "Duration of an attempt, from retrieving credentials to decoding the response"},
		{&in.deserialization, "client.call.deserialization_duration", "Time to decode a response"},
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
	if in.http, err = newHTTPMeter(meter); err != nil {
		return instruments{}, err
	}
	return in, nil
}

// startTimer returns a function that records the time since startTimer was called.
func startTimer(ctx context.Context, histogram metrics.Float64Histogram) (stop func()) {
	if histogram == nil {
		return func() {}
	}
	started := time.Now()
	return func() { histogram.Record(ctx, time.Since(started).Seconds(), ofOperation) }
}

// attempt counts an attempt. exception is "" if it succeeded.
func (in *instruments) attempt(ctx context.Context, elapsed time.Duration, exception string) {
	in.attempts.Add(ctx, 1, ofOperation)
	in.attemptDuration.Record(ctx, elapsed.Seconds(), ofOperation)
	if exception != "" {
		in.errors.Add(ctx, 1, ofOperation, func(o *metrics.RecordMetricOptions) {
			o.Properties.Set("exception.type", exception)
		})
	}
}

func ofOperation(o *metrics.RecordMetricOptions) {
	o.Properties.Set("rpc.service", ServiceID)
	o.Properties.Set("rpc.method", operationName)
}

// httpMeter records the SDK's client.http metrics, with the handler that the SDK uses. The
// handler creates its instruments for every request, so httpMeter caches them.
type httpMeter struct {
	metrics.Meter
	made sync.Map // by name
	err  error    // of an instrument that could not be created
}

func newHTTPMeter(meter metrics.Meter) (*httpMeter, error) {
	m := &httpMeter{Meter: meter}
	// The handler creates its instruments before it returns an error for the nil request.
	_, _, _ = m.handler(nil).Handle(context.Background(), nil)
	return m, m.err
}

func (m *httpMeter) handler(do smithyhttp.ClientDoFunc) smithyhttp.ClientHandler {
	return smithyhttp.NewClientHandlerWithOptions(do, func(h *smithyhttp.ClientHandler) { h.Meter = m })
}

// Float64Histogram returns the histogram of that name.
func (m *httpMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	return createOnce(m, name, opts, m.Meter.Float64Histogram)
}

// Int64UpDownCounter returns the counter of that name.
func (m *httpMeter) Int64UpDownCounter(name string, opts ...metrics.InstrumentOption) (metrics.Int64UpDownCounter, error) {
	return createOnce(m, name, opts, m.Meter.Int64UpDownCounter)
}

func createOnce[T any](m *httpMeter, name string, opts []metrics.InstrumentOption,
	create func(string, ...metrics.InstrumentOption) (T, error),
) (T, error) {
	if made, ok := m.made.Load(name); ok {
		return made.(T), nil
	}
	instrument, err := create(name, opts...)
	if err != nil {
		m.err = err
		return instrument, err
	}
	m.made.Store(name, instrument)
	return instrument, nil
}

// measure makes the handler call send with a request whose context traces the connection.
func (m *httpMeter) measure(req *http.Request, send smithyhttp.ClientDoFunc) (resp *http.Response, err error) {
	// Prevent the handler from starting a span of its own and from validating the host.
	ctx := tracing.WithOperationTracer(req.Context(), tracing.NopTracerProvider{}.Tracer(""))
	anyHost := *req
	anyHost.Host = ""
	_, _, failure := m.handler(func(measured *http.Request) (*http.Response, error) {
		measured.Host = req.Host
		resp, err = send(measured)
		return resp, err
	}).Handle(ctx, &smithyhttp.Request{Request: &anyHost})
	if resp == nil && err == nil {
		return nil, failure
	}
	return resp, err
}
