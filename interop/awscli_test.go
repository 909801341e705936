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
	requireCLI(t)
	testClient(t, describeWithCLI)
}

// requireCLI skips the test if the AWS CLI is not installed.
func requireCLI(t *testing.T) {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), "aws", "--version").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the AWS CLI must be installed in CI: aws --version: %v", err)
		}
		t.Skipf("the AWS CLI is not installed: aws --version: %v", err)
	}
	t.Logf("%s", version)
}

// Env gives the CLI, as a child process, the endpoint, the region and the credentials.
func TestAWSCLI_env(t *testing.T) {
	t.Parallel()
	requireCLI(t)
	server := start(t)
	arguments := []string{"cognito-sync", "describe-identity-pool-usage", "--identity-pool-id", poolID}
	if !supportsEndpointVariables(t) {
		arguments = append(arguments, "--endpoint-url", server.URL())
	}
	cmd := exec.CommandContext(t.Context(), "aws", arguments...)
	cmd.Env = append(append(os.Environ(), server.Env()...), "PYTHONUTF8=1")

	output, err := cmd.CombinedOutput()

	require.NoError(t, err, "%s", output)
	require.Equal(t, 1, server.Count())
	require.Equal(t, 200, server.Requests().Last().StatusCode)
}

// supportsEndpointVariables reports whether the CLI supports AWS_ENDPOINT_URL_COGNITO_SYNC, as
// it does since 2.13.0 and 1.29.0.
func supportsEndpointVariables(t *testing.T) bool {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "aws", "--version").Output()
	require.NoError(t, err)
	var major, minor int
	_, err = fmt.Sscanf(string(output), "aws-cli/%d.%d.", &major, &minor)
	require.NoError(t, err, "%s", output)
	return major > 2 || major == 2 && minor >= 13 || major == 1 && minor >= 29
}

// describeWithCLI runs aws cognito-sync describe-identity-pool-usage.
func describeWithCLI(t *testing.T, c call) (*cognitosynctest.Pool, *failure) {
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
		// The default date formats of versions 1 and 2 of the CLI differ.
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
	var output struct {
		IdentityPoolUsage struct {
			IdentityPoolId    string
			SyncSessionsCount *int64
			DataStorage       *int64
			LastModifiedDate  *time.Time
		}
	}
	require.NoError(t, json.Unmarshal(stdout, &output), "%s", stdout)
	pool := cognitosynctest.Pool(output.IdentityPoolUsage)
	if pool.LastModifiedDate != nil {
		*pool.LastModifiedDate = pool.LastModifiedDate.UTC()
	}
	return &pool, nil
}

// cliError matches the CLI's message for an error of the service.
var cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the DescribeIdentityPoolUsage operation(?: \(reached max retries: \d+\))?: (.*)`)

// cliFailure returns the error of the service in the output of the CLI.
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
