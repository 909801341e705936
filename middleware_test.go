package cognitosync_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// TestStackIsForMiddlewareOnly looks at the frames of a call where it reaches the
// HTTP client: those of a stack are there when there is middleware, and only then.
func TestStackIsForMiddlewareOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		option func(*cognitosync.Options)
		stack  bool
	}{
		{"nothing", func(*cognitosync.Options) {}, false},
		{"everything else", func(o *cognitosync.Options) {
			o.Logger, o.ClientLogMode = &notes{}, aws.LogRequestWithBody|aws.LogResponseWithBody|aws.LogRetries|aws.LogSigning
			o.TracerProvider, o.MeterProvider = &spanRecorder{}, &meterRecorder{}
			o.AppID, o.UseIdentityPoolRegion, o.RetryMode = "app", true, aws.RetryModeAdaptive
			o.APIOptions = []func(*middleware.Stack) error{}
		}, false},
		{"API option", cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil }), true},
		{"interceptor", func(o *cognitosync.Options) { addHook(o, "AfterExecution", newHooks()) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stacks []bool
			own := func(o *cognitosync.Options) {
				next := o.HTTPClient
				o.HTTPClient = doerFunc(func(req *http.Request) (*http.Response, error) {
					stacks = append(stacks, slices.ContainsFunc(frames(), func(function string) bool {
						return strings.Contains(function, "smithy-go/middleware.(*Stack)")
					}))
					return next.Do(req)
				})
			}
			_, client := setup(t, direct, own, test.option)
			_, err := describe(t, client)
			require.NoError(t, err)
			_, client = setup(t, direct, own)
			_, err = describe(t, client, test.option)
			require.NoError(t, err)
			_, err = describe(t, client)
			require.NoError(t, err)
			assert.Equal(t, []bool{test.stack, test.stack, false}, stacks, "for the client, for a call, and for the next call")
		})
	}
}

// TestEveryInterceptorCounts shows that any of the 13 lists makes a stack of a call.
func TestEveryInterceptorCounts(t *testing.T) {
	t.Parallel()
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hooks := newHooks()
			_, client := setup(t, direct, func(o *cognitosync.Options) { addHook(o, name, hooks) })
			_, err := describe(t, client)
			require.NoError(t, err)
			assert.Equal(t, []string{name}, hooks.notes.take())
		})
	}
}

// frames returns the functions that the caller was called from.
func frames() []string {
	pcs := make([]uintptr, 100)
	all := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var functions []string
	for {
		frame, more := all.Next()
		functions = append(functions, frame.Function)
		if !more {
			return functions
		}
	}
}

// stackSteps are the middleware of each step, first to last.
var stackSteps = []struct {
	step string
	ids  []string
}{
	{"initialize", []string{"RegisterServiceMetadata", "OperationInputValidation"}},
	{"serialize", []string{"ResolveEndpoint", "OperationSerializer"}},
	{"build", []string{"ClientRequestID", "UserAgent", "RecursionDetection"}},
	{"finalize", []string{
		"Retry", "RetryMetricsHeader", "ResolveAuthScheme", "GetIdentity", "ResolveEndpointV2", "ComputePayloadHash", "Signing",
	}},
	{"deserialize", []string{
		"AddRawResponseToMetadata", "ResponseErrorWrapper", "RequestIDRetriever", "OperationDeserializer",
		"RecordResponseTiming", "RequestResponseLogger",
	}},
}

