package cognitosync_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
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
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// TestContextValues checks what the context of middleware contains in each step.
func TestContextValues(t *testing.T) {
	t.Parallel()
	describeContext := func(ctx context.Context) string {
		return fmt.Sprintf("%s|%s|%s|%s|%s", awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), awsmiddleware.GetRegion(ctx),
			middleware.GetServiceID(ctx), middleware.GetOperationName(ctx))
	}
	describeSigning := func(ctx context.Context) string {
		return fmt.Sprintf("%s|%s", awsmiddleware.GetSigningName(ctx), awsmiddleware.GetSigningRegion(ctx))
	}
	for _, test := range []struct {
		name        string
		options     func(*cognitosync.Options)
		pool        string
		region      string
		signingName string // from the start
		signedFor   string // from the resolved endpoint on
	}{
		{name: "plain", region: "us-east-1", signingName: "cognito-sync", signedFor: "cognito-sync|us-east-1"},
		{
			name: "other signing values", region: "us-east-1", signingName: "own-name", signedFor: "own-name|own-region",
			options: func(o *cognitosync.Options) {
				cognitosync.WithSigV4SigningName("own-name")(o)
				cognitosync.WithSigV4SigningRegion("own-region")(o)
			},
		},
		{
			name: "region of the pool", pool: "eu-west-1:1f2e", region: "eu-west-1", signingName: "cognito-sync", signedFor: "cognito-sync|eu-west-1",
			options: func(o *cognitosync.Options) { o.UseIdentityPoolRegion = true },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := map[string][]string{}
			look := func(name string, signing func(context.Context) string) *probe {
				return &probe{id: name, before: func(ctx context.Context, _ any) context.Context {
					seen[name] = append(seen[name], describeContext(ctx)+" "+signing(ctx))
					return ctx
				}}
			}
			nothing := func(context.Context) string { return "" }
			signingName := awsmiddleware.GetSigningName
			tr := setup(t, direct,
				atEnd("initialize", look("first", nothing), middleware.Before),
				atEnd("initialize", look("initialize", signingName), middleware.After),
				atEnd("serialize", look("serialize", signingName), middleware.Before),
				atEnd("build", look("build", signingName), middleware.Before),
				with("finalize", look("signing", describeSigning), middleware.Before, "Signing"),
				atEnd("deserialize", look("deserialize", describeSigning), middleware.Before),
				atEnd("deserialize", look("last", describeSigning), middleware.After),
			)
			options := []func(*cognitosync.Options){}
			if test.options != nil {
				options = append(options, test.options)
			}
			_, _ = tr.callPool(t.Context(), firstOf(test.pool, poolID), options...) // may fail: the fake rejects other scopes
			always := "Cognito Sync|DescribeIdentityPoolUsage|" + test.region + "|Cognito Sync|DescribeIdentityPoolUsage "
			assert.Equal(t, map[string][]string{
				"first":       {always},
				"initialize":  {always + test.signingName},
				"serialize":   {always + test.signingName},
				"build":       {always + test.signingName},
				"signing":     {always + test.signedFor},
				"deserialize": {always + test.signedFor},
				"last":        {always + test.signedFor},
			}, seen)
		})
	}
}

// TestSigningCredentials checks that middleware after the signing step can read the
// credentials.
func TestSigningCredentials(t *testing.T) {
	t.Parallel()
	var used []aws.Credentials
	tr := setup(t, direct, with("finalize", &probe{id: "look", before: func(ctx context.Context, _ any) context.Context {
		used = append(used, awsmiddleware.GetSigningCredentials(ctx))
		return ctx
	}}, middleware.After, "Signing"))
	_, err := tr.call(t.Context())
	require.NoError(t, err)
	want, err := cognitosynctest.DefaultCredentials().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []aws.Credentials{want}, used)
}

// TestCallersStackValues checks that a call from another client's middleware does not use the
// stack values of that client.
func TestCallersStackValues(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		ctx := awsmiddleware.SetServiceID(t.Context(), "S3")
		ctx = awsmiddleware.SetSigningName(ctx, "s3")
		ctx = awsmiddleware.SetSigningRegion(ctx, "eu-west-3")
		ctx = v4.SetPayloadHash(ctx, "0000")
		_, err := tr.callPool(ctx, poolID)
		require.NoError(t, err)
		assert.Empty(t, tr.server.Requests().Refused())
	})
}

// TestMetadataOfFailure checks the metadata and the response that middleware finds after a
// failed call.
func TestMetadataOfFailure(t *testing.T) {
	t.Parallel()
	tr := setup(t, direct)
	tr.script(alwaysFailing)
	var callSeen, attemptsSeen int
	_, err := tr.call(t.Context(),
		atEnd("initialize", &probe{id: "call", after: func(metadata middleware.Metadata, result any, err error) (any, error) {
			callSeen++
			attempts, found := retry.GetAttemptResults(metadata)
			assert.True(t, found)
			assert.Len(t, attempts.Results, 3)
			for i, result := range attempts.Results {
				var failed *cognitosync.InternalErrorException
				assert.ErrorAs(t, result.Err, &failed)
				assert.Equal(t, i < 2, result.Retried)
				assert.True(t, result.Retryable)
			}
			id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
			assert.Equal(t, tr.server.Requests().Last().RequestID, id)
			assert.Nil(t, result)
			var exhausted *retry.MaxAttemptsError
			assert.ErrorAs(t, err, &exhausted)
			return result, err
		}}, middleware.Before),
		atEnd("deserialize", &probe{id: "attempt", after: func(metadata middleware.Metadata, raw any, err error) (any, error) {
			attemptsSeen++
			response, ok := raw.(*smithyhttp.Response)
			if assert.True(t, ok) {
				assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
			}
			id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
			assert.Equal(t, tr.server.Requests().Last().RequestID, id)
			var wrapped *awshttp.ResponseError
			if assert.ErrorAs(t, err, &wrapped) {
				assert.Equal(t, id, wrapped.RequestID)
			}
			return raw, err
		}}, middleware.Before))
	require.Error(t, err)
	assert.Equal(t, 1, callSeen)
	assert.Equal(t, 3, attemptsSeen)
}

