//go:build !plan9

package clienttest

import "syscall"

// What the operating system says of connections.
const (
	ConnectionReset   = syscall.ECONNRESET
	ConnectionRefused = syscall.ECONNREFUSED
	HostUnreachable   = syscall.EHOSTUNREACH
)