func TestStackSteps(t *testing.T) {
	t.Parallel()
	withHooks := map[string][]string{
		"initialize": {"InterceptExecution", "RegisterServiceMetadata", "OperationInputValidation"},
		"serialize":  {"ResolveEndpoint", "InterceptBeforeSerialization", "OperationSerializer", "InterceptAfterSerialization"},
		"build":      {"ClientRequestID", "UserAgent", "RecursionDetection"},
		"finalize": {
			"InterceptBeforeRetryLoop", "Retry", "InterceptAttempt", "RetryMetricsHeader", "ResolveAuthScheme", "GetIdentity",
			"ResolveEndpointV2", "ComputePayloadHash", "InterceptBeforeSigning", "Signing", "InterceptAfterSigning",
		},
		"deserialize": {
			"AddRawResponseToMetadata", "ResponseErrorWrapper", "RequestIDRetriever", "InterceptAfterDeserialization",
			"OperationDeserializer", "InterceptBeforeDeserialization", "RecordResponseTiming", "RequestResponseLogger", "InterceptTransmit",
		},
	}
	_, client := setup(t, direct)
	_, err := describe(t, client, cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		assert.Equal(t, "DescribeIdentityPoolUsage", s.ID())
		for _, want := range stackSteps {
			assert.Equal(t, want.ids, stepNamed(want.step, s).list())
		}
		return nil
	}))
	require.NoError(t, err)
	_, err = describe(t, client, func(o *cognitosync.Options) { addHook(o, "AfterAttempt", newHooks()) },
		cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
			for name, ids := range withHooks {
				assert.Equal(t, ids, stepNamed(name, s).list())
			}
			return nil
		}))
	require.NoError(t, err)
}

// A removal is what becomes of a call without one of its middleware.
type removal struct {
	code  string // of the service's error; "" if there is none
	text  string // in the error; "" if there is none
	sent  int    // requests
	check func(t *testing.T, request cognitosynctest.Request, metadata middleware.Metadata)
}

var removals = map[string]removal{
	"RegisterServiceMetadata":  {sent: 1},
	"OperationInputValidation": {sent: 1},
	"OperationSerializer":      {sent: 1, code: "UnknownOperationException"},
	"ClientRequestID": {sent: 1, check: func(t *testing.T, request cognitosynctest.Request, _ middleware.Metadata) {
		assert.Empty(t, request.InvocationID)
	}},
	"UserAgent": {sent: 1, check: func(t *testing.T, request cognitosynctest.Request, _ middleware.Metadata) {
		assert.NotContains(t, request.Header.Get("User-Agent"), "cognitosync")
	}},
	"RecursionDetection": {sent: 1},
	"Retry": {sent: 1, check: func(t *testing.T, request cognitosynctest.Request, _ middleware.Metadata) {
		assert.Empty(t, request.Header.Get("Amz-Sdk-Request"))
	}},
	"RetryMetricsHeader": {sent: 1, check: func(t *testing.T, request cognitosynctest.Request, _ middleware.Metadata) {
		assert.Empty(t, request.Header.Get("Amz-Sdk-Request"))
	}},
	"ResolveEndpoint":    {sent: 1},
	"ResolveAuthScheme":  {sent: 1},
	"GetIdentity":        {text: "configuration of Credentials"},
	"ResolveEndpointV2":  {text: "unsupported protocol scheme"},
	"ComputePayloadHash": {sent: 1},
	"Signing":            {sent: 1, code: "MissingAuthenticationTokenException"},
	"AddRawResponseToMetadata": {sent: 1, check: func(t *testing.T, _ cognitosynctest.Request, metadata middleware.Metadata) {
		assert.Nil(t, awsmiddleware.GetRawResponse(metadata))
	}},
	"ResponseErrorWrapper": {sent: 1},
	"RequestIDRetriever": {sent: 1, check: func(t *testing.T, _ cognitosynctest.Request, metadata middleware.Metadata) {
		_, found := awsmiddleware.GetRequestIDMetadata(metadata)
		assert.False(t, found)
	}},
	"OperationDeserializer": {sent: 1, text: "middleware gave a result of type <nil>"},
	"RecordResponseTiming": {sent: 1, check: func(t *testing.T, _ cognitosynctest.Request, metadata middleware.Metadata) {
		_, found := awsmiddleware.GetResponseAt(metadata)
		assert.False(t, found)
	}},
	"RequestResponseLogger": {sent: 1},
}

