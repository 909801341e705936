package sdkprogram

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitosync"
	"github.com/aws/aws-sdk-go-v2/service/cognitosync/types"
	"github.com/aws/smithy-go/middleware"
)

const pool = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// The program works with an HTTP server of its own.
func TestServer(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("X-Amzn-Requestid", "request-1")
		switch {
		case r.URL.EscapedPath() != "/identitypools/us-east-1%3A23EC4050-6AEA-7089-A2DD-08002EXAMPLE" || r.Header.Get("X-Program") != "1":
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"message":"no such pool"}`))
		default:
			w.Write([]byte(`{"IdentityPoolUsage":{"DataStorage":4096,"SyncSessionsCount":null}}`))
		}
	}))
	defer server.Close()

	clients := Clients(server.URL, credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""))
	for name, client := range clients {
		usage, requestID, err := Usage(context.Background(), client, pool)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if aws.ToInt64(usage.DataStorage) != 4096 || usage.SyncSessionsCount != nil || requestID != "request-1" {
			t.Errorf("%s: %+v, request %s", name, usage, requestID)
		}
		if _, _, err := Usage(context.Background(), client, "us-east-1:other"); Explain(err) != "DescribeIdentityPoolUsage: not found: no such pool (status 404)" {
			t.Errorf("%s: %s", name, Explain(err))
		}
	}
	if int(requests.Load()) != 2*len(clients) {
		t.Errorf("%d requests", requests.Load())
	}
}

// A mockAPI implements UsageAPI.
type mockAPI func() (*cognitosync.DescribeIdentityPoolUsageOutput, error)

func (m mockAPI) DescribeIdentityPoolUsage(context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	return m()
}

func TestMock(t *testing.T) {
	for want, err := range map[string]error{
		"not authorized":   &types.NotAuthorizedException{},
		"invalid":          &types.InvalidParameterException{},
		"not found: gone":  &types.ResourceNotFoundException{Message: aws.String("gone")},
		"internal":         &types.InternalErrorException{},
		"too many, client": &types.TooManyRequestsException{ErrorCodeOverride: aws.String("Slow")},
		"other":            errors.New("other"),
	} {
		_, _, got := Usage(context.Background(), mockAPI(func() (*cognitosync.DescribeIdentityPoolUsageOutput, error) { return nil, err }), pool)
		if Explain(got) != want {
			t.Errorf("%v: %s", err, Explain(got))
		}
	}
}

// Stubs in the middleware stack work without credentials and for a pool of any region.
func TestStackMock(t *testing.T) {
	output := &cognitosync.DescribeIdentityPoolUsageOutput{IdentityPoolUsage: &types.IdentityPoolUsage{DataStorage: aws.Int64(1)}}
	stub := func(ctx context.Context) (interface{}, error) {
		if service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx); service != "Cognito Sync" || operation != "DescribeIdentityPoolUsage" {
			return nil, errors.New("unexpected " + service + " " + operation)
		}
		return output, nil
	}
	for name, add := range map[string]func(*middleware.Stack) error{
		"initialize": func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("stub", func(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (
				out middleware.InitializeOutput, metadata middleware.Metadata, err error,
			) {
				if _, ok := in.Parameters.(*cognitosync.DescribeIdentityPoolUsageInput); !ok {
					return out, metadata, errors.New("unexpected input")
				}
				out.Result, err = stub(ctx)
				return out, metadata, err
			}), middleware.After)
		},
		"finalize": func(stack *middleware.Stack) error {
			return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("stub", func(ctx context.Context, _ middleware.FinalizeInput, _ middleware.FinalizeHandler) (
				out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
			) {
				out.Result, err = stub(ctx)
				return out, metadata, err
			}), middleware.After)
		},
		"deserialize": func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("stub", func(ctx context.Context, _ middleware.DeserializeInput, _ middleware.DeserializeHandler) (
				out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
			) {
				out.Result, err = stub(ctx)
				return out, metadata, err
			}), middleware.Before)
		},
	} {
		for _, id := range []string{pool, "eu-west-1:1f2e"} {
			client := cognitosync.NewFromConfig(aws.Config{Region: "us-east-1", APIOptions: []func(*middleware.Stack) error{add}})
			usage, _, err := Usage(context.Background(), client, id)
			if err != nil || aws.ToInt64(usage.DataStorage) != 1 {
				t.Errorf("%s, %s: %+v, %v", name, id, usage, err)
			}
		}
	}
}
