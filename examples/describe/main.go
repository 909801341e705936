// Command describe prints how many sync sessions and how much data identity pools
// hold, and when each was last modified.
//
//	go run ./examples/describe                                                # a demonstration: an embedded fake service responds
//	go run ./examples/describe us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE # AWS responds
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// The exit statuses.
const (
	exitOK         = 0
	exitSomeFailed = 1
	exitUsage      = 2
	exitAllFailed  = 3
)

const usage = `Usage: describe [flags] [POOL-ID ...]

Describe prints the usage of Amazon Cognito Sync identity pools: the number of
sync sessions, the data storage (AWS documents no unit), and the time of the
last modification. "-" marks a value that the service does not report.

Pool IDs are arguments or values of -pool. In their place, "-" reads IDs from
standard input, separated by white space:

  aws cognito-identity list-identity-pools --max-results 60 \
    --query 'IdentityPools[].IdentityPoolId' --output text | describe -

Without any pool ID, describe is a demonstration: an embedded fake service
responds.

Each pool is queried in the region that its ID begins with, unless -region is
set. IDs without a region are queried in the configured region. Region and
credentials come from the environment and the shared configuration, as for the
AWS CLI.

Each row is printed as soon as it is known. Failures are printed to standard
error. With -json, each pool is a JSON object on a line of its own, in which
null marks a value that the service does not report. The object of a pool that
could not be read has an "error" with these members:

  kind     id, region, configuration, credentials, denied, not_found,
           throttled, network, service or interrupted
  code     the error code of AWS, or "" if AWS has not responded
  message  the reason
  advice   what to do; absent if there is nothing to do

Exit status: 0 all pools were read, 1 some failed, 2 wrong usage, 3 all failed.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// command is the parsed command line.
type command struct {
	pools    []string // pool IDs; "-" stands for those on standard input
	region   string
	profile  string
	endpoint string
	json     bool
	verbose  bool

	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is main with its dependencies as parameters. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := command{stdin: stdin, stdout: stdout, stderr: stderr}
	flags := cmd.flags()
	err := flags.Parse(args)
	if err == nil {
		cmd.pools = append(cmd.pools, flags.Args()...)
		err = cmd.check()
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "describe: %v; describe -h prints the usage\n", err)
		return exitUsage
	case len(cmd.pools) == 0:
		return cmd.demonstrate(ctx)
	}

	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(cmd.region), config.WithSharedConfigProfile(cmd.profile), // "" leaves them unset
		config.WithLogger(logging.Nop{})) // errors contain all that it would log
	if err != nil {
		fmt.Fprintf(stderr, "describe: %s\n", cmd.newProblem(err))
		return exitAllFailed
	}
	return cmd.describe(ctx, cognitosync.NewFromConfig(cfg, cmd.options))
}

// flags returns the flags that fill c.
func (c *command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("describe", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints errors
	flags.Func("pool", "a pool `ID`, as an alternative to an argument; may be repeated", func(id string) error {
		c.pools = append(c.pools, id)
		return nil
	})
	flags.StringVar(&c.region, "region", "", "query all pools in this `REGION`")
	flags.StringVar(&c.profile, "profile", "", "use this `PROFILE` of the shared configuration")
	flags.StringVar(&c.endpoint, "endpoint", "", "send requests to this `URL` instead of AWS")
	flags.BoolVar(&c.json, "json", false, "print JSON, one object a line")
	flags.BoolVar(&c.verbose, "v", false, "print request IDs too")
	return flags
}

// check returns an error if the command line makes no sense as a whole.
func (c *command) check() error {
	for _, id := range c.pools {
		switch {
		case strings.TrimSpace(id) == "":
			return errors.New("blank pool ID")
		case strings.HasPrefix(id, "-") && id != "-":
			return fmt.Errorf("%s is not a pool ID; flags come before pool IDs", id)
		}
	}
	if len(c.pools) == 0 && c.region+c.profile+c.endpoint != "" {
		return errors.New("-region, -profile and -endpoint need a pool ID")
	}
	return nil
}

// options sets on a client what aws.Config has no field for.
func (c *command) options(o *cognitosync.Options) {
	o.UseIdentityPoolRegion = c.region == ""
	if c.endpoint != "" {
		o.BaseEndpoint = &c.endpoint
	}
}

// demonstrate describes the pools of a fake service. It ignores the AWS settings of
// the machine.
func (c *command) demonstrate(ctx context.Context) int {
	const american, european, unused = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE",
		"eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example", "us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example"
	server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.Pools = []cognitosynctest.Pool{
			{
				IdentityPoolId:    american,
				SyncSessionsCount: aws.Int64(1284),
				DataStorage:       aws.Int64(52_428_800),
				LastModifiedDate:  aws.Time(time.UnixMilli(1_413_231_134_115)),
			},
			{IdentityPoolId: european, DataStorage: aws.Int64(0), LastModifiedDate: aws.Time(time.Unix(1_785_369_600, 0))},
			{IdentityPoolId: unused},
		}
	})
	if err != nil {
		fmt.Fprintf(c.stderr, "describe: %v\n", err)
		return exitAllFailed
	}
	defer server.Close()

	fmt.Fprint(c.stderr, "describe: no pool ID given: this is a demonstration with an embedded fake service, not AWS\n")
	c.pools = []string{american, european, unused}
	return c.describe(ctx, cognitosync.NewFromConfig(server.Config(), c.options))
}
