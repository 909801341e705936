// Package foreign repeats the outcome of a call on another goroutine. It is for the caller's
// code that runs on its own goroutine: a panic there would end the process, even if the
// waiting goroutine would recover it.
package foreign

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// An Outcome is how a function call ended. It returned, panicked, or ended its goroutine, as
// t.FailNow does. The zero value is the outcome of a call that has not returned.
type Outcome struct {
	returned bool
	panicked *panicError
}

// Of calls f and records how the call ends. If f ends its goroutine, so does Of.
func (o *Outcome) Of(f func()) {
	*o = Outcome{}
	defer func() { o.note(recover()) }()
	f()
	o.returned = true
}

func (o *Outcome) note(recovered any) {
	if recovered != nil {
		o.panicked = &panicError{recovered, debug.Stack()}
	}
}

// Repeat returns, panics or ends its goroutine, as the call did.
func (o *Outcome) Repeat() {
	switch {
	case o.panicked != nil:
		panic(o.panicked)
	case !o.returned:
		runtime.Goexit()
	}
}

// panicError is the value of a panic on another goroutine, with that goroutine's stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("%v\n\n%s", e.value, e.stack) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}
