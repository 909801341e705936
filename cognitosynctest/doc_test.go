package cognitosynctest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// The test in the package documentation, verbatim.
func TestUsage(t *testing.T) {
	server := cognitosynctest.NewServer(t)
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: "us-east-1:1f2e", DataStorage: aws.Int64(4096)})
	server.Script("us-east-1:1f2e", cognitosynctest.Throttle(1))

	client := cognitosync.NewFromConfig(server.Config())
	out, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String("us-east-1:1f2e"),
	})

	require.NoError(t, err)
	assert.Equal(t, int64(4096), *out.IdentityPoolUsage.DataStorage)
	assert.Equal(t, 2, server.Requests().Count()) // one throttled, one successful
}
