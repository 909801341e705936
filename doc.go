// Package cognitosync asks Amazon Cognito Sync one question: how many sync sessions
// and how much data does this identity pool hold, and when was it last changed?
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	...
//	client := cognitosync.NewFromConfig(cfg)
//	out, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{
//		IdentityPoolId: aws.String("us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"),
//	})
//
// It has the shape of the AWS SDK for Go v2, takes an aws.Config and returns the
// SDK's kinds of errors: code written for the SDK's own package needs its import
// path changed. It is not a general AWS client and will not grow other operations.
//
// Package cognitosynctest, beside this one, is a fake of the service for tests.
//
// Amazon Cognito Sync has been closed to new customers since 2026-07-30. The service
// is documented at https://docs.aws.amazon.com/cognitosync/latest/APIReference/.
package cognitosync

// Version is the version of this package, as in its tag and in the User-Agent.
const Version = "0.1.0"

// ServiceID is the service's name in the SDK, in aws.Config.ServiceOptions and in
// errors.
const ServiceID = "Cognito Sync"

// ServiceAPIVersion is the version of the service's API.
const ServiceAPIVersion = "2014-06-30"

// operationName is the operation's name in the API, in errors, logs and spans.
const operationName = "DescribeIdentityPoolUsage"
