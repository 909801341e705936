package main

import (
	"context"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsv1 "github.com/aws/aws-sdk-go/aws"
	credentialsv1 "github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
)

// The region and credentials of every client. The credentials are examples from AWS's documentation.
const (
	region       = "us-east-1"
	accessKeyID  = "AKIAIOSFODNN7EXAMPLE"
	secretKey    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	sessionToken = "AQoDYXdzEJr1K5EXAMPLE/token/of/temporary/credentials/as/long/as/they/often/are/and/then/some=="
)

// settings are the same for all clients, in the form that each of them takes.
type settings struct {
	config     aws.Config       // version 2 of the SDK, bare, by hand and ours
	session    *session.Session // version 1 of the SDK
	httpClient *http.Client     // nil: the client's default
	endpoint   string           // empty: AWS's
}

// loadSettings returns settings from the SDKs' loaders, with the defaults for everything else, such as retries. With a nil
// transport, every client uses its default HTTP client.
func loadSettings(ctx context.Context, endpoint string, transport http.RoundTripper) (settings, error) {
	s := settings{endpoint: endpoint}
	options := []func(*config.LoadOptions) error{
		config.WithRegion(region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(accessKeyID, secretKey, sessionToken)),
	}
	v1 := awsv1.NewConfig().
		WithRegion(region).
		WithCredentials(credentialsv1.NewStaticCredentials(accessKeyID, secretKey, sessionToken))

	if endpoint != "" {
		options = append(options, config.WithBaseEndpoint(endpoint))
		v1 = v1.WithEndpoint(endpoint)
	}
	if transport != nil {
		s.httpClient = &http.Client{Transport: transport}
		options = append(options, config.WithHTTPClient(s.httpClient))
		v1 = v1.WithHTTPClient(s.httpClient)
	}

	var err error
	if s.config, err = config.LoadDefaultConfig(ctx, options...); err != nil {
		return settings{}, err
	}
	if s.session, err = session.NewSession(v1); err != nil {
		return settings{}, err
	}
	return s, nil
}

// clearAWSEnvironment makes the SDKs ignore the configuration of the machine: environment variables, shared files and the
// instance metadata service.
func clearAWSEnvironment() error {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "AWS_") {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
