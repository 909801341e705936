package cognitosync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// runStack makes the call as [call.run] does, with the same functions as steps of a
// smithy stack, for there is middleware that expects one. The steps have the IDs that
// the SDK has for them, and its order.
func (c *call) runStack(ctx context.Context) reply {
	stack := middleware.NewStack(operationName, smithyhttp.NewStackRequest)
	if err := c.addSteps(stack); err != nil {
		return reply{err: err}
	}
	for _, fn := range c.APIOptions {
		if err := fn(stack); err != nil {
			return reply{err: err}
		}
	}

	ctx = middleware.ClearStackValues(ctx)
	ctx = middleware.WithServiceID(ctx, ServiceID)
	ctx = middleware.WithOperationName(ctx, operationName)
	ctx = awsmiddleware.SetServiceID(ctx, ServiceID)
	ctx = awsmiddleware.SetRegion(ctx, c.toldRegion())
	ctx = awsmiddleware.SetOperationName(ctx, operationName)
	ctx = middleware.SetLogger(ctx, callLogger{c})
	result, metadata, err := middleware.DecorateHandler((*transmission)(c), stack).Handle(ctx, c.input)
	if err != nil {
		return reply{metadata: metadata, err: err}
	}
	output, ok := result.(*DescribeIdentityPoolUsageOutput)
	if !ok || output == nil {
		return reply{metadata: metadata, err: fmt.Errorf("middleware gave a result of type %T", result)}
	}
	return reply{output: output, metadata: metadata}
}

// toldRegion returns the region as middleware is told it: the one that will be asked,
// as far as that can be said.
func (c *call) toldRegion() string {
	if c.input.IdentityPoolId != nil {
		if region, err := c.chooseRegion(); err == nil {
			return region
		}
	}
	return c.Region
}

// addSteps puts the steps of a call on the stack, first to last.
func (c *call) addSteps(stack *middleware.Stack) error {
	return errors.Join(
		// The rest of it is in the context from the beginning.
		stack.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{
			SigningName: cmp.Or(c.signingName, defaultSigningName),
		}, middleware.After),
		stack.Initialize.Add((*validateStep)(c), middleware.After),

		stack.Serialize.Add(anchor("ResolveEndpoint"), middleware.After),
		stack.Serialize.Add((*serializeStep)(c), middleware.After),

		stack.Build.Add(&awsmiddleware.ClientRequestID{}, middleware.After),
		stack.Build.Add(newUserAgent(c.settings), middleware.After),
		stack.Build.Add(&awsmiddleware.RecursionDetection{}, middleware.After),

		stack.Finalize.Add((*retryStep)(c), middleware.After),
		stack.Finalize.Add((*attemptHeaderStep)(c), middleware.After),
		stack.Finalize.Add(anchor("ResolveAuthScheme"), middleware.After),
		stack.Finalize.Add((*identityStep)(c), middleware.After),
		stack.Finalize.Add((*endpointStep)(c), middleware.After),
		stack.Finalize.Add(hashStep{}, middleware.After),
		stack.Finalize.Add((*signStep)(c), middleware.After),

		stack.Deserialize.Add(&awsmiddleware.AddRawResponse{}, middleware.After),
		stack.Deserialize.Add(wrapErrorStep{}, middleware.After),
		stack.Deserialize.Add(requestIDStep{}, middleware.After),
		stack.Deserialize.Add((*deserializeStep)(c), middleware.After),
		stack.Deserialize.Add(&awsmiddleware.RecordResponseTiming{
			DisableClockSkewCorrection: c.DisableClockSkewCorrection,
		}, middleware.After),
		stack.Deserialize.Add((*logStep)(c), middleware.After),

		c.addInterceptors(stack),
	)
}

// hasInterceptors reports whether any of the 13 hooks has a taker.
func hasInterceptors(in *smithyhttp.InterceptorRegistry) bool {
	return len(in.BeforeExecution)+len(in.BeforeSerialization)+len(in.AfterSerialization)+
		len(in.BeforeRetryLoop)+len(in.BeforeAttempt)+len(in.BeforeSigning)+len(in.AfterSigning)+
		len(in.BeforeTransmit)+len(in.AfterTransmit)+len(in.BeforeDeserialization)+
		len(in.AfterDeserialization)+len(in.AfterAttempt)+len(in.AfterExecution) > 0
}

