package cognitosynctest

import "syscall"

// Plan 9 reports errors as strings, not numbers.
const (
	errnoReset   = syscall.ErrorString("connection reset by peer")
	errnoRefused = syscall.ErrorString("connection refused")
)
