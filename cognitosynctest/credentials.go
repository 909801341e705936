package cognitosynctest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Credentials are one set of keys that the service knows, and what their owner
// may do.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string

	// SessionToken makes the set temporary: a request must then carry the token,
	// and sign it. A request that carries a token for a set without one is
	// refused too, as AWS does.
	SessionToken string

	// Expired makes each request with this set end in ExpiredTokenException.
	Expired bool

	// CognitoIdentityUser makes the set one that Cognito Identity hands out to the
	// users of an app. They may not ask for the usage of a pool and get
	// NotAuthorizedException.
	CognitoIdentityUser bool

	// AllowedPools are the ids of the pools that the set may ask for; nil means
	// all. Any other pool is answered with AccessDeniedException, known or not.
	AllowedPools []string

	// DeniedPools are the ids of pools that the set may not ask for, whatever
	// AllowedPools says. They are answered with AccessDeniedException.
	DeniedPools []string
}

// DefaultCredentials returns the temporary credentials that a server and a
// [Verifier] know when they are given none. They may ask for every pool.
func DefaultCredentials() Credentials {
	return Credentials{
		AccessKeyID:     "AKIDCOGNITOSYNCTEST",
		SecretAccessKey: "secret-of-cognitosynctest",
		SessionToken:    "token-of-cognitosynctest",
	}
}

// Provider returns a provider of the set, for the Credentials of an aws.Config:
//
//	cfg := server.Config()
//	cfg.Credentials = denied.Provider()
func (c Credentials) Provider() aws.CredentialsProvider {
	return staticProvider{aws.Credentials{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
		Source:          "cognitosynctest",
	}}
}

// A staticProvider always gives the same credentials. The SDK has one as well,
// but in a module that this package does without.
type staticProvider struct{ value aws.Credentials }

func (p staticProvider) Retrieve(context.Context) (aws.Credentials, error) { return p.value, nil }

// deny returns IAM's message if c may not ask for the pool, otherwise "".
func (c Credentials) deny(region, poolID string) string {
	var why string
	switch {
	case slices.Contains(c.DeniedPools, poolID):
		why = "with an explicit deny in an identity-based policy"
	case c.AllowedPools != nil && !slices.Contains(c.AllowedPools, poolID):
		why = "because no identity-based policy allows the " + iamAction + " action"
	default:
		return ""
	}
	return accessDeniedMessage(c.AccessKeyID, region, poolID, why)
}

const (
	iamAction = "cognito-sync:DescribeIdentityPoolUsage"
	accountID = "123456789012" // the account of AWS's own examples
)

// accessDeniedMessage words a denial as IAM does.
func accessDeniedMessage(user, region, poolID, why string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return fmt.Sprintf("User: arn:%[1]s:iam::%[2]s:user/%[3]s is not authorized to perform: %[4]s"+
		" on resource: arn:%[1]s:cognito-sync:%[5]s:%[2]s:identitypool/%[6]s %[7]s",
		partition, accountID, user, iamAction, region, poolID, why)
}