// TestEveryInterceptorCounts checks that an interceptor in any of the 13 lists is run.
func TestEveryInterceptorCounts(t *testing.T) {
	t.Parallel()
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hooks := newHooks()
			tr := setup(t, direct, func(o *cognitosync.Options) { addHook(o, name, hooks) })
			_, err := tr.call(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{name}, hooks.notes.Take())
		})
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
	tr := setup(t, direct)
	_, err := tr.call(t.Context(), cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		assert.Equal(t, "DescribeIdentityPoolUsage", s.ID())
		for _, want := range stackSteps {
			assert.Equal(t, want.ids, stepNamed(want.step, s).list())
		}
		return nil
	}))
	require.NoError(t, err)
	_, err = tr.call(t.Context(), func(o *cognitosync.Options) { addHook(o, "AfterAttempt", newHooks()) },
		cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
			for name, ids := range withHooks {
				assert.Equal(t, ids, stepNamed(name, s).list())
			}
			return nil
		}))
	require.NoError(t, err)
}

// A removal is the result of a call after one of its steps was removed.
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
	"OperationDeserializer": {sent: 1, text: "middleware returned a result of type <nil>"},
	"RecordResponseTiming": {sent: 1, check: func(t *testing.T, _ cognitosynctest.Request, metadata middleware.Metadata) {
		_, found := awsmiddleware.GetResponseAt(metadata)
		assert.False(t, found)
	}},
	"RequestResponseLogger": {sent: 1},
}

// TestStepsCanBeChanged gets, surrounds, replaces and removes each step.
func TestStepsCanBeChanged(t *testing.T) {
	t.Parallel()
	for _, s := range stackSteps {
		for _, id := range s.ids {
			t.Run(id, func(t *testing.T) {
				t.Parallel()
				t.Run("insert", func(t *testing.T) {
					t.Parallel()
					var order clienttest.Notes
					tr := setup(t, direct,
						with(s.step, &probe{id: "after", notes: &order}, middleware.After, id),
						with(s.step, &probe{id: "before", notes: &order}, middleware.Before, id),
						cognitosync.WithAPIOptions(func(stack *middleware.Stack) error {
							list := stepNamed(s.step, stack).list()
							at := slices.Index(list, id)
							assert.Equal(t, []string{"before", id, "after"}, list[at-1:at+2])
							assert.True(t, stepNamed(s.step, stack).has(id))
							return nil
						}))
					_, err := tr.call(t.Context())
					require.NoError(t, err)
					assert.Equal(t, []string{"before", "after"}, order.Take())
				})
				t.Run("swap", func(t *testing.T) {
					t.Parallel()
					var swapped clienttest.Notes
					tr := setup(t, direct, cognitosync.WithAPIOptions(func(stack *middleware.Stack) (err error) {
						p := &probe{id: id, notes: &swapped}
						p.instead, err = stepNamed(s.step, stack).swap(id, p)
						return err
					}))
					_, err := tr.call(t.Context())
					require.NoError(t, err)
					assert.Equal(t, []string{id}, swapped.Take())
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
	tr := setup(t, direct, cognitosync.WithAPIOptions(func(stack *middleware.Stack) error {
		return stepNamed(stepName, stack).remove(id)
	}), func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 })
	output, err := tr.call(t.Context())
	requests := tr.server.Requests()
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

// TestWithoutValidation checks that nothing panics and nothing is sent if the step that
// rejects invalid input and settings has been removed.
func TestWithoutValidation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		input  *cognitosync.DescribeIdentityPoolUsageInput
		option func(*cognitosync.Options)
	}{
		{name: "no input"},
		{name: "no ID", input: &cognitosync.DescribeIdentityPoolUsageInput{}},
		{name: "unsafe ID", input: &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String("../x")}},
		{
			name:   "no credentials",
			input:  &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)},
			option: func(o *cognitosync.Options) { o.Credentials = nil },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tr := setup(t, direct, cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
				return stepNamed("initialize", s).remove("OperationInputValidation")
			}))
			if test.option == nil {
				test.option = func(*cognitosync.Options) {}
			}
			require.NotPanics(t, func() {
				output, err := tr.client.DescribeIdentityPoolUsage(t.Context(), test.input, test.option)
				assertSound(t, output, err)
				assert.Error(t, err)
			})
			assert.Zero(t, tr.server.Requests().Count())
		})
	}
}

// TestInvalidSettingsThroughStack checks that nothing is sent with invalid settings, even
// if a step is removed or replaced, or the retryer retries every error.
func TestInvalidSettingsThroughStack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		pool   string
		option func(*cognitosync.Options)
		is     func(error) bool
	}{
		{"no credentials", poolID, func(o *cognitosync.Options) { o.Credentials = nil }, isA[*cognitosync.ConfigurationError]},
		{"no region", poolID, func(o *cognitosync.Options) { o.Region = "" }, isA[*cognitosync.ConfigurationError]},
		{"no such mode", poolID, func(o *cognitosync.Options) { o.DefaultsMode = "hurried" }, isA[*cognitosync.ConfigurationError]},
		{"another region", "eu-west-1:1f2e", func(o *cognitosync.Options) { o.BaseEndpoint = nil }, isA[*cognitosync.RegionMismatchError]},
		{"retryer that retries everything", poolID, func(o *cognitosync.Options) {
			o.Region, o.Retryer = "", retryAlways{retry.NewStandard()}
		}, isA[*cognitosync.ConfigurationError]},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refuse := func(t *testing.T, change func(step) error) {
				records := &clienttest.Records{Level: slog.LevelDebug}
				sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
				meters := &clienttest.Meters{}
				client := newClient(configOf(sent), direct, test.option, func(o *cognitosync.Options) {
					o.StructuredLogger, o.MeterProvider = slog.New(records), meters
				}, cognitosync.WithAPIOptions(func(s *middleware.Stack) error { return change(stepNamed("finalize", s)) }))
				output, err := describe(t.Context(), t, client, test.pool)
				requireFailure(t, output, err)
				assert.True(t, test.is(err), err)
				assert.Zero(t, cognitosync.InspectError(err).Attempts)
				assert.Empty(t, sent.Take())
				logged := records.Take()
				require.Len(t, logged, 1)
				assert.Equal(t, "cognitosync call", logged[0]["message"])
				assert.Equal(t, "refused before sending", logged[0]["reason"])
				assert.Empty(t, meters.Take()["client.call.attempts"])
			}
			t.Run("all steps", func(t *testing.T) { t.Parallel(); refuse(t, func(step) error { return nil }) })
			for _, id := range []string{"Retry", "RetryMetricsHeader", "ResolveAuthScheme", "GetIdentity", "ResolveEndpointV2", "ComputePayloadHash", "Signing"} {
				t.Run("without "+id, func(t *testing.T) {
					t.Parallel()
					refuse(t, func(s step) error { return s.remove(id) })
				})
				t.Run("another "+id, func(t *testing.T) {
					t.Parallel()
					refuse(t, func(s step) error {
						_, err := s.swap(id, &probe{id: id})
						return err
					})
				})
			}
		})
	}
}

