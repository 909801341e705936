package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const (
	ownScope     = "github.com/cognitosync/cognitosync-go/examples/otel"
	clientScope  = "github.com/cognitosync/cognitosync-go"
	otelawsScope = "go.opentelemetry.io/contrib/instrumentation/github.com/aws/aws-sdk-go-v2/otelaws"

	callSpan = "Cognito Sync.DescribeIdentityPoolUsage"
)

// requestID returns the request ID in the nth response of the fake service.
func requestID(n string) string { return "00000000-0000-4000-8000-00000000000" + n }

// spanRecord is the part of a span that the tests compare.
type spanRecord struct {
	Name       string
	Scope      string
	Parent     int // index in the list; -1 for none
	Kind       trace.SpanKind
	Status     codes.Code
	Attributes map[string]any
}

// spanRecords returns the ended spans in the order in which they were started.
func spanRecords(recorder *tracetest.SpanRecorder) []spanRecord {
	started := recorder.Started()
	places := map[trace.SpanID]int{{}: -1}
	for i, s := range started {
		places[s.SpanContext().SpanID()] = i
	}
	records := make([]spanRecord, 0, len(started))
	for _, s := range started {
		if s.EndTime().IsZero() {
			continue
		}
		record := spanRecord{
			Name:       s.Name(),
			Scope:      s.InstrumentationScope().Name,
			Parent:     places[s.Parent().SpanID()],
			Kind:       s.SpanKind(),
			Status:     s.Status().Code,
			Attributes: map[string]any{},
		}
		for _, attribute := range s.Attributes() {
			switch key := string(attribute.Key); {
			case strings.HasPrefix(key, "net.peer."): // added by the SDK's transport to the attempt that connects
			case key == "server.address":
				record.Attributes[key] = strings.HasPrefix(attribute.Value.AsString(), "127.0.0.1:")
			default:
				record.Attributes[key] = attribute.Value.AsInterface()
			}
		}
		records = append(records, record)
	}
	return records
}

func TestMakeCalls_spans(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	require.NoError(t, makeCalls(t.Context(), tracers, sdkmetric.NewMeterProvider()))

	otelawsCall := func(response string) spanRecord {
		return spanRecord{
			Name: callSpan, Scope: otelawsScope, Parent: 6, Kind: trace.SpanKindClient,
			Attributes: map[string]any{
				"rpc.system.name":           "aws-api",
				"rpc.method":                "Cognito Sync/DescribeIdentityPoolUsage",
				"aws.region":                "us-east-1",
				"aws.request_id":            requestID(response),
				"http.response.status_code": int64(200),
			},
		}
	}
	clientCall := func(attempts int64, response, pool string) spanRecord {
		return spanRecord{
			Name: callSpan, Scope: clientScope, Parent: 0, Kind: trace.SpanKindClient, Status: codes.Ok,
			Attributes: map[string]any{
				"rpc.system":         "aws-api",
				"rpc.service":        "Cognito Sync",
				"rpc.method":         "DescribeIdentityPoolUsage",
				"operation.attempts": attempts,
				"aws.request_id":     requestID(response),
				"http.status_code":   int64(200),
				"error":              false,

				"aws.cognito_sync.identity_pool_id": pool,
				"cloud.region":                      "us-east-1",
				"server.address":                    true,
			},
		}
	}
	goodAttempt := func(parent int, number int64, response string) spanRecord {
		return spanRecord{
			Name: "Attempt", Scope: clientScope, Parent: parent, Kind: trace.SpanKindInternal, Status: codes.Ok,
			Attributes: map[string]any{
				"operation.attempt": number,
				"cloud.region":      "us-east-1",
				"server.address":    true,
				"aws.request_id":    requestID(response),
				"http.status_code":  int64(200),
				"error":             false,
			},
		}
	}
	throttledAttempt := func(parent int, number int64, response string) spanRecord {
		return spanRecord{
			Name: "Attempt", Scope: clientScope, Parent: parent, Kind: trace.SpanKindInternal, Status: codes.Error,
			Attributes: map[string]any{
				"operation.attempt": number,
				"cloud.region":      "us-east-1",
				"server.address":    true,
				"aws.request_id":    requestID(response),
				"http.status_code":  int64(429),
				"error":             true,
				"exception.type":    "TooManyRequestsException",
				"exception.message": "https response error StatusCode: 429, RequestID: " + requestID(response) +
					", TooManyRequestsException: Rate exceeded",
				"api.error_code":    "TooManyRequestsException",
				"api.error_message": "Rate exceeded",
				"api.error_fault":   "client",
			},
		}
	}
	own := func(name string) spanRecord {
		return spanRecord{Name: name, Scope: ownScope, Parent: -1, Kind: trace.SpanKindInternal, Attributes: map[string]any{}}
	}
	assert.Equal(t, []spanRecord{
		own("through the client's providers"),
		clientCall(1, "1", quiet),
		goodAttempt(1, 1, "1"),
		clientCall(2, "3", busy),
		throttledAttempt(3, 1, "2"),
		goodAttempt(3, 2, "3"),
		own("through otelaws"),
		otelawsCall("4"),
		otelawsCall("6"), // 5 is the throttled attempt
	}, spanRecords(recorder))
}

