package cognitosynctest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the suite if any test leaves a goroutine behind: a server ends with
// all that it started.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}
