package cognitosync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// runStack makes the call like run, but as the steps of a smithy stack that middleware can
// modify.
func (c *call) runStack(ctx context.Context) (*DescribeIdentityPoolUsageOutput, middleware.Metadata, error) {
	stack := middleware.NewStack(operationName, smithyhttp.NewStackRequest)
	if err := errors.Join(c.addSteps(stack), c.addInterceptors(stack)); err != nil {
		return nil, middleware.Metadata{}, err
	}
	for _, fn := range c.settings.options.APIOptions {
		if err := fn(stack); err != nil {
			return nil, middleware.Metadata{}, err
		}
	}

	defer func() {
		for _, a := range c.unnumbered {
			a.limit.stop()
		}
	}()
	ctx = middleware.ClearStackValues(ctx)
	ctx = middleware.WithServiceID(ctx, ServiceID)
	ctx = middleware.WithOperationName(ctx, operationName)
	ctx = awsmiddleware.SetServiceID(ctx, ServiceID)
	ctx = awsmiddleware.SetRegion(ctx, c.middlewareRegion())
	ctx = awsmiddleware.SetOperationName(ctx, operationName)
	ctx = middleware.SetLogger(ctx, callLogger{journal: &c.journal})
	result, metadata, err := middleware.DecorateHandler(middleware.HandlerFunc(c.transmit), stack).Handle(ctx, c.input)
	if err != nil {
		return nil, metadata, err
	}
	output, ok := result.(*DescribeIdentityPoolUsageOutput)
	if !ok || output == nil {
		return nil, metadata, fmt.Errorf("middleware returned a result of type %T, want *cognitosync.DescribeIdentityPoolUsageOutput", result)
	}
	if c.last == nil || output != c.last.output {
		own := *output // middleware may return one output for many calls
		output = &own
	}
	return output, metadata, nil
}

// middlewareRegion returns the region that middleware finds in the context. It is the region
// that the call uses, unless middleware changes the input.
func (c *call) middlewareRegion() string {
	if region, err := c.settings.router.regionOf(c.poolID()); err == nil {
		return region
	}
	return c.settings.options.Region
}

// addSteps adds the steps of a call to the stack in their order, with the SDK's IDs.
func (c *call) addSteps(stack *middleware.Stack) error {
	return errors.Join(
		// The context already contains the other metadata.
		stack.Initialize.Add(&awsmiddleware.RegisterServiceMetadata{
			SigningName: cmp.Or(c.settings.options.signingName, defaultSigningName),
		}, middleware.After),
		stack.Initialize.Add(middleware.InitializeMiddlewareFunc("OperationInputValidation", c.validateStep), middleware.After),

		stack.Serialize.Add(middleware.SerializeMiddlewareFunc("ResolveEndpoint", serializeAnchor), middleware.After),
		stack.Serialize.Add(middleware.SerializeMiddlewareFunc("OperationSerializer", c.serializeStep), middleware.After),

		stack.Build.Add(&awsmiddleware.ClientRequestID{}, middleware.After),
		stack.Build.Add(userAgentStep(c.settings.identity()), middleware.After),
		stack.Build.Add(&awsmiddleware.RecursionDetection{}, middleware.After),

		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Retry", c.retryStep), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("RetryMetricsHeader", c.attemptHeaderStep), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("ResolveAuthScheme", finalizeAnchor), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("GetIdentity", c.identityStep), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("ResolveEndpointV2", c.endpointStep), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc((&v4.ComputePayloadSHA256{}).ID(), hashStep), middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Signing", c.signStep), middleware.After),

		stack.Deserialize.Add(&awsmiddleware.AddRawResponse{}, middleware.After),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ResponseErrorWrapper", c.wrapErrorStep), middleware.After),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RequestIDRetriever", requestIDStep), middleware.After),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("OperationDeserializer", c.deserializeStep), middleware.After),
		stack.Deserialize.Add(&awsmiddleware.RecordResponseTiming{
			DisableClockSkewCorrection: c.settings.options.DisableClockSkewCorrection,
		}, middleware.After),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RequestResponseLogger", c.logStep), middleware.After),
	)
}

// addInterceptors adds the hooks at the positions that smithy documents. If there are any
// interceptors, it adds all hooks, because the first sets up the context that all share.
func (c *call) addInterceptors(stack *middleware.Stack) error {
	if !c.settings.options.hasInterceptors() {
		return nil
	}
	in := &c.settings.options.Interceptors
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
		// Deserialize steps handle the response in reverse order.
		stack.Deserialize.Insert(&smithyhttp.InterceptBeforeDeserialization{Interceptors: in.BeforeDeserialization}, "OperationDeserializer", middleware.After),
		stack.Deserialize.Insert(&smithyhttp.InterceptAfterDeserialization{Interceptors: in.AfterDeserialization}, "OperationDeserializer", middleware.Before),
	)
}

