// Command sdkv1 prints the usage of the identity pool in its argument, using version 1 of the AWS SDK.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/cognitosync"
)

func main() {
	s, err := session.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	out, err := cognitosync.New(s).DescribeIdentityPoolUsage(&cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(os.Args[1]),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(aws.Int64Value(out.IdentityPoolUsage.SyncSessionsCount))
}
