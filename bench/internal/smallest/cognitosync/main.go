// Command cognitosync prints the usage of the identity pool in its argument, using this library.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/cognitosync/cognitosync-go"
)

func main() {
	client := cognitosync.New(cognitosync.Options{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	})
	out, err := client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(os.Args[1]),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(aws.ToInt64(out.IdentityPoolUsage.SyncSessionsCount))
}
