package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/cognitosync/cognitosync-go"
)

// account is one set of credentials.
type account struct {
	name   string // the profile; "" is the default one
	cfg    aws.Config
	client cognitosync.DescribeIdentityPoolUsageAPIClient
}

// accounts returns an account for each -profile, or the default one.
func (c *command) accounts(ctx context.Context) ([]*account, error) {
	profiles := c.profiles
	if len(profiles) == 0 {
		profiles = []string{""}
	}
	var accounts []*account
	for _, profile := range profiles {
		cfg, err := config.LoadDefaultConfig(ctx,
			config.WithRegion(c.region), config.WithSharedConfigProfile(profile), // "" leaves them unset
			config.WithLogger(logging.Nop{})) // errors contain all that it would log
		if err != nil {
			if profile != "" {
				err = fmt.Errorf("-profile %s: %w", profile, err)
			}
			return nil, err
		}
		accounts = append(accounts, newAccount(profile, cfg, c.endpoint))
	}
	return accounts, nil
}

func newAccount(name string, cfg aws.Config, endpoint string) *account {
	return &account{name: name, cfg: cfg, client: cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) {
		o.UseIdentityPoolRegion = true
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})}
}

// names joins the names of accounts, for a row that may belong to any of them.
func names(accounts []*account) string {
	var all []string
	for _, a := range accounts {
		all = append(all, a.name)
	}
	return strings.Join(all, ", ")
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2}$`)

// regionIn returns the region in a pool ID, or "".
func regionIn(id string) string {
	if region, _, found := strings.Cut(id, ":"); found && regionPattern.MatchString(region) {
		return region
	}
	return ""
}