// TestStepsCanBeChanged gets, surrounds, replaces and removes each middleware.
func TestStepsCanBeChanged(t *testing.T) {
	t.Parallel()
	for _, s := range stackSteps {
		for _, id := range s.ids {
			t.Run(id, func(t *testing.T) {
				t.Parallel()
				t.Run("insert", func(t *testing.T) {
					t.Parallel()
					var order notes
					_, client := setup(t, direct,
						with(s.step, &probe{id: "after", notes: &order}, middleware.After, id),
						with(s.step, &probe{id: "before", notes: &order}, middleware.Before, id),
						cognitosync.WithAPIOptions(func(stack *middleware.Stack) error {
							list := stepNamed(s.step, stack).list()
							at := slices.Index(list, id)
							assert.Equal(t, []string{"before", id, "after"}, list[at-1:at+2])
							assert.True(t, stepNamed(s.step, stack).has(id))
							return nil
						}))
					_, err := describe(t, client)
					require.NoError(t, err)
					assert.Equal(t, []string{"before", "after"}, order.take())
				})
				t.Run("swap", func(t *testing.T) {
					t.Parallel()
					var swapped notes
					_, client := setup(t, direct, cognitosync.WithAPIOptions(func(stack *middleware.Stack) (err error) {
						p := &probe{id: id, notes: &swapped}
						p.instead, err = stepNamed(s.step, stack).swap(id, p)
						return err
					}))
					_, err := describe(t, client)
					require.NoError(t, err)
					assert.Equal(t, []string{id}, swapped.take())
				})
				t.Run("remove", func(t *testing.T) {
					t.Parallel()
					testRemoval(t, s.step, id, removals[id])
				})
			})
		}
	}
}

func testRemoval(t *testing.T, stepName, id string, want removal) {
	server, client := setup(t, direct, cognitosync.WithAPIOptions(func(stack *middleware.Stack) error {
		return stepNamed(stepName, stack).remove(id)
	}), func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 })
	output, err := describe(t, client)
	requests := server.Requests()
	assert.Equal(t, want.sent, requests.Count())
	switch {
	case want.code != "":
		assert.Equal(t, want.code, cognitosync.InspectError(err).Code)
	case want.text != "":
		require.ErrorContains(t, err, want.text)
	default:
		require.NoError(t, err)
		if want.check != nil {
			want.check(t, requests.Last(), output.ResultMetadata)
		}
	}
}

// TestWithoutValidation shows that nothing panics, and nothing is sent, when the step
// that refuses bad input and settings has been removed.
func TestWithoutValidation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		input  *cognitosync.DescribeIdentityPoolUsageInput
		option func(*cognitosync.Options)
	}{
		{name: "no input"},
		{name: "no id", input: &cognitosync.DescribeIdentityPoolUsageInput{}},
		{name: "unsafe id", input: &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String("../x")}},
		{
			name:   "no credentials",
			input:  &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)},
			option: func(o *cognitosync.Options) { o.Credentials = nil },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, client := setup(t, direct, cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
				return stepNamed("initialize", s).remove("OperationInputValidation")
			}))
			if test.option == nil {
				test.option = func(*cognitosync.Options) {}
			}
			require.NotPanics(t, func() {
				output, err := client.DescribeIdentityPoolUsage(t.Context(), test.input, test.option)
				assertSound(t, outcome{output: output, err: err})
				assert.Error(t, err)
			})
			assert.Zero(t, server.Requests().Count())
		})
	}
}

// TestAttemptsAreSeparate shows that middleware inside the attempt loop gets a request
// of its own for each attempt, and outside of it one for all.
func TestAttemptsAreSeparate(t *testing.T) {
	t.Parallel()
	addHeader := func(name string) *probe {
		return &probe{id: name, before: func(ctx context.Context, in any) context.Context {
			request := in.(*smithyhttp.Request)
			request.Header.Add(name, fmt.Sprint(len(request.Header.Values(name))))
			return ctx
		}}
	}
	server, client := setup(t, direct,
		atEnd("build", addHeader("X-Of-Call"), middleware.After),
		with("finalize", addHeader("X-Before-Loop"), middleware.Before, "Retry"),
		with("finalize", addHeader("X-In-Loop"), middleware.After, "Retry"),
		with("finalize", addHeader("X-Before-Signing"), middleware.Before, "Signing"),
	)
	server.Script(poolID, cognitosynctest.Throttle(2))
	_, err := describe(t, client)
	require.NoError(t, err)
	requests := server.Requests()
	require.Equal(t, 3, requests.Count())
	assert.Len(t, requests.Calls(), 1, "all attempts have one invocation id")
	for i, request := range requests {
		assert.Equal(t, fmt.Sprintf("attempt=%d; max=3", i+1), request.Header.Get("Amz-Sdk-Request"))
		for _, name := range []string{"X-Of-Call", "X-Before-Loop", "X-In-Loop", "X-Before-Signing"} {
			assert.Equal(t, []string{"0"}, request.Header.Values(name), "attempt %d, %s", i+1, name)
		}
	}
}

