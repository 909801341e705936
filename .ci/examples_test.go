package ci_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// TestExamples builds the commands of the examples and runs them as a reader would.
func TestExamples(t *testing.T) {
	t.Parallel()
	describe := build(t, "examples/describe")
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: "us-east-1:1"}, {IdentityPoolId: "eu-west-1:2"}}
	})

	t.Run("demonstration", func(t *testing.T) {
		t.Parallel()
		result := execute(t, "", nil, describe)
		assert.Equal(t, 0, result.status)
		readme := named(t, "examples/describe/README.md").blocks("text")
		require.Len(t, readme, 1)
		assert.Equal(t, readme[0].text, result.stderr+result.stdout, "%s shows what it prints", readme[0])
	})

	for _, test := range []struct {
		name   string
		stdin  string
		args   []string
		status int
		stdout []string // in this order
		stderr []string
	}{
		{"arguments", "", []string{"us-east-1:1", "eu-west-1:2"}, 0, []string{"POOL ID", "us-east-1:1", "eu-west-1:2"}, nil},
		{"standard input", "eu-west-1:2 us-east-1:1\n", []string{"-"}, 0, []string{"POOL ID", "eu-west-1:2", "us-east-1:1"}, nil},
		{"some fail", "", []string{"us-east-1:0", "us-east-1:1"}, 1, []string{"us-east-1:1"}, []string{"us-east-1:0"}},
		{"all fail", "", []string{"-json", "us-east-1:0"}, 3, []string{`"us-east-1:0"`, `"not_found"`}, nil},
		{"wrong usage", "", []string{"-unknown"}, 2, nil, []string{"-unknown"}},
		{"help", "", []string{"-h"}, 0, []string{"Usage: describe", "Flags:"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result := execute(t, test.stdin, server.Env(), describe, test.args...)
			assert.Equal(t, test.status, result.status, result.stderr)
			assertInOrder(t, result.stdout, test.stdout)
			assertInOrder(t, result.stderr, test.stderr)
		})
	}

	t.Run("otel", func(t *testing.T) {
		t.Parallel()
		result := execute(t, "", nil, build(t, "examples/otel"))
		assert.Equal(t, 0, result.status, result.stderr)
		spans, metrics := exported(t, result.stdout)
		const call, attempt = "Cognito Sync.DescribeIdentityPoolUsage", "Attempt"
		assert.ElementsMatch(t, []string{
			"through the client's providers", call, attempt, call, attempt, attempt, // one call is retried
			"through otelaws", call, call,
		}, spans)
		assert.Len(t, metrics, 13)
		assert.Contains(t, metrics, "client.call.duration")
		assert.Contains(t, metrics, "client.http.do_request_duration")
	})

	t.Run("wrap", func(t *testing.T) {
		t.Parallel()
		// go test compares the output of the example with its comment, and this the comment with the document.
		source, err := os.ReadFile(filepath.Join(repository, "examples", "wrap", "usage", "example_test.go"))
		require.NoError(t, err)
		_, output, found := strings.Cut(string(source), "\t// Output:\n")
		require.True(t, found)
		readme := named(t, "examples/wrap/README.md").blocks("text")
		require.Len(t, readme, 1)
		for line := range strings.Lines(readme[0].text) {
			assert.Contains(t, output, "\t// "+line, readme[0])
		}
	})
}

// build builds the command in a directory of the repository and returns its file.
func build(t *testing.T, directory string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(directory)+".exe") // Windows needs the extension
	run(t, filepath.Join(repository, filepath.FromSlash(directory)), "go", "build", "-o", file, ".")
	return file
}

// result is how a command ended.
type result struct {
	status         int
	stdout, stderr string
}

// execute runs a command with these additional environment variables.
func execute(t *testing.T, stdin string, environment []string, file string, args ...string) result {
	t.Helper()
	cmd := command(t, t.TempDir(), file, args...)
	cmd.Env = slices.Concat(cmd.Env, []string{"AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true"}, environment)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func assertInOrder(t *testing.T, text string, parts []string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		assert.True(t, found, "%q, in this order, in:\n%s", parts, text)
		rest = after
	}
}

// exported returns the names of the spans and metrics that OpenTelemetry's exporters wrote.
func exported(t *testing.T, output string) (spans, metrics []string) {
	t.Helper()
	for decoder := json.NewDecoder(strings.NewReader(output)); ; {
		var object struct {
			Name         string
			ScopeMetrics []struct{ Metrics []struct{ Name string } }
		}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return spans, metrics
		}
		require.NoError(t, err)
		if object.Name != "" {
			spans = append(spans, object.Name)
		}
		for _, scope := range object.ScopeMetrics {
			for _, metric := range scope.Metrics {
				metrics = append(metrics, metric.Name)
			}
		}
	}
}
