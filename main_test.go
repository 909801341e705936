package cognitosync_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the suite if any test leaves a goroutine behind, such as one that
// waits on a connection.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}
