// Package foreign brings what a call of foreign code did on a goroutine of its own back to
// the goroutine that waits for it: a panic there must not end the process if it would have
// been recovered here.
package foreign

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// An Outcome is how a call ended: it returned, it panicked, or it ended its goroutine, as
// t.FailNow does. The zero value has not returned.
type Outcome struct {
	returned bool
	panicked *panicError
}

// Of calls f and notes how it ends. It returns, or ends its goroutine if f does.
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

// Repeat does to this goroutine what the call did to its own.
func (o *Outcome) Repeat() {
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
