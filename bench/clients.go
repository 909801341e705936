package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/codeguruprofiler"
	awsv1 "github.com/aws/aws-sdk-go/aws"
	cognitosyncv1 "github.com/aws/aws-sdk-go/service/cognitosync"
	"github.com/aws/smithy-go/middleware"

	"github.com/cognitosync/cognitosync-go"
)

// A call makes one call, and returns an error unless the output has the expected values.
type call func(ctx context.Context) error

// A client is one of the clients to compare.
type client struct {
	// name is the client's name in tables and charts.
	name string
	// what describes the client in the report.
	what string
	// program is the path, within this module, of the smallest program that uses the client. It is empty for a variant of
	// another client.
	program string
	// stubOnly reports whether only the call over the stub is measured, because everything else is the same as for the
	// preceding client.
	stubOnly bool
	// ours reports whether it is a client of cognitosync-go.
	ours bool
	// construct returns the call of a new client.
	construct func(settings) call
}

// The baselines.
const (
	bareName   = "bare"
	byHandName = "by hand"
	sdkV2Name  = "aws-sdk-go-v2 sibling"
)

// siblingName is the operation that stands in for this one in version 2 of the SDK.
const siblingName = "DescribeProfilingGroup of service/codeguruprofiler"

// The clients of cognitosync-go.
const (
	directName = "cognitosync-go"
	optionName = "cognitosync-go, option"
	stackName  = "cognitosync-go, stack"
)

// clients are the clients to compare, in the order of the tables.
var clients = []client{
	{
		name:      bareName,
		what:      "the minimum that a Go program writes by hand: net/http, v4.SignHTTP and encoding/json, without retries, extra headers or limits",
		program:   "internal/smallest/bare",
		construct: bare,
	},
	{
		name:      byHandName,
		what:      "bare with the minimum for production: the path escaped as the protocol requires, and an http.Client with a Timeout of 15 s",
		construct: byHand,
	},
	{
		name:      "aws-sdk-go",
		what:      "version 1 of the AWS SDK: the same operation of service/cognitosync",
		program:   "internal/smallest/sdkv1",
		construct: sdkV1,
	},
	{
		name: sdkV2Name,
		what: "version 2 of the AWS SDK, but another operation: " + siblingName + ". It stands in for service/cognitosync, which" +
			" could not be fetched, and has the same generator, protocol, HTTP method and shape",
		program:   "internal/smallest/sdkv2",
		construct: sdkV2,
	},
	{
		name:      directName,
		what:      "this library",
		program:   "internal/smallest/cognitosync",
		ours:      true,
		construct: direct,
	},
	{
		name:      optionName,
		what:      "this library with an option function for the call that sets RetryMaxAttempts",
		stubOnly:  true,
		ours:      true,
		construct: withOption,
	},
	{
		name:      stackName,
		what:      "this library with a smithy middleware that does nothing, so that the call runs through a smithy stack",
		ours:      true,
		construct: throughStack,
	},
}

// emptyHash is the SHA-256 of an empty body, in hexadecimal.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// bare is the minimum that works for poolID.
func bare(s settings) call {
	httpClient := s.httpClient
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	return handwritten(s, httpClient, url.QueryEscape)
}

// byHand is bare with a timeout, and with an escaping that works for every pool ID.
func byHand(s settings) call {
	httpClient := &http.Client{Timeout: 15 * time.Second}
	if s.httpClient != nil {
		httpClient.Transport = s.httpClient.Transport
	}
	return handwritten(s, httpClient, escapeSegment)
}

// escapeSegment escapes a path segment as the REST-JSON protocol requires: every byte except the unreserved characters of
// RFC 3986. [url.PathEscape] leaves others unescaped, such as ":" and "+". [url.QueryEscape] only differs in that it
// replaces a space with "+".
func escapeSegment(segment string) string {
	return strings.ReplaceAll(url.QueryEscape(segment), "+", "%20")
}

