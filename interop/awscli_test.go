package interop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	needsCLI(t)
	testClient(t, askWithCLI)
}

// needsCLI skips the test where there is no AWS CLI.
func needsCLI(t *testing.T) {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), "aws", "--version").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the AWS CLI must be there when CI is set: aws --version: %v", err)
		}
		t.Skipf("needs the AWS CLI: aws --version: %v", err)
	}
	t.Logf("%s", version)
}

// The CLI, as a child process, finds the server by Env: endpoint, region and keys.
func TestAWSCLI_env(t *testing.T) {
	t.Parallel()
	needsCLI(t)
	server := start(t)
	arguments := []string{"cognito-sync", "describe-identity-pool-usage", "--identity-pool-id", poolID}
	if !knowsEndpointVariables(t) {
		arguments = append(arguments, "--endpoint-url", server.URL())
	}
	cmd := exec.CommandContext(t.Context(), "aws", arguments...)
	cmd.Env = append(append(os.Environ(), server.Env()...), "PYTHONUTF8=1")

	output, err := cmd.CombinedOutput()

	require.NoError(t, err, "%s", output)
	require.Equal(t, 1, server.Count())
	require.Equal(t, 200, server.Requests().Last().StatusCode)
}

// knowsEndpointVariables reports whether the CLI takes AWS_ENDPOINT_URL_COGNITO_SYNC, as
// it does since 2.13.0 and 1.29.0.
func knowsEndpointVariables(t *testing.T) bool {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "aws", "--version").Output()
	require.NoError(t, err)
	var major, minor int
	_, err = fmt.Sscanf(string(output), "aws-cli/%d.%d.", &major, &minor)
	require.NoError(t, err, "%s", output)
	return major > 2 || major == 2 && minor >= 13 || major == 1 && minor >= 29
}

// askWithCLI runs aws cognito-sync describe-identity-pool-usage.
func askWithCLI(t *testing.T, c call) (*cognitosynctest.Pool, *failure) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	cmd := exec.CommandContext(t.Context(), "aws", "cognito-sync", "describe-identity-pool-usage",
		"--endpoint-url", c.endpoint, "--region", c.region, "--identity-pool-id", c.poolID, "--output", "json")
	cmd.Env = append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+c.keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+c.keys.SecretAccessKey,
		// Versions 1 and 2 of the CLI write dates differently unless told how.
		"AWS_CONFIG_FILE="+write("config", "[default]\ncli_timestamp_format = iso8601\n"),
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1",
		"AWS_PAGER=",
		"NO_PROXY=127.0.0.1,::1", "no_proxy=127.0.0.1,::1",
		"PYTHONUTF8=1",
		"TZ=UTC",
	)
	if c.keys.SessionToken != "" {
		cmd.Env = append(cmd.Env, "AWS_SESSION_TOKEN="+c.keys.SessionToken)
	}
	if c.roots != nil {
		cmd.Env = append(cmd.Env, "AWS_CA_BUNDLE="+write("roots.pem", string(c.roots)))
	}

	stdout, err := cmd.Output()
	if err != nil {
		return nil, cliFailure(t, err)
	}
	var answer struct {
		IdentityPoolUsage struct {
			IdentityPoolId    string
			SyncSessionsCount *int64
			DataStorage       *int64
			LastModifiedDate  *time.Time
		}
	}
	require.NoError(t, json.Unmarshal(stdout, &answer), "%s", stdout)
	pool := cognitosynctest.Pool(answer.IdentityPoolUsage)
	if pool.LastModifiedDate != nil {
		*pool.LastModifiedDate = pool.LastModifiedDate.UTC()
	}
	return &pool, nil
}

// cliError matches how the CLI words an error of the service.
var cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the DescribeIdentityPoolUsage operation(?: \(reached max retries: \d+\))?: (.*)`)

// cliFailure returns the error of the service with which the CLI ended.
func cliFailure(t *testing.T, err error) *failure {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("aws: %v", err)
	}
	found := cliError.FindSubmatch(exit.Stderr)
	require.NotNil(t, found, "aws: %v\n%s", err, exit.Stderr)
	return &failure{code: string(found[1]), message: string(found[2])}
}
