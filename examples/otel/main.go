// Command otel reports the calls of a client to OpenTelemetry in two ways:
//
//   - through the client's TracerProvider and MeterProvider, with smithy's adapters:
//     a span for each call, a span for each of its attempts, and metrics;
//   - through otelaws, the middleware for clients of the AWS SDK, for programs that
//     already use it: a span for each call.
//
// It calls an embedded fake service and prints the spans and metrics as an exporter
// would send them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/metrics/smithyotelmetrics"
	"github.com/aws/smithy-go/tracing/smithyoteltracing"
	"go.opentelemetry.io/contrib/instrumentation/github.com/aws/aws-sdk-go-v2/otelaws"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "otel: %v\n", err)
		os.Exit(1)
	}
}

// run makes the calls and writes their spans and metrics to w.
func run(ctx context.Context, w io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(w), stdouttrace.WithPrettyPrint())
	if err != nil {
		return err
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	defer func() { err = errors.Join(err, tracers.Shutdown(ctx)) }()

	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(w), stdoutmetric.WithPrettyPrint())
	if err != nil {
		return err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers)))
	defer func() { err = errors.Join(err, meters.Shutdown(ctx)) }() // which prints the metrics

	return makeCalls(ctx, tracers, meters)
}

// makeCalls makes two calls with each client, one that succeeds at once and one that
// is retried. Each pair has a parent span.
func makeCalls(ctx context.Context, tracers trace.TracerProvider, meters metric.MeterProvider) error {
	server, err := cognitosynctest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	cfg := server.Config()

	tracer := tracers.Tracer("github.com/cognitosync/cognitosync-go/examples/otel")
	for _, path := range []struct {
		name   string
		client *cognitosync.Client
	}{
		{"through the client's providers", withProviders(cfg, tracers, meters)},
		{"through otelaws", withOtelaws(cfg, tracers)},
	} {
		ctx, span := tracer.Start(ctx, path.name)
		err := describePools(ctx, server, path.client)
		span.End()
		if err != nil {
			return err
		}
	}
	return nil
}

// withProviders returns a client that itself reports to OpenTelemetry.
func withProviders(cfg aws.Config, tracers trace.TracerProvider, meters metric.MeterProvider) *cognitosync.Client {
	return cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
		o.TracerProvider = smithyoteltracing.Adapt(tracers)
		o.MeterProvider = smithyotelmetrics.Adapt(meters)
	})
}

// withOtelaws returns a client with the middleware of otelaws. Applied to an
// [aws.Config] that all clients of a program share, the one line covers all of them.
func withOtelaws(cfg aws.Config, tracers trace.TracerProvider) *cognitosync.Client {
	otelaws.AppendMiddlewares(&cfg.APIOptions, otelaws.WithTracerProvider(tracers))
	return cognitosync.NewFromConfig(cfg)
}

// The two pools. The service throttles the first request for busy.
const (
	quiet = "us-east-1:00000000-0000-0000-0000-000000000001"
	busy  = "us-east-1:00000000-0000-0000-0000-000000000002"
)

// describePools queries both pools.
func describePools(ctx context.Context, server *cognitosynctest.Server, client *cognitosync.Client) error {
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: quiet, SyncSessionsCount: aws.Int64(3)})
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: busy, SyncSessionsCount: aws.Int64(12_345)})
	server.Script(busy, cognitosynctest.Throttle(1))

	for _, id := range []string{quiet, busy} {
		if _, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}); err != nil {
			return err
		}
	}
	return nil
}
