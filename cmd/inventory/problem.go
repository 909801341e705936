package main

import (
	"errors"
	"net"
	"net/http"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/inventory"
)

// problem is why a pool was not read.
type problem struct {
	Code      string `json:"code"` // the service's, or one of the command's own without "Exception"
	Reason    string `json:"reason"`
	Advice    string `json:"advice"`
	RequestID string `json:"requestId"` // "" if the service has not responded
}

// Codes of failures that are no response of the service.
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
	adviceAgain = "run the same command again; with -state it queries only what is missing"
	adviceLogin = "sign in, or name a -profile with credentials of an IAM user or role"
)

// notQueried is the problem of a pool that the command did not come to.
func notQueried(why string) *problem {
	return &problem{Code: codeInterrupted, Reason: "not queried: " + why, Advice: adviceAgain}
}

// newProblem returns what to say about an error of a call that was not interrupted.
func newProblem(err error) *problem {
	details := cognitosync.InspectError(err)
	p := &problem{Code: details.Code, Reason: details.Message, RequestID: details.RequestID}
	var operation *smithy.OperationError
	if details.Code == "" && errors.As(err, &operation) {
		p.Reason = operation.Err.Error() // less the name of the only operation there is
	}
	code, advice := explain(err)
	if p.Code == "" {
		p.Code = code
	}
	if code == codeNotQueried { // the details are another pool's
		p.Code, p.Reason, p.RequestID = code, err.Error(), ""
	}
	if p.Reason == "" {
		p.Reason = "the service gives no reason"
	}
	p.Advice = advice
	p.clean()
	return p
}

// newInterruption returns what to say about a call that the end of the command has interrupted.
func newInterruption(err error) *problem {
	p := &problem{Code: codeInterrupted, Reason: err.Error(), Advice: adviceAgain, RequestID: cognitosync.InspectError(err).RequestID}
	p.clean()
	return p
}

// clean makes texts from outside short and harmless.
func (p *problem) clean() {
	p.Code, p.RequestID = shorten(printable(p.Code), 100), shorten(printable(p.RequestID), 100)
	p.Reason = shorten(printable(p.Reason), 500)
}

// explain returns a code for an error that is no response of the service, and what to do.
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
		return codeInvalidID, "correct the ID: it looks like us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"
	case errors.As(err, &parameter):
		return codeInvalidID, "correct the ID in the list of pools"
	case errors.As(err, &mismatch):
		return codeConfig, "use a -profile of the pool's partition"
	case errors.As(err, &configuration) && configuration.Setting == "Region":
		return codeConfig, "give a -region for IDs that name none"
	case errors.As(err, &configuration) && configuration.Setting == "Credentials",
		errors.As(err, &signing), errors.As(err, &profile):
		return codeCredentials, adviceLogin
	case errors.As(err, &configuration):
		return codeConfig, "correct the setting"
	case isExpired(details.Code):
		return codeCredentials, "sign in again, then " + adviceAgain
	case cognitosync.IsDenied(err):
		return codeOther, "allow cognito-sync:DescribeIdentityPoolUsage for this pool to an IAM user or role, and use its credentials"
	case errors.As(err, &notFound):
		return codeOther, "check that the pool still exists and that the credentials are of its account"
	case details.StatusCode == http.StatusTooManyRequests:
		return codeOther, "query less at a time (-rate), or wait longer (-max-wait)"
	case details.Retryable && details.StatusCode > 0:
		return codeOther, "the service has trouble: later, " + adviceAgain
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

// isElsewhere reports whether a pool may be another account's.
func isElsewhere(err error) bool {
	var notFound *cognitosync.ResourceNotFoundException
	return errors.As(err, &notFound) || cognitosync.IsDenied(err)
}

// listProblem returns what to say about pools that could not be listed.
func listProblem(err error) *problem {
	p := newProblem(err)
	if p.Code == "AccessDeniedException" || p.Code == "NotAuthorizedException" {
		p.Advice = "allow cognito-identity:ListIdentityPools, or give the pool IDs with -pools"
	}
	p.Reason = shorten("the pools of the region could not be listed: "+p.Reason, 500)
	return p
}
