package foreign_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/foreign"
)

var errBroken = errors.New("broken")

// TestOutcome checks that the outcome of the last call is repeated, whatever the outcome of
// the call before.
func TestOutcome(t *testing.T) {
	t.Parallel()
	calls := map[string]func(){
		"returns":            func() {},
		"panics":             func() { panic(errBroken) },
		"panics with a text": func() { panic("text") },
		"exits":              runtime.Goexit,
	}
	for first, before := range calls {
		for last, call := range calls {
			t.Run(first+", "+last, func(t *testing.T) {
				t.Parallel()
				var outcome foreign.Outcome
				for _, f := range []func(){before, call} {
					ended := make(chan struct{})
					go func() {
						defer close(ended)
						outcome.Of(f)
					}()
					<-ended
				}
				returned, recovered := repeat(&outcome)
				assert.Equal(t, last == "returns", returned)
				switch last {
				case "panics":
					err, ok := recovered.(error)
					require.True(t, ok)
					require.ErrorIs(t, err, errBroken)
					assert.Contains(t, err.Error(), "foreign_test.go", "the stack of the panic")
				case "panics with a text":
					err, ok := recovered.(error)
					require.True(t, ok)
					assert.Contains(t, err.Error(), "text")
					require.NoError(t, errors.Unwrap(err))
				default:
					assert.Nil(t, recovered)
				}
			})
		}
	}
	var none foreign.Outcome
	returned, recovered := repeat(&none)
	assert.False(t, returned, "no call was made")
	assert.Nil(t, recovered)
}

// repeat repeats an outcome on another goroutine.
func repeat(outcome *foreign.Outcome) (returned bool, recovered any) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { recovered = recover() }()
		outcome.Repeat()
		returned = true
	}()
	<-ended
	return returned, recovered
}
