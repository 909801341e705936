package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const (
	fullPool    = "us-east-1:00000000-0000-0000-0000-00000000f011"
	emptyPool   = "us-east-1:00000000-0000-0000-0000-000000000000"
	irishPool   = "eu-west-1:00000000-0000-0000-0000-000000000001"
	missingPool = "us-east-1:00000000-0000-0000-0000-00000000dead"
	noRegion    = "pool-without-a-region"
)

// clearEnv unsets all AWS environment variables until the test ends.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restores it after the test
			require.NoError(t, os.Unsetenv(name))
		}
	}
}

// setUp starts a fake service and sets the environment of a user who may call it: keys,
// no configuration files, one attempt per call.
func setUp(t *testing.T, optFns ...func(*cognitosynctest.Options)) *cognitosynctest.Server {
	t.Helper()
	server := cognitosynctest.NewServer(t, append(optFns, func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.Pools = []cognitosynctest.Pool{
			{
				IdentityPoolId:    fullPool,
				SyncSessionsCount: aws.Int64(7),
				DataStorage:       aws.Int64(4096),
				LastModifiedDate:  aws.Time(time.UnixMilli(1_413_231_134_115)),
			},
			{IdentityPoolId: emptyPool},
			{IdentityPoolId: irishPool, SyncSessionsCount: aws.Int64(0)},
			{IdentityPoolId: noRegion},
		}
	})...)
	clearEnv(t)
	keys := cognitosynctest.DefaultCredentials()
	t.Setenv("AWS_ACCESS_KEY_ID", keys.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keys.SecretAccessKey)
	t.Setenv("AWS_SESSION_TOKEN", keys.SessionToken)
	t.Setenv("AWS_CONFIG_FILE", writeFile(t, ""))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeFile(t, ""))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	return server
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// result is the outcome of a run of the command.
type result struct {
	status         int
	stdout, stderr string
}

// runCommand runs the command without standard input.
func runCommand(t *testing.T, args ...string) result {
	t.Helper()
	return runWith(t.Context(), t, iotest.ErrReader(errors.New("read")), args...)
}

// runWith runs the command. Nothing that it prints may name an option of the Go client.
func runWith(ctx context.Context, t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, stdin, &stdout, &stderr)
	got := result{status, stdout.String(), stderr.String()}
	for _, option := range []string{"Options", "UseIdentityPoolRegion", "RetryMaxAttempts", "BaseEndpoint", "AttemptTimeout", "Retryer"} {
		assert.NotContains(t, got.stdout+got.stderr, option)
	}
	return got
}

// lines ends each line.
func lines(text ...string) string {
	var joined strings.Builder
	for _, line := range text {
		joined.WriteString(line + "\n")
	}
	return joined.String()
}

func TestRun_demonstration(t *testing.T) {
	const notice = "describe: no pool ID given: this is a demonstration with an embedded fake service, not AWS\n"
	environments := []struct {
		name string
		set  func(t *testing.T)
	}{
		{"without AWS settings", func(*testing.T) {}},
		{"with AWS settings that break everything else", func(t *testing.T) {
			for name, value := range map[string]string{
				"AWS_CA_BUNDLE":             "/does/not/exist",
				"AWS_CONFIG_FILE":           writeFile(t, "no configuration"),
				"AWS_ENDPOINT_URL":          "http://127.0.0.1:1",
				"AWS_LAMBDA_FUNCTION_NAME":  "function",
				"AWS_MAX_ATTEMPTS":          "many",
				"AWS_PROFILE":               "nobody",
				"AWS_REGION":                "nowhere else",
				"AWS_USE_FIPS_ENDPOINT":     "true",
				"AWS_EC2_METADATA_DISABLED": "true",
			} {
				t.Setenv(name, value)
			}
		}},
	}
	outputs := []struct {
		name string
		args []string
		want string
	}{
		{"table", nil, lines(
			"SYNC SESSIONS  DATA STORAGE  LAST MODIFIED             POOL ID",
			"         1284      52428800  2014-10-13T20:12:14.115Z  us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE",
			"            -             0  2026-07-30T00:00:00Z      eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example",
			"            -             -  -                         us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example",
		)},
		{"table with request IDs", []string{"-v"}, lines(
			"SYNC SESSIONS  DATA STORAGE  LAST MODIFIED             REQUEST ID                            POOL ID",
			"         1284      52428800  2014-10-13T20:12:14.115Z  00000000-0000-4000-8000-000000000001  us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE",
			"            -             0  2026-07-30T00:00:00Z      00000000-0000-4000-8000-000000000002  eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example",
			"            -             -  -                         00000000-0000-4000-8000-000000000003  us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example",
		)},
		{"JSON", []string{"-json"}, lines(
			`{"identityPoolId":"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE","syncSessionsCount":1284,"dataStorage":52428800,"lastModifiedDate":"2014-10-13T20:12:14.115Z"}`,
			`{"identityPoolId":"eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example","syncSessionsCount":null,"dataStorage":0,"lastModifiedDate":"2026-07-30T00:00:00Z"}`,
			`{"identityPoolId":"us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example","syncSessionsCount":null,"dataStorage":null,"lastModifiedDate":null}`,
		)},
	}
	for _, environment := range environments {
		t.Run(environment.name, func(t *testing.T) {
			clearEnv(t)
			environment.set(t)
			for _, output := range outputs {
				t.Run(output.name, func(t *testing.T) {
					assert.Equal(t, result{exitOK, output.want, notice}, runCommand(t, output.args...))
				})
			}
		})
	}
}

