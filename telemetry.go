package cognitosync

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
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

// instrumentationScope is the name that spans and metrics are recorded under.
const instrumentationScope = "github.com/cognitosync/cognitosync-go"

// telemetry is where a client logs and records what it does.
type telemetry struct {
	logger      logging.Logger
	mode        aws.ClientLogMode
	structured  *slog.Logger   // nil: off
	tracer      tracing.Tracer // nil: off
	instruments instruments
}

// record is what is known of an attempt or, when a call ends, of its last attempt.
type record struct {
	poolID      string
	region      string
	host        string // "" as long as no endpoint is known
	attempt     int    // counted from 1; 0: none was made
	maxAttempts int
	status      int // 0: no response
	requestID   string
	elapsed     time.Duration
	delay       time.Duration // before the next attempt
	reason      string        // what follows, and why
	err         error
}

// journal is the telemetry of one call. It redacts the secrets of all its attempts.
type journal struct {
	*telemetry
	secrets redact.Secrets
}

// Logs

// logRequest writes the request as it is about to be sent. It has no body.
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

// logResponse writes status and headers of the response.
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

// logResponseBody writes what has been read of the response's body.
func (j *journal) logResponseBody(ctx context.Context, body []byte) {
	if j.mode.IsResponseWithBody() {
		j.logf(ctx, logging.Debug, "Response body\n%s", body)
	}
}

// logf writes to the logger, less the secrets of the call.
func (j *journal) logf(ctx context.Context, class logging.Classification, format string, args ...any) {
	logging.WithContext(ctx, j.logger).Logf(class, "%s", j.secrets.Log(fmt.Sprintf(format, args...)))
}

// signerOptions has the signer log what it signs, where that is asked for.
func (j *journal) signerOptions() []func(*v4.SignerOptions) {
	if !j.mode.IsSigning() {
		return nil
	}
	return []func(*v4.SignerOptions){func(o *v4.SignerOptions) {
		o.LogSigning, o.Logger = true, callLogger{journal: j}
	}}
}

// callLogger is the logger for others to write to in the course of a call.
type callLogger struct {
	journal *journal
	ctx     context.Context // of what is logged; nil where that is not known
}

func (l callLogger) Logf(class logging.Classification, format string, args ...any) {
	ctx := l.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	l.journal.logf(ctx, class, format, args...)
}

// WithContext lets the logger see the context of what is logged.
func (l callLogger) WithContext(ctx context.Context) logging.Logger {
	l.ctx = ctx
	return l
}

// attemptEnded logs and counts an attempt.
func (j *journal) attemptEnded(ctx context.Context, r record) {
	if j.mode.IsRetries() && r.err != nil {
		j.logf(ctx, logging.Debug, "%s/%s attempt %d of %d failed, %s, delay %v: %v",
			ServiceID, operationName, r.attempt, r.maxAttempts, r.reason, r.delay, r.err)
	}
	if j.instruments.attempts != nil {
		j.instruments.attempt(ctx, r.elapsed, j.exceptionType(r.err))
	}
	j.logRecord(ctx, "cognitosync attempt", r)
}

// logRecord writes a record to the structured logger.
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

// errorText returns the text of an error as one line, less the secrets of the call.
func (j *journal) errorText(err error) string {
	return j.secrets.Line(strings.TrimSpace(err.Error()), maxErrorText)
}

// Spans

// newTracer returns the provider's tracer, or nil if it records nothing.
func newTracer(provider tracing.TracerProvider) tracing.Tracer {
	switch provider.(type) {
	case tracing.NopTracerProvider, *tracing.NopTracerProvider:
		return nil
	}
	return provider.Tracer(instrumentationScope)
}

// callTelemetry is what is begun with a call and ended with it.
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

// endCall ends the span and the timer of a call. A call without an attempt is logged
// here.
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

// startAttempt starts the span of an attempt, which is nil if nothing is traced.
func (j *journal) startAttempt(ctx context.Context, number int) (context.Context, tracing.Span) {
	if j.tracer == nil {
		return ctx, nil
	}
	return j.tracer.StartSpan(ctx, "Attempt", func(o *tracing.SpanOptions) {
		o.Properties.Set("operation.attempt", number)
	})
}

// endSpan ends a span with what is known then.
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

// exceptionType names an error: by the service's code, or by its Go type. nil has no name.
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
	http            *httpMeter
}

// newInstruments makes the instruments, unless the provider records nothing.
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
		{&in.callDuration, "client.call.duration", "Duration of a call, retries and the time to send and receive included"},
		{&in.serialization, "client.call.serialization_duration", "Time to build a request"},
		{&in.resolveEndpoint, "client.call.resolve_endpoint_duration", "Time to find the endpoint, without DNS"},
		{&in.resolveIdentity, "client.call.auth.resolve_identity_duration", "Time to get credentials from their provider"},
		{&in.signing, "client.call.auth.signing_duration", "Time to sign a request"},
		{&in.attemptDuration, "client.call.attempt_duration", "Duration of an attempt, from getting credentials to the decoded response"},
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

// startTimer returns a function that records the time since.
func startTimer(ctx context.Context, histogram metrics.Float64Histogram) (stop func()) {
	if histogram == nil {
		return func() {}
	}
	started := time.Now()
	return func() { histogram.Record(ctx, time.Since(started).Seconds(), ofOperation) }
}

// attempt counts an attempt, which has failed if it has an exception.
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

// httpMeter records the SDK's client.http metrics through the handler that the SDK has them
// from. That makes its instruments for every request, so httpMeter keeps those it has made.
type httpMeter struct {
	metrics.Meter
	made sync.Map // by name
	err  error    // of an instrument that could not be made
}

func newHTTPMeter(meter metrics.Meter) (*httpMeter, error) {
	m := &httpMeter{Meter: meter}
	// The handler makes its instruments before it finds that there is no request.
	_, _, _ = m.handler(nil).Handle(context.Background(), nil)
	return m, m.err
}

func (m *httpMeter) handler(do smithyhttp.ClientDoFunc) smithyhttp.ClientHandler {
	return smithyhttp.NewClientHandlerWithOptions(do, func(h *smithyhttp.ClientHandler) { h.Meter = m })
}

// Float64Histogram returns the histogram of that name.
func (m *httpMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	return makeOnce(m, name, opts, m.Meter.Float64Histogram)
}

// Int64UpDownCounter returns the counter of that name.
func (m *httpMeter) Int64UpDownCounter(name string, opts ...metrics.InstrumentOption) (metrics.Int64UpDownCounter, error) {
	return makeOnce(m, name, opts, m.Meter.Int64UpDownCounter)
}

func makeOnce[T any](m *httpMeter, name string, opts []metrics.InstrumentOption,
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

// measure has the handler call send, with a request whose context tells what becomes of it.
func (m *httpMeter) measure(req *http.Request, send smithyhttp.ClientDoFunc) (resp *http.Response, err error) {
	// The handler would have a span below that of the attempt, and judge the host.
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
