package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// clearEnv takes away all AWS settings of the machine until the test ends.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // so that it comes back
			require.NoError(t, os.Unsetenv(name))
		}
	}
}

// setUp starts a service, and lets the environment be that of somebody who may use
// it: keys, no configuration files, one attempt a call.
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

// result is what a run of the command came to.
type result struct {
	status         int
	stdout, stderr string
}

func runCommand(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

func lines(text ...string) string { return strings.Join(text, "\n") + "\n" }

func TestRun_demonstration(t *testing.T) {
	const notice = "describe: no -pool given, so this is a demonstration: a fake service inside this command answers, not AWS\n"
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
			"POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED",
			"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE  1284           52428800      2014-10-13T20:12:14.115Z",
			"eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example  -              0             2026-07-30T00:00:00Z",
			"us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example  -              -             -",
		)},
		{"table with request ids", []string{"-v"}, lines(
			"POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED             REQUEST ID",
			"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE  1284           52428800      2014-10-13T20:12:14.115Z  00000000-0000-4000-8000-000000000001",
			"eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example  -              0             2026-07-30T00:00:00Z      00000000-0000-4000-8000-000000000002",
			"us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example  -              -             -                         00000000-0000-4000-8000-000000000003",
		)},
		{"JSON", []string{"-json"}, `[
  {
    "identityPoolId": "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE",
    "syncSessionsCount": 1284,
    "dataStorage": 52428800,
    "lastModifiedDate": "2014-10-13T20:12:14.115Z"
  },
  {
    "identityPoolId": "eu-west-1:7a1f0c52-9d3b-4e46-8a75-08002example",
    "syncSessionsCount": null,
    "dataStorage": 0,
    "lastModifiedDate": "2026-07-30T00:00:00Z"
  },
  {
    "identityPoolId": "us-east-1:c0ffee00-1d2e-4f3a-9b4c-08002example",
    "syncSessionsCount": null,
    "dataStorage": null,
    "lastModifiedDate": null
  }
]
`},
	}
	for _, environment := range environments {
		t.Run(environment.name, func(t *testing.T) {
			clearEnv(t)
			environment.set(t)
			for _, output := range outputs {
				t.Run(output.name, func(t *testing.T) {
					assert.Equal(t, result{exitOK, output.want, notice}, runCommand(t.Context(), output.args...))
				})
			}
		})
	}
}

func TestRun_help(t *testing.T) {
	t.Parallel()
	got := runCommand(t.Context(), "-h")
	assert.Equal(t, exitOK, got.status)
	assert.Empty(t, got.stderr)
	assert.Contains(t, got.stdout, "Usage: describe -pool ID")
	for _, flag := range []string{"-pool", "-region", "-profile", "-endpoint", "-json", "-v"} {
		assert.Contains(t, got.stdout, "\n  "+flag)
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
		{"pool without a name", []string{"-pool", " "}, `invalid value " " for flag -pool: it is blank`},
		{"pool without its flag", []string{"-json", fullPool}, `unexpected argument "` + fullPool + `"`},
		{"region without a pool", []string{"-region", "us-east-1"}, "-region, -profile and -endpoint need a -pool"},
		{"profile without a pool", []string{"-profile", "p"}, "-region, -profile and -endpoint need a -pool"},
		{"endpoint without a pool", []string{"-endpoint", "http://localhost"}, "-region, -profile and -endpoint need a -pool"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, result{status: exitUsage, stderr: "describe: " + test.want + "; describe -h shows the usage\n"},
				runCommand(t.Context(), test.args...))
		})
	}
}

