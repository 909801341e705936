package cognitosync_test

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the suite if any test leaves a goroutine behind, such as one that
// waits on a connection. It clears the environment of all that the SDK reads, so that
// no test depends on where it runs.
func TestMain(m *testing.M) {
	if os.Getenv(tripFileEnv) == "" { // a process whose environment is under test
		for _, variable := range os.Environ() {
			name, _, _ := strings.Cut(variable, "=")
			if strings.HasPrefix(name, "AWS_") || name == "_X_AMZN_TRACE_ID" {
				_ = os.Unsetenv(name) // a name that was there is a valid one
			}
		}
	}
	goleak.VerifyTestMain(m)
}