// retryAlways considers every error retryable.
type retryAlways struct{ aws.Retryer }

func (retryAlways) IsErrorRetryable(error) bool { return true }

// TestAttemptsAreSeparate checks that middleware inside the attempt loop gets a new request
// for each attempt, and middleware outside of it the same one for all.
func TestAttemptsAreSeparate(t *testing.T) {
	t.Parallel()
	addHeader := func(name string) *probe {
		return &probe{id: name, before: func(ctx context.Context, in any) context.Context {
			request := in.(*smithyhttp.Request)
			request.Header.Add(name, fmt.Sprint(len(request.Header.Values(name))))
			return ctx
		}}
	}
	tr := setup(t, direct,
		atEnd("build", addHeader("X-Of-Call"), middleware.After),
		with("finalize", addHeader("X-Before-Loop"), middleware.Before, "Retry"),
		with("finalize", addHeader("X-In-Loop"), middleware.After, "Retry"),
		with("finalize", addHeader("X-Before-Signing"), middleware.Before, "Signing"),
	)
	tr.script(cognitosynctest.Throttle(2))
	_, err := tr.call(t.Context())
	require.NoError(t, err)
	requests := tr.server.Requests()
	require.Equal(t, 3, requests.Count())
	assert.Len(t, requests.Calls(), 1, "all attempts have one invocation ID")
	for i, request := range requests {
		assert.Equal(t, fmt.Sprintf("attempt=%d; max=3", i+1), request.Header.Get("Amz-Sdk-Request"))
		for _, name := range []string{"X-Of-Call", "X-Before-Loop", "X-In-Loop", "X-Before-Signing"} {
			assert.Equal(t, []string{"0"}, request.Header.Values(name), "attempt %d, %s", i+1, name)
		}
	}
}

// TestHeadersOfMiddlewareAreSigned checks headers that middleware adds in each step.
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
			tr := setup(t, direct, test.option)
			_, err := tr.call(t.Context())
			require.NoError(t, err)
			request := tr.server.Requests().Last()
			assert.NotEmpty(t, request.Header.Get("X-Of-Middleware"))
			assert.Contains(t, request.Header.Get("Authorization"), ";x-of-middleware,")
		})
	}
}

// TestMiddlewareChangesTheTarget uses middleware that changes the host, and checks what the
// request is signed for.
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
			_, err = describe(t.Context(), t, newClient(cfg, direct, test.option(here)), poolID)
			require.NoError(t, err)
			assert.Equal(t, 1, server.Requests().Count())
		})
	}
}

// redirectTo returns middleware that changes the host of requests.
func redirectTo(target *url.URL) *probe {
	return &probe{id: "redirect", before: func(ctx context.Context, in any) context.Context {
		request := in.(*smithyhttp.Request)
		request.URL.Scheme, request.URL.Host = target.Scheme, target.Host
		return ctx
	}}
}

// TestMiddlewareSetsSigningValues checks that a signing name and region that middleware sets
// in the context are used, whichever step sets them.
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
			var signed clienttest.Notes
			tr := setup(t, direct, option, func(o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&signed) })
			_, _ = tr.call(t.Context()) // fails: the fake rejects the scope
			lines := signed.Take()
			require.Len(t, lines, 1)
			assert.True(t, strings.HasSuffix(lines[0], " execute-api ap-south-1"), lines[0])
		})
	}
}

// TestPayloadHash uses the SDK's middleware for the hash of the body.
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
			var signed clienttest.Notes
			tr := setup(t, direct, test.option, func(o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&signed) })
			_, err := tr.call(t.Context())
			assert.Equal(t, []string{test.want + " cognito-sync us-east-1"}, signed.Take())
			assert.Equal(t, test.header, tr.server.Requests().Last().Header.Get("X-Amz-Content-Sha256"))
			if test.want == empty {
				require.NoError(t, err)
			}
		})
	}
}

// TestUserAgentOfMiddleware checks that the SDK's helpers add to the header, for all calls or
// for one.
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
			tr := setup(t, direct, func(o *cognitosync.Options) { o.AppID = "app-id" })
			of := func() string { return tr.server.Requests().Last().Header.Get("User-Agent") }
			_, err := tr.call(t.Context())
			require.NoError(t, err)
			plain := of()
			_, err = tr.call(t.Context(), cognitosync.WithAPIOptions(test.option))
			require.NoError(t, err)
			assert.Equal(t, plain, strings.Replace(of(), test.want, "", 1), "all else is unchanged")
			assert.Equal(t, 1, strings.Count(of()+" ", test.want+" "))
			_, err = tr.call(t.Context())
			require.NoError(t, err)
			assert.Equal(t, plain, of(), "the next call")

			tr = setup(t, direct, cognitosync.WithAPIOptions(test.option))
			for range 2 {
				_, err = tr.call(t.Context())
				require.NoError(t, err)
			}
			assert.Equal(t, 1, strings.Count(tr.server.Requests().Last().Header.Get("User-Agent")+" ", test.want+" "), "nothing accumulates")
		})
	}
}