// TestHeadersOfMiddlewareAreSigned shows it for all the places that add headers.
func TestHeadersOfMiddlewareAreSigned(t *testing.T) {
	t.Parallel()
	set := &probe{id: "set", before: func(ctx context.Context, in any) context.Context {
		in.(*smithyhttp.Request).Header.Set("X-Of-Middleware", "  some   spaces ")
		return ctx
	}}
	hook := func(name string) func(*cognitosync.Options) {
		return func(o *cognitosync.Options) {
			hooks := newHooks()
			hooks.change = func(_ context.Context, in *smithyhttp.InterceptorContext) error {
				in.Request.Header.Set("X-Of-Middleware", "hook")
				return nil
			}
			addHook(o, name, hooks)
		}
	}
	for _, test := range []struct {
		name   string
		option func(*cognitosync.Options)
	}{
		{"serialize", atEnd("serialize", set, middleware.Before)},
		{"build", atEnd("build", set, middleware.After)},
		{"before the loop", with("finalize", set, middleware.Before, "Retry")},
		{"in the loop", with("finalize", set, middleware.Before, "GetIdentity")},
		{"before the signing", with("finalize", set, middleware.Before, "Signing")},
		{"smithy's helper", cognitosync.WithAPIOptions(smithyhttp.SetHeaderValue("X-Of-Middleware", "helper"))},
		{"AfterSerialization", hook("AfterSerialization")},
		{"BeforeRetryLoop", hook("BeforeRetryLoop")},
		{"BeforeAttempt", hook("BeforeAttempt")},
		{"BeforeSigning", hook("BeforeSigning")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, client := setup(t, direct, test.option)
			_, err := describe(t, client)
			require.NoError(t, err)
			request := server.Requests().Last()
			assert.NotEmpty(t, request.Header.Get("X-Of-Middleware"))
			assert.Contains(t, request.Header.Get("Authorization"), ";x-of-middleware,")
		})
	}
}

// TestMiddlewareChangesTheTarget shows the ways in which middleware sends a call
// somewhere else: what it is signed for follows.
func TestMiddlewareChangesTheTarget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		option func(here *url.URL) func(*cognitosync.Options)
	}{
		{"after the resolver", func(here *url.URL) func(*cognitosync.Options) {
			return with("finalize", redirectTo(here), middleware.After, "ResolveEndpointV2")
		}},
		{"in place of the resolver", func(here *url.URL) func(*cognitosync.Options) {
			return cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
				_, err := stepNamed("finalize", s).swap("ResolveEndpointV2", redirectTo(here))
				return err
			})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.Pools = []cognitosynctest.Pool{poolUsage} })
			here, err := url.Parse(server.URL())
			require.NoError(t, err)
			cfg := server.Config()
			cfg.BaseEndpoint = aws.String("http://unreachable.invalid")
			_, err = describe(t, newClient(cfg, direct, test.option(here)))
			require.NoError(t, err)
			assert.Equal(t, 1, server.Requests().Count())
		})
	}
}

// redirectTo returns a middleware that sends requests to a host.
func redirectTo(target *url.URL) *probe {
	return &probe{id: "redirect", before: func(ctx context.Context, in any) context.Context {
		request := in.(*smithyhttp.Request)
		request.URL.Scheme, request.URL.Host = target.Scheme, target.Host
		return ctx
	}}
}

// TestMiddlewareSetsSigningValues shows that signing name and region in the context
// are obeyed, wherever middleware sets them.
func TestMiddlewareSetsSigningValues(t *testing.T) {
	t.Parallel()
	set := &probe{id: "set", before: func(ctx context.Context, _ any) context.Context {
		ctx = awsmiddleware.SetSigningName(ctx, "execute-api")
		return awsmiddleware.SetSigningRegion(ctx, "ap-south-1")
	}}
	for name, option := range map[string]func(*cognitosync.Options){
		"initialize":         atEnd("initialize", set, middleware.After),
		"serialize":          atEnd("serialize", set, middleware.Before),
		"build":              atEnd("build", set, middleware.After),
		"in the loop":        with("finalize", set, middleware.After, "Retry"),
		"after the resolver": with("finalize", set, middleware.After, "ResolveEndpointV2"),
		"before the signing": with("finalize", set, middleware.Before, "Signing"),
		"after the metadata": with("initialize", set, middleware.After, "RegisterServiceMetadata"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var signed notes
			_, client := setup(t, direct, option, func(o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&signed) })
			_, _ = describe(t, client) // refused: not what the fake wants to be signed for
			lines := signed.take()
			require.Len(t, lines, 1)
			assert.True(t, strings.HasSuffix(lines[0], " execute-api ap-south-1"), lines[0])
		})
	}
}

