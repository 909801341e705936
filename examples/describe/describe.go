package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cognitosync/cognitosync-go"
)

// answer is what the service says about a pool; nil where it does not.
type answer struct {
	IdentityPoolID    string     `json:"identityPoolId"` // as it was asked for
	SyncSessionsCount *int64     `json:"syncSessionsCount"`
	DataStorage       *int64     `json:"dataStorage"`
	LastModifiedDate  *time.Time `json:"lastModifiedDate"`
	RequestID         string     `json:"requestId,omitempty"` // with -v
}

// describe asks for the pools one after the other and prints the answers. A pool
// that cannot be described gets a line on stderr, and the others are asked for all
// the same. It returns the exit status.
func (c *command) describe(
	ctx context.Context, client cognitosync.DescribeIdentityPoolUsageAPIClient, stdout, stderr io.Writer,
) int {
	status := exitOK
	answers := []answer{} // an empty list also in JSON
	for _, id := range c.pools {
		out, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id})
		if err == nil {
			answers = append(answers, c.newAnswer(id, out))
			continue
		}
		status = exitFailed
		fmt.Fprintf(stderr, "describe: %s: %s\n", oneLine(id), explain(err))
		if ctx.Err() != nil {
			break // interrupted: the others would fail the same way
		}
	}

	printAnswers := c.printTable
	if c.json {
		printAnswers = printJSON
	}
	if err := printAnswers(stdout, answers); err != nil {
		fmt.Fprintf(stderr, "describe: %v\n", err)
		return exitFailed
	}
	return status
}

// newAnswer picks from out what is printed.
func (c *command) newAnswer(id string, out *cognitosync.DescribeIdentityPoolUsageOutput) answer {
	a := answer{IdentityPoolID: id}
	if usage := out.IdentityPoolUsage; usage != nil {
		a.SyncSessionsCount, a.DataStorage, a.LastModifiedDate = usage.SyncSessionsCount, usage.DataStorage, usage.LastModifiedDate
	}
	if c.verbose {
		a.RequestID, _ = awsmiddleware.GetRequestIDMetadata(out.ResultMetadata) // "" if there is none
	}
	return a
}

// printJSON writes the answers as a JSON array.
func printJSON(w io.Writer, answers []answer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(answers)
}

// printTable writes the answers in aligned columns; nothing if there are none.
func (c *command) printTable(w io.Writer, answers []answer) error {
	if len(answers) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(last string, cells ...string) {
		if c.verbose {
			cells = append(cells, last)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t")) // Flush has the error
	}
	row("REQUEST ID", "POOL", "SYNC SESSIONS", "DATA STORAGE", "LAST MODIFIED")
	for _, a := range answers {
		modified := ""
		if a.LastModifiedDate != nil {
			modified = a.LastModifiedDate.Format(time.RFC3339Nano)
		}
		row(orDash(a.RequestID), a.IdentityPoolID, count(a.SyncSessionsCount), count(a.DataStorage), orDash(modified))
	}
	return table.Flush()
}

func count(n *int64) string {
	if n == nil {
		return orDash("")
	}
	return strconv.FormatInt(*n, 10)
}

// orDash returns what is printed for s, which the service may not have said.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// explain puts all that is known of an error, and what to do about it, in a line.
func explain(err error) string {
	var operation *smithy.OperationError
	text := err.Error()
	if details := cognitosync.InspectError(err); details.Code != "" {
		text = fmt.Sprintf("%s: %s (status %d, request id %s)",
			details.Code, details.Message, details.StatusCode, orDash(details.RequestID))
	} else if errors.As(err, &operation) {
		text = operation.Err.Error() // less the name of the only operation there is
	}
	if hint := advice(err); hint != "" {
		text += "; " + hint
	}
	return oneLine(text)
}

// advice says what to do about the common errors. It returns "" for the others.
func advice(err error) string {
	var (
		profile       config.SharedConfigProfileNotExistError
		invalid       smithy.InvalidParamsError
		configuration *cognitosync.ConfigurationError
		mismatch      *cognitosync.RegionMismatchError
		notFound      *cognitosync.ResourceNotFoundException
		signing       *v4.SigningError
		sending       *smithyhttp.RequestSendError
	)
	details := cognitosync.InspectError(err)
	switch {
	case errors.As(err, &profile):
		return "add the profile to the shared configuration, or name another with -profile"
	case errors.As(err, &invalid):
		return "a pool id looks like us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"
	case errors.As(err, &configuration) && configuration.Setting == "Region":
		return "give a -region, or set AWS_REGION"
	case errors.As(err, &configuration) && configuration.Setting == "BaseEndpoint":
		return "check -endpoint, or AWS_ENDPOINT_URL_COGNITO_SYNC and AWS_ENDPOINT_URL"
	case errors.As(err, &mismatch):
		return "leave -region out to ask for each pool in its own region"
	case errors.As(err, &signing), errors.As(err, &configuration) && configuration.Setting == "Credentials":
		return "sign in with the AWS CLI, name a -profile that has credentials, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	case details.Code == "ExpiredTokenException":
		return "sign in again"
	case cognitosync.IsDenied(err):
		return "use credentials of an IAM user or role that is allowed cognito-sync:DescribeIdentityPoolUsage for this pool"
	case errors.As(err, &notFound):
		return "check the id, the region, and that the credentials belong to the pool's account"
	case details.StatusCode == http.StatusTooManyRequests:
		return "try again later, or with AWS_RETRY_MODE=adaptive and more AWS_MAX_ATTEMPTS"
	case errors.As(err, &sending):
		return "check the network, and -endpoint if there is one"
	}
	return ""
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
