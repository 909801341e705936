//go:build go1.26 && !race

package cognitosync_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
)

// TestAllocations keeps a call as cheap as it is. Of the 93 allocations of a direct
// call, 8 are the stub's and 44 the signer's; 7 are the metadata that the SDK's
// functions read, 5 the attempt's timeout, 14 encoding/json's. A stack costs its steps,
// their context values, the User-Agent's builder and three copies of the request.
//
// The figures are those of Go 1.26; older ones make other allocations in crypto and
// encoding/json.
func TestAllocations(t *testing.T) {
	for name, test := range map[string]struct {
		option func(*cognitosync.Options)
		most   float64
	}{
		"direct": {func(*cognitosync.Options) {}, 93},
		"stack":  {cognitosync.WithAPIOptions(func(*middleware.Stack) error { return nil }), 186},
	} {
		t.Run(name, func(t *testing.T) {
			client := stubClient(test.option)
			input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(examplePool)}

			allocations := testing.AllocsPerRun(100, func() {
				_, err := client.DescribeIdentityPoolUsage(context.Background(), input)
				require.NoError(t, err)
			})

			assert.LessOrEqual(t, allocations, test.most)
		})
	}
}
