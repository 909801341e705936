package httpclient

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// outcome is how a call of foreign code on a goroutine of its own ended: it returned,
// it panicked, or it ended its goroutine, as t.FailNow does in a test's HTTP client.
type outcome struct {
	returned bool
	panicked *panicError
}

// note takes the value of recover().
func (o *outcome) note(recovered any) {
	if recovered != nil {
		o.panicked = &panicError{recovered, debug.Stack()}
	}
}

// repeat does to this goroutine what the call did to its own.
func (o *outcome) repeat() {
	switch {
	case o.panicked != nil:
		panic(o.panicked)
	case !o.returned:
		runtime.Goexit()
	}
}

// panicError is a panic that was brought over from another goroutine, with the stack
// of that one.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("%v\n\n%s", e.value, e.stack) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}