// TestMiddlewareReturnsResult checks that middleware can return a result instead of the
// service.
func TestMiddlewareReturnsResult(t *testing.T) {
	t.Parallel()
	response := func(status int, body string) *smithyhttp.Response {
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
		text string // in the error; "" if there is none
	}{
		{name: "initialize", want: 7, add: initializeOutput(outputOf(7))},
		{name: "finalize", want: 7, add: finalizeOutput(outputOf(7))},
		{name: "deserialize", want: 8, add: respondWith(response(http.StatusOK, `{"IdentityPoolUsage":{"DataStorage":8}}`), nil)},
		{name: "deserialize, without body", add: respondWith(&smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK}}, nil)},
		{name: "deserialize, an error of the service", text: "NotAuthorizedException: no", add: respondWith(response(http.StatusForbidden,
			`{"__type":"NotAuthorizedException","message":"no"}`), nil)},
		{name: "deserialize, nothing", text: "middleware returned a response of type <nil>", add: respondWith(nil, nil)},
		{name: "an error", text: "broken on purpose", add: respondWith(nil, errBroken)},
		{name: "a result of another type", sent: 1, text: "middleware returned a result of type string", add: func(s *middleware.Stack) error {
			return stepNamed("initialize", s).add(&probe{id: "spoil", after: func(middleware.Metadata, any, error) (any, error) { return "text", nil }}, middleware.Before)
		}},
		{name: "a nil output", sent: 1, text: "middleware returned a result of type", add: func(s *middleware.Stack) error {
			return stepNamed("initialize", s).add(&probe{id: "spoil", after: func(middleware.Metadata, any, error) (any, error) {
				return (*cognitosync.DescribeIdentityPoolUsageOutput)(nil), nil
			}}, middleware.Before)
		}},
		{name: "an input of another type", text: "middleware passed an input of type string", add: func(s *middleware.Stack) error {
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
			tr := setup(t, direct, cognitosync.WithAPIOptions(test.add))
			output, err := tr.call(t.Context())
			assert.Equal(t, test.sent, tr.server.Requests().Count())
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

// TestMiddlewareOutputIsNotWritten checks that an output that middleware returns is not
// modified, because a cache may return the same one to concurrent calls.
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
			tr := setup(t, direct, cognitosync.WithAPIOptions(test.add(own)))
			output, err := tr.call(t.Context())
			require.NoError(t, err)
			assert.Equal(t, own.IdentityPoolUsage, output.IdentityPoolUsage)
			assert.Equal(t, "mine", output.ResultMetadata.Get(contextKey{}))
			assert.Equal(t, outputOf(7), own)
		})
	}
}

// outputOf returns an output with the given data storage.
func outputOf(dataStorage int64) *cognitosync.DescribeIdentityPoolUsageOutput {
	return &cognitosync.DescribeIdentityPoolUsageOutput{IdentityPoolUsage: &cognitosync.IdentityPoolUsage{DataStorage: &dataStorage}}
}

// ownMetadata returns metadata with a value of middleware.
func ownMetadata() (metadata middleware.Metadata) {
	metadata.Set(contextKey{}, "mine")
	return metadata
}

// initializeOutput adds middleware around the whole call that returns output instead of
// calling the next handler.
func initializeOutput(output *cognitosync.DescribeIdentityPoolUsageOutput) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("output", func(context.Context, middleware.InitializeInput, middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			return middleware.InitializeOutput{Result: output}, ownMetadata(), nil
		}), middleware.Before)
	}
}

// finalizeOutput does the same around each attempt.
func finalizeOutput(output *cognitosync.DescribeIdentityPoolUsageOutput) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("output", func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (
			middleware.FinalizeOutput, middleware.Metadata, error,
		) {
			return middleware.FinalizeOutput{Result: output}, ownMetadata(), nil
		}), "Retry", middleware.After)
	}
}

// respondWith adds middleware that replaces the HTTP client.
func respondWith(response any, err error) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("respond", func(context.Context, middleware.DeserializeInput, middleware.DeserializeHandler) (
			out middleware.DeserializeOutput, _ middleware.Metadata, _ error,
		) {
			out.RawResponse = response
			return out, middleware.Metadata{}, err
		}), middleware.After)
	}
}

// TestMiddlewareChangesTheInput checks that middleware can change the input, and that an
// invalid input is rejected.
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
		want string // the pool that is queried; "" if none
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
			tr := setup(t, direct, cognitosync.WithAPIOptions(test.add))
			tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: other})
			output, err := tr.call(t.Context())
			if test.want == "" {
				var invalid smithy.InvalidParamsError
				require.ErrorAs(t, err, &invalid)
				assert.Zero(t, tr.server.Requests().Count())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, *output.IdentityPoolUsage.IdentityPoolId)
		})
	}
}

// TestMiddlewareSeesTheInput checks that the input of middleware always has its type.
func TestMiddlewareSeesTheInput(t *testing.T) {
	t.Parallel()
	var seen []any
	tr := setup(t, direct, atEnd("initialize", &probe{id: "look", before: func(ctx context.Context, in any) context.Context {
		seen = append(seen, in)
		return ctx
	}}, middleware.Before))
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)}
	_, err := tr.client.DescribeIdentityPoolUsage(t.Context(), input)
	require.NoError(t, err)
	_, err = tr.client.DescribeIdentityPoolUsage(t.Context(), nil)
	require.Error(t, err)
	require.Len(t, seen, 2)
	assert.Same(t, input, seen[0])
	assert.Equal(t, &cognitosync.DescribeIdentityPoolUsageInput{}, seen[1])
}

// TestMiddlewareFailsRetryably checks that errors of middleware inside the attempt loop are
// retried if they are retryable.
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
			tr := setup(t, direct, with("finalize", &probe{id: "fail", after: func(_ middleware.Metadata, result any, err error) (any, error) {
				if failures++; failures == 1 {
					return nil, test.err
				}
				return result, err
			}}, middleware.After, "Retry"))
			_, err := tr.call(t.Context())
			assert.Equal(t, test.attempts, tr.server.Requests().Count())
			if test.attempts > 1 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errBroken)
			}
		})
	}
}

// TestMiddlewareForOneCall checks that the middleware of a call runs after the client's, and
// only for that call.
func TestMiddlewareForOneCall(t *testing.T) {
	t.Parallel()
	var order clienttest.Notes
	option := func(id string) func(*cognitosync.Options) {
		return atEnd("initialize", &probe{id: id, notes: &order}, middleware.After)
	}
	tr := setup(t, direct, option("client"))
	for range 2 {
		_, err := tr.call(t.Context(), option("call"))
		require.NoError(t, err)
		_, err = tr.call(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"client", "call", "client", "client", "call", "client"}, order.Take())
}