func TestREADME_printsTheDemonstration(t *testing.T) {
	clearEnv(t)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	got := runCommand(t)
	assert.Contains(t, string(readme), "```text\n"+got.stderr+got.stdout+"```\n")
}

func TestRun_help(t *testing.T) {
	t.Parallel()
	got := runCommand(t, "-h")
	assert.Equal(t, exitOK, got.status)
	assert.Empty(t, got.stderr)
	for _, documented := range []string{
		"Usage: describe [flags] [POOL-ID ...]",
		`"-" reads IDs from` + "\nstandard input",
		"Exit status: 0 all pools were read, 1 some failed, 2 wrong usage, 3 all failed.",
		"\n  -pool ID\n", "\n  -region REGION\n", "\n  -profile PROFILE\n", "\n  -endpoint URL\n", "\n  -json\n", "\n  -v\t",
	} {
		assert.Contains(t, got.stdout, documented)
	}
	for _, kind := range kinds {
		assert.Regexp(t, `(?s)kind .*\b`+kind+`\b.*code `, got.stdout)
	}
	for line := range strings.Lines(got.stdout) {
		assert.LessOrEqual(t, len(line), 81, line)
	}
}

func TestRun_wrongUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"-pools", fullPool}, "flag provided but not defined: -pools"},
		{"flag without its value", []string{"-pool"}, "flag needs an argument: -pool"},
		{"blank value of -pool", []string{"-pool", " "}, "blank pool ID"},
		{"blank argument", []string{fullPool, ""}, "blank pool ID"},
		{"flag after a pool ID", []string{fullPool, "-json"}, "-json is not a pool ID; flags come before pool IDs"},
		{"region without a pool", []string{"-region", "us-east-1"}, "-region, -profile and -endpoint need a pool ID"},
		{"profile without a pool", []string{"-profile", "p"}, "-region, -profile and -endpoint need a pool ID"},
		{"endpoint without a pool", []string{"-endpoint", "http://localhost"}, "-region, -profile and -endpoint need a pool ID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, result{status: exitUsage, stderr: "describe: " + test.want + "; describe -h prints the usage\n"},
				runCommand(t, test.args...))
		})
	}
}

// header is the first line of a table.
const header = "SYNC SESSIONS  DATA STORAGE  LAST MODIFIED             POOL ID"

const (
	fullRow  = "            7          4096  2014-10-13T20:12:14.115Z  " + fullPool
	emptyRow = "            -             -  -                         " + emptyPool
	irishRow = "            0             -  -                         " + irishPool

	fullJSON  = `{"identityPoolId":"` + fullPool + `","syncSessionsCount":7,"dataStorage":4096,"lastModifiedDate":"2014-10-13T20:12:14.115Z"}`
	irishJSON = `{"identityPoolId":"` + irishPool + `","syncSessionsCount":0,"dataStorage":null,"lastModifiedDate":null}`
)

