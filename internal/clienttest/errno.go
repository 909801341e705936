//go:build !plan9

package clienttest

import "syscall"

// The errors of the operating system for connections.
const (
	ConnectionReset   = syscall.ECONNRESET
	ConnectionRefused = syscall.ECONNREFUSED
	HostUnreachable   = syscall.EHOSTUNREACH
)
