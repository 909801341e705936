package httpclient

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// NewTransport returns the transport for a buildable client.
func NewTransport(client *awshttp.BuildableClient, mode aws.DefaultsMode, sendPing, ping time.Duration) *http.Transport {
	return newTransport(client, mode, healthCheck{sendPing, ping})
}

// HTTPClientOf returns the http.Client that a client without redirects wraps.
func HTTPClientOf(client Doer) *http.Client { return client.(*noRedirectClient).client }
