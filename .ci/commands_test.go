package ci_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// run runs a command in a directory and returns what it writes to standard output.
func run(t *testing.T, directory, name string, args ...string) string {
	t.Helper()
	output, err := command(t, directory, name, args...).Output()
	if err != nil {
		var stderr string
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it as it is
			stderr = string(exit.Stderr)
		}
		require.NoError(t, err, "%s %s\n%s", name, strings.Join(args, " "), stderr)
	}
	return string(output)
}

// command returns a command with the environment of the tests but for AWS's settings.
func command(t *testing.T, directory, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = directory
	cmd.Env = slices.DeleteFunc(os.Environ(), func(setting string) bool { return strings.HasPrefix(setting, "AWS_") })
	return cmd
}

// modules returns the directories of the repository's modules.
func modules(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "go.mod" {
			all = append(all, filepath.Dir(path))
		}
		return err
	})
	require.NoError(t, err)
	require.Contains(t, all, repository)
	return all
}
