package main

import (
	"context"
	"fmt"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// tracerProvider gives smithy's clients the tracers of an OpenTelemetry provider.
type tracerProvider struct{ otel trace.TracerProvider }

// Tracer implements [tracing.TracerProvider].
func (p tracerProvider) Tracer(scope string, _ ...tracing.TracerOption) tracing.Tracer {
	return tracer{p.otel.Tracer(scope)}
}

type tracer struct{ otel trace.Tracer }

// spanKinds are smithy's kinds of spans in OpenTelemetry.
var spanKinds = map[tracing.SpanKind]trace.SpanKind{
	tracing.SpanKindInternal: trace.SpanKindInternal,
	tracing.SpanKindClient:   trace.SpanKindClient,
	tracing.SpanKindServer:   trace.SpanKindServer,
	tracing.SpanKindProducer: trace.SpanKindProducer,
	tracing.SpanKindConsumer: trace.SpanKindConsumer,
}

// StartSpan implements [tracing.Tracer]. The span is in the context for both
// worlds: OpenTelemetry finds the parent of a span there, smithy the current one.
func (t tracer) StartSpan(ctx context.Context, name string, optFns ...tracing.SpanOption) (context.Context, tracing.Span) {
	var o tracing.SpanOptions
	for _, fn := range optFns {
		fn(&o)
	}
	ctx, started := t.otel.Start(ctx, name,
		trace.WithSpanKind(spanKinds[o.Kind]), trace.WithAttributes(attributes(o.Properties)...))
	s := span{name: name, otel: started}
	return tracing.WithSpan(ctx, s), s
}

type span struct {
	name string
	otel trace.Span
}

// Name implements [tracing.Span], as all that follows.
func (s span) Name() string { return s.name }

func (s span) Context() tracing.SpanContext {
	c := s.otel.SpanContext()
	return tracing.SpanContext{TraceID: c.TraceID().String(), SpanID: c.SpanID().String(), IsRemote: c.IsRemote()}
}

func (s span) AddEvent(name string, optFns ...tracing.EventOption) {
	var o tracing.EventOptions
	for _, fn := range optFns {
		fn(&o)
	}
	s.otel.AddEvent(name, trace.WithAttributes(attributes(o.Properties)...))
}

func (s span) SetStatus(status tracing.SpanStatus) {
	switch status {
	case tracing.SpanStatusOK:
		s.otel.SetStatus(codes.Ok, "")
	case tracing.SpanStatusError:
		s.otel.SetStatus(codes.Error, "")
	default:
		s.otel.SetStatus(codes.Unset, "")
	}
}

func (s span) SetProperty(k, v any) { s.otel.SetAttributes(keyValue(k, v)) }

func (s span) End() { s.otel.End() }

// meterProvider gives smithy's clients the meters of an OpenTelemetry provider.
type meterProvider struct{ otel metric.MeterProvider }

// Meter implements [metrics.MeterProvider].
func (p meterProvider) Meter(scope string, _ ...metrics.MeterOption) metrics.Meter {
	return meter{otel: p.otel.Meter(scope)}
}

// meter makes the two kinds of instruments that the client uses. Those of other
// kinds record nothing.
type meter struct {
	metrics.NopMeter
	otel metric.Meter
}

// Int64Counter implements [metrics.Meter].
func (m meter) Int64Counter(name string, optFns ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	o := instrumentOptions(optFns)
	made, err := m.otel.Int64Counter(name, metric.WithUnit(o.UnitLabel), metric.WithDescription(o.Description))
	return counter{made}, err
}

type counter struct{ otel metric.Int64Counter }

// Add implements [metrics.Int64Counter].
func (c counter) Add(ctx context.Context, n int64, optFns ...metrics.RecordMetricOption) {
	c.otel.Add(ctx, n, metric.WithAttributes(recordAttributes(optFns)...))
}

// Float64Histogram implements [metrics.Meter].
func (m meter) Float64Histogram(name string, optFns ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	o := instrumentOptions(optFns)
	made, err := m.otel.Float64Histogram(name, metric.WithUnit(o.UnitLabel), metric.WithDescription(o.Description),
		// For seconds: the default is meant for milliseconds.
		metric.WithExplicitBucketBoundaries(0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50))
	return histogram{made}, err
}

type histogram struct{ otel metric.Float64Histogram }

// Record implements [metrics.Float64Histogram].
func (h histogram) Record(ctx context.Context, v float64, optFns ...metrics.RecordMetricOption) {
	h.otel.Record(ctx, v, metric.WithAttributes(recordAttributes(optFns)...))
}

func instrumentOptions(optFns []metrics.InstrumentOption) (o metrics.InstrumentOptions) {
	for _, fn := range optFns {
		fn(&o)
	}
	return o
}

func recordAttributes(optFns []metrics.RecordMetricOption) []attribute.KeyValue {
	var o metrics.RecordMetricOptions
	for _, fn := range optFns {
		fn(&o)
	}
	return attributes(o.Properties)
}

// attributes returns smithy's properties as attributes, in no particular order.
func attributes(properties smithy.Properties) []attribute.KeyValue {
	values := properties.Values()
	all := make([]attribute.KeyValue, 0, len(values))
	for k, v := range values {
		all = append(all, keyValue(k, v))
	}
	return all
}

// keyValue returns one property as an attribute. What OpenTelemetry has no type for
// becomes text.
func keyValue(k, v any) attribute.KeyValue {
	key := attribute.Key(fmt.Sprint(k))
	switch v := v.(type) {
	case bool:
		return key.Bool(v)
	case int:
		return key.Int(v)
	case int64:
		return key.Int64(v)
	case float64:
		return key.Float64(v)
	}
	return key.String(fmt.Sprint(v))
}