// addInterceptors puts the hooks where smithy's documentation has them. All of them,
// if any: the first hands the others what they share.
func (c *call) addInterceptors(stack *middleware.Stack) error {
	in := &c.Interceptors
	if !hasInterceptors(in) {
		return nil
	}
	return errors.Join(
		stack.Initialize.Add(&smithyhttp.InterceptExecution{
			BeforeExecution: in.BeforeExecution, AfterExecution: in.AfterExecution,
		}, middleware.Before),
		stack.Serialize.Insert(&smithyhttp.InterceptBeforeSerialization{Interceptors: in.BeforeSerialization}, "OperationSerializer", middleware.Before),
		stack.Serialize.Insert(&smithyhttp.InterceptAfterSerialization{Interceptors: in.AfterSerialization}, "OperationSerializer", middleware.After),
		stack.Finalize.Insert(&smithyhttp.InterceptBeforeRetryLoop{Interceptors: in.BeforeRetryLoop}, "Retry", middleware.Before),
		stack.Finalize.Insert(&smithyhttp.InterceptAttempt{
			BeforeAttempt: in.BeforeAttempt, AfterAttempt: in.AfterAttempt,
		}, "Retry", middleware.After),
		stack.Finalize.Insert(&smithyhttp.InterceptBeforeSigning{Interceptors: in.BeforeSigning}, "Signing", middleware.Before),
		stack.Finalize.Insert(&smithyhttp.InterceptAfterSigning{Interceptors: in.AfterSigning}, "Signing", middleware.After),
		stack.Deserialize.Add(&smithyhttp.InterceptTransmit{
			BeforeTransmit: in.BeforeTransmit, AfterTransmit: in.AfterTransmit,
		}, middleware.After),
		// An answer passes the deserialize steps from the last to the first.
		stack.Deserialize.Insert(&smithyhttp.InterceptBeforeDeserialization{Interceptors: in.BeforeDeserialization}, "OperationDeserializer", middleware.After),
		stack.Deserialize.Insert(&smithyhttp.InterceptAfterDeserialization{Interceptors: in.AfterDeserialization}, "OperationDeserializer", middleware.Before),
	)
}

// showInterceptors has the interceptors see, and change, the request of the attempt:
// the step that shows them one is run by itself.
func showInterceptors(ctx context.Context, attempt *smithyhttp.Request) {
	// It cannot fail: it has no interceptor to run, and nothing comes after.
	_, _, _ = (&smithyhttp.InterceptAfterSerialization{}).HandleSerialize(ctx,
		middleware.SerializeInput{Request: attempt}, endOfSerialize)
}

// endOfSerialize is what comes after a serialize step that is run by itself.
var endOfSerialize = middleware.SerializeHandlerFunc(func(context.Context, middleware.SerializeInput) (middleware.SerializeOutput, middleware.Metadata, error) {
	return middleware.SerializeOutput{}, middleware.Metadata{}, nil
})

// The steps are a call seen from one side each, so that they need no memory of their
// own.
type (
	validateStep      call
	serializeStep     call
	retryStep         call
	attemptHeaderStep call
	identityStep      call
	endpointStep      call
	signStep          call
	deserializeStep   call
	logStep           call
	anchor            string
	hashStep          struct{}
	wrapErrorStep     struct{}
	requestIDStep     struct{}
)

func (*validateStep) ID() string { return "OperationInputValidation" }

func (s *validateStep) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	out middleware.InitializeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	if err := c.takeInput(in.Parameters); err != nil {
		return out, metadata, err
	}
	return next.HandleInitialize(ctx, in)
}

func (*serializeStep) ID() string { return "OperationSerializer" }

func (s *serializeStep) HandleSerialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	if err := c.takeInput(in.Parameters); err != nil {
		return out, metadata, err
	}
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	stop := c.startTimer(ctx, c.instruments.serialization)
	req.Method, req.URL = operationMethod, operationURL(*c.input.IdentityPoolId)
	stop()
	return next.HandleSerialize(ctx, in)
}

func (*retryStep) ID() string { return "Retry" }

// HandleFinalize runs what comes after it once for each attempt.
func (s *retryStep) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	r := c.attempts(ctx, func(ctx context.Context) (r reply) {
		attempt := req.Clone()
		if hasInterceptors(&c.Interceptors) {
			showInterceptors(ctx, attempt)
		}
		out, r.metadata, r.err = next.HandleFinalize(ctx, middleware.FinalizeInput{Request: attempt})
		return r
	})
	c.noteAttempts(&r)
	return out, r.metadata, r.err
}

func (*attemptHeaderStep) ID() string { return "RetryMetricsHeader" }

func (s *attemptHeaderStep) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	if c := (*call)(s); c.attempt > 0 { // else the loop is middleware's, or gone
		req.Header.Set(attemptHeader, c.attemptOfMax())
	}
	return next.HandleFinalize(ctx, in)
}

// An anchor is a step of the SDK's that has nothing to do here, where there is one kind
// of endpoint and one of signature, but that middleware may want to stand next to.
func (a anchor) ID() string { return string(a) }

// HandleSerialize goes on.
func (a anchor) HandleSerialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	middleware.SerializeOutput, middleware.Metadata, error,
) {
	return next.HandleSerialize(ctx, in)
}

// HandleFinalize goes on.
func (a anchor) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	return next.HandleFinalize(ctx, in)
}

func (*identityStep) ID() string { return "GetIdentity" }