// TestMiddlewareOfTheSDK checks that the middleware of the SDK's packages can be added.
func TestMiddlewareOfTheSDK(t *testing.T) {
	t.Parallel()
	for name, add := range map[string]func(*middleware.Stack) error{
		"close the body":           smithyhttp.AddCloseResponseBodyMiddleware,
		"close the body on errors": smithyhttp.AddErrorCloseResponseBodyMiddleware,
		"content length":           smithyhttp.AddComputeContentLengthMiddleware,
		"minimum protocol":         func(s *middleware.Stack) error { return smithyhttp.AddRequireMinimumProtocol(s, 1, 1) },
		"content checksum":         smithyhttp.AddContentChecksumMiddleware,
		"no content type":          smithyhttp.AddNoPayloadDefaultContentTypeRemover,
		"a logger of its own":      func(s *middleware.Stack) error { return middleware.AddSetLoggerMiddleware(s, &clienttest.Notes{}) },
		"metadata of its own": func(s *middleware.Stack) error {
			return s.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{ServiceID: "x"}, middleware.Before)
		},
		"the SDK's response errors": func(s *middleware.Stack) error {
			_, err := s.Deserialize.Swap("ResponseErrorWrapper", &awshttp.ResponseErrorWrapper{})
			return err
		},
		"the SDK's request IDs": func(s *middleware.Stack) error {
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
			tr := setup(t, direct, cognitosync.WithAPIOptions(add))
			output, err := tr.call(t.Context())
			require.NoError(t, err)
			id, _ := awsmiddleware.GetRequestIDMetadata(output.ResultMetadata)
			assert.Equal(t, tr.server.Requests().Last().RequestID, id)
			assert.Empty(t, tr.server.Requests().Refused())

			tr.script(cognitosynctest.AccessDenied())
			_, err = tr.call(t.Context())
			var denied *awshttp.ResponseError
			require.ErrorAs(t, err, &denied)
			assert.Equal(t, tr.server.Requests().Last().RequestID, denied.ServiceRequestID())
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
		})
	}
}

// hookNames are the 13 hooks of a call, in the order in which they run.
var hookNames = []string{
	"BeforeExecution", "BeforeSerialization", "AfterSerialization", "BeforeRetryLoop",
	"BeforeAttempt", "BeforeSigning", "AfterSigning", "BeforeTransmit", "AfterTransmit",
	"BeforeDeserialization", "AfterDeserialization", "AfterAttempt", "AfterExecution",
}

// The hooks of an attempt.
var attemptHooks = hookNames[4:12]

// hooks is an interceptor for all hooks. It records which are called.
type hooks struct {
	notes  clienttest.Notes
	change func(context.Context, *smithyhttp.InterceptorContext) error // may be nil
	look   func(name string, in *smithyhttp.InterceptorContext)        // may be nil
}

func newHooks() *hooks { return &hooks{} }

func (h *hooks) at(ctx context.Context, name string, in *smithyhttp.InterceptorContext) error {
	h.notes.Add("%s", name)
	if h.look != nil {
		h.look(name, in)
	}
	if h.change != nil {
		return h.change(ctx, in)
	}
	return nil
}

func (h *hooks) BeforeExecution(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeExecution", in)
}

func (h *hooks) BeforeSerialization(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeSerialization", in)
}

func (h *hooks) AfterSerialization(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "AfterSerialization", in)
}

func (h *hooks) BeforeRetryLoop(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeRetryLoop", in)
}

func (h *hooks) BeforeAttempt(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeAttempt", in)
}

func (h *hooks) BeforeSigning(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeSigning", in)
}

func (h *hooks) AfterSigning(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "AfterSigning", in)
}

func (h *hooks) BeforeTransmit(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeTransmit", in)
}

func (h *hooks) AfterTransmit(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "AfterTransmit", in)
}

func (h *hooks) BeforeDeserialization(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "BeforeDeserialization", in)
}

func (h *hooks) AfterDeserialization(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "AfterDeserialization", in)
}

func (h *hooks) AfterAttempt(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "AfterAttempt", in)
}

func (h *hooks) AfterExecution(ctx context.Context, in *smithyhttp.InterceptorContext) error {
	return h.at(ctx, "AfterExecution", in)
}

// addHook registers h for one hook.
func addHook(o *cognitosync.Options, name string, h *hooks) {
	in := &o.Interceptors
	switch name {
	case "BeforeExecution":
		in.AddBeforeExecution(h)
	case "BeforeSerialization":
		in.AddBeforeSerialization(h)
	case "AfterSerialization":
		in.AddAfterSerialization(h)
	case "BeforeRetryLoop":
		in.AddBeforeRetryLoop(h)
	case "BeforeAttempt":
		in.AddBeforeAttempt(h)
	case "BeforeSigning":
		in.AddBeforeSigning(h)
	case "AfterSigning":
		in.AddAfterSigning(h)
	case "BeforeTransmit":
		in.AddBeforeTransmit(h)
	case "AfterTransmit":
		in.AddAfterTransmit(h)
	case "BeforeDeserialization":
		in.AddBeforeDeserialization(h)
	case "AfterDeserialization":
		in.AddAfterDeserialization(h)
	case "AfterAttempt":
		in.AddAfterAttempt(h)
	case "AfterExecution":
		in.AddAfterExecution(h)
	}
}

// everyHook registers h for all hooks.
func everyHook(h *hooks) func(*cognitosync.Options) {
	return func(o *cognitosync.Options) {
		for _, name := range hookNames {
			addHook(o, name, h)
		}
	}
}

// TestInterceptors checks which hooks are called, in which order and with which context, for
// calls that succeed and calls that fail.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	before, after := hookNames[:4], hookNames[12:]
	withoutResponse := []string{"BeforeAttempt", "BeforeSigning", "AfterSigning", "BeforeTransmit", "AfterAttempt"}
	for _, test := range []struct {
		name   string
		pool   string
		steps  []cognitosynctest.Step
		option func(*cognitosync.Options)
		want   []string
		output bool // whether the call returns one
	}{
		{name: "success", want: hookNames, output: true},
		{
			name: "retry", steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)}, output: true,
			want: slices.Concat(before, attemptHooks, attemptHooks, after),
		},
		{name: "failure", steps: []cognitosynctest.Step{cognitosynctest.AccessDenied()}, want: hookNames},
		{
			name: "no response, then one", steps: []cognitosynctest.Step{cognitosynctest.Hangup()}, output: true,
			want: slices.Concat(before, withoutResponse, attemptHooks, after),
		},
		{name: "truncated response, then a success", steps: []cognitosynctest.Step{cognitosynctest.OK().CutAfter(10)}, output: true,
			// AfterDeserialization is not called for an incomplete body.
			want: slices.Concat(before, []string{
				"BeforeAttempt", "BeforeSigning", "AfterSigning", "BeforeTransmit", "AfterTransmit", "BeforeDeserialization", "AfterAttempt",
			}, attemptHooks, after),
		},
		{name: "refused input", pool: "a/b", want: []string{"BeforeExecution", "AfterExecution"}},
		{
			name: "no endpoint", want: slices.Concat(before, after),
			option: func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("localhost:80") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHooks()
			var last smithyhttp.InterceptorContext
			h.look = func(name string, in *smithyhttp.InterceptorContext) {
				if name == "AfterExecution" {
					last = *in
				}
			}
			if test.option == nil {
				test.option = func(*cognitosync.Options) {}
			}
			tr := setup(t, direct, everyHook(h), test.option)
			tr.server.Script("", test.steps...)
			output, err := tr.callPool(t.Context(), firstOf(test.pool, poolID))
			assert.Equal(t, test.output, err == nil, err)
			assert.Equal(t, test.want, h.notes.Take())
			assert.IsType(t, &cognitosync.DescribeIdentityPoolUsageInput{}, last.Input)
			if test.output {
				assert.Same(t, output, last.Output)
				assert.Equal(t, http.StatusOK, last.Response.StatusCode)
			} else {
				assert.Nil(t, last.Output)
			}
		})
	}
}