const advice404 = "check the ID, the region, and that the credentials belong to the pool's account"

// missingError is the line about missingPool when it is the subject of the nth request.
func missingError(n string) string {
	return "describe: " + missingPool + ": ResourceNotFoundException: IdentityPool '" + missingPool +
		"' not found. (status 404, request ID 00000000-0000-4000-8000-00000000000" + n + "); " + advice404
}

// missingJSON is the object of missingPool.
func missingJSON(n string) string {
	return `{"identityPoolId":"` + missingPool + `","syncSessionsCount":null,"dataStorage":null,"lastModifiedDate":null,` +
		`"requestId":"00000000-0000-4000-8000-00000000000` + n + `","error":{"kind":"not_found","code":"ResourceNotFoundException",` +
		`"message":"IdentityPool '` + missingPool + `' not found.","advice":"` + advice404 + `"}}`
}

// errReader ends in an error after some IDs.
func errReader(ids string) io.Reader {
	return io.MultiReader(strings.NewReader(ids), iotest.ErrReader(errors.New("disk unplugged")))
}

func TestRun(t *testing.T) {
	const stdinError = "describe: standard input: disk unplugged"
	for _, test := range []struct {
		name   string
		args   []string // those after -endpoint
		stdin  io.Reader
		stdout []string
		stderr []string
		status int
	}{
		{
			name:   "one argument",
			args:   []string{fullPool},
			stdout: []string{header, fullRow},
		},
		{
			name:   "several arguments, each in its region",
			args:   []string{irishPool, emptyPool},
			stdout: []string{header, irishRow, emptyRow},
		},
		{
			name:   "-pool",
			args:   []string{"-pool", irishPool, "-pool", emptyPool},
			stdout: []string{header, irishRow, emptyRow},
		},
		{
			name:   "-pool and arguments",
			args:   []string{"-pool", irishPool, emptyPool},
			stdout: []string{header, irishRow, emptyRow},
		},
		{
			name:   "a pool without a region",
			args:   []string{"-region", "eu-west-1", noRegion},
			stdout: []string{header, "            -             -  -                         " + noRegion},
		},
		{
			name:   "standard input, one ID a line",
			args:   []string{"-"},
			stdin:  strings.NewReader(fullPool + "\r\n\n" + irishPool + "\n"),
			stdout: []string{header, fullRow, irishRow},
		},
		{
			name:   "standard input as the AWS CLI prints text",
			args:   []string{"-"},
			stdin:  strings.NewReader(fullPool + "\t" + irishPool),
			stdout: []string{header, fullRow, irishRow},
		},
		{
			name:   "standard input among arguments",
			args:   []string{fullPool, "-", emptyPool},
			stdin:  strings.NewReader(irishPool),
			stdout: []string{header, fullRow, irishRow, emptyRow},
		},
		{
			name:   "empty standard input",
			args:   []string{"-"},
			stdin:  strings.NewReader(" \n"),
			stderr: []string{"describe: no pool ID on standard input; describe -h prints the usage"},
			status: exitUsage,
		},
		{
			name:   "standard input that cannot be read",
			args:   []string{"-"},
			stdin:  errReader(""),
			stderr: []string{stdinError},
			status: exitAllFailed,
		},
		{
			name:   "standard input that breaks off",
			args:   []string{"-", emptyPool},
			stdin:  errReader(fullPool + "\n"),
			stdout: []string{header, fullRow},
			stderr: []string{stdinError},
			status: exitSomeFailed,
		},
		{
			name: "JSON with request IDs",
			args: []string{"-json", "-v", emptyPool},
			stdout: []string{`{"identityPoolId":"` + emptyPool + `","syncSessionsCount":null,"dataStorage":null,"lastModifiedDate":null,` +
				`"requestId":"00000000-0000-4000-8000-000000000001"}`},
		},
		{
			name:   "some fail",
			args:   []string{fullPool, missingPool, irishPool},
			stdout: []string{header, fullRow, irishRow},
			stderr: []string{missingError("2")},
			status: exitSomeFailed,
		},
		{
			name:   "the first fails",
			args:   []string{missingPool, fullPool},
			stdout: []string{header, fullRow},
			stderr: []string{missingError("1")},
			status: exitSomeFailed,
		},
		{
			name:   "some fail, in JSON",
			args:   []string{"-json", fullPool, missingPool, irishPool},
			stdout: []string{fullJSON, missingJSON("2"), irishJSON},
			stderr: []string{missingError("2")},
			status: exitSomeFailed,
		},
		{
			name:   "all fail",
			args:   []string{missingPool, missingPool},
			stderr: []string{missingError("1"), missingError("2")},
			status: exitAllFailed,
		},
		{
			name:   "all fail, in JSON",
			args:   []string{"-json", missingPool},
			stdout: []string{missingJSON("1")},
			stderr: []string{missingError("1")},
			status: exitAllFailed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := setUp(t)
			stdin := test.stdin
			if stdin == nil {
				stdin = iotest.ErrReader(errors.New("read"))
			}
			got := runWith(t.Context(), t, stdin, append([]string{"-endpoint", server.URL()}, test.args...)...)
			assert.Equal(t, result{test.status, lines(test.stdout...), lines(test.stderr...)}, got)
		})
	}
}