func TestRun_answers(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"a pool", []string{"-pool", fullPool}, lines(
			"POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED",
			fullPool+"  7              4096          2014-10-13T20:12:14.115Z",
		)},
		{"several pools in their regions", []string{"-pool", irishPool, "-pool", emptyPool}, lines(
			"POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED",
			irishPool+"  0              -             -",
			emptyPool+"  -              -             -",
		)},
		{"a pool without a region", []string{"-pool", noRegion, "-region", "eu-west-1"}, lines(
			"POOL                   SYNC SESSIONS  DATA STORAGE  LAST MODIFIED",
			noRegion+"  -              -             -",
		)},
		{"JSON with the request id", []string{"-pool", emptyPool, "-json", "-v"}, `[
  {
    "identityPoolId": "` + emptyPool + `",
    "syncSessionsCount": null,
    "dataStorage": null,
    "lastModifiedDate": null,
    "requestId": "00000000-0000-4000-8000-000000000001"
  }
]
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := setUp(t)
			got := runCommand(t.Context(), append(test.args, "-endpoint", server.URL())...)
			assert.Equal(t, result{status: exitOK, stdout: test.want}, got)
		})
	}
}

// An answer may lack even what the service always sends.
func TestRun_bareAnswer(t *testing.T) {
	server := setUp(t)
	server.Script("", cognitosynctest.Reply(200, nil, "{}"))
	got := runCommand(t.Context(), "-v", "-pool", fullPool, "-endpoint", server.URL())
	assert.Equal(t, result{status: exitOK, stdout: lines(
		"POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED  REQUEST ID",
		fullPool+"  -              -             -              -",
	)}, got)
}

func TestRun_failures(t *testing.T) {
	const firstID = "request id 00000000-0000-4000-8000-000000000001"
	for _, test := range []struct {
		name   string
		args   []string // -endpoint of the server comes before them
		set    func(t *testing.T, server *cognitosynctest.Server)
		want   []string // in the line on stderr
		unsent bool
	}{
		{
			name: "no such pool",
			args: []string{"-pool", missingPool},
			want: []string{
				"describe: " + missingPool + ": ResourceNotFoundException: IdentityPool '" + missingPool + "' not found.",
				"(status 404, " + firstID + ")", "; check the id, the region",
			},
		},
		{
			name: "pool of another region than asked",
			args: []string{"-pool", irishPool, "-region", "us-east-1"},
			want: []string{"ResourceNotFoundException", "; check the id, the region"},
		},
		{
			name: "denied by a policy",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				denied := cognitosynctest.DefaultCredentials()
				denied.DeniedPools = []string{fullPool}
				server.SetCredentials(denied)
			},
			want: []string{
				": AccessDeniedException: User: ", "(status 403, " + firstID + ")",
				"; use credentials of an IAM user or role that is allowed cognito-sync:DescribeIdentityPoolUsage",
			},
		},
		{
			name: "keys of an app's user",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				user := cognitosynctest.DefaultCredentials()
				user.CognitoIdentityUser = true
				server.SetCredentials(user)
			},
			want: []string{": NotAuthorizedException: ", "(status 403, ", "; use credentials of an IAM user or role"},
		},
		{
			name: "expired keys",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.Forever(cognitosynctest.ExpiredToken()))
			},
			want: []string{": ExpiredTokenException: ", "(status 403, ", "; sign in again"},
		},
		{
			name: "throttled",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.Throttle(1))
			},
			want: []string{": TooManyRequestsException: Rate exceeded (status 429, " + firstID + "); try again later"},
		},
		{
			name: "not even the service's answer",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.Error(418, "Teapot", "short\r\nand\x1b[1mstout"))
			},
			want: []string{": Teapot: short  and [1mstout (status 418, " + firstID + ")\n"},
		},
		{
			name: "answer without a request id",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.ServiceUnavailable())
			},
			want: []string{"(status 503, request id -)\n"},
		},
		{
			name: "broken connection",
			args: []string{"-pool", fullPool},
			set: func(_ *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.Hangup())
			},
			want: []string{"; check the network, and -endpoint if there is one\n"},
		},
		{
			name:   "no region",
			args:   []string{"-pool", noRegion},
			want:   []string{"configuration of Region: missing", "; give a -region, or set AWS_REGION\n"},
			unsent: true,
		},
		{
			name:   "region of another pool",
			args:   []string{"-pool", irishPool, "-region", "us-east-1", "-endpoint", ""},
			want:   []string{"is in region eu-west-1, but the client calls us-east-1", "; leave -region out"},
			unsent: true,
		},
		{
			name: "no credentials",
			args: []string{"-pool", fullPool},
			set: func(t *testing.T, _ *cognitosynctest.Server) {
				t.Setenv("AWS_ACCESS_KEY_ID", "")
			},
			want:   []string{"retrieve credentials: ", "; sign in with the AWS CLI, name a -profile"},
			unsent: true,
		},
		{
			name:   "no such profile",
			args:   []string{"-pool", fullPool, "-profile", "nobody"},
			want:   []string{"describe: failed to get shared config profile, nobody; add the profile"},
			unsent: true,
		},
		{
			name: "unreadable configuration",
			args: []string{"-pool", fullPool},
			set: func(t *testing.T, _ *cognitosynctest.Server) {
				t.Setenv("AWS_MAX_ATTEMPTS", "many")
			},
			want:   []string{"describe: ", "many"},
			unsent: true,
		},
		{
			name:   "endpoint that is none",
			args:   []string{"-pool", fullPool, "-endpoint", "ftp://localhost"},
			want:   []string{"the scheme must be http or https; check -endpoint"},
			unsent: true,
		},
		{
			name:   "id that cannot be sent",
			args:   []string{"-pool", "a\nb"},
			want:   []string{"describe: a b: ", "must not contain a control character", "; a pool id looks like us-east-1:"},
			unsent: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := setUp(t)
			if test.set != nil {
				test.set(t, server)
			}
			got := runCommand(t.Context(), append([]string{"-endpoint", server.URL()}, test.args...)...)
			assert.Equal(t, exitFailed, got.status)
			assert.Empty(t, got.stdout)
			for _, want := range test.want {
				assert.Contains(t, got.stderr, want)
			}
			assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "lines in %q", got.stderr)
			assert.Equal(t, test.unsent, server.Requests().Count() == 0, "sent: %v", server.Requests())
		})
	}
}

func TestRun_someFail(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"table", nil, lines(
			"POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED",
			fullPool+"  7              4096          2014-10-13T20:12:14.115Z",
			irishPool+"  0              -             -",
		)},
		{"JSON", []string{"-json"}, `[
  {
    "identityPoolId": "` + fullPool + `",
    "syncSessionsCount": 7,
    "dataStorage": 4096,
    "lastModifiedDate": "2014-10-13T20:12:14.115Z"
  },
  {
    "identityPoolId": "` + irishPool + `",
    "syncSessionsCount": 0,
    "dataStorage": null,
    "lastModifiedDate": null
  }
]
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := setUp(t)
			got := runCommand(t.Context(), append(test.args,
				"-pool", fullPool, "-pool", missingPool, "-pool", irishPool, "-endpoint", server.URL())...)
			assert.Equal(t, exitFailed, got.status)
			assert.Equal(t, test.want, got.stdout)
			assert.Contains(t, got.stderr, missingPool+": ResourceNotFoundException: ")
			assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "lines in %q", got.stderr)
		})
	}
}

