package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cognitosync/cognitosync-go/inventory"
)

const help = `Usage: inventory [flags] [POOL-ID ...]

Inventory reports how many sync sessions and how much data each Amazon Cognito
Sync identity pool holds, and when it was last modified. Each pool is queried in
the region that its ID begins with. AWS documents no unit for the data storage.

Pool IDs are arguments, or are read from a list with -pools, or are listed in the
accounts with -discover. Without any of these, inventory is a demonstration: an
embedded fake service responds.

Credentials come from the environment and the shared configuration, as for the
AWS CLI.

Exit status: 0 all pools were read, 1 some failed, 2 wrong usage, 3 all failed.

Flags:
`

// command is the parsed command line.
type command struct {
	ids      []string // arguments
	file     string   // a list of pool IDs; "-" stands for standard input
	discover []string // regions to list pools in

	profiles []string
	region   string
	endpoint string

	concurrency int
	rate        float64
	timeout     time.Duration
	maxWait     time.Duration

	format  string
	output  string
	sort    string
	html    string
	state   string
	quiet   bool
	verbose bool

	flags          *flag.FlagSet
	stdin          io.Reader
	stdout, stderr io.Writer
}

var (
	formats = []string{"table", "csv", "json", "ndjson"}
	sorts   = []string{"storage", "sessions", "modified", "id"}
)

// parse reads a command line.
func parse(args []string) (*command, error) {
	c := &command{}
	f := flag.NewFlagSet("inventory", flag.ContinueOnError)
	c.flags = f
	f.SetOutput(io.Discard) // the caller prints errors
	f.StringVar(&c.file, "pools", "", "read pool IDs from `FILE`, or from standard input if it is -: one per line, or as\n"+
		"\"aws cognito-identity list-identity-pools\" prints them, in JSON or text")
	f.Func("discover", "list the pools in these `REGIONS`, separated by commas, or in all", c.addDiscover)
	f.Func("profile", "use this `PROFILE` of the shared configuration; may be repeated, for several accounts", func(profile string) error {
		if profile = strings.TrimSpace(profile); profile == "" {
			return errors.New("must not be blank")
		}
		if slices.Contains(c.profiles, profile) {
			return errors.New("given twice")
		}
		c.profiles = append(c.profiles, profile)
		return nil
	})
	f.StringVar(&c.region, "region", "", "the `REGION` of pool IDs that name none; the default is that of the profile")
	f.StringVar(&c.endpoint, "endpoint", "", "send requests to this `URL` instead of AWS")
	f.IntVar(&c.concurrency, "concurrency", inventory.DefaultConcurrency, "maximum number of concurrent calls per account")
	f.Float64Var(&c.rate, "rate", 0, "maximum number of requests per second for each account and region; 0: as many as the service accepts")
	f.DurationVar(&c.timeout, "timeout", 0, "end after this time, with the pools read so far; 0: no limit")
	f.DurationVar(&c.maxWait, "max-wait", inventory.DefaultMaxWait, "how long to retry a pool that fails because of throttling or an outage;\n"+
		"0: no retries")
	f.StringVar(&c.format, "format", formats[0], "`FORMAT` of the results: table, csv, json or ndjson")
	f.StringVar(&c.output, "o", "", "write the results to this `FILE`")
	f.StringVar(&c.sort, "sort", "", "sort by this `KEY`: storage or sessions (largest first), modified (latest first), or id;\nthe default is the order of the input")
	f.StringVar(&c.html, "html", "", "also write a page with charts to this `FILE`")
	f.StringVar(&c.state, "state", "", "save the pools read in this `FILE`; the same command run again queries only the others")
	f.BoolVar(&c.quiet, "q", false, "print no progress")
	f.BoolVar(&c.verbose, "v", false, "print each failure and retry")

	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.ids = f.Args()
	return c, c.check()
}

// addDiscover adds the regions in the value of -discover.
func (c *command) addDiscover(value string) error {
	for region := range strings.SplitSeq(value, ",") {
		region = strings.TrimSpace(region)
		switch {
		case region == "all":
			c.discover = append(c.discover, allRegions...)
		case regionPattern.MatchString(region):
			c.discover = append(c.discover, region)
		default:
			return fmt.Errorf("%q is neither a region such as us-east-1 nor all", region)
		}
	}
	slices.Sort(c.discover)
	c.discover = slices.Compact(c.discover)
	return nil
}

// check returns an error if the command line makes no sense as a whole.
func (c *command) check() error {
	sources := 0
	for _, given := range []bool{len(c.ids) > 0, c.file != "", len(c.discover) > 0} {
		if given {
			sources++
		}
	}
	for _, id := range c.ids {
		if strings.HasPrefix(id, "-") {
			return fmt.Errorf("%s is not a pool ID; flags come before pool IDs", id)
		}
		if err := checkID(id); err != nil {
			return err
		}
	}
	switch {
	case sources > 1:
		return errors.New("use only one of pool IDs as arguments, -pools and -discover")
	case sources == 0 && len(c.profiles) > 0:
		return errors.New("-profile needs pool IDs, -pools or -discover")
	case sources == 0 && c.region != "":
		return errors.New("-region needs pool IDs, -pools or -discover")
	case sources == 0 && c.endpoint != "":
		return errors.New("-endpoint needs pool IDs, -pools or -discover")
	case c.region != "" && !regionPattern.MatchString(c.region):
		return fmt.Errorf("-region %q: want a region such as us-east-1", c.region)
	case c.concurrency < 1 || c.concurrency > 1000:
		return fmt.Errorf("-concurrency %d: want 1 to 1000", c.concurrency)
	case !(c.rate >= 0 && c.rate <= 1e6):
		return fmt.Errorf("-rate %v: want requests per second, or 0 for no limit", c.rate)
	case c.timeout < 0:
		return fmt.Errorf("-timeout %v: want a duration such as 30m, or 0 for no limit", c.timeout)
	case c.maxWait < 0:
		return fmt.Errorf("-max-wait %v: want a duration such as 10m, or 0 for no retries", c.maxWait)
	case !slices.Contains(formats, c.format):
		return fmt.Errorf("-format %q: want %s", c.format, strings.Join(formats, ", "))
	case c.sort != "" && !slices.Contains(sorts, c.sort):
		return fmt.Errorf("-sort %q: want %s", c.sort, strings.Join(sorts, ", "))
	case c.quiet && c.verbose:
		return errors.New("use only one of -q and -v")
	}
	if err := c.checkFiles(); err != nil {
		return err
	}
	return checkEndpoint(c.endpoint)
}

// checkFiles returns an error if two flags name one file.
func (c *command) checkFiles() error {
	names := map[string]string{}
	for _, file := range []struct{ flag, name string }{{"-pools", c.file}, {"-o", c.output}, {"-html", c.html}, {"-state", c.state}} {
		if file.name == "" {
			continue
		}
		if other, ok := names[file.name]; ok {
			return fmt.Errorf("%s and %s name the same file, %s", other, file.flag, file.name)
		}
		names[file.name] = file.flag
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return errors.New("-endpoint: want a URL such as http://127.0.0.1:4566")
	}
	return nil
}

func (c *command) printHelp(w io.Writer) {
	fmt.Fprint(w, help)
	c.flags.SetOutput(w)
	c.flags.PrintDefaults()
}

// isDemonstration reports whether no pools are given.
func (c *command) isDemonstration() bool {
	return len(c.ids) == 0 && c.file == "" && len(c.discover) == 0
}
