package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// poolID is the pool that tests ask for: AWS's own example.
const poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// poolUsage is what the fake service knows of poolID.
var poolUsage = cognitosynctest.Pool{
	IdentityPoolId:    poolID,
	SyncSessionsCount: aws.Int64(17),
	DataStorage:       aws.Int64(40960),
	LastModifiedDate:  aws.Time(time.UnixMilli(1413231134115)),
}

// bothWays runs test as a subtest for each way that a call can take.
func bothWays(t *testing.T, test func(t *testing.T, way string)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(t, way)
		})
	}
}

// setup starts a fake service that knows poolID, and returns it with a client of it
// whose calls take the given way and do not wait between attempts.
func setup(t *testing.T, way string, optFns ...func(*cognitosync.Options)) (*cognitosynctest.Server, *cognitosync.Client) {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.Pools = []cognitosynctest.Pool{poolUsage}
	})
	return server, newClient(server.Config(), way, optFns...)
}

// newClient returns a client whose calls take the given way and do not wait between
// attempts.
func newClient(cfg aws.Config, way string, optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	through := func(o *cognitosync.Options) { goThrough(way, o) }
	client := cognitosync.NewFromConfig(cfg, append([]func(*cognitosync.Options){through}, optFns...)...)
	cognitosync.SetSleep(client, doNotSleep)
	return client
}

// describe asks for poolID, and checks what holds for every call.
func describe(t *testing.T, client *cognitosync.Client, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	t.Helper()
	return describePool(t.Context(), t, client, poolID, optFns...)
}

// describePool is describe for any context and pool.
func describePool(ctx context.Context, t *testing.T, client *cognitosync.Client, id string, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	t.Helper()
	output, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}, optFns...)
	assertSound(t, outcome{output: output, err: err})
	return output, err
}

// errBroken is an error that only the test can have made.
var errBroken = errors.New("broken on purpose")

// alwaysFailing is a service that is out of order.
var alwaysFailing = cognitosynctest.Forever(cognitosynctest.InternalError())

// firstOf returns the first of the values that is not empty.
func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// firstWords returns the first n words of a text.
func firstWords(text string, n int) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(n, len(words))], " ")
}

// doerFunc is a function as an HTTPClient.
type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// A tap is an HTTPClient that notes what it sends.
type tap struct {
	transport http.RoundTripper

	mu       sync.Mutex
	requests []*http.Request
}

func (t *tap) Do(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.requests = append(t.requests, req.Clone(req.Context()))
	t.mu.Unlock()
	return t.transport.RoundTrip(req)
}

// take returns what has been sent since it was last called.
func (t *tap) take() []*http.Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := t.requests
	t.requests = nil
	return requests
}

// notes are lines that goroutines leave for the test.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

// take returns what has been noted since it was last called.
func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

// Logf makes notes a logging.Logger.
func (n *notes) Logf(class logging.Classification, format string, args ...any) {
	n.add("%s %s", class, fmt.Sprintf(format, args...))
}

// A spanRecorder is a tracing.TracerProvider that keeps what it is told.
type spanRecorder struct {
	onStart func(name string) // nil: nothing is called

	mu    sync.Mutex
	spans []*recordedSpan
}

// A recordedSpan is one span, its properties by name.
type recordedSpan struct {
	recorder   *spanRecorder
	scope      string
	name       string
	parent     *recordedSpan
	kind       tracing.SpanKind
	properties map[any]any
	status     tracing.SpanStatus
	ended      int // how often End was called
}

func (r *spanRecorder) Tracer(scope string, _ ...tracing.TracerOption) tracing.Tracer {
	return recordingTracer{r, scope}
}

// named returns the spans of that name, in the order of their starts.
func (r *spanRecorder) named(name string) []*recordedSpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.spans), func(s *recordedSpan) bool { return s.name != name })
}

// count returns how many spans there are.
func (r *spanRecorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.spans)
}

// text returns all that the spans say.
func (r *spanRecorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, s := range r.spans {
		fmt.Fprintln(&b, s.name, s.properties)
	}
	return b.String()
}

type recordingTracer struct {
	recorder *spanRecorder
	scope    string
}

