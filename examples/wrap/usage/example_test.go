package usage_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/examples/wrap/usage"
)

func Example() {
	server, err := cognitosynctest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: "us-east-1:1f2e", DataStorage: aws.Int64(4096)})
	server.Script("", cognitosynctest.Throttle(1))

	var pools usage.Reader = usage.New(server.Config(), func(_ context.Context, o usage.Observation) {
		fmt.Println("metric:", o.Outcome, o.Attempts)
	})
	for _, id := range []string{"us-east-1:1f2e", "us-east-1:0000"} {
		pool, err := pools.Read(context.Background(), id)
		switch {
		case errors.Is(err, usage.ErrNotFound):
			fmt.Println(id, "does not exist")
		case err != nil:
			fmt.Println(err)
		case !pool.Sessions.Known:
			fmt.Println(id, "holds", pool.Storage.N, "in an unknown number of sessions")
		}
	}
	// Output:
	// metric: ok 2
	// us-east-1:1f2e holds 4096 in an unknown number of sessions
	// metric: not_found 1
	// us-east-1:0000 does not exist
}