// TestInterceptorContext checks the context of each hook in a call that succeeds.
func TestInterceptorContext(t *testing.T) {
	t.Parallel()
	h := newHooks()
	var contents clienttest.Notes
	h.look = func(name string, in *smithyhttp.InterceptorContext) {
		contents.Add("%s: input %t, request %t, response %t, output %t", name, in.Input != nil, in.Request != nil, in.Response != nil, in.Output != nil)
		if in.Request != nil {
			assert.Equal(t, "/identitypools/"+escapedID(poolID), in.Request.URL.EscapedPath())
		}
	}
	tr := setup(t, direct, everyHook(h))
	_, err := tr.call(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"BeforeExecution: input true, request false, response false, output false",
		"BeforeSerialization: input true, request false, response false, output false",
		"AfterSerialization: input true, request true, response false, output false",
		"BeforeRetryLoop: input true, request true, response false, output false",
		"BeforeAttempt: input true, request true, response false, output false",
		"BeforeSigning: input true, request true, response false, output false",
		"AfterSigning: input true, request true, response false, output false",
		"BeforeTransmit: input true, request true, response false, output false",
		"AfterTransmit: input true, request true, response true, output false",
		"BeforeDeserialization: input true, request true, response true, output false",
		"AfterDeserialization: input true, request true, response true, output true",
		"AfterAttempt: input true, request true, response true, output true",
		"AfterExecution: input true, request true, response true, output true",
	}, contents.Take())
}

// TestInterceptorFails checks that each hook can end a call.
func TestInterceptorFails(t *testing.T) {
	t.Parallel()
	for i, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHooks()
			h.change = func(context.Context, *smithyhttp.InterceptorContext) error { return errBroken }
			tr := setup(t, direct, func(o *cognitosync.Options) { addHook(o, name, h) })
			_, err := tr.call(t.Context())
			require.ErrorIs(t, err, errBroken)
			sent := 1
			if i <= slices.Index(hookNames, "BeforeTransmit") {
				sent = 0
			}
			assert.Equal(t, sent, tr.server.Requests().Count())
		})
	}
}

// TestInterceptorFailsRetryably checks that errors of hooks inside the attempt loop are
// retried if they are retryable.
func TestInterceptorFailsRetryably(t *testing.T) {
	t.Parallel()
	for _, name := range attemptHooks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHooks()
			var once bool
			h.change = func(context.Context, *smithyhttp.InterceptorContext) error {
				if once {
					return nil
				}
				once = true
				return &smithyhttp.RequestSendError{Err: errBroken}
			}
			tr := setup(t, direct, func(o *cognitosync.Options) { addHook(o, name, h) })
			output, err := tr.call(t.Context())
			require.NoError(t, err)
			attempts, _ := retry.GetAttemptResults(output.ResultMetadata)
			require.Len(t, attempts.Results, 2)
			require.ErrorIs(t, attempts.Results[0].Err, errBroken)
		})
	}
}

// A probe is middleware for any of the five steps. It records that it is run, and calls its
// functions.
type probe struct {
	id    string
	notes *clienttest.Notes // nil: it records nothing

	instead any                                                // middleware to run instead
	before  func(context.Context, any) context.Context         // gets the input or the request
	after   func(middleware.Metadata, any, error) (any, error) // gets the result or the raw response
}

func (p *probe) ID() string { return p.id }

func (p *probe) enter(ctx context.Context, in any) context.Context {
	if p.notes != nil {
		p.notes.Add("%s", p.id)
	}
	if p.before != nil {
		return p.before(ctx, in)
	}
	return ctx
}

func (p *probe) leave(metadata middleware.Metadata, result any, err error) (any, error) {
	if p.after != nil {
		return p.after(metadata, result, err)
	}
	return result, err
}

func (p *probe) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	out middleware.InitializeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Parameters)
	if m, ok := p.instead.(middleware.InitializeMiddleware); ok {
		out, metadata, err = m.HandleInitialize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleInitialize(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleSerialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.SerializeMiddleware); ok {
		out, metadata, err = m.HandleSerialize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleSerialize(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleBuild(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
	out middleware.BuildOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.BuildMiddleware); ok {
		out, metadata, err = m.HandleBuild(ctx, in, next)
	} else {
		out, metadata, err = next.HandleBuild(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.FinalizeMiddleware); ok {
		out, metadata, err = m.HandleFinalize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleFinalize(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.DeserializeMiddleware); ok {
		out, metadata, err = m.HandleDeserialize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleDeserialize(ctx, in)
	}
	out.RawResponse, err = p.leave(metadata, out.RawResponse, err)
	return out, metadata, err
}

// A step is one of the five steps of a stack.
type step interface {
	has(id string) bool
	list() []string
	add(p *probe, position middleware.RelativePosition) error
	insert(p *probe, id string, position middleware.RelativePosition) error
	swap(id string, p *probe) (old any, err error)
	remove(id string) error
}

// stepOf has the methods that the five types of steps share. M is their middleware.
type stepOf[M any] struct {
	step interface {
		Get(id string) (M, bool)
		List() []string
		Add(m M, position middleware.RelativePosition) error
		Insert(m M, relativeTo string, position middleware.RelativePosition) error
		Swap(id string, m M) (M, error)
		Remove(id string) (M, error)
	}
}

func (s stepOf[M]) has(id string) bool {
	_, found := s.step.Get(id)
	return found
}

func (s stepOf[M]) list() []string { return s.step.List() }

func (s stepOf[M]) add(p *probe, position middleware.RelativePosition) error {
	return s.step.Add(any(p).(M), position)
}

func (s stepOf[M]) insert(p *probe, id string, position middleware.RelativePosition) error {
	return s.step.Insert(any(p).(M), id, position)
}

func (s stepOf[M]) swap(id string, p *probe) (any, error) { return s.step.Swap(id, any(p).(M)) }

func (s stepOf[M]) remove(id string) error {
	_, err := s.step.Remove(id)
	return err
}

// stepNamed returns one of the five steps.
func stepNamed(name string, s *middleware.Stack) step {
	switch name {
	case "initialize":
		return stepOf[middleware.InitializeMiddleware]{s.Initialize}
	case "serialize":
		return stepOf[middleware.SerializeMiddleware]{s.Serialize}
	case "build":
		return stepOf[middleware.BuildMiddleware]{s.Build}
	case "finalize":
		return stepOf[middleware.FinalizeMiddleware]{s.Finalize}
	default:
		return stepOf[middleware.DeserializeMiddleware]{s.Deserialize}
	}
}

// with returns an option that makes a client run p in the step, before or after the
// middleware with an ID.
func with(stepName string, p *probe, position middleware.RelativePosition, id string) func(*cognitosync.Options) {
	return cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		return stepNamed(stepName, s).insert(p, id, position)
	})
}

// atEnd returns an option that makes a client run p at the beginning or the end of the step.
func atEnd(stepName string, p *probe, position middleware.RelativePosition) func(*cognitosync.Options) {
	return cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		return stepNamed(stepName, s).add(p, position)
	})
}

