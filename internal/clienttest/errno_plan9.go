package clienttest

import "syscall"

// The errors of the operating system for connections.
const (
	ConnectionReset   = syscall.ErrorString("connection reset by peer")
	ConnectionRefused = syscall.ErrorString("connection refused")
	HostUnreachable   = syscall.ErrorString("no route to host")
)
