package types_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/types"
)

// Each name is a type of the client's, not a copy of it.
var (
	_ *cognitosync.IdentityPoolUsage         = (*types.IdentityPoolUsage)(nil)
	_ *cognitosync.InternalErrorException    = (*types.InternalErrorException)(nil)
	_ *cognitosync.InvalidParameterException = (*types.InvalidParameterException)(nil)
	_ *cognitosync.NotAuthorizedException    = (*types.NotAuthorizedException)(nil)
	_ *cognitosync.ResourceNotFoundException = (*types.ResourceNotFoundException)(nil)
	_ *cognitosync.TooManyRequestsException  = (*types.TooManyRequestsException)(nil)
)

func TestExceptionOfACall(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t)
	out, err := cognitosync.NewFromConfig(server.Config()).DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String("us-east-1:1f2e"),
	})
	var notFound *types.ResourceNotFoundException
	require.ErrorAs(t, err, &notFound)
	assert.Equal(t, "IdentityPool 'us-east-1:1f2e' not found.", aws.ToString(notFound.Message))
	assert.Nil(t, out)
}