// TestBodyOfMiddleware checks that a body from middleware is signed with its hash, or with
// the hash that middleware has set.
func TestBodyOfMiddleware(t *testing.T) {
	t.Parallel()
	const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc"
	withBody := &probe{id: "body", instead: middleware.BuildMiddlewareFunc("body",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			request, err := in.Request.(*smithyhttp.Request).SetStream(strings.NewReader("abc"))
			if err != nil {
				return middleware.BuildOutput{}, middleware.Metadata{}, err
			}
			return next.HandleBuild(ctx, middleware.BuildInput{Request: request})
		})}
	for _, test := range []struct {
		name    string
		options []func(*cognitosync.Options)
		want    string
	}{
		{"body", nil, hash},
		{"body with a hash", []func(*cognitosync.Options){atEnd("build", &probe{id: "hash", before: func(ctx context.Context, _ any) context.Context {
			return v4.SetPayloadHash(ctx, "UNSIGNED-PAYLOAD")
		}}, middleware.After)}, "UNSIGNED-PAYLOAD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var signed clienttest.Notes
			sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
			client := newClient(configOf(sent), direct, func(o *cognitosync.Options) { o.HTTPSignerV4 = newNotingSigner(&signed) },
				atEnd("build", withBody, middleware.After))

			_, err := describe(t.Context(), t, client, poolID, test.options...)

			require.NoError(t, err)
			assert.Equal(t, []string{test.want + " cognito-sync us-east-1"}, signed.Take())
			requests := sent.Take()
			require.Len(t, requests, 1)
			assert.EqualValues(t, 3, requests[0].ContentLength)
		})
	}
}

// TestRequestsOfOtherTypes checks that a call fails if middleware passes on a request of
// the wrong type, whichever step receives it, and that the error contains the type.
func TestRequestsOfOtherTypes(t *testing.T) {
	t.Parallel()
	finalize := func(before string) func(*middleware.Stack) error {
		return func(s *middleware.Stack) error {
			return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("odd", func(ctx context.Context, _ middleware.FinalizeInput, next middleware.FinalizeHandler) (
				middleware.FinalizeOutput, middleware.Metadata, error,
			) {
				return next.HandleFinalize(ctx, middleware.FinalizeInput{Request: "odd"})
			}), before, middleware.Before)
		}
	}
	deserialize := middleware.DeserializeMiddlewareFunc("odd", func(ctx context.Context, _ middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		return next.HandleDeserialize(ctx, middleware.DeserializeInput{Request: "odd"})
	})
	for name, change := range map[string]func(*middleware.Stack) error{
		"OperationSerializer": func(s *middleware.Stack) error {
			return s.Serialize.Insert(middleware.SerializeMiddlewareFunc("odd", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
				middleware.SerializeOutput, middleware.Metadata, error,
			) {
				return next.HandleSerialize(ctx, middleware.SerializeInput{Parameters: in.Parameters, Request: "odd"})
			}), "OperationSerializer", middleware.Before)
		},
		"Retry":              finalize("Retry"),
		"RetryMetricsHeader": finalize("RetryMetricsHeader"),
		"ResolveEndpointV2":  finalize("ResolveEndpointV2"),
		"Signing":            finalize("Signing"),
		"RequestResponseLogger": func(s *middleware.Stack) error {
			return s.Deserialize.Insert(deserialize, "RequestResponseLogger", middleware.Before)
		},
		"last": func(s *middleware.Stack) error { return s.Deserialize.Add(deserialize, middleware.After) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log clienttest.Notes
			tr := setup(t, direct, cognitosync.WithAPIOptions(change), func(o *cognitosync.Options) {
				o.Logger, o.ClientLogMode = &log, aws.LogRequest
			})
			err := tr.fails(t, t.Context())
			require.ErrorContains(t, err, "type string")
			assert.Zero(t, tr.requests())
		})
	}
}

