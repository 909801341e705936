// Command sdkv2 prints the ARN of the profiling group in its argument, using version 2 of the AWS SDK.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codeguruprofiler"
)

func main() {
	client := codeguruprofiler.New(codeguruprofiler.Options{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	})
	out, err := client.DescribeProfilingGroup(context.Background(), &codeguruprofiler.DescribeProfilingGroupInput{
		ProfilingGroupName: aws.String(os.Args[1]),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(aws.ToString(out.ProfilingGroup.Arn))
}
