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

// Some of the work is done by processes of their own, which run this program in another role and speak JSON over their
// standard input and output. The fake service is one: so the allocations that are counted are the client's alone, and so
// is the garbage that slows it down.

// The roles of a child, given as the program's only argument.
const (
	serveRole    = "serve"
	inFlightRole = "in-flight"
)

// playRole does the child's work if args, a program's arguments, ask for a role, and reports whether they did.
func playRole(args []string, in io.Reader, out io.Writer) (bool, error) {
	if len(args) != 2 {
		return false, nil
	}
	switch args[1] {
	case serveRole:
		return true, serve(in, out)
	case inFlightRole:
		return true, holdInFlight(in, out)
	}
	return false, nil
}

// A child is the parent's side of such a process.
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

// ask sends the question and reads the answer.
func (c *child) ask(question, answer any) error {
	if err := json.NewEncoder(c.stdin).Encode(question); err != nil {
		return err
	}
	return c.stdout.Decode(answer)
}

// end closes the child's input, at which it ends, reads its last word unless that is nil, and waits for it.
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