// TestMiddlewareMocksWithoutSettings checks that middleware can return results even if the
// client has neither a region nor credentials, because clients in tests may have none.
func TestMiddlewareMocksWithoutSettings(t *testing.T) {
	t.Parallel()
	throttled := &cognitosync.TooManyRequestsException{}
	for _, test := range []struct {
		name     string
		retryer  aws.Retryer
		results  []error // of the mock, one for each attempt; nil is a success
		is       error   // the error of the call; nil: it succeeds
		attempts int
	}{
		{"success", nil, []error{nil}, nil, 0},
		{"success after a failure", nil, []error{throttled, nil}, nil, 0},
		{"failure", nil, []error{errBroken}, errBroken, 1},
		{"three failures", nil, []error{throttled, throttled, throttled}, throttled, 3},
		{"no mock", nil, nil, nil, 0},
		{"no mock, retryer that retries everything", retryAlways{retry.NewStandard()}, nil, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			results := test.results
			records := &clienttest.Records{Level: slog.LevelDebug}
			runs := 0
			mock := middleware.FinalizeMiddlewareFunc("mock", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
				out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
			) {
				runs++
				if len(results) == 0 {
					return next.HandleFinalize(ctx, in)
				}
				err, results = results[0], results[1:]
				if err == nil {
					out.Result = &cognitosync.DescribeIdentityPoolUsageOutput{}
				}
				return out, metadata, err
			})
			sent := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, stubBody)}
			client := newClient(aws.Config{HTTPClient: sent}, direct, atEnd("finalize", &probe{id: "mock", instead: mock}, middleware.After),
				func(o *cognitosync.Options) { o.Retryer, o.StructuredLogger = test.retryer, slog.New(records) })

			output, err := describe(t.Context(), t, client, poolID)

			assert.Empty(t, sent.Take())
			switch {
			case test.results == nil:
				requireFailure(t, output, err)
				requireAs[*cognitosync.ConfigurationError](t, err)
				assert.Zero(t, cognitosync.InspectError(err).Attempts)
				assert.Equal(t, 1, runs)
				assert.NotContains(t, err.Error(), " (pool ", "no endpoint was called")
			case test.is != nil:
				requireFailure(t, output, err)
				require.ErrorIs(t, err, test.is)
				assert.Equal(t, test.attempts, cognitosync.InspectError(err).Attempts)
				assert.Len(t, records.Take(), test.attempts)
			default:
				require.NoError(t, err)
				assert.Equal(t, len(test.results), runs)
			}
		})
	}
}

// TestInvalidSettingsThroughInterceptors checks that invalid settings are rejected before
// the first attempt if there are only interceptors, because these cannot return results.
func TestInvalidSettingsThroughInterceptors(t *testing.T) {
	t.Parallel()
	var notes clienttest.Notes
	client := newClient(aws.Config{}, direct, func(o *cognitosync.Options) {
		o.Interceptors.AddBeforeAttempt(noteAttempt{&notes})
	})
	output, err := describe(t.Context(), t, client, poolID)
	requireFailure(t, output, err)
	requireAs[*cognitosync.ConfigurationError](t, err)
	assert.Empty(t, notes.Take())
	assert.Zero(t, cognitosync.InspectError(err).Attempts)
}

type noteAttempt struct{ notes *clienttest.Notes }

func (n noteAttempt) BeforeAttempt(context.Context, *smithyhttp.InterceptorContext) error {
	n.notes.Add("attempt")
	return nil
}

// TestAttemptsOfMiddleware replaces the Retry step, and checks that the context of the
// attempt ends with the call.
func TestAttemptsOfMiddleware(t *testing.T) {
	t.Parallel()
	var contexts []context.Context
	tr := setup(t, direct, cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		_, err := s.Finalize.Swap("Retry", middleware.FinalizeMiddlewareFunc("Retry", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
			middleware.FinalizeOutput, middleware.Metadata, error,
		) {
			return next.HandleFinalize(ctx, in)
		}))
		return err
	}), atEnd("deserialize", &probe{id: "look", before: func(ctx context.Context, _ any) context.Context {
		contexts = append(contexts, ctx)
		return ctx
	}}, middleware.After))

	tr.succeeds(t)

	require.Len(t, contexts, 1)
	require.ErrorIs(t, contexts[0].Err(), context.Canceled)
	assert.Empty(t, tr.server.Requests().Last().Header.Get("Amz-Sdk-Request"), "middleware makes the attempts")
}

// TestRegionOfARejectedCall checks that middleware sees the client's region if the pool is
// in another region.
func TestRegionOfARejectedCall(t *testing.T) {
	t.Parallel()
	seen := ""
	client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, stubBody)), direct,
		atEnd("initialize", &probe{id: "look", before: func(ctx context.Context, _ any) context.Context {
			seen = awsmiddleware.GetRegion(ctx)
			return ctx
		}}, middleware.Before))
	output, err := describe(t.Context(), t, client, "eu-west-1:1")
	requireFailure(t, output, err)
	requireAs[*cognitosync.RegionMismatchError](t, err)
	assert.Equal(t, "us-east-1", seen)
}

// TestMiddlewareReadsTheBody checks that the size limit of bodies also applies to
// middleware.
func TestMiddlewareReadsTheBody(t *testing.T) {
	t.Parallel()
	for length, fits := range map[int]bool{mib: true, mib + 1: false} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			t.Parallel()
			var (
				read    int
				readErr error
			)
			body := stubBody + strings.Repeat(" ", length-len(stubBody))
			client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, body)), direct,
				atEnd("deserialize", &probe{id: "read", after: func(_ middleware.Metadata, raw any, err error) (any, error) {
					response := raw.(*smithyhttp.Response)
					text, problem := io.ReadAll(response.Body)
					read, readErr = len(text), problem
					response.Body = io.NopCloser(strings.NewReader(stubBody))
					return raw, err
				}}, middleware.After))

			_, err := describe(t.Context(), t, client, poolID)

			require.NoError(t, err)
			assert.Equal(t, mib, read)
			if fits {
				require.NoError(t, readErr)
			} else {
				assert.True(t, isA[*cognitosync.ResponseTooLargeError](readErr), readErr)
			}
		})
	}
}

// TestMiddlewareWithABrokenBody returns a response from middleware whose body cannot be
// read. There is no request for the error to name.
func TestMiddlewareWithABrokenBody(t *testing.T) {
	t.Parallel()
	mock := middleware.DeserializeMiddlewareFunc("mock", func(context.Context, middleware.DeserializeInput, middleware.DeserializeHandler) (
		out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
	) {
		broken := io.NopCloser(readerFunc(func([]byte) (int, error) { return 0, errBroken }))
		out.RawResponse = &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: broken}}
		return out, metadata, nil
	})
	records := &clienttest.Records{}
	client := newClient(configOf(clienttest.Respond(http.StatusOK, nil, stubBody)), direct,
		atEnd("deserialize", &probe{id: "mock", instead: mock}, middleware.After),
		func(o *cognitosync.Options) { o.StructuredLogger = slog.New(records) })
	output, err := describe(t.Context(), t, client, poolID)
	requireFailure(t, output, err)
	require.ErrorIs(t, err, errBroken)
	logged := records.Take()
	require.Len(t, logged, 1)
	assert.EqualValues(t, http.StatusOK, logged[0]["status"])
	requireAs[*smithy.DeserializationError](t, err)
	assert.Equal(t, http.StatusOK, cognitosync.InspectError(err).StatusCode)
}
