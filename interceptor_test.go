package cognitosync_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// hookNames are the 13 points of a call, in the order in which a call passes them.
var hookNames = []string{
	"BeforeExecution", "BeforeSerialization", "AfterSerialization", "BeforeRetryLoop",
	"BeforeAttempt", "BeforeSigning", "AfterSigning", "BeforeTransmit", "AfterTransmit",
	"BeforeDeserialization", "AfterDeserialization", "AfterAttempt", "AfterExecution",
}

// The points that an attempt passes.
var attemptHooks = hookNames[4:12]

// hooks are an interceptor for all points, which notes where it was called.
type hooks struct {
	notes  notes
	change func(context.Context, *smithyhttp.InterceptorContext) error // nil: nothing is called
	look   func(name string, in *smithyhttp.InterceptorContext)        // nil: nothing is called
}

func newHooks() *hooks { return &hooks{} }

func (h *hooks) at(ctx context.Context, name string, in *smithyhttp.InterceptorContext) error {
	h.notes.add("%s", name)
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

// addHook registers h for one point.
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

// everyHook registers h for all points.
func everyHook(h *hooks) func(*cognitosync.Options) {
	return func(o *cognitosync.Options) {
		for _, name := range hookNames {
			addHook(o, name, h)
		}
	}
}

// TestInterceptors shows which hooks are called, in which order, and what they are
// told, whatever becomes of the call.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	before, after := hookNames[:4], hookNames[12:]
	unanswered := []string{"BeforeAttempt", "BeforeSigning", "AfterSigning", "BeforeTransmit", "AfterAttempt"}
	for _, test := range []struct {
		name   string
		pool   string
		steps  []cognitosynctest.Step
		option func(*cognitosync.Options)
		want   []string
		output bool // whether there is one in the end
	}{
		{name: "success", want: hookNames, output: true},
		{
			name: "retry", steps: []cognitosynctest.Step{cognitosynctest.Throttle(1)}, output: true,
			want: slices.Concat(before, attemptHooks, attemptHooks, after),
		},
		{name: "failure", steps: []cognitosynctest.Step{cognitosynctest.AccessDenied()}, want: hookNames},
		{
			name: "no answer, then one", steps: []cognitosynctest.Step{cognitosynctest.Hangup()}, output: true,
			want: slices.Concat(before, unanswered, attemptHooks, after),
		},
		{name: "half an answer, then one", steps: []cognitosynctest.Step{cognitosynctest.OK().CutAfter(10)}, output: true,
			// A body that breaks off is no answer either.
			want: slices.Concat(before, []string{
				"BeforeAttempt", "BeforeSigning", "AfterSigning", "BeforeTransmit", "AfterTransmit", "BeforeDeserialization", "AfterAttempt",
			}, attemptHooks, after),
		},
		{name: "refused input", pool: "a/b", want: []string{"BeforeExecution", "AfterExecution"}},
		{
			name: "no endpoint", want: slices.Concat(before, []string{"BeforeAttempt", "AfterAttempt"}, after),
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
			server, client := setup(t, direct, everyHook(h), test.option)
			server.Script("", test.steps...)
			output, err := describePool(t.Context(), t, client, firstOf(test.pool, poolID))
			assert.Equal(t, test.output, err == nil, err)
			assert.Equal(t, test.want, h.notes.take())
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

// TestInterceptorContext shows what there is at each point of a call that succeeds.
func TestInterceptorContext(t *testing.T) {
	t.Parallel()
	h := newHooks()
	var told notes
	h.look = func(name string, in *smithyhttp.InterceptorContext) {
		told.add("%s: input %t, request %t, response %t, output %t", name, in.Input != nil, in.Request != nil, in.Response != nil, in.Output != nil)
		if in.Request != nil {
			assert.Equal(t, "/identitypools/"+escapedID(poolID), in.Request.URL.EscapedPath())
		}
	}
	_, client := setup(t, direct, everyHook(h))
	_, err := describe(t, client)
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
	}, told.take())
}

// TestInterceptorFails shows that each hook can end a call.
func TestInterceptorFails(t *testing.T) {
	t.Parallel()
	for i, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHooks()
			h.change = func(context.Context, *smithyhttp.InterceptorContext) error { return errBroken }
			server, client := setup(t, direct, func(o *cognitosync.Options) { addHook(o, name, h) })
			_, err := describe(t, client)
			require.ErrorIs(t, err, errBroken)
			sent := 1
			if i <= slices.Index(hookNames, "BeforeTransmit") {
				sent = 0
			}
			assert.Equal(t, sent, server.Requests().Count())
		})
	}
}

// TestInterceptorFailsRetryably shows that the errors of hooks in the attempt loop are
// judged like any other.
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
			_, client := setup(t, direct, func(o *cognitosync.Options) { addHook(o, name, h) })
			output, err := describe(t, client)
			require.NoError(t, err)
			attempts, _ := retry.GetAttemptResults(output.ResultMetadata)
			require.Len(t, attempts.Results, 2)
			require.ErrorIs(t, attempts.Results[0].Err, errBroken)
		})
	}
}
