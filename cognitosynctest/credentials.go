package cognitosynctest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Credentials are an access key that the server accepts, and the permissions of its owner.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string

	// SessionToken, if set, makes the credentials temporary: requests must then send and
	// sign the token. Without it, requests with any token are refused.
	SessionToken string

	// ARN identifies the owner in AccessDeniedException messages. If empty, it is derived
	// from the access key: an assumed role for temporary credentials, otherwise a user.
	ARN string

	// Expired makes every request fail with ExpiredTokenException.
	Expired bool

	// CognitoIdentityUser makes every request fail with NotAuthorizedException, as if
	// Cognito Identity had issued the credentials to a user of an app. AWS documents that
	// the operation takes developer credentials only; the error is inferred.
	CognitoIdentityUser bool

	// AllowedPools are the IDs of the pools that the owner may query; nil means all, an
	// empty slice none. Any other pool, known or not, gives AccessDeniedException.
	AllowedPools []string

	// DeniedPools are the IDs of the pools that give AccessDeniedException. They take
	// precedence over AllowedPools.
	DeniedPools []string
}

// DefaultCredentials returns the temporary credentials that a server and a [Verifier]
// accept if none are configured. They may query every pool.
func DefaultCredentials() Credentials {
	return Credentials{
		AccessKeyID:     "AKIDCOGNITOSYNCTEST",
		SecretAccessKey: "q8Zt0Lq4XwB1nRv7kYc2mPj5sHd9fGa3uT6eKoWi",
		SessionToken:    "T0k3nV7xQ2mB9cL4zR8dW1yK5sJ6fH3g",
	}
}

// Provider returns a provider of c, for the Credentials of an [aws.Config]:
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

// A staticProvider always returns the same credentials. The SDK's own is in a module that
// this package does not depend on.
type staticProvider struct{ value aws.Credentials }

func (p staticProvider) Retrieve(context.Context) (aws.Credentials, error) { return p.value, nil }

// A sequenceProvider returns one set of credentials after the other, then repeats the last.
type sequenceProvider struct {
	mu   sync.Mutex
	sets []Credentials
}

// Retrieve implements [aws.CredentialsProvider].
func (p *sequenceProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p.mu.Lock()
	set := p.sets[0]
	if len(p.sets) > 1 {
		p.sets = p.sets[1:]
	}
	p.mu.Unlock()
	return set.Provider().Retrieve(ctx)
}

// RenewingProvider returns a provider of the first set of credentials. Each time a client
// invalidates it, as on ExpiredTokenException, it moves on to the next set, up to the last.
// RenewingProvider panics if there are no sets.
//
//	server.SetCredentials(old) // with Expired: true
//	server.SetCredentials(fresh)
//	cfg.Credentials = cognitosynctest.RenewingProvider(old, fresh)
func RenewingProvider(sets ...Credentials) *aws.CredentialsCache {
	if len(sets) == 0 {
		panic("cognitosynctest: RenewingProvider needs at least one set of credentials")
	}
	return aws.NewCredentialsCache(&sequenceProvider{sets: slices.Clone(sets)})
}

// deny returns IAM's message if c may not query the pool, otherwise "".
func (c Credentials) deny(region, poolID string) string {
	switch {
	case slices.Contains(c.DeniedPools, poolID):
		return accessDeniedMessage(c.principal(region), region, poolID, "with an explicit deny in an identity-based policy")
	case c.AllowedPools != nil && !slices.Contains(c.AllowedPools, poolID):
		return accessDeniedMessage(c.principal(region), region, poolID, noPolicyAllows)
	default:
		return ""
	}
}

const (
	iamAction      = "cognito-sync:DescribeIdentityPoolUsage"
	noPolicyAllows = "because no identity-based policy allows the " + iamAction + " action"
	accountID      = "123456789012" // as in AWS's examples
)

// principal returns the ARN of the owner of c.
func (c Credentials) principal(region string) string {
	switch {
	case c.ARN != "":
		return c.ARN
	case c.SessionToken != "":
		return "arn:" + arnPartition(region) + ":sts::" + accountID + ":assumed-role/cognitosynctest/" + c.AccessKeyID
	default:
		return "arn:" + arnPartition(region) + ":iam::" + accountID + ":user/" + c.AccessKeyID
	}
}

// arnPartition returns the partition of a region as ARNs name it.
func arnPartition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// accessDeniedMessage returns a denial in IAM's wording.
func accessDeniedMessage(principal, region, poolID, why string) string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: arn:%s:cognito-sync:%s:%s:identitypool/%s %s",
		principal, iamAction, arnPartition(region), region, accountID, poolID, why)
}
