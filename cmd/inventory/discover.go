package main

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
)

// allRegions are the regions of cognito-sync, in partition aws, in the endpoint list of version 1.55.8
// of the AWS SDK for Go. The list has cognito-identity in all of them.
var allRegions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "eu-central-1",
	"eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2",
}

const (
	discoverAtOnce = 8  // regions, of all accounts
	discoverPage   = 60 // the maximum that ListIdentityPools allows
	discoverTries  = 10 // per page: one missing page would make the list useless
)

// discovery is the outcome of listing the pools of a region in an account.
type discovery struct {
	account *account
	region  string
	pools   []listedPool
	err     error // pools contains the pages before it
}

// discoverPools lists the pools of all accounts in all regions, in order.
func (c *command) discoverPools(ctx context.Context, accounts []*account) []discovery {
	var all []discovery
	for _, account := range accounts {
		for _, region := range c.discover {
			all = append(all, discovery{account: account, region: region})
		}
	}
	slots := make(chan struct{}, discoverAtOnce)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i].pools, all[i].err = c.listPools(ctx, all[i].account.cfg, all[i].region)
		})
	}
	wg.Wait()
	return all
}

// listPools lists the pools in a region. With an error, it returns the pools listed so far.
func (c *command) listPools(ctx context.Context, cfg aws.Config, region string) (pools []listedPool, err error) {
	client := cognitoidentity.NewFromConfig(cfg, func(o *cognitoidentity.Options) {
		o.Region = region
		o.Retryer = retry.AddWithMaxAttempts(retry.NewAdaptiveMode(), discoverTries)
		if c.endpoint != "" {
			o.BaseEndpoint = &c.endpoint
		}
	})
	input := &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(discoverPage)}
	for {
		page, err := client.ListIdentityPools(ctx, input)
		if err != nil {
			return pools, err
		}
		for _, pool := range page.IdentityPools {
			pools = append(pools, listedPool{
				IdentityPoolID:   aws.ToString(pool.IdentityPoolId),
				IdentityPoolName: aws.ToString(pool.IdentityPoolName),
			})
		}
		next := aws.ToString(page.NextToken)
		if next == "" {
			return pools, nil
		}
		if next == aws.ToString(input.NextToken) {
			return pools, errors.New("the service returns the same NextToken twice")
		}
		input.NextToken = &next
	}
}
