package cognitosynctest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

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

	// ARN names the owner where IAM denies something. Empty means one made of the
	// access key: that of a user, or of an assumed role if the set is temporary.
	ARN string

	// Expired makes each request with this set end in ExpiredTokenException.
	Expired bool

	// CognitoIdentityUser makes the set one that Cognito Identity hands out to the
	// users of an app. They may not ask for the usage of a pool and get
	// NotAuthorizedException.
	CognitoIdentityUser bool

	// AllowedPools are the IDs of the pools that the set may ask for; nil means
	// all. Any other pool is answered with AccessDeniedException, known or not.
	AllowedPools []string

	// DeniedPools are the IDs of pools that the set may not ask for, whatever
	// AllowedPools says. They are answered with AccessDeniedException.
	DeniedPools []string
}

// DefaultCredentials returns the temporary credentials that a server and a
// [Verifier] know when they are given none. They may ask for every pool.
func DefaultCredentials() Credentials {
	return Credentials{
		AccessKeyID:     "AKIDCOGNITOSYNCTEST",
		SecretAccessKey: "q8Zt0Lq4XwB1nRv7kYc2mPj5sHd9fGa3uT6eKoWi",
		SessionToken:    "T0k3nV7xQ2mB9cL4zR8dW1yK5sJ6fH3g",
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

// A source gives one set of credentials after the other.
type source struct {
	mu   sync.Mutex
	sets []Credentials
}

// Retrieve implements [aws.CredentialsProvider].
func (s *source) Retrieve(ctx context.Context) (aws.Credentials, error) {
	s.mu.Lock()
	set := s.sets[0]
	if len(s.sets) > 1 {
		s.sets = s.sets[1:]
	}
	s.mu.Unlock()
	return set.Provider().Retrieve(ctx)
}

// RenewingProvider returns a provider that gives the first of the sets until it is
// invalidated, as a client does when it learns that they have expired, and then the
// next. The last set stays. It panics without any:
//
//	server.SetCredentials(old) // with Expired: true
//	server.SetCredentials(fresh)
//	cfg.Credentials = cognitosynctest.RenewingProvider(old, fresh)
func RenewingProvider(sets ...Credentials) *aws.CredentialsCache {
	if len(sets) == 0 {
		panic("cognitosynctest: RenewingProvider needs credentials")
	}
	return aws.NewCredentialsCache(&source{sets: slices.Clone(sets)})
}

// deny returns IAM's message if c may not ask for the pool, otherwise "".
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
	accountID      = "123456789012" // the account of AWS's own examples
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

// accessDeniedMessage words a denial as IAM does.
func accessDeniedMessage(principal, region, poolID, why string) string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: arn:%s:cognito-sync:%s:%s:identitypool/%s %s",
		principal, iamAction, arnPartition(region), region, accountID, poolID, why)
}
