package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const usage = `Usage: cognitosync-fake [flags]

Runs a fake Amazon Cognito Sync server with the operation DescribeIdentityPoolUsage. The
server checks request signatures, responds from a table of pools, and runs scripts of
errors and faults.

The output is JSON, one object a line: first the endpoint, region and credentials, then
each request with its response. Standard error gets instructions for the shell and, at the
end, a report if steps are pending or requests were refused. Ctrl-C and SIGTERM stop the
server.

Flags:

`

const example = `
Format of the file for -config, in which every member is optional:

  {
    "region": "us-east-1",
    "anyRegion": false,
    "pathPrefix": "/proxy",
    "credentials": [
      {"accessKeyId": "AKID", "secretAccessKey": "secret", "sessionToken": "token",
       "expired": false, "cognitoIdentityUser": false, "allowedPools": ["..."], "deniedPools": ["..."]}
    ],
    "pools": [
      {"identityPoolId": "us-east-1:1f2e", "syncSessionsCount": 12, "dataStorage": 4096,
       "lastModifiedDate": "2014-10-13T20:12:14.115Z"}
    ],
    "scripts": [
      {"pool": "us-east-1:1f2e", "steps": [
        {"step": "TooManyRequests", "times": 2, "headers": {"Retry-After": "1"}},
        {"step": "Error", "status": 400, "code": "OddException", "message": "it is odd"},
        {"step": "OK", "after": "1.5s"},
        {"step": "OK", "cutAfter": 10},
        {"step": "Stall", "forever": true}
      ]},
      {"eachCall": true, "steps": [{"step": "InternalError"}]}
    ]
  }

The server accepts all credentials in the file and prints the first. A script without a
pool is for any pool. With eachCall, every call of an AWS SDK goes through all steps of the
script; otherwise each request consumes a step. With times, a step is for that many
requests, and with forever for all that follow. When no step is left, the response comes
from the table of pools.

Steps without parameters: OK, TooManyRequests, InternalError, InvalidParameter,
NotAuthorized, ResourceNotFound, AccessDenied, ExpiredToken, BadGateway,
ServiceUnavailable, Stall, Hangup, Reset, Endless.

Steps with parameters: Error (status, code, message), Reply (status, body), Redirect
(status, location), Oversized and GzipBomb (size in bytes), RateLimit (perSecond; always
forever).

Every step can have headers, after (a duration before the response), drip (a duration
before each byte of the body), clock (an offset of the server's clock), and one of
cutAfter, resetAfter and stallAfter (a number of bytes of the body).
`

// settings are the values of the flags and the content of the file.
type settings struct {
	addr            string
	tls             bool
	certificateFile string
	config          config
	scripts         []func(*cognitosynctest.Server)
}

// A config is the content of the file for -config.
type config struct {
	Region      string
	AnyRegion   bool
	PathPrefix  string
	Credentials []cognitosynctest.Credentials
	Pools       []cognitosynctest.Pool
	Scripts     []scriptConfig
}

type scriptConfig struct {
	Pool     string
	EachCall bool
	Steps    []stepConfig
}

type stepConfig struct {
	Step      string
	Times     *int
	Forever   bool
	Status    int
	Code      string
	Message   string
	Body      string
	Location  string
	Size      int64
	PerSecond int
	Headers   map[string]string

	After, Drip, Clock               duration
	CutAfter, ResetAfter, StallAfter *int
}

