package cognitosync_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

const stubBody = `{"IdentityPoolUsage":{"DataStorage":40960,"IdentityPoolId":"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE","LastModifiedDate":1.413231134115E9,"SyncSessionsCount":17}}`

// stubTransport answers every request at once with the same usage.
type stubTransport struct{}

func (stubTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		Status:     "200 OK",
		StatusCode: http.StatusOK,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header: http.Header{
			"Content-Type":     {"application/json"},
			"X-Amzn-Requestid": {"b1e5e2b2-9d3c-4f0e-8a9d-7d2f4f3b1c11"},
			"Date":             {"Mon, 13 Oct 2014 20:12:14 GMT"},
		},
		ContentLength: int64(len(stubBody)),
		Body:          io.NopCloser(strings.NewReader(stubBody)),
		Request:       req,
	}, nil
}

func stubClient(optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	return cognitosync.New(cognitosync.Options{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
		HTTPClient: &http.Client{Transport: stubTransport{}},
	}, optFns...)
}

func BenchmarkDescribeIdentityPoolUsage(b *testing.B) {
	for _, bench := range []struct {
		name   string
		option func(*cognitosync.Options)
	}{
		{"direct", func(*cognitosync.Options) {}},
		{"stack", cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil })},
	} {
		b.Run(bench.name, func(b *testing.B) {
			client := stubClient(bench.option)
			input := &cognitosync.DescribeIdentityPoolUsageInput{
				IdentityPoolId: aws.String("us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"),
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := client.DescribeIdentityPoolUsage(context.Background(), input)
				require.NoError(b, err)
			}
		})
	}
}
