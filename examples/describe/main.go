// Command describe prints how many sync sessions and how much data identity pools
// hold, and when they were last changed.
//
//	go run ./examples/describe                       # a demonstration: a fake service answers
//	go run ./examples/describe -pool us-east-1:23EC… # AWS answers
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

// What the command exits with.
const (
	exitOK     = 0
	exitFailed = 1 // a call failed
	exitUsage  = 2 // the command line is wrong
)

const usage = `Usage: describe -pool ID [-pool ID ...] [flags]

Describe prints the usage of Cognito Sync identity pools: the number of sync
sessions, the data storage (AWS documents no unit), and the time of the last
change, each "-" where the service does not say. Region and credentials come
from the environment and the shared configuration, as for the AWS CLI.

Without -region each pool is asked for in the region that its id names, such as
us-east-1 in us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE, and the configured
region serves ids that name none. With -region only that region is asked.

Without -pool it is a demonstration: a fake service inside the command answers.

It exits with 0, with 1 if a call failed, with 2 if the flags are wrong.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// command is what the command line says.
type command struct {
	pools    []string
	region   string
	profile  string
	endpoint string
	json     bool
	verbose  bool
}

// run is the command with all that it depends on but the environment. It returns
// the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cmd command
	flags := cmd.flags()
	err := flags.Parse(args)
	if err == nil {
		err = cmd.check(flags.Args())
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "describe: %v; describe -h shows the usage\n", err)
		return exitUsage
	case len(cmd.pools) == 0:
		return cmd.demonstrate(ctx, stdout, stderr)
	}

	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(cmd.region), config.WithSharedConfigProfile(cmd.profile), // "" is not set
		config.WithLogger(logging.Nop{})) // what goes wrong is in the error
	if err != nil {
		fmt.Fprintf(stderr, "describe: %s\n", explain(err))
		return exitFailed
	}
	return cmd.describe(ctx, cognitosync.NewFromConfig(cfg, cmd.options), stdout, stderr)
}

// flags returns the flags that fill c.
func (c *command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("describe", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says what is wrong
	flags.Func("pool", "ask for the pool with this `id`; may be repeated", func(id string) error {
		if strings.TrimSpace(id) == "" {
			return errors.New("it is blank")
		}
		c.pools = append(c.pools, id)
		return nil
	})
	flags.StringVar(&c.region, "region", "", "ask this AWS `region` only")
	flags.StringVar(&c.profile, "profile", "", "use this `profile` of the shared configuration")
	flags.StringVar(&c.endpoint, "endpoint", "", "send requests to this `URL` in place of AWS's")
	flags.BoolVar(&c.json, "json", false, "print JSON, with null where the service does not say")
	flags.BoolVar(&c.verbose, "v", false, "print the request ids too")
	return flags
}

// check returns what is wrong with the command line as a whole.
func (c *command) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case len(c.pools) == 0 && c.region+c.profile+c.endpoint != "":
		return errors.New("-region, -profile and -endpoint need a -pool")
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

// demonstrate describes the pools of a fake service. Nothing of the machine's AWS
// settings matters to it.
func (c *command) demonstrate(ctx context.Context, stdout, stderr io.Writer) int {
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
		fmt.Fprintf(stderr, "describe: %v\n", err)
		return exitFailed
	}
	defer server.Close()

	fmt.Fprint(stderr, "describe: no -pool given, so this is a demonstration: a fake service inside this command answers, not AWS\n")
	c.pools = []string{american, european, unused}
	return c.describe(ctx, cognitosync.NewFromConfig(server.Config(), c.options), stdout, stderr)
}