// TestPayloadHash shows what becomes of the body's hash, in the SDK's own hands.
func TestPayloadHash(t *testing.T) {
	t.Parallel()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, test := range []struct {
		name   string
		option func(*cognitosync.Options)
		want   string
		header string // X-Amz-Content-Sha256
	}{
		{"computed", cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil }), empty, ""},
		{"unsigned", cognitosync.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware), "UNSIGNED-PAYLOAD", ""},
		{"dynamic, without TLS", cognitosync.WithAPIOptions(v4.UseDynamicPayloadSigningMiddleware), empty, ""},
		{"removed", cognitosync.WithAPIOptions(v4.RemoveComputePayloadSHA256Middleware), empty, ""},
		{"with its header", cognitosync.WithAPIOptions(v4.AddContentSHA256HeaderMiddleware), empty, empty},
		{"set in the context", atEnd("build", &probe{id: "set", before: func(ctx context.Context, _ any) context.Context {
			return v4.SetPayloadHash(ctx, "UNSIGNED-PAYLOAD")
		}}, middleware.After), "UNSIGNED-PAYLOAD", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var signed notes
			server, client := setup(t, direct, test.option, func(o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&signed) })
			_, err := describe(t, client)
			assert.Equal(t, []string{test.want + " cognito-sync us-east-1"}, signed.take())
			assert.Equal(t, test.header, server.Requests().Last().Header.Get("X-Amz-Content-Sha256"))
			if test.want == empty {
				require.NoError(t, err)
			}
		})
	}
}

// TestUserAgentOfMiddleware shows that the SDK's helpers add to the header, for good
// or for one call.
func TestUserAgentOfMiddleware(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		option func(*middleware.Stack) error
		want   string
	}{
		{"key", awsmiddleware.AddUserAgentKey("my-tool"), " my-tool"},
		{"key and value", awsmiddleware.AddUserAgentKeyValue("my-tool", "1.2"), " my-tool/1.2"},
		{"SDK key", awsmiddleware.AddSDKAgentKey(awsmiddleware.FeatureMetadata, "inventory"), " ft/inventory"},
		{"SDK key and value", awsmiddleware.AddSDKAgentKeyValue(awsmiddleware.FrameworkMetadata, "my-sdk", "1.2"), " lib/my-sdk#1.2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, client := setup(t, direct, func(o *cognitosync.Options) { o.AppID = "app-id" })
			of := func() string { return server.Requests().Last().Header.Get("User-Agent") }
			_, err := describe(t, client)
			require.NoError(t, err)
			plain := of()
			_, err = describe(t, client, cognitosync.WithAPIOptions(test.option))
			require.NoError(t, err)
			assert.Equal(t, plain, strings.Replace(of(), test.want, "", 1), "all else is as it was")
			assert.Equal(t, 1, strings.Count(of()+" ", test.want+" "))
			_, err = describe(t, client)
			require.NoError(t, err)
			assert.Equal(t, plain, of(), "the next call")

			server, client = setup(t, direct, cognitosync.WithAPIOptions(test.option))
			for range 2 {
				_, err = describe(t, client)
				require.NoError(t, err)
			}
			assert.Equal(t, 1, strings.Count(server.Requests().Last().Header.Get("User-Agent")+" ", test.want+" "), "nothing piles up")
		})
	}
}