func (s *identityStep) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	if err := c.retrieveCredentials(ctx); err != nil {
		return out, metadata, err
	}
	return next.HandleFinalize(ctx, in)
}

func (*endpointStep) ID() string { return "ResolveEndpointV2" }

func (s *endpointStep) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	target, err := c.resolveEndpoint(ctx)
	if err != nil {
		return out, metadata, err
	}
	target.apply(req.Request)
	// Middleware that has set another name or region in the context is obeyed.
	if name := awsmiddleware.GetSigningName(ctx); name == defaultSigningName && name != target.signingName {
		ctx = awsmiddleware.SetSigningName(ctx, target.signingName)
	}
	if awsmiddleware.GetSigningRegion(ctx) == "" {
		ctx = awsmiddleware.SetSigningRegion(ctx, target.signingRegion)
	}
	return next.HandleFinalize(ctx, in)
}

// ID is the SDK's for the hash of the body, which may be swapped for another.
func (hashStep) ID() string { return (&v4.ComputePayloadSHA256{}).ID() }

func (hashStep) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	switch req, ok := in.Request.(*smithyhttp.Request); {
	case v4.GetPayloadHash(ctx) != "": // middleware has said it
		return next.HandleFinalize(ctx, in)
	case !ok || req.GetStream() != nil: // middleware has put a body there
		return (&v4.ComputePayloadSHA256{}).HandleFinalize(ctx, in, next)
	}
	return next.HandleFinalize(v4.SetPayloadHash(ctx, emptyPayloadHash), in)
}

func (*signStep) ID() string { return "Signing" }

func (s *signStep) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	// Middleware in another step's place need not have said what to sign for.
	err = c.sign(ctx, req.Request, cmp.Or(v4.GetPayloadHash(ctx), emptyPayloadHash),
		cmp.Or(awsmiddleware.GetSigningName(ctx), defaultSigningName),
		cmp.Or(awsmiddleware.GetSigningRegion(ctx), c.signingRegion, c.homeRegion))
	if err != nil {
		return out, metadata, err
	}
	return next.HandleFinalize(awsmiddleware.SetSigningCredentials(ctx, c.credentials), in)
}

func (wrapErrorStep) ID() string { return "ResponseErrorWrapper" }

func (wrapErrorStep) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if resp := rawResponse(out); resp != nil && err != nil {
		err = wrapResponseError(resp, err)
	}
	return out, metadata, err
}

func (requestIDStep) ID() string { return "RequestIDRetriever" }

func (requestIDStep) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if resp := rawResponse(out); resp != nil {
		noteRequestID(&metadata, resp)
	}
	return out, metadata, err
}

func (*deserializeStep) ID() string { return "OperationDeserializer" }

func (s *deserializeStep) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if err != nil {
		return out, metadata, err
	}
	resp := rawResponse(out)
	if resp == nil {
		return out, metadata, fmt.Errorf("middleware gave a response of type %T", out.RawResponse)
	}
	output, err := c.receive(ctx, resp)
	if err != nil {
		return out, metadata, err
	}
	out.Result = output
	return out, metadata, nil
}

func (*logStep) ID() string { return "RequestResponseLogger" }

func (s *logStep) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	if c.logsRequests() {
		req, err := stackRequest(in.Request)
		if err != nil {
			return out, metadata, err
		}
		c.logRequest(req.Build(ctx))
	}
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if resp := rawResponse(out); resp != nil && err == nil {
		c.logResponse(ctx, resp)
	}
	return out, metadata, err
}

// transmission is what comes after the stack's last step.
type transmission call

// Handle sends the request.
func (t *transmission) Handle(ctx context.Context, input any) (output any, metadata middleware.Metadata, err error) {
	c := (*call)(t)
	req, err := stackRequest(input)
	if err != nil {
		return nil, metadata, err
	}
	resp, err := c.send(req.Build(ctx))
	if err != nil {
		return nil, metadata, err
	}
	// Middleware may read it before we do.
	resp.Body = &boundedBody{ReadCloser: resp.Body, limit: maxResponseBody, remaining: maxResponseBody}
	return &smithyhttp.Response{Response: resp}, oneAttempt().Clone(), nil
}

// takeInput makes the parameters of a step the call's input: middleware can change
// them, and what it makes of them is validated too.
func (c *call) takeInput(parameters any) error {
	input, ok := parameters.(*DescribeIdentityPoolUsageInput)
	if !ok {
		return fmt.Errorf("middleware gave an input of type %T", parameters)
	}
	c.input = input
	return c.validate()
}

// stackRequest returns the request that a step was given.
func stackRequest(request any) (*smithyhttp.Request, error) {
	req, ok := request.(*smithyhttp.Request)
	if !ok {
		return nil, fmt.Errorf("middleware gave a request of type %T", request)
	}
	return req, nil
}

// rawResponse returns the response that a step was given, or nil.
func rawResponse(out middleware.DeserializeOutput) *http.Response {
	if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && resp != nil {
		return resp.Response
	}
	return nil
}