// handwritten is the call of a program without a client library.
func handwritten(s settings, httpClient *http.Client, escape func(string) string) call {
	type usage struct {
		IdentityPoolUsage struct {
			IdentityPoolId    string
			DataStorage       int64
			SyncSessionsCount int64
			LastModifiedDate  float64
		}
	}
	endpoint := s.endpoint
	if endpoint == "" {
		endpoint = "https://cognito-sync." + s.config.Region + ".amazonaws.com"
	}
	signer := v4.NewSigner()

	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+usagePath+escape(poolID), nil)
		if err != nil {
			return err
		}
		creds, err := s.config.Credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		err = signer.SignHTTP(ctx, creds, req, emptyHash, "cognito-sync", s.config.Region, time.Now())
		if err != nil {
			return err
		}
		resp, err := httpClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("unexpected status %s", resp.Status)
		}
		var out usage
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			return err
		}
		u := out.IdentityPoolUsage
		modified := time.UnixMilli(int64(math.Round(u.LastModifiedDate * 1000)))
		return checkUsage(&u.IdentityPoolId, &u.DataStorage, &u.SyncSessionsCount, &modified)
	}
}

// sdkV1 is version 1 of the AWS SDK.
func sdkV1(s settings) call {
	c := cognitosyncv1.New(s.session)
	return func(ctx context.Context) error {
		out, err := c.DescribeIdentityPoolUsageWithContext(ctx, &cognitosyncv1.DescribeIdentityPoolUsageInput{
			IdentityPoolId: awsv1.String(poolID),
		})
		if err != nil {
			return err
		}
		u := out.IdentityPoolUsage
		if u == nil {
			return errWrongOutput
		}
		return checkUsage(u.IdentityPoolId, u.DataStorage, u.SyncSessionsCount, u.LastModifiedDate)
	}
}

// sdkV2 is version 2 of the AWS SDK, with another operation.
func sdkV2(s settings) call {
	c := codeguruprofiler.NewFromConfig(s.config)
	return func(ctx context.Context) error {
		out, err := c.DescribeProfilingGroup(ctx, &codeguruprofiler.DescribeProfilingGroupInput{
			ProfilingGroupName: aws.String(poolID),
		})
		if err != nil {
			return err
		}
		g := out.ProfilingGroup
		if g == nil || aws.ToString(g.Name) != poolID || aws.ToTime(g.UpdatedAt).Unix() != lastModified ||
			g.Arn == nil || g.AgentOrchestrationConfig == nil || !aws.ToBool(g.AgentOrchestrationConfig.ProfilingEnabled) {
			return errWrongOutput
		}
		return nil
	}
}

// direct is this library's client with its defaults.
func direct(s settings) call {
	return ours(cognitosync.NewFromConfig(s.config))
}

// withOption is this library's client with an option function for each call.
func withOption(s settings) call {
	return ours(cognitosync.NewFromConfig(s.config), func(o *cognitosync.Options) {
		o.RetryMaxAttempts = 2
	})
}

// throughStack is this library's client with a middleware, which makes it run the call through a smithy stack.
func throughStack(s settings) call {
	return ours(cognitosync.NewFromConfig(s.config, func(o *cognitosync.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PassOn", passOn), middleware.After)
		})
	}))
}

// passOn is a middleware that does nothing.
func passOn(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	return next.HandleInitialize(ctx, in)
}

// ours is a call of c with the option functions.
func ours(c *cognitosync.Client, optFns ...func(*cognitosync.Options)) call {
	return func(ctx context.Context) error {
		out, err := c.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{
			IdentityPoolId: aws.String(poolID),
		}, optFns...)
		if err != nil {
			return err
		}
		u := out.IdentityPoolUsage
		if u == nil {
			return errWrongOutput
		}
		return checkUsage(u.IdentityPoolId, u.DataStorage, u.SyncSessionsCount, u.LastModifiedDate)
	}
}