// A duration has the text form of [time.ParseDuration].
type duration time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// parseSettings parses the flags and reads the file. For -h it writes the help to w and
// returns [flag.ErrHelp].
func parseSettings(args []string, w io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("cognitosync-fake", flag.ContinueOnError)
	flags.SetOutput(w)
	flags.Usage = func() {
		fmt.Fprint(w, usage)
		flags.PrintDefaults()
		fmt.Fprint(w, example)
	}
	file := flags.String("config", "", "JSON `file` with pools, credentials and scripts; see below")
	flags.StringVar(&s.addr, "addr", "", "`address` to listen on (default a free port on the loopback interface)")
	flags.BoolVar(&s.tls, "tls", false, "serve HTTPS and write the certificate to a file")
	flags.StringVar(&s.certificateFile, "cert", "", "`file` to write the certificate to (default a temporary file); implies -tls")
	region := flags.String("region", "", "`region` of the service; overrides the file (default us-east-1)")
	anyRegion := flags.Bool("any-region", false, "stand in for every region")
	var pools []string
	flags.Func("pool", "add a pool with this `ID` and null usage; may be repeated", func(id string) error {
		pools = append(pools, id)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; run with -h for help", err)
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; run with -h for help", flags.Arg(0))
	}
	if err := s.read(*file); err != nil {
		return nil, err
	}
	if *region != "" {
		s.config.Region = *region
	}
	s.config.AnyRegion = s.config.AnyRegion || *anyRegion
	for _, id := range pools {
		s.config.Pools = append(s.config.Pools, cognitosynctest.Pool{IdentityPoolId: id})
	}
	s.tls = s.tls || s.certificateFile != ""
	return s, nil
}

// read reads the file for -config, if there is one.
func (s *settings) read(name string) error {
	if name == "" {
		return nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s.config); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if decoder.More() {
		return fmt.Errorf("%s: unexpected data after the JSON document", name)
	}
	for i, script := range s.config.Scripts {
		steps, err := script.steps()
		if err != nil {
			return fmt.Errorf("%s: script %d: %w", name, i+1, err)
		}
		run := (*cognitosynctest.Server).Script
		if script.EachCall {
			run = (*cognitosynctest.Server).ScriptEachCall
		}
		s.scripts = append(s.scripts, func(server *cognitosynctest.Server) { run(server, script.Pool, steps) })
	}
	return nil
}

// apply sets the options of the server.
func (s *settings) apply(o *cognitosynctest.Options) {
	o.Addr, o.TLS = s.addr, s.tls
	o.Region, o.AnyRegion, o.PathPrefix = s.config.Region, s.config.AnyRegion, s.config.PathPrefix
	o.Credentials, o.Pools = s.config.Credentials, s.config.Pools
}

// steps returns the steps of the script as one. It turns panics of cognitosynctest about
// invalid arguments into errors, because here the arguments come from the file.
func (c scriptConfig) steps() (step cognitosynctest.Step, err error) {
	defer func() {
		if text, ok := recover().(string); ok {
			err = errors.New(strings.TrimPrefix(text, "cognitosynctest: "))
		}
	}()
	steps := make([]cognitosynctest.Step, len(c.Steps))
	for i, s := range c.Steps {
		if steps[i], err = s.step(); err != nil {
			return step, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return cognitosynctest.Sequence(steps...), nil
}

// simpleSteps are the steps without parameters.
var simpleSteps = map[string]func() cognitosynctest.Step{
	"OK":                 cognitosynctest.OK,
	"TooManyRequests":    cognitosynctest.TooManyRequests,
	"InternalError":      cognitosynctest.InternalError,
	"InvalidParameter":   cognitosynctest.InvalidParameter,
	"NotAuthorized":      cognitosynctest.NotAuthorized,
	"ResourceNotFound":   cognitosynctest.ResourceNotFound,
	"AccessDenied":       cognitosynctest.AccessDenied,
	"ExpiredToken":       cognitosynctest.ExpiredToken,
	"BadGateway":         cognitosynctest.BadGateway,
	"ServiceUnavailable": cognitosynctest.ServiceUnavailable,
	"Stall":              cognitosynctest.Stall,
	"Hangup":             cognitosynctest.Hangup,
	"Reset":              cognitosynctest.Reset,
	"Endless":            cognitosynctest.Endless,
}

// step returns the step with its modifications.
func (c stepConfig) step() (cognitosynctest.Step, error) {
	step, err := c.bare()
	if err != nil {
		return step, err
	}
	for name, value := range c.Headers {
		step = step.WithHeader(name, value)
	}
	if c.After != 0 {
		step = step.After(time.Duration(c.After))
	}
	if c.Drip != 0 {
		step = step.Drip(time.Duration(c.Drip))
	}
	if c.Clock != 0 {
		step = step.WithClock(time.Duration(c.Clock))
	}
	ends := 0
	for _, end := range []struct {
		at  *int
		set func(cognitosynctest.Step, int) cognitosynctest.Step
	}{
		{c.CutAfter, cognitosynctest.Step.CutAfter},
		{c.ResetAfter, cognitosynctest.Step.ResetAfter},
		{c.StallAfter, cognitosynctest.Step.StallAfter},
	} {
		if end.at != nil {
			step = end.set(step, *end.at)
			ends++
		}
	}
	switch {
	case ends > 1:
		return step, errors.New("cutAfter, resetAfter and stallAfter are mutually exclusive")
	case c.Forever && c.Times != nil:
		return step, errors.New("times and forever are mutually exclusive")
	case c.Forever:
		return cognitosynctest.Forever(step), nil
	case c.Times != nil && *c.Times < 1:
		return step, fmt.Errorf("invalid times %d: it must be at least 1", *c.Times)
	case c.Times != nil:
		return cognitosynctest.Repeat(*c.Times, step), nil
	}
	return step, nil
}

// check returns an error if a parameter does not apply to the step.
func (c stepConfig) check() error {
	for _, parameter := range []struct {
		name  string
		given bool
		of    []string
	}{
		{"status", c.Status != 0, []string{"Error", "Reply", "Redirect"}},
		{"code", c.Code != "", []string{"Error"}},
		{"message", c.Message != "", []string{"Error"}},
		{"body", c.Body != "", []string{"Reply"}},
		{"location", c.Location != "", []string{"Redirect"}},
		{"size", c.Size != 0, []string{"Oversized", "GzipBomb"}},
		{"perSecond", c.PerSecond != 0, []string{"RateLimit"}},
	} {
		if parameter.given && !slices.Contains(parameter.of, c.Step) {
			return fmt.Errorf("%s is not a parameter of step %q", parameter.name, c.Step)
		}
	}
	return nil
}

// bare returns the step without its modifications.
func (c stepConfig) bare() (cognitosynctest.Step, error) {
	if err := c.check(); err != nil {
		return cognitosynctest.Step{}, err
	}
	simple, ok := simpleSteps[c.Step]
	switch {
	case ok:
		return simple(), nil
	case c.Step == "Error":
		return cognitosynctest.Error(c.Status, c.Code, c.Message), nil
	case c.Step == "Reply":
		return cognitosynctest.Reply(c.Status, http.Header{}, c.Body), nil
	case c.Step == "Redirect":
		return cognitosynctest.Redirect(c.Status, c.Location), nil
	case c.Step == "Oversized":
		return cognitosynctest.Oversized(c.Size), nil
	case c.Step == "GzipBomb":
		return cognitosynctest.GzipBomb(c.Size), nil
	case c.Step == "RateLimit":
		return cognitosynctest.RateLimit(c.PerSecond), nil
	}
	return cognitosynctest.Step{}, fmt.Errorf("unknown step %q", c.Step)
}
