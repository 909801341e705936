//go:build !plan9

package cognitosynctest

import "syscall"

// The system's errors for a connection that is reset, and for one that nobody accepts.
const (
	errnoReset   = syscall.ECONNRESET
	errnoRefused = syscall.ECONNREFUSED
)
