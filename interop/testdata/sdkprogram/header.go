package sdkprogram

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type headerMiddleware struct{ header http.Header }

func (headerMiddleware) ID() string { return "ProgramHeader" }

func (m headerMiddleware) HandleBuild(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
	middleware.BuildOutput, middleware.Metadata, error,
) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.BuildOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected request of type %T", in.Request)
	}
	for name, values := range m.header {
		request.Header[name] = values
	}
	return next.HandleBuild(ctx, in)
}