// Initialize

func (c *call) validateStep(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	out middleware.InitializeOutput, metadata middleware.Metadata, err error,
) {
	if err := c.setInput(in.Parameters); err != nil {
		return out, metadata, err
	}
	return next.HandleInitialize(ctx, in)
}

// setInput sets the call's input to the parameters of a step, because middleware may have
// changed them.
func (c *call) setInput(parameters any) error {
	input, ok := parameters.(*DescribeIdentityPoolUsageInput)
	if !ok {
		return fmt.Errorf("middleware passed an input of type %T, want *cognitosync.DescribeIdentityPoolUsageInput", parameters)
	}
	if err := validateInput(input); err != nil {
		return err
	}
	c.input = input
	return nil
}

// Serialize

// serializeAnchor and finalizeAnchor do nothing. They have the IDs of the SDK's steps that
// this client does not need, because middleware may be inserted next to them.
func serializeAnchor(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	middleware.SerializeOutput, middleware.Metadata, error,
) {
	return next.HandleSerialize(ctx, in)
}

func (c *call) serializeStep(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, metadata middleware.Metadata, err error,
) {
	if err := c.setInput(in.Parameters); err != nil {
		return out, metadata, err
	}
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	stop := startTimer(ctx, c.journal.instruments.serialization)
	req.Method, req.URL = http.MethodGet, operationURL(c.poolID())
	stop()
	return next.HandleSerialize(ctx, in)
}

// Finalize

// refused returns why nothing may be sent, or nil if the endpoint is resolved. In a refused
// call, the steps that need the endpoint do nothing, and transmit fails. Middleware such as a
// mock may still return a result.
func (c *call) refused(ctx context.Context) error {
	if !c.checked {
		c.checked, c.refusal = true, c.resolveEndpoint(ctx)
	}
	return c.refusal
}

// refusingRetryer does not retry the refusal of a call. It may retry the errors of a mock.
type refusingRetryer struct {
	aws.RetryerV2
	refusal error
}

func (r refusingRetryer) IsErrorRetryable(err error) bool {
	return !errors.Is(err, r.refusal) && r.RetryerV2.IsErrorRetryable(err)
}

// retryStep runs the steps after it once for each attempt.
func (c *call) retryStep(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	refusal := c.refused(ctx)
	if refusal != nil && len(c.settings.options.APIOptions) == 0 {
		return out, metadata, refusal // interceptors cannot return a result
	}
	last, err := c.runAttempts(ctx, func(_ *call, ctx context.Context, a *attempt) (*DescribeIdentityPoolUsageOutput, error) {
		var err error
		request := req.Clone()
		if c.settings.options.hasInterceptors() {
			exposeToInterceptors(ctx, request)
		}
		out, a.metadata, err = next.HandleFinalize(withAttempt(ctx, a), middleware.FinalizeInput{Request: request})
		return a.output, err
	})
	if last != nil {
		metadata = last.metadata
	}
	if refusal != nil && errors.Is(err, refusal) {
		c.last, c.maxAttempts = nil, 0 // nothing was attempted
	}
	return out, metadata, err
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// attemptOf returns the attempt in ctx. If middleware replaced the Retry step, there is none
// yet, and attemptOf starts one that ends with the call.
func (c *call) attemptOf(ctx context.Context) (context.Context, *attempt) {
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		return ctx, a
	}
	a := &attempt{clock: c.clock}
	c.unnumbered = append(c.unnumbered, a)
	return withAttempt(a.limit.start(ctx, c.settings.options.AttemptTimeout), a), a
}

func (c *call) attemptHeaderStep(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok { // otherwise middleware makes the attempts
		req.Header.Set(attemptHeader, attemptOfMax(a.number, c.maxAttempts))
	}
	return next.HandleFinalize(ctx, in)
}

func finalizeAnchor(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	return next.HandleFinalize(ctx, in)
}

func (c *call) identityStep(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	if c.refused(ctx) != nil {
		return next.HandleFinalize(ctx, in)
	}
	ctx, a := c.attemptOf(ctx)
	if err := c.retrieveCredentials(ctx, a); err != nil {
		return out, metadata, err
	}
	return next.HandleFinalize(ctx, in)
}