func (t recordingTracer) StartSpan(ctx context.Context, name string, opts ...tracing.SpanOption) (context.Context, tracing.Span) {
	var options tracing.SpanOptions
	for _, opt := range opts {
		opt(&options)
	}
	span := &recordedSpan{
		recorder:   t.recorder,
		scope:      t.scope,
		name:       name,
		kind:       options.Kind,
		properties: options.Properties.Values(),
	}
	if span.properties == nil {
		span.properties = map[any]any{}
	}
	if t.recorder.onStart != nil {
		t.recorder.onStart(name)
	}
	active, _ := tracing.GetSpan(ctx)
	span.parent, _ = active.(*recordedSpan)

	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	t.recorder.spans = append(t.recorder.spans, span)
	return tracing.WithSpan(ctx, span), span
}

func (s *recordedSpan) Name() string                            { return s.name }
func (s *recordedSpan) Context() tracing.SpanContext            { return tracing.SpanContext{} }
func (s *recordedSpan) AddEvent(string, ...tracing.EventOption) {}
func (s *recordedSpan) SetStatus(status tracing.SpanStatus)     { s.set(func() { s.status = status }) }
func (s *recordedSpan) SetProperty(name, value any)             { s.set(func() { s.properties[name] = value }) }
func (s *recordedSpan) End()                                    { s.set(func() { s.ended++ }) }

func (s *recordedSpan) set(change func()) {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	change()
}

// A meterRecorder is a metrics.MeterProvider that keeps what it is told.
type meterRecorder struct {
	mu          sync.Mutex
	instruments []instrument
	points      []point
}

// An instrument is one that was asked for.
type instrument struct{ scope, kind, name, unit, description string }

// A point is one recorded value.
type point struct {
	name       string
	value      float64
	attributes map[any]any
}

func (r *meterRecorder) Meter(scope string, _ ...metrics.MeterOption) metrics.Meter {
	return recordingMeter{metrics.NopMeterProvider{}.Meter(scope), r, scope}
}

// created returns the instruments so far, by name.
func (r *meterRecorder) created() []instrument {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.instruments), func(a, b instrument) int { return strings.Compare(a.name, b.name) })
}

// take returns the points of each instrument since it was last called.
func (r *meterRecorder) take() map[string][]point {
	r.mu.Lock()
	defer r.mu.Unlock()
	points := map[string][]point{}
	for _, p := range r.points {
		points[p.name] = append(points[p.name], p)
	}
	r.points = nil
	return points
}

func (r *meterRecorder) create(scope, kind, name string, opts []metrics.InstrumentOption) recordingInstrument {
	var options metrics.InstrumentOptions
	for _, opt := range opts {
		opt(&options)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instruments = append(r.instruments, instrument{scope, kind, name, options.UnitLabel, options.Description})
	return recordingInstrument{r, name}
}

// recordingMeter records what the SDK's client metrics are made of.
type recordingMeter struct {
	metrics.Meter // of the other kinds, which record nothing
	recorder      *meterRecorder
	scope         string
}

func (m recordingMeter) Int64Counter(name string, opts ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	return recordingCounter{m.recorder.create(m.scope, "counter", name, opts)}, nil
}

func (m recordingMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	return recordingHistogram{m.recorder.create(m.scope, "histogram", name, opts)}, nil
}

type recordingInstrument struct {
	recorder *meterRecorder
	name     string
}

func (i recordingInstrument) record(value float64, opts []metrics.RecordMetricOption) {
	var options metrics.RecordMetricOptions
	for _, opt := range opts {
		opt(&options)
	}
	i.recorder.mu.Lock()
	defer i.recorder.mu.Unlock()
	i.recorder.points = append(i.recorder.points, point{i.name, value, options.Properties.Values()})
}

type recordingCounter struct{ recordingInstrument }

func (c recordingCounter) Add(_ context.Context, value int64, opts ...metrics.RecordMetricOption) {
	c.record(float64(value), opts)
}

type recordingHistogram struct{ recordingInstrument }

func (h recordingHistogram) Record(_ context.Context, value float64, opts ...metrics.RecordMetricOption) {
	h.record(value, opts)
}