func TestMakeCalls_metrics(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	require.NoError(t, makeCalls(t.Context(), sdktrace.NewTracerProvider(), meters))

	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	require.Len(t, collected.ScopeMetrics, 1)
	assert.Equal(t, clientScope, collected.ScopeMetrics[0].Scope.Name)

	// The number of records of a histogram, or the sum of a counter.
	counts := map[string]uint64{}
	units := map[string]string{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		assert.NotEmpty(t, m.Description, m.Name)
		units[m.Name] = m.Unit
		want := map[string]any{"rpc.service": "Cognito Sync", "rpc.method": "DescribeIdentityPoolUsage"}
		got := map[string]any{}
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			require.Len(t, data.DataPoints, 1, m.Name)
			counts[m.Name] = data.DataPoints[0].Count
			for _, a := range data.DataPoints[0].Attributes.ToSlice() {
				got[string(a.Key)] = a.Value.AsInterface()
			}
		case metricdata.Sum[int64]:
			require.Len(t, data.DataPoints, 1, m.Name)
			assert.Equal(t, m.Name != "client.http.connections.usage", data.IsMonotonic, m.Name)
			counts[m.Name] = uint64(max(data.DataPoints[0].Value, 0)) // connections may not have been returned yet
			for _, a := range data.DataPoints[0].Attributes.ToSlice() {
				got[string(a.Key)] = a.Value.AsInterface()
			}
		default:
			t.Errorf("%s is of type %T", m.Name, data)
		}
		switch {
		case m.Name == "client.call.errors":
			want["exception.type"] = "TooManyRequestsException"
		case m.Name == "client.http.connections.usage":
			want = map[string]any{"state": "acquired"}
		case strings.HasPrefix(m.Name, "client.http."): // smithy's, without attributes for the operation
			want = map[string]any{}
		}
		assert.Equal(t, want, got, m.Name)
	}
	assert.Equal(t, map[string]string{
		"client.call.duration":                       "s",
		"client.call.attempts":                       "{attempt}",
		"client.call.attempt_duration":               "s",
		"client.call.errors":                         "{error}",
		"client.call.serialization_duration":         "s",
		"client.call.deserialization_duration":       "s",
		"client.call.resolve_endpoint_duration":      "s",
		"client.call.auth.signing_duration":          "s",
		"client.call.auth.resolve_identity_duration": "s",
		"client.http.connections.acquire_duration":   "s",
		"client.http.connections.usage":              "{connection}",
		"client.http.do_request_duration":            "s",
		"client.http.time_to_first_byte":             "s",
	}, units)
	// Two calls, three attempts, one of them throttled.
	assert.Equal(t, uint64(2), counts["client.call.duration"])
	assert.Equal(t, uint64(3), counts["client.call.attempts"])
	assert.Equal(t, uint64(3), counts["client.call.attempt_duration"])
	assert.Equal(t, uint64(1), counts["client.call.errors"])
	assert.Equal(t, uint64(3), counts["client.call.auth.signing_duration"])
	assert.Equal(t, uint64(3), counts["client.call.deserialization_duration"])
	assert.Equal(t, uint64(3), counts["client.http.do_request_duration"])
	assert.Equal(t, uint64(1), counts["client.http.connections.acquire_duration"])
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))

	var names []string
	for decoder := json.NewDecoder(&out); ; {
		var exported struct {
			Name         string
			ScopeMetrics []struct{ Metrics []json.RawMessage }
		}
		err := decoder.Decode(&exported)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if len(exported.ScopeMetrics) > 0 {
			exported.Name = "metrics"
			assert.Len(t, exported.ScopeMetrics[0].Metrics, 13)
		}
		names = append(names, exported.Name)
	}
	assert.Equal(t, []string{
		"Attempt", callSpan, "Attempt", "Attempt", callSpan, "through the client's providers",
		callSpan, callSpan, "through otelaws",
		"metrics",
	}, names)
}