// TestMiddlewareAnswers shows that middleware can answer in the place of the service.
func TestMiddlewareAnswers(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) *smithyhttp.Response {
		return &smithyhttp.Response{Response: &http.Response{
			StatusCode: status,
			Header:     http.Header{"X-Amzn-Requestid": {"id-of-middleware"}},
			Body:       io.NopCloser(strings.NewReader(body)),
		}}
	}
	for _, test := range []struct {
		name string
		add  func(*middleware.Stack) error
		sent int    // requests
		want int64  // the usage's data storage
		text string // in the error instead
	}{
		{name: "initialize", want: 7, add: initializeOutput(outputOf(7))},
		{name: "finalize", want: 7, add: finalizeOutput(outputOf(7))},
		{name: "deserialize", want: 8, add: answerWith(answer(http.StatusOK, `{"IdentityPoolUsage":{"DataStorage":8}}`), nil)},
		{name: "deserialize, without body", add: answerWith(&smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK}}, nil)},
		{name: "deserialize, an error of the service", text: "NotAuthorizedException: no", add: answerWith(answer(http.StatusForbidden,
			`{"__type":"NotAuthorizedException","message":"no"}`), nil)},
		{name: "deserialize, nothing", text: "middleware gave a response of type <nil>", add: answerWith(nil, nil)},
		{name: "an error", text: "broken on purpose", add: answerWith(nil, errBroken)},
		{name: "a result of another type", sent: 1, text: "middleware gave a result of type string", add: func(s *middleware.Stack) error {
			return stepNamed("initialize", s).add(&probe{id: "spoil", after: func(middleware.Metadata, any, error) (any, error) { return "text", nil }}, middleware.Before)
		}},
		{name: "a nil output", sent: 1, text: "middleware gave a result of type", add: func(s *middleware.Stack) error {
			return stepNamed("initialize", s).add(&probe{id: "spoil", after: func(middleware.Metadata, any, error) (any, error) {
				return (*cognitosync.DescribeIdentityPoolUsageOutput)(nil), nil
			}}, middleware.Before)
		}},
		{name: "an input of another type", text: "middleware gave an input of type string", add: func(s *middleware.Stack) error {
			return s.Initialize.Add(middleware.InitializeMiddlewareFunc("spoil", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
				middleware.InitializeOutput, middleware.Metadata, error,
			) {
				in.Parameters = "text"
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
		}},
		{name: "a request of another type", text: "type string", add: func(s *middleware.Stack) error {
			return s.Finalize.Add(middleware.FinalizeMiddlewareFunc("spoil", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
				middleware.FinalizeOutput, middleware.Metadata, error,
			) {
				in.Request = "text"
				return next.HandleFinalize(ctx, in)
			}), middleware.Before)
		}},
		{name: "an API option that fails", text: "broken on purpose", add: func(*middleware.Stack) error { return errBroken }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, client := setup(t, direct, cognitosync.WithAPIOptions(test.add))
			output, err := describe(t, client)
			assert.Equal(t, test.sent, server.Requests().Count())
			if test.text != "" {
				require.ErrorContains(t, err, test.text)
				return
			}
			require.NoError(t, err)
			if test.want != 0 {
				assert.Equal(t, test.want, *output.IdentityPoolUsage.DataStorage)
			} else {
				assert.Nil(t, output.IdentityPoolUsage)
			}
		})
	}
}

// TestMiddlewareOutputIsNotWritten shows that an output made by middleware stays as
// the middleware made it: a cache may return the same one from many calls at once.
//
// FAILS UNTIL the client writes ResultMetadata into a copy of the output.
func TestMiddlewareOutputIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		add  func(*cognitosync.DescribeIdentityPoolUsageOutput) func(*middleware.Stack) error
	}{
		{"initialize", initializeOutput},
		{"finalize", finalizeOutput},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			own := outputOf(7)
			_, client := setup(t, direct, cognitosync.WithAPIOptions(test.add(own)))
			output, err := describe(t, client)
			require.NoError(t, err)
			assert.Equal(t, own.IdentityPoolUsage, output.IdentityPoolUsage)
			assert.Equal(t, "mine", output.ResultMetadata.Get(contextKey{}))
			assert.Equal(t, outputOf(7), own)
		})
	}
}

// outputOf returns an output with that much data storage.
func outputOf(dataStorage int64) *cognitosync.DescribeIdentityPoolUsageOutput {
	return &cognitosync.DescribeIdentityPoolUsageOutput{IdentityPoolUsage: &cognitosync.IdentityPoolUsage{DataStorage: &dataStorage}}
}