// A response may lack even what the service always sends.
func TestRun_bareResponse(t *testing.T) {
	server := setUp(t)
	server.Script("", cognitosynctest.Reply(200, nil, "{}"))
	got := runCommand(t, "-v", "-endpoint", server.URL(), fullPool)
	assert.Equal(t, result{status: exitOK, stdout: lines(
		"SYNC SESSIONS  DATA STORAGE  LAST MODIFIED             REQUEST ID                            POOL ID",
		"            -             -  -                         -                                     "+fullPool,
	)}, got)
}

// The server holds the second response back until the first row has come through the
// pipe. Then it holds the third ID back until the second row has come.
func TestRun_rowsAppearAsTheyAreKnown(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		rows [][]string // after each response
	}{
		{"table", nil, [][]string{{header, fullRow}, {irishRow}, {emptyRow}}},
		{"JSON", []string{"-json"}, [][]string{{fullJSON}, {irishJSON}, {
			`{"identityPoolId":"` + emptyPool + `","syncSessionsCount":null,"dataStorage":null,"lastModifiedDate":null}`,
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := setUp(t)
			firstSeen := make(chan struct{})
			release := sync.OnceFunc(func() { close(firstSeen) })
			t.Cleanup(release) // also of a test that has failed
			server.Script(irishPool, cognitosynctest.Func(func(cognitosynctest.Request) cognitosynctest.Step {
				<-firstSeen
				return cognitosynctest.OK()
			}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a test that would wait forever
			t.Cleanup(cancel)
			stdin, ids := io.Pipe()
			rows, stdout := io.Pipe()
			status := make(chan int, 1)
			t.Cleanup(func() { rows.Close() })
			go func() {
				defer stdout.Close()
				defer stdin.Close()
				status <- run(ctx, append(test.args, "-endpoint", server.URL(), "-"), stdin, stdout, io.Discard)
			}()
			read := bufio.NewScanner(rows)
			assertRows := func(want []string) {
				t.Helper()
				for _, row := range want {
					require.True(t, read.Scan())
					require.Equal(t, row, read.Text())
				}
			}

			_, err := io.WriteString(ids, fullPool+"\n"+irishPool+"\n")
			require.NoError(t, err)
			assertRows(test.rows[0])
			release()
			assertRows(test.rows[1])
			_, err = io.WriteString(ids, emptyPool+"\n")
			require.NoError(t, err)
			assertRows(test.rows[2])
			require.NoError(t, ids.Close())
			assert.Equal(t, exitOK, <-status)
			assert.False(t, read.Scan())
		})
	}
}

// kinds are the kinds of failures that -h documents.
var kinds = []string{
	"id", "region", "configuration", "credentials", "denied", "not_found", "throttled", "network", "service", "interrupted",
}

func TestRun_failures(t *testing.T) {
	const first = "00000000-0000-4000-8000-000000000001"
	const someID = "; a pool ID looks like us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE\n"
	script := func(steps ...cognitosynctest.Step) func(*testing.T, *cognitosynctest.Server) {
		return func(_ *testing.T, server *cognitosynctest.Server) { server.Script("", steps...) }
	}
	setenv := func(name, value string) func(*testing.T, *cognitosynctest.Server) {
		return func(t *testing.T, _ *cognitosynctest.Server) { t.Setenv(name, value) }
	}
	for _, test := range []struct {
		name      string
		args      []string // -endpoint of the server comes before them
		set       func(t *testing.T, server *cognitosynctest.Server)
		want      []string // in the line on stderr
		kind      string   // in the object on stdout
		code      string
		requestID string
		unsent    bool
	}{
		{
			name: "no such pool",
			args: []string{missingPool},
			want: []string{
				"describe: " + missingPool + ": ResourceNotFoundException: IdentityPool '" + missingPool + "' not found.",
				"(status 404, request ID " + first + ")", "; check the ID, the region",
			},
			kind: "not_found", code: "ResourceNotFoundException", requestID: first,
		},
		{
			name: "pool of another region than that of the request",
			args: []string{"-region", "us-east-1", irishPool},
			want: []string{"ResourceNotFoundException", "; check the ID, the region"},
			kind: "not_found", code: "ResourceNotFoundException", requestID: first,
		},
		{
			name: "denied by a policy",
			args: []string{fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				denied := cognitosynctest.DefaultCredentials()
				denied.DeniedPools = []string{fullPool}
				server.SetCredentials(denied)
			},
			want: []string{
				": AccessDeniedException: User: ", "(status 403, request ID " + first + ")",
				"; use credentials of an IAM user or role that is allowed cognito-sync:DescribeIdentityPoolUsage",
			},
			kind: "denied", code: "AccessDeniedException", requestID: first,
		},
		{
			name: "keys of an app's user",
			args: []string{fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				user := cognitosynctest.DefaultCredentials()
				user.CognitoIdentityUser = true
				server.SetCredentials(user)
			},
			want: []string{": NotAuthorizedException: ", "(status 403, ", "; use credentials of an IAM user or role"},
			kind: "denied", code: "NotAuthorizedException", requestID: first,
		},
		{
			name: "expired keys",
			args: []string{fullPool},
			set:  script(cognitosynctest.Forever(cognitosynctest.ExpiredToken())),
			want: []string{": ExpiredTokenException: ", "(status 403, ", "; sign in again\n"},
			kind: "credentials", code: "ExpiredTokenException", requestID: first,
		},
		{
			name: "wrong secret key",
			args: []string{fullPool},
			set:  setenv("AWS_SECRET_ACCESS_KEY", "wrong"),
			want: []string{": InvalidSignatureException: ", "(status 403, ", "; check the credentials and the clock\n"},
			kind: "credentials", code: "InvalidSignatureException", requestID: first,
		},
		{
			name: "throttled",
			args: []string{fullPool},
			set:  script(cognitosynctest.Throttle(1)),
			want: []string{": TooManyRequestsException: Rate exceeded (status 429, request ID " + first + "); try again later"},
			kind: "throttled", code: "TooManyRequestsException", requestID: first,
		},
		{
			name: "failure of the service",
			args: []string{fullPool},
			set:  script(cognitosynctest.InternalError()),
			want: []string{": InternalErrorException: ", "(status 500, request ID " + first + "); try again later\n"},
			kind: "service", code: "InternalErrorException", requestID: first,
		},
		{
			name: "response of another server",
			args: []string{fullPool},
			set:  script(cognitosynctest.Error(418, "Teapot", "short\r\nand\x1b[1mstout\u009b")),
			want: []string{": Teapot: short  and [1mstout  (status 418, request ID " + first + ")\n"},
			kind: "service", code: "Teapot", requestID: first,
		},
		{
			name: "response without a request ID",
			args: []string{fullPool},
			set:  script(cognitosynctest.ServiceUnavailable()),
			want: []string{"(status 503, request ID -); try again later\n"},
			kind: "service", code: "UnknownError",
		},
		{
			name: "malformed response",
			args: []string{fullPool},
			set:  script(cognitosynctest.Reply(200, nil, "{")),
			want: []string{"describe: " + fullPool + ": "},
			kind: "service",
		},
		{
			name: "broken connection",
			args: []string{fullPool},
			set:  script(cognitosynctest.Hangup()),
			want: []string{"; check the network, and -endpoint if it is set\n"},
			kind: "network",
		},
		{
			name:   "no region",
			args:   []string{noRegion},
			want:   []string{": no valid region; set -region or AWS_REGION to one such as us-east-1, and check AWS_USE_FIPS_ENDPOINT"},
			kind:   "region",
			unsent: true,
		},
		{
			name:   "region that is not valid",
			args:   []string{"-region", "nowhere else", noRegion},
			want:   []string{": no valid region; set -region or AWS_REGION to one such as us-east-1"},
			kind:   "region",
			unsent: true,
		},
		{
			name:   "region of another pool",
			args:   []string{"-region", "us-east-1", "-endpoint", "", irishPool},
			want:   []string{": the pool is in eu-west-1, but requests go to us-east-1; leave -region out"},
			kind:   "region",
			unsent: true,
		},
		{
			name:   "pool of another partition",
			args:   []string{"-endpoint", "", "cn-north-1:1f2e"},
			set:    setenv("AWS_REGION", "us-east-1"),
			want:   []string{": the pool is in cn-north-1, but requests go to us-east-1; set -region to cn-north-1, with credentials for it\n"},
			kind:   "region",
			unsent: true,
		},
		{
			name:   "no credentials",
			args:   []string{fullPool},
			set:    setenv("AWS_ACCESS_KEY_ID", ""),
			want:   []string{"retrieve credentials: ", "; sign in with the AWS CLI, set -profile"},
			kind:   "credentials",
			unsent: true,
		},
		{
			name:   "credentials that cannot be sent",
			args:   []string{fullPool},
			set:    setenv("AWS_SESSION_TOKEN", "a\nb"),
			want:   []string{"; sign in with the AWS CLI, set -profile"},
			kind:   "credentials",
			unsent: true,
		},
		{
			name:   "no such profile",
			args:   []string{"-profile", "nobody", fullPool},
			want:   []string{"describe: failed to get shared config profile, nobody; add the profile"},
			unsent: true,
		},
		{
			name:   "unreadable configuration",
			args:   []string{fullPool},
			set:    setenv("AWS_MAX_ATTEMPTS", "many"),
			want:   []string{"describe: ", "many"},
			unsent: true,
		},
		{
			name:   "negative number of attempts",
			args:   []string{fullPool},
			set:    setenv("AWS_MAX_ATTEMPTS", "-1"),
			want:   []string{": AWS_MAX_ATTEMPTS is negative; set it to 1 or more, or unset it\n"},
			kind:   "configuration",
			unsent: true,
		},
		{
			name:   "endpoint that is none",
			args:   []string{"-endpoint", "ftp://localhost", fullPool},
			want:   []string{"the scheme must be http or https; check -endpoint"},
			kind:   "configuration",
			unsent: true,
		},
		{
			name:   "ID that cannot be sent",
			args:   []string{"a\nb"},
			want:   []string{"describe: a b: ", "must not contain a control character", someID},
			kind:   "id",
			unsent: true,
		},
		{
			name: "ID that the service rejects",
			args: []string{"us-east-1_AbCdEf"},
			set:  setenv("AWS_REGION", "us-east-1"),
			want: []string{": InvalidParameterException: ", someID},
			kind: "id", code: "InvalidParameterException", requestID: first,
		},
	} {
		for _, format := range []string{"table", "JSON"} {
			t.Run(test.name+" "+format, func(t *testing.T) {
				server := setUp(t)
				if test.set != nil {
					test.set(t, server)
				}
				got := runCommand(t, append([]string{"-json=" + strconv.FormatBool(format == "JSON"), "-endpoint", server.URL()}, test.args...)...)
				assert.Equal(t, exitAllFailed, got.status)
				for _, want := range test.want {
					assert.Contains(t, got.stderr, want)
				}
				assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "lines in %q", got.stderr)
				assert.Equal(t, test.unsent, server.Requests().Count() == 0, "sent: %v", server.Requests())

				if format == "table" || test.kind == "" { // no pool was tried
					assert.Empty(t, got.stdout)
					return
				}
				assert.Contains(t, kinds, test.kind)
				var object entry
				require.NoError(t, json.Unmarshal([]byte(got.stdout), &object))
				assert.Equal(t, test.args[len(test.args)-1], object.IdentityPoolID)
				assert.Equal(t, test.requestID, object.RequestID)
				require.NotNil(t, object.Error)
				assert.Equal(t, test.kind, object.Error.Kind)
				assert.Equal(t, test.code, object.Error.Code)
				assert.NotEmpty(t, object.Error.Message)
				assert.Contains(t, got.stderr, object.Error.Message)
				assert.Contains(t, got.stderr, object.Error.Advice)
				assert.Equal(t, 1, strings.Count(got.stdout, "\n"), "lines in %q", got.stdout)
				assert.Equal(t, -1, strings.IndexFunc(strings.TrimSuffix(got.stdout, "\n"), unicode.IsControl), "%q", got.stdout)
			})
		}
	}
}

// An attempt timeout points to the network.
func TestNewProblem_timeout(t *testing.T) {
	t.Parallel()
	got := new(command).newProblem(cognitosynctest.Failure(fullPool, cognitosynctest.Stall()))
	assert.Equal(t, "network", got.Kind)
	assert.Empty(t, got.Code)
	assert.Contains(t, got.String(), "; check the network, and -endpoint if it is set")
}

func TestRun_profile(t *testing.T) {
	server := setUp(t)
	keys := cognitosynctest.DefaultCredentials()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", writeFile(t, lines(
		"[profile team]",
		"region = eu-west-1",
		"endpoint_url = "+server.URL(),
		"aws_access_key_id = "+keys.AccessKeyID,
		"aws_secret_access_key = "+keys.SecretAccessKey,
		"aws_session_token = "+keys.SessionToken,
	)))
	got := runCommand(t, "-profile", "team", noRegion)
	assert.Equal(t, exitOK, got.status, got.stderr)
	assert.Contains(t, server.Requests().Last().Header.Get("Authorization"), "/eu-west-1/cognito-sync/aws4_request")
}

