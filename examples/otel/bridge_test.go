package main

import (
	"testing"
	"time"

	"github.com/aws/smithy-go/tracing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestTracer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		kind       tracing.SpanKind
		status     tracing.SpanStatus
		wantKind   trace.SpanKind
		wantStatus codes.Code
	}{
		{"internal", tracing.SpanKindInternal, tracing.SpanStatusUnset, trace.SpanKindInternal, codes.Unset},
		{"client", tracing.SpanKindClient, tracing.SpanStatusOK, trace.SpanKindClient, codes.Ok},
		{"server", tracing.SpanKindServer, tracing.SpanStatusError, trace.SpanKindServer, codes.Error},
		{"producer", tracing.SpanKindProducer, tracing.SpanStatusOK, trace.SpanKindProducer, codes.Ok},
		{"consumer", tracing.SpanKindConsumer, tracing.SpanStatusOK, trace.SpanKindConsumer, codes.Ok},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			recorder := tracetest.NewSpanRecorder()
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample()))
			tracer := tracerProvider{provider}.Tracer("scope")
			ctx, span := tracer.StartSpan(t.Context(), test.name, func(o *tracing.SpanOptions) {
				o.Kind = test.kind
				o.Properties.Set("started", true)
			})
			current, ok := tracing.GetSpan(ctx)
			require.True(t, ok)
			assert.Equal(t, span, current)
			assert.Equal(t, test.name, span.Name())
			here := trace.SpanContextFromContext(ctx)
			assert.Equal(t, tracing.SpanContext{TraceID: here.TraceID().String(), SpanID: here.SpanID().String()}, span.Context())

			span.AddEvent("event", func(o *tracing.EventOptions) { o.Properties.Set("n", 1) })
			span.SetProperty("ended", "soon")
			span.SetStatus(test.status)
			span.End()

			require.Len(t, recorder.Ended(), 1)
			got := recorder.Ended()[0]
			assert.Equal(t, test.name, got.Name())
			assert.Equal(t, "scope", got.InstrumentationScope().Name)
			assert.Equal(t, test.wantKind, got.SpanKind())
			assert.Equal(t, test.wantStatus, got.Status().Code)
			assert.Equal(t, []attribute.KeyValue{attribute.Bool("started", true), attribute.String("ended", "soon")}, got.Attributes())
			require.Len(t, got.Events(), 1)
			assert.Equal(t, "event", got.Events()[0].Name)
			assert.Equal(t, []attribute.KeyValue{attribute.Int("n", 1)}, got.Events()[0].Attributes)
		})
	}
}

func TestKeyValue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		v    any
		want attribute.Value
	}{
		{"bool", true, attribute.BoolValue(true)},
		{"int", 7, attribute.IntValue(7)},
		{"int64", int64(7), attribute.Int64Value(7)},
		{"float64", 0.5, attribute.Float64Value(0.5)},
		{"string", "s", attribute.StringValue("s")},
		{"another type", time.Second, attribute.StringValue("1s")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, attribute.KeyValue{Key: "k", Value: test.want}, keyValue("k", test.v))
		})
	}
}
