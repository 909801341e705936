package inventory_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/inventory"
)

// Sum up the data storage of each region, and count the pools whose storage is unknown.
func ExampleRun() {
	// In production, a configuration from config.LoadDefaultConfig.
	server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.Pools = []cognitosynctest.Pool{
			{IdentityPoolId: "us-east-1:1f2e", DataStorage: aws.Int64(4096)},
			{IdentityPoolId: "us-east-1:7a1f", DataStorage: aws.Int64(1024)},
			{IdentityPoolId: "eu-west-1:c0de"}, // the service reports nothing about it
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ids := slices.Values([]string{"us-east-1:1f2e", "us-east-1:7a1f", "eu-west-1:c0de", "eu-west-1:dead"})

	client := cognitosync.NewFromConfig(server.Config(), func(o *cognitosync.Options) { o.UseIdentityPoolRegion = true })
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	stored, unknown := map[string]int64{}, map[string]int{}
	for result := range inventory.Run(ctx, client, ids, func(o *inventory.Options) { o.MaxWait = 5 * time.Minute }) {
		switch {
		case result.Err != nil:
			fmt.Println("failed:", result.IdentityPoolId, cognitosync.InspectError(result.Err).Code)
		case result.Usage.DataStorage == nil:
			unknown[result.Region]++ // not 0
		default:
			stored[result.Region] += *result.Usage.DataStorage
		}
	}
	if err := ctx.Err(); err != nil {
		fmt.Println("not all pools have been queried:", err)
	}
	for _, region := range slices.Sorted(maps.Keys(stored)) {
		fmt.Println("stored:", region, stored[region])
	}
	fmt.Println("unknown:", unknown)

	// Output:
	// failed: eu-west-1:dead ResourceNotFoundException
	// stored: us-east-1 5120
	// unknown: map[eu-west-1:1]
}