// ownMetadata returns metadata as middleware may add it.
func ownMetadata() (metadata middleware.Metadata) {
	metadata.Set(contextKey{}, "mine")
	return metadata
}

// initializeOutput adds a middleware that returns output instead of calling the next
// one, around the whole call.
func initializeOutput(output *cognitosync.DescribeIdentityPoolUsageOutput) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("output", func(context.Context, middleware.InitializeInput, middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			return middleware.InitializeOutput{Result: output}, ownMetadata(), nil
		}), middleware.Before)
	}
}

// finalizeOutput does the same in each attempt.
func finalizeOutput(output *cognitosync.DescribeIdentityPoolUsageOutput) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("output", func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (
			middleware.FinalizeOutput, middleware.Metadata, error,
		) {
			return middleware.FinalizeOutput{Result: output}, ownMetadata(), nil
		}), "Retry", middleware.After)
	}
}

// answerWith adds a middleware that takes the place of the HTTP client.
func answerWith(response any, err error) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("answer", func(context.Context, middleware.DeserializeInput, middleware.DeserializeHandler) (
			out middleware.DeserializeOutput, _ middleware.Metadata, _ error,
		) {
			out.RawResponse = response
			return out, middleware.Metadata{}, err
		}), middleware.After)
	}
}

// TestMiddlewareChangesTheInput shows that the input is what middleware makes of it,
// and what that must not be.
func TestMiddlewareChangesTheInput(t *testing.T) {
	t.Parallel()
	const other = "us-east-1:other"
	replace := func(id string) func(params any) any {
		return func(any) any { return &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id} }
	}
	initialize := func(change func(any) any) middleware.InitializeMiddleware {
		return middleware.InitializeMiddlewareFunc("change", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			in.Parameters = change(in.Parameters)
			return next.HandleInitialize(ctx, in)
		})
	}
	serialize := func(change func(any) any) middleware.SerializeMiddleware {
		return middleware.SerializeMiddlewareFunc("change", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
			middleware.SerializeOutput, middleware.Metadata, error,
		) {
			in.Parameters = change(in.Parameters)
			return next.HandleSerialize(ctx, in)
		})
	}
	for _, test := range []struct {
		name string
		add  func(*middleware.Stack) error
		want string // the pool asked for; "" if none
	}{
		{"before the validation", func(s *middleware.Stack) error {
			return s.Initialize.Add(initialize(replace(other)), middleware.Before)
		}, other},
		{"after the validation", func(s *middleware.Stack) error { return s.Initialize.Add(initialize(replace(other)), middleware.After) }, other},
		{"before the serializer", func(s *middleware.Stack) error { return s.Serialize.Add(serialize(replace(other)), middleware.Before) }, other},
		{"in place", func(s *middleware.Stack) error {
			return s.Initialize.Add(initialize(func(params any) any {
				params.(*cognitosync.DescribeIdentityPoolUsageInput).IdentityPoolId = aws.String(other)
				return params
			}), middleware.After)
		}, other},
		{"unsafe, before the validation", func(s *middleware.Stack) error {
			return s.Initialize.Add(initialize(replace("../x")), middleware.Before)
		}, ""},
		{"unsafe, after the validation", func(s *middleware.Stack) error {
			return s.Initialize.Add(initialize(replace("../x")), middleware.After)
		}, ""},
		{"unsafe, before the serializer", func(s *middleware.Stack) error { return s.Serialize.Add(serialize(replace("a/b")), middleware.Before) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, client := setup(t, direct, cognitosync.WithAPIOptions(test.add))
			server.SetPool(cognitosynctest.Pool{IdentityPoolId: other})
			output, err := describe(t, client)
			if test.want == "" {
				var invalid smithy.InvalidParamsError
				require.ErrorAs(t, err, &invalid)
				assert.Zero(t, server.Requests().Count())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, *output.IdentityPoolUsage.IdentityPoolId)
		})
	}
}