func (c *call) endpointStep(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	if c.refused(ctx) != nil {
		return next.HandleFinalize(ctx, in)
	}
	c.endpoint.apply(req.Request)
	// A name or a region that middleware has set in the context takes precedence.
	if name := awsmiddleware.GetSigningName(ctx); name == defaultSigningName && name != c.endpoint.scope.name {
		ctx = awsmiddleware.SetSigningName(ctx, c.endpoint.scope.name)
	}
	if awsmiddleware.GetSigningRegion(ctx) == "" {
		ctx = awsmiddleware.SetSigningRegion(ctx, c.endpoint.scope.region)
	}
	return next.HandleFinalize(ctx, in)
}

func hashStep(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	switch req, ok := in.Request.(*smithyhttp.Request); {
	case v4.GetPayloadHash(ctx) != "": // middleware has computed it
		return next.HandleFinalize(ctx, in)
	case !ok || req.GetStream() != nil: // middleware has set a body
		return (&v4.ComputePayloadSHA256{}).HandleFinalize(ctx, in, next)
	}
	return next.HandleFinalize(v4.SetPayloadHash(ctx, emptyPayloadHash), in)
}

func (c *call) signStep(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	req, err := stackRequest(in.Request)
	if err != nil {
		return out, metadata, err
	}
	if c.refused(ctx) != nil {
		return next.HandleFinalize(ctx, in)
	}
	ctx, a := c.attemptOf(ctx)
	if err := checkKeys(a.credentials); err != nil { // middleware may have replaced GetIdentity
		return out, metadata, err
	}
	// The context lacks the name or the region if middleware replaced the step that sets it.
	err = c.sign(ctx, a, req.Request, cmp.Or(v4.GetPayloadHash(ctx), emptyPayloadHash), scope{
		name:   cmp.Or(awsmiddleware.GetSigningName(ctx), defaultSigningName),
		region: cmp.Or(awsmiddleware.GetSigningRegion(ctx), c.settings.options.signingRegion, c.settings.router.home),
	})
	if err != nil {
		return out, metadata, err
	}
	return next.HandleFinalize(awsmiddleware.SetSigningCredentials(ctx, a.credentials), in)
}

// Deserialize

func (c *call) wrapErrorStep(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if resp := rawResponse(out); resp != nil && err != nil {
		err = c.wrapResponseError(resp, err)
	}
	return out, metadata, err
}

func requestIDStep(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if resp := rawResponse(out); resp != nil {
		noteRequestID(&metadata, resp)
	}
	return out, metadata, err
}

func (c *call) deserializeStep(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if err != nil {
		return out, metadata, err
	}
	resp := rawResponse(out)
	if resp == nil {
		return out, metadata, fmt.Errorf("middleware returned a response of type %T, want *smithyhttp.Response", out.RawResponse)
	}
	ctx, a := c.attemptOf(ctx)
	a.response = resp
	output, err := c.readResponse(ctx, a, resp)
	if err != nil {
		return out, metadata, err
	}
	a.output, out.Result = output, output
	return out, metadata, nil
}

func (c *call) logStep(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	if c.journal.logsRequests() {
		req, err := stackRequest(in.Request)
		if err != nil {
			return out, metadata, err
		}
		c.journal.logRequest(req.Build(ctx))
	}
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if resp := rawResponse(out); resp != nil && err == nil {
		c.journal.logResponse(ctx, resp)
	}
	return out, metadata, err
}

// transmit is the handler after the last step. It sends the request.
func (c *call) transmit(ctx context.Context, input any) (output any, metadata middleware.Metadata, err error) {
	req, err := stackRequest(input)
	if err != nil {
		return nil, metadata, err
	}
	if err := c.refused(ctx); err != nil {
		return nil, metadata, err
	}
	ctx, a := c.attemptOf(ctx)
	a.limit.startSending() // in case middleware replaced GetIdentity
	resp, err := c.send(a, req.Build(ctx))
	if err != nil {
		return nil, metadata, err
	}
	// Middleware may read the body before the deserializer does.
	resp.Body = httpclient.Bound(resp.Body, maxResponseBody, errResponseTooLarge)
	return &smithyhttp.Response{Response: resp}, oneAttempt().Clone(), nil
}

// stackRequest returns the request that was passed to a step.
func stackRequest(request any) (*smithyhttp.Request, error) {
	req, ok := request.(*smithyhttp.Request)
	if !ok {
		return nil, fmt.Errorf("middleware passed a request of type %T, want *smithyhttp.Request", request)
	}
	return req, nil
}

// rawResponse returns the response that was passed to a step, or nil if there is none.
func rawResponse(out middleware.DeserializeOutput) *http.Response {
	if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && resp != nil {
		return resp.Response
	}
	return nil
}
