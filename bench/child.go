package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Some of the work is done in child processes, which run this program in another role and exchange JSON over standard
// input and output. The fake service is one of them, so that only the client's allocations are counted and only its
// garbage is collected.

// The roles of a child, given as the only argument of the program.
const (
	serveRole    = "serve"
	inFlightRole = "in-flight"
)

// runRole runs the child's role if args, the program's arguments, name one. It reports whether they do.
func runRole(args []string, in io.Reader, out io.Writer) (bool, error) {
	if len(args) != 2 {
		return false, nil
	}
	switch args[1] {
	case serveRole:
		return true, serve(in, out)
	case inFlightRole:
		return true, runInFlight(in, out)
	}
	return false, nil
}

// A child is the parent's handle of a child process.
type child struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *json.Decoder
}

// startChild starts this program in the role. The caller must end it.
func startChild(ctx context.Context, role string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.CommandContext(ctx, program, role)}
	c.command.Stderr = os.Stderr
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = json.NewDecoder(stdout)
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	return c, nil
}

// request sends a request to the child and decodes its result.
func (c *child) request(request, result any) error {
	if err := json.NewEncoder(c.stdin).Encode(request); err != nil {
		return err
	}
	return c.stdout.Decode(result)
}

// end closes the child's input, which ends it, decodes its last output unless last is nil, and waits for it to exit.
func (c *child) end(last any) error {
	err := c.stdin.Close()
	if last != nil {
		err = errors.Join(err, c.stdout.Decode(last))
	}
	if waitErr := c.command.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", c.command.Args[1], waitErr))
	}
	return err
}
