package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/inventory"
)

// problem is the reason why a pool was not read.
type problem struct {
	Code      string `json:"code"` // the service's error code, or one of the constants below
	Reason    string `json:"reason"`
	Advice    string `json:"advice"`
	RequestID string `json:"requestId"` // "" if the service has not responded
}

// The codes of failures without an error code of the service.
const (
	codeInterrupted = "Interrupted"
	codeNotQueried  = "RegionUnavailable"
	codeInvalidID   = "InvalidPoolID"
	codeConfig      = "Configuration"
	codeCredentials = "Credentials"
	codeNoResponse  = "NoResponse"
	codeMalformed   = "MalformedResponse"
	codeOther       = "Failed"
)

const (
	adviceAgain = "run the same command again; with -state it queries only the missing pools"
	adviceLogin = "sign in, or set -profile to one with credentials of an IAM user or role"
)

// notQueried returns the problem of a pool that was not queried.
func notQueried(why string) *problem {
	return &problem{Code: codeInterrupted, Reason: "not queried: " + why, Advice: adviceAgain}
}

// newProblem returns the problem of a call that failed on its own.
func newProblem(err error) *problem {
	details := cognitosync.InspectError(err)
	p := &problem{Code: details.Code, Reason: details.Message, RequestID: details.RequestID}
	var operation *smithy.OperationError
	if details.Code == "" && errors.As(err, &operation) {
		p.Reason = operation.Err.Error() // without the name of the only operation there is
	}
	p.Reason = cmp.Or(commandReason(err), p.Reason)
	code, advice := explain(err)
	if p.Code == "" {
		p.Code = code
	}
	if code == codeNotQueried { // the details are those of another pool
		p.Code, p.Reason, p.RequestID = code, err.Error(), ""
	}
	if p.Reason == "" {
		p.Reason = "the service reports no reason"
	}
	p.Advice = advice
	p.clean()
	return p
}

// commandReason returns the reason of an error whose text is meant for a Go program, or "".
func commandReason(err error) string {
	var (
		configuration *cognitosync.ConfigurationError
		mismatch      *cognitosync.RegionMismatchError
	)
	switch {
	case errors.As(err, &mismatch):
		return fmt.Sprintf("the pool is in %s, in another partition than %s", mismatch.PoolRegion, mismatch.ClientRegion)
	case !errors.As(err, &configuration):
		return ""
	case configuration.Setting == "Region":
		return "no valid region"
	case configuration.Setting == "RetryMaxAttempts":
		return "AWS_MAX_ATTEMPTS is negative"
	}
	return configuration.Err.Error() // without the name of the option
}

// newInterruption returns the problem of a call that the end of the run has interrupted.
func newInterruption(err error) *problem {
	p := &problem{Code: codeInterrupted, Reason: err.Error(), Advice: adviceAgain, RequestID: cognitosync.InspectError(err).RequestID}
	p.clean()
	return p
}

// clean shortens texts from outside and makes them safe to print.
func (p *problem) clean() {
	p.Code, p.RequestID = shorten(printable(p.Code), 100), shorten(printable(p.RequestID), 100)
	p.Reason = shorten(printable(p.Reason), 500)
}

// explain returns a code for an error without one, and advice on what to do.
func explain(err error) (code, advice string) {
	var (
		unavailable   *inventory.RegionUnavailableError
		invalid       smithy.InvalidParamsError
		configuration *cognitosync.ConfigurationError
		mismatch      *cognitosync.RegionMismatchError
		notFound      *cognitosync.ResourceNotFoundException
		parameter     *cognitosync.InvalidParameterException
		profile       config.SharedConfigProfileNotExistError
		malformed     *smithy.DeserializationError
		sending       *smithyhttp.RequestSendError
		signing       *v4.SigningError
		dns           *net.DNSError
	)
	details := cognitosync.InspectError(err)
	switch {
	case errors.As(err, &unavailable):
		return codeNotQueried, "check the region's health, then " + adviceAgain
	case errors.As(err, &invalid):
		return codeInvalidID, "correct the ID; a pool ID looks like us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"
	case errors.As(err, &parameter):
		return codeInvalidID, "correct the ID in the list of pools"
	case errors.As(err, &mismatch):
		return codeConfig, "set -profile to one for the pool's partition"
	case errors.As(err, &configuration) && configuration.Setting == "Region":
		return codeConfig, "set -region for IDs that name no region, and check AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT"
	case errors.As(err, &configuration) && configuration.Setting == "BaseEndpoint":
		return codeConfig, "check -endpoint, AWS_ENDPOINT_URL_COGNITO_SYNC and AWS_ENDPOINT_URL"
	case errors.As(err, &configuration) && configuration.Setting == "Credentials",
		errors.As(err, &signing), errors.As(err, &profile):
		return codeCredentials, adviceLogin
	case errors.As(err, &configuration):
		return codeConfig, "correct the setting"
	case isExpired(details.Code):
		return codeCredentials, "sign in again, then " + adviceAgain
	case cognitosync.IsDenied(err):
		return codeOther, "use credentials of an IAM user or role that is allowed cognito-sync:DescribeIdentityPoolUsage for this pool"
	case errors.As(err, &notFound):
		return codeOther, "check that the pool still exists and that the credentials belong to its account"
	case details.StatusCode == http.StatusTooManyRequests:
		return codeOther, "lower the request rate (-rate), or retry for longer (-max-wait)"
	case details.Retryable && details.StatusCode > 0:
		return codeOther, "the service failed: later, " + adviceAgain
	case errors.As(err, &malformed):
		return codeMalformed, "check -endpoint and proxies, and report the request ID to AWS"
	case errors.As(err, &dns):
		return codeNoResponse, "check the pool's region and the network"
	case errors.As(err, &sending):
		return codeNoResponse, "check the network and proxies, then " + adviceAgain
	case details.StatusCode == http.StatusForbidden:
		return codeCredentials, "check the credentials and the clock"
	}
	return codeOther, "see the reason"
}

func isExpired(code string) bool {
	return code == "ExpiredTokenException" || code == "ExpiredToken" || code == "RequestExpired"
}

// isElsewhere reports whether the pool may belong to another account.
func isElsewhere(err error) bool {
	var notFound *cognitosync.ResourceNotFoundException
	return errors.As(err, &notFound) || cognitosync.IsDenied(err)
}

// listProblem returns the problem of a region whose pools could not be listed.
func listProblem(err error) *problem {
	p := newProblem(err)
	if p.Code == "AccessDeniedException" || p.Code == "NotAuthorizedException" {
		p.Advice = "use credentials that are allowed cognito-identity:ListIdentityPools, or list the pool IDs in a file for -pools"
	}
	p.Reason = shorten("the pools in the region could not be listed: "+p.Reason, 500)
	return p
}
