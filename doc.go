// Package cognitosync is a client for one operation of Amazon Cognito Sync,
// DescribeIdentityPoolUsage. It reports how many sync sessions and how much data an
// identity pool holds, and when the pool was last modified.
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	...
//	client := cognitosync.NewFromConfig(cfg)
//	out, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{
//		IdentityPoolId: aws.String("us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"),
//	})
//
// The package has the API of the AWS SDK for Go v2: [NewFromConfig] takes an
// [aws.Config], and errors have the SDK's types. Code written for the SDK's own
// package only has to change its import path. It is not a general AWS client and
// will not gain other operations. Exported interfaces never gain methods, so mocks
// keep compiling.
//
// Package cognitosynctest is a fake of the service for tests.
//
// Amazon Cognito Sync has been closed to new customers since 2026-07-30. See
// https://docs.aws.amazon.com/cognitosync/latest/APIReference/ for the service's
// documentation.
package cognitosync

// Version is the version of this package, without the "v" of its tag.
const Version = "0.1.0"

// ServiceID identifies the service in aws.Config.ServiceOptions and in errors.
const ServiceID = "Cognito Sync"

// ServiceAPIVersion is the version of the service's API.
const ServiceAPIVersion = "2014-06-30"

// operationName is the operation's name in the API, in errors, logs and spans.
const operationName = "DescribeIdentityPoolUsage"
