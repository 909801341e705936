//go:build !plan9

package cognitosynctest

import "syscall"

// What the operating system calls a broken connection, and one that nobody accepts.
const (
	errnoReset   = syscall.ECONNRESET
	errnoRefused = syscall.ECONNREFUSED
)
