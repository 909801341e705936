package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go"
)

// problem is why a pool could not be read.
type problem struct {
	Kind    string `json:"kind"`
	Code    string `json:"code"` // of AWS; "" if AWS has not responded
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`

	response string // its status and request ID
}

// String returns the problem in one line.
func (p *problem) String() string {
	text := p.Message
	if p.Code != "" {
		text = fmt.Sprintf("%s: %s (%s)", p.Code, p.Message, p.response)
	}
	if p.Advice != "" {
		text += "; " + p.Advice
	}
	return oneLine(text)
}

// newProblem returns what a user of the command can know about err, and do about it.
func (c *command) newProblem(err error) *problem {
	var (
		profile       config.SharedConfigProfileNotExistError
		invalid       smithy.InvalidParamsError
		parameter     *cognitosync.InvalidParameterException
		configuration *cognitosync.ConfigurationError
		mismatch      *cognitosync.RegionMismatchError
		notFound      *cognitosync.ResourceNotFoundException
		signing       *v4.SigningError
		sending       *smithyhttp.RequestSendError
		operation     *smithy.OperationError
	)
	details := cognitosync.InspectError(err)
	p := &problem{Kind: "service", Code: details.Code, Message: details.Message}
	p.response = fmt.Sprintf("status %d, request ID %s", details.StatusCode, orDash(details.RequestID))
	if details.Code == "" && errors.As(err, &operation) {
		p.Message = operation.Err.Error() // without the name of the only operation there is
	}

	switch {
	case errors.Is(err, context.Canceled):
		p.Kind, p.Message, p.Advice = "interrupted", "interrupted", "the pools after this one were not queried"
	case errors.As(err, &invalid), errors.As(err, &parameter):
		p.Kind, p.Advice = "id", "a pool ID looks like us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"
	case errors.As(err, &mismatch):
		p.Kind, p.Message = "region", fmt.Sprintf("the pool is in %s, but requests go to %s", mismatch.PoolRegion, mismatch.ClientRegion)
		p.Advice = "set -region to " + mismatch.PoolRegion + ", with credentials for it"
		if c.region != "" {
			p.Advice = "leave -region out to query each pool in its own region"
		}
	case errors.As(err, &configuration):
		p.configuration(configuration)
	case errors.As(err, &profile):
		p.Kind, p.Advice = "credentials", "add the profile to the shared configuration, or set -profile or AWS_PROFILE to another"
	case errors.As(err, &signing):
		p.Kind, p.Advice = "credentials", adviceCredentials
	case details.Code == "ExpiredTokenException":
		p.Kind, p.Advice = "credentials", "sign in again"
	case cognitosync.IsDenied(err):
		p.Kind, p.Advice = "denied", "use credentials of an IAM user or role that is allowed cognito-sync:DescribeIdentityPoolUsage for this pool"
	case errors.As(err, &notFound):
		p.Kind, p.Advice = "not_found", "check the ID, the region, and that the credentials belong to the pool's account"
	case details.StatusCode == http.StatusTooManyRequests:
		p.Kind, p.Advice = "throttled", "try again later, or with AWS_RETRY_MODE=adaptive and a larger AWS_MAX_ATTEMPTS"
	case details.StatusCode == http.StatusForbidden:
		p.Kind, p.Advice = "credentials", "check the credentials and the clock"
	case errors.As(err, &sending):
		p.Kind, p.Advice = "network", "check the network, and -endpoint if it is set"
	case details.Retryable:
		p.Advice = "try again later"
	}
	p.Message = oneLine(p.Message)
	return p
}

const adviceCredentials = "sign in with the AWS CLI, set -profile to one with credentials, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

// configuration explains an error whose text is meant for a Go program.
func (p *problem) configuration(err *cognitosync.ConfigurationError) {
	p.Kind, p.Message = "configuration", err.Err.Error()
	switch err.Setting {
	case "Credentials":
		p.Kind, p.Advice = "credentials", adviceCredentials
	case "Region":
		p.Kind, p.Message = "region", "no valid region"
		p.Advice = "set -region or AWS_REGION to one such as us-east-1, and check AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT"
	case "BaseEndpoint":
		p.Advice = "check -endpoint, AWS_ENDPOINT_URL_COGNITO_SYNC and AWS_ENDPOINT_URL"
	case "RetryMaxAttempts":
		p.Message, p.Advice = "AWS_MAX_ATTEMPTS is negative", "set it to 1 or more, or unset it"
	}
}

// oneLine returns s with spaces for control characters, whoever wrote them.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
