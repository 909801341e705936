package clienttest

import "syscall"

// What the operating system says of connections.
const (
	ConnectionReset   = syscall.ErrorString("connection reset by peer")
	ConnectionRefused = syscall.ErrorString("connection refused")
	HostUnreachable   = syscall.ErrorString("no route to host")
)