// TestMiddlewareSeesTheInput shows that middleware gets the input's type, whatever
// was given.
func TestMiddlewareSeesTheInput(t *testing.T) {
	t.Parallel()
	var seen []any
	_, client := setup(t, direct, atEnd("initialize", &probe{id: "look", before: func(ctx context.Context, in any) context.Context {
		seen = append(seen, in)
		return ctx
	}}, middleware.Before))
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)}
	_, err := client.DescribeIdentityPoolUsage(t.Context(), input)
	require.NoError(t, err)
	_, err = client.DescribeIdentityPoolUsage(t.Context(), nil)
	require.Error(t, err)
	require.Len(t, seen, 2)
	assert.Same(t, input, seen[0])
	assert.Equal(t, &cognitosync.DescribeIdentityPoolUsageInput{}, seen[1])
}

// TestMiddlewareFailsRetryably shows that the attempt loop judges the errors of the
// middleware inside it.
func TestMiddlewareFailsRetryably(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		err      error
		attempts int
	}{
		{"retryable", &smithyhttp.RequestSendError{Err: errBroken}, 2},
		{"not retryable", errBroken, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			failures := 0
			server, client := setup(t, direct, with("finalize", &probe{id: "fail", after: func(_ middleware.Metadata, result any, err error) (any, error) {
				if failures++; failures == 1 {
					return nil, test.err
				}
				return result, err
			}}, middleware.After, "Retry"))
			_, err := describe(t, client)
			assert.Equal(t, test.attempts, server.Requests().Count())
			if test.attempts > 1 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errBroken)
			}
		})
	}
}

// TestMiddlewareForOneCall shows that a call's middleware runs after the client's,
// and for that call only.
func TestMiddlewareForOneCall(t *testing.T) {
	t.Parallel()
	var order notes
	option := func(id string) func(*cognitosync.Options) {
		return atEnd("initialize", &probe{id: id, notes: &order}, middleware.After)
	}
	_, client := setup(t, direct, option("client"))
	for range 2 {
		_, err := describe(t, client, option("call"))
		require.NoError(t, err)
		_, err = describe(t, client)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"client", "call", "client", "client", "call", "client"}, order.take())
}

// TestMiddlewareOfTheSDK shows that middleware which the SDK's packages offer to
// everybody finds its place.
func TestMiddlewareOfTheSDK(t *testing.T) {
	t.Parallel()
	for name, add := range map[string]func(*middleware.Stack) error{
		"close the body":           smithyhttp.AddCloseResponseBodyMiddleware,
		"close the body on errors": smithyhttp.AddErrorCloseResponseBodyMiddleware,
		"content length":           smithyhttp.AddComputeContentLengthMiddleware,
		"minimum protocol":         func(s *middleware.Stack) error { return smithyhttp.AddRequireMinimumProtocol(s, 1, 1) },
		"content checksum":         smithyhttp.AddContentChecksumMiddleware,
		"no content type":          smithyhttp.AddNoPayloadDefaultContentTypeRemover,
		"a logger of its own":      func(s *middleware.Stack) error { return middleware.AddSetLoggerMiddleware(s, &notes{}) },
		"metadata of its own": func(s *middleware.Stack) error {
			return s.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{ServiceID: "x"}, middleware.Before)
		},
		"the SDK's response errors": func(s *middleware.Stack) error {
			_, err := s.Deserialize.Swap("ResponseErrorWrapper", &awshttp.ResponseErrorWrapper{})
			return err
		},
		"the SDK's request ids": func(s *middleware.Stack) error {
			_, err := s.Deserialize.Swap("RequestIDRetriever", &awsmiddleware.RequestIDRetriever{})
			return err
		},
		"the SDK's own loop": func(s *middleware.Stack) error {
			_, err := s.Finalize.Swap("Retry", retry.NewAttemptMiddleware(aws.NopRetryer{}, smithyhttp.RequestCloner))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := setup(t, direct, cognitosync.WithAPIOptions(add))
			output, err := describe(t, client)
			require.NoError(t, err)
			id, _ := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata)
			assert.Equal(t, server.Requests().Last().RequestID, id)
			assert.Empty(t, server.Requests().Refused())

			server.Script(poolID, cognitosynctest.AccessDenied())
			_, err = describe(t, client)
			var denied *awshttp.ResponseError
			require.ErrorAs(t, err, &denied)
			assert.Equal(t, server.Requests().Last().RequestID, denied.ServiceRequestID())
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
		})
	}
}
