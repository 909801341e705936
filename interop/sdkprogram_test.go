package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A program for the SDK's own package compiles and passes its tests once its import paths are
// replaced.
func TestSDKProgram(t *testing.T) {
	t.Parallel()
	const sdk, ours = "github.com/aws/aws-sdk-go-v2/service/cognitosync", "github.com/cognitosync/cognitosync-go"
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}

	changed := 0
	sources, err := filepath.Glob("testdata/sdkprogram/*.go")
	require.NoError(t, err)
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		changed += strings.Count(string(text), sdk)
		write(filepath.Base(source), strings.ReplaceAll(string(text), sdk, ours))
	}
	assert.Equal(t, 4, changed, "import paths")

	// The dependencies of this module include those of the program.
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	require.Contains(t, string(mod), ours+" => ../")
	write("go.mod", strings.ReplaceAll(string(mod), ours+" => ../", ours+" => "+root))
	sum, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	write("go.sum", string(sum))

	for _, args := range [][]string{{"vet", "."}, {"test", "-count=1", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		output, err := cmd.CombinedOutput()
		assert.NoError(t, err, "go %v:\n%s", args, output)
	}
}
