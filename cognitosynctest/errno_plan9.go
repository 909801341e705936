package cognitosynctest

import "syscall"

// Plan 9 has texts in place of numbers.
const (
	errnoReset   = syscall.ErrorString("connection reset by peer")
	errnoRefused = syscall.ErrorString("connection refused")
)
