package clienttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
)

// Spans is a [tracing.TracerProvider] that keeps the spans it creates.
type Spans struct {
	mu    sync.Mutex
	spans []*Span
}

// A Span is a span. Its fields may be read after it has ended.
type Span struct {
	Scope      string
	Parent     *Span
	Kind       tracing.SpanKind
	Properties map[any]any
	Status     tracing.SpanStatus
	Ended      int // how often End was called

	name  string
	spans *Spans
}

// Tracer returns a tracer that creates spans of the scope.
func (s *Spans) Tracer(scope string, _ ...tracing.TracerOption) tracing.Tracer {
	return tracer{s, scope}
}

// Named returns the spans with the name, in the order of their starts.
func (s *Spans) Named(name string) []*Span {
	return slices.DeleteFunc(s.All(), func(span *Span) bool { return span.name != name })
}

// All returns all spans so far, in the order of their starts.
func (s *Spans) All() []*Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// Take returns the spans since the last Take.
func (s *Spans) Take() []*Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	spans := s.spans
	s.spans = nil
	return spans
}

// Text returns the names and properties of all spans.
func (s *Spans) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, span := range s.spans {
		fmt.Fprintln(&b, span.name, span.Properties)
	}
	return b.String()
}

type tracer struct {
	spans *Spans
	scope string
}

func (t tracer) StartSpan(ctx context.Context, name string, opts ...tracing.SpanOption) (context.Context, tracing.Span) {
	var options tracing.SpanOptions
	for _, opt := range opts {
		opt(&options)
	}
	span := &Span{Scope: t.scope, Kind: options.Kind, Properties: options.Properties.Values(), name: name, spans: t.spans}
	if span.Properties == nil {
		span.Properties = map[any]any{}
	}
	active, _ := tracing.GetSpan(ctx)
	span.Parent, _ = active.(*Span)

	t.spans.mu.Lock()
	defer t.spans.mu.Unlock()
	t.spans.spans = append(t.spans.spans, span)
	return tracing.WithSpan(ctx, span), span
}

// Name returns the name that the span was started with.
func (s *Span) Name() string { return s.name }

// Context returns an empty context: the span is not sent anywhere.
func (*Span) Context() tracing.SpanContext { return tracing.SpanContext{} }

// AddEvent does nothing.
func (*Span) AddEvent(string, ...tracing.EventOption) {}

// SetStatus sets the status.
func (s *Span) SetStatus(status tracing.SpanStatus) { s.change(func() { s.Status = status }) }

// SetProperty sets a property.
func (s *Span) SetProperty(name, value any) { s.change(func() { s.Properties[name] = value }) }

// End counts that it was called.
func (s *Span) End() { s.change(func() { s.Ended++ }) }

func (s *Span) change(change func()) {
	s.spans.mu.Lock()
	defer s.spans.mu.Unlock()
	change()
}

// Meters is a [metrics.MeterProvider] that keeps its instruments and what they record. It has
// the kinds of instruments that the SDK's clients use: Int64Counter, Int64UpDownCounter and
// Float64Histogram.
type Meters struct {
	mu          sync.Mutex
	instruments []Instrument
	points      []Point
}

// An Instrument describes an instrument that was created.
type Instrument struct{ Scope, Kind, Name, Unit, Description string }

// A Point is one recorded value.
type Point struct {
	Instrument Instrument
	Value      float64
	Attributes map[any]any
}

// Meter returns a meter that creates instruments of the scope.
func (m *Meters) Meter(scope string, _ ...metrics.MeterOption) metrics.Meter {
	return meter{metrics.NopMeterProvider{}.Meter(scope), m, scope}
}

// Created returns the instruments so far, by name.
func (m *Meters) Created() []Instrument {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(slices.Values(m.instruments), func(a, b Instrument) int { return strings.Compare(a.Name, b.Name) })
}

// Take returns the points of each instrument since the last Take.
func (m *Meters) Take() map[string][]Point {
	m.mu.Lock()
	defer m.mu.Unlock()
	points := map[string][]Point{}
	for _, p := range m.points {
		points[p.Instrument.Name] = append(points[p.Instrument.Name], p)
	}
	m.points = nil
	return points
}

func (m *Meters) create(scope, kind, name string, opts []metrics.InstrumentOption) instrument {
	var options metrics.InstrumentOptions
	for _, opt := range opts {
		opt(&options)
	}
	created := Instrument{scope, kind, name, options.UnitLabel, options.Description}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.instruments = append(m.instruments, created)
	return instrument{m, created}
}

type meter struct {
	metrics.Meter // the other kinds of instruments, which record nothing
	meters        *Meters
	scope         string
}

func (m meter) Int64Counter(name string, opts ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	return counter{m.meters.create(m.scope, "counter", name, opts)}, nil
}

func (m meter) Int64UpDownCounter(name string, opts ...metrics.InstrumentOption) (metrics.Int64UpDownCounter, error) {
	return counter{m.meters.create(m.scope, "up-down counter", name, opts)}, nil
}

func (m meter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	return histogram{m.meters.create(m.scope, "histogram", name, opts)}, nil
}

type instrument struct {
	meters *Meters
	of     Instrument
}

func (i instrument) record(value float64, opts []metrics.RecordMetricOption) {
	var options metrics.RecordMetricOptions
	for _, opt := range opts {
		opt(&options)
	}
	i.meters.mu.Lock()
	defer i.meters.mu.Unlock()
	i.meters.points = append(i.meters.points, Point{i.of, value, options.Properties.Values()})
}

type counter struct{ instrument }

func (c counter) Add(_ context.Context, value int64, opts ...metrics.RecordMetricOption) {
	c.record(float64(value), opts)
}

type histogram struct{ instrument }

func (h histogram) Record(_ context.Context, value float64, opts ...metrics.RecordMetricOption) {
	h.record(value, opts)
}