func TestRun_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := setUp(t, func(o *cognitosynctest.Options) {
		o.OnRequest = func(r cognitosynctest.Request) {
			if r.Number == 2 {
				cancel()
			}
		}
	})
	server.Script(irishPool, cognitosynctest.Stall())
	got := runWith(ctx, t, strings.NewReader(""), "-json", "-endpoint", server.URL(), fullPool, irishPool, emptyPool)
	assert.Equal(t, result{
		status: exitSomeFailed,
		stdout: lines(fullJSON, `{"identityPoolId":"`+irishPool+`","syncSessionsCount":null,"dataStorage":null,"lastModifiedDate":null,`+
			`"error":{"kind":"interrupted","code":"","message":"interrupted","advice":"the pools after this one were not queried"}}`),
		stderr: lines("describe: " + irishPool + ": interrupted; the pools after this one were not queried"),
	}, got)
	assert.Equal(t, 2, server.Requests().Count())
}

// idleReader interrupts the command while nobody types.
type idleReader struct {
	interrupt func()
	testEnds  <-chan struct{}
}

func (r idleReader) Read([]byte) (int, error) {
	r.interrupt()
	<-r.testEnds
	return 0, io.EOF
}

func TestRun_interruptedInput(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := setUp(t)
	got := runWith(ctx, t, idleReader{cancel, t.Context().Done()}, "-endpoint", server.URL(), fullPool, "-")
	assert.Equal(t, result{
		status: exitSomeFailed,
		stdout: lines(header, fullRow),
		stderr: lines("describe: standard input: interrupted"),
	}, got)
}

func TestRun_outputFails(t *testing.T) {
	for _, format := range []string{"-json=false", "-json"} {
		t.Run(format, func(t *testing.T) {
			server := setUp(t)
			var stderr bytes.Buffer
			reader, writer := io.Pipe()
			require.NoError(t, reader.CloseWithError(errors.New("disk full")))
			status := run(t.Context(), []string{format, "-endpoint", server.URL(), fullPool, emptyPool}, strings.NewReader(""), writer, &stderr)
			assert.Equal(t, exitSomeFailed, status)
			assert.Equal(t, "describe: disk full\n", stderr.String())
			assert.Equal(t, 1, server.Requests().Count())
		})
	}
}
