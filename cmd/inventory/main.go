// Command inventory reports how many sync sessions and how much data Amazon Cognito Sync identity
// pools hold, and when each was last modified, over many pools, regions and accounts.
//
//	go run -C cmd/inventory .                    # a demonstration: an embedded fake service responds
//	go run -C cmd/inventory . -discover all      # all pools of an account
//	go run -C cmd/inventory . -pools pools.txt   # the pools of a list
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitOK    = 0
	exitSome  = 1 // some pools were not read, or the results could not be written
	exitUsage = 2 // wrong usage
	exitNone  = 3 // no pool was read
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process
	signal.Ignore(syscall.SIGPIPE)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main with its dependencies as parameters. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.printHelp(stdout)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "inventory: %s; inventory -h lists the flags\n", printable(err.Error()))
		return exitUsage
	}
	c.stdin, c.stdout, c.stderr = stdin, stdout, stderr
	return c.run(ctx)
}
