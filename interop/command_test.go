package interop_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// startCommand builds and starts cognitosync-fake, and stops it when the test ends. It returns
// a call to the server and a scanner of its output from the second line.
func startCommand(t *testing.T, args ...string) (call, *bufio.Scanner) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "cognitosync-fake")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = filepath.Join("..", "cmd", "cognitosync-fake")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	cmd := exec.CommandContext(t.Context(), binary, args...) // killed when the test ends
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan())
	var start struct{ Endpoint, Region, AccessKeyID, SecretAccessKey, SessionToken, CertificateFile string }
	require.NoError(t, json.Unmarshal(lines.Bytes(), &start))
	c := call{
		endpoint: start.Endpoint,
		region:   start.Region,
		keys: cognitosynctest.Credentials{
			AccessKeyID: start.AccessKeyID, SecretAccessKey: start.SecretAccessKey, SessionToken: start.SessionToken,
		},
		poolID: poolID,
	}
	if start.CertificateFile != "" {
		c.roots, err = os.ReadFile(start.CertificateFile)
		require.NoError(t, err)
	}
	return c, lines
}

// testCommand makes a client call the command over HTTP and HTTPS.
func testCommand(t *testing.T, describe describer) {
	config := filepath.Join(t.TempDir(), "fake.json")
	require.NoError(t, os.WriteFile(config, []byte(`{
		"pools": [{"identityPoolId": "`+poolID+`", "dataStorage": 4096}],
		"scripts": [{"steps": [{"step": "TooManyRequests"}]}]
	}`), 0o600))
	for _, args := range [][]string{{"-config", config}, {"-config", config, "-tls", "-cert", filepath.Join(t.TempDir(), "cert.pem")}} {
		c, lines := startCommand(t, args...)

		got, failed := describe(t, c)
		require.NotNil(t, failed, "got %+v", got)
		assert.Equal(t, "TooManyRequestsException", failed.code)
		got, failed = describe(t, c)
		require.Nil(t, failed)
		assert.Equal(t, int64(4096), *got.DataStorage)

		for _, status := range []int{429, 200} {
			var line struct {
				Status int
				Pool   string
			}
			require.True(t, lines.Scan())
			require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
			assert.Equal(t, status, line.Status)
			assert.Equal(t, poolID, line.Pool)
		}
	}
}

func TestCommand_SDKv1(t *testing.T) {
	t.Parallel()
	testCommand(t, func(t *testing.T, c call) (*cognitosynctest.Pool, *failure) {
		return describeWithSDKv1(t, newSDKv1(t, c, client.NoOpRetryer{}), c)
	})
}

func TestCommand_AWSCLI(t *testing.T) {
	t.Parallel()
	requireCLI(t)
	testCommand(t, describeWithCLI)
}