func TestRun_allFail(t *testing.T) {
	server := setUp(t)
	got := runCommand(t.Context(), "-json", "-pool", missingPool, "-endpoint", server.URL())
	assert.Equal(t, exitFailed, got.status)
	assert.Equal(t, "[]\n", got.stdout)
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
	got := runCommand(t.Context(), "-profile", "team", "-pool", noRegion)
	assert.Equal(t, exitOK, got.status, got.stderr)
	assert.Contains(t, server.Requests().Last().Header.Get("Authorization"), "/eu-west-1/cognito-sync/aws4_request")
}

func TestRun_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := setUp(t, func(o *cognitosynctest.Options) {
		o.OnRequest = func(cognitosynctest.Request) { cancel() }
	})
	server.Script("", cognitosynctest.Stall())
	got := runCommand(ctx, "-pool", fullPool, "-pool", emptyPool, "-endpoint", server.URL())
	assert.Equal(t, exitFailed, got.status)
	assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "lines in %q", got.stderr)
	assert.Contains(t, got.stderr, fullPool+": canceled, ")
	assert.Equal(t, 1, server.Requests().Count())
}

func TestRun_outputFails(t *testing.T) {
	server := setUp(t)
	for _, format := range []string{"-json=false", "-json"} {
		t.Run(format, func(t *testing.T) {
			var stderr bytes.Buffer
			reader, writer := io.Pipe()
			require.NoError(t, reader.CloseWithError(errors.New("disk full")))
			status := run(t.Context(), []string{format, "-pool", fullPool, "-endpoint", server.URL()}, writer, &stderr)
			assert.Equal(t, exitFailed, status)
			assert.Equal(t, "describe: disk full\n", stderr.String())
		})
	}
}
