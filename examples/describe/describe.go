package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/cognitosync/cognitosync-go"
)

// entry is one pool in the output. nil means that the service does not report the value.
type entry struct {
	IdentityPoolID    string   `json:"identityPoolId"` // as given
	SyncSessionsCount *int64   `json:"syncSessionsCount"`
	DataStorage       *int64   `json:"dataStorage"`
	LastModifiedDate  *string  `json:"lastModifiedDate"`    // RFC 3339
	RequestID         string   `json:"requestId,omitempty"` // with -v, or of a failure
	Error             *problem `json:"error,omitempty"`
}

// describe queries the pools one after the other and prints each as soon as it is
// known. A failure does not keep it from querying the other pools. It returns the
// exit status.
func (c *command) describe(ctx context.Context, client cognitosync.DescribeIdentityPoolUsageAPIClient) int {
	read, failed := 0, 0
	for id, err := range c.poolIDs(ctx) {
		if err != nil {
			failed++
			fmt.Fprintf(c.stderr, "describe: standard input: %v\n", err)
			break
		}
		out, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id})
		e := c.newEntry(id, out, err)
		if err := c.print(e, read == 0); err != nil {
			fmt.Fprintf(c.stderr, "describe: %v\n", err)
			return exitSomeFailed
		}
		if err == nil {
			read++
			continue
		}
		failed++
		if ctx.Err() != nil {
			break // interrupted: the others would fail in the same way
		}
	}

	switch {
	case read == 0 && failed == 0:
		fmt.Fprint(c.stderr, "describe: no pool ID on standard input; describe -h prints the usage\n")
		return exitUsage
	case failed == 0:
		return exitOK
	case read == 0:
		return exitAllFailed
	}
	return exitSomeFailed
}

// poolIDs yields the IDs of the command line, and those on standard input as they arrive.
func (c *command) poolIDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range c.pools {
			if id != "-" {
				if !yield(id, nil) {
					return
				}
				continue
			}
			words := bufio.NewScanner(interruptible(ctx, c.stdin))
			words.Split(bufio.ScanWords)
			for words.Scan() {
				if !yield(words.Text(), nil) {
					return
				}
			}
			if err := words.Err(); err != nil {
				yield("", err)
				return
			}
		}
	}
}

// interruptible returns a reader of r that fails when ctx is done, even while a read of
// r blocks.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		_, err := io.Copy(writer, r)
		writer.CloseWithError(err) // nil means io.EOF
	}()
	context.AfterFunc(ctx, func() { writer.CloseWithError(errors.New("interrupted")) })
	return reader
}

// newEntry returns what to print about a call.
func (c *command) newEntry(id string, out *cognitosync.DescribeIdentityPoolUsageOutput, err error) entry {
	e := entry{IdentityPoolID: id}
	if err != nil {
		e.Error, e.RequestID = c.newProblem(err), cognitosync.InspectError(err).RequestID
		return e
	}
	if c.verbose {
		e.RequestID, _ = awsmiddleware.GetRequestIDMetadata(out.ResultMetadata) // "" if there is none
	}
	usage := out.IdentityPoolUsage
	if usage == nil {
		return e
	}
	e.SyncSessionsCount, e.DataStorage = usage.SyncSessionsCount, usage.DataStorage
	if usage.LastModifiedDate != nil {
		modified := usage.LastModifiedDate.Format(time.RFC3339Nano)
		e.LastModifiedDate = &modified
	}
	return e
}

// print writes the entry. The first row of a table comes with a header.
func (c *command) print(e entry, first bool) error {
	if e.Error != nil {
		fmt.Fprintf(c.stderr, "describe: %s: %s\n", oneLine(e.IdentityPoolID), e.Error)
	}
	switch {
	case c.json:
		return json.NewEncoder(c.stdout).Encode(e)
	case e.Error != nil:
		return nil
	case first:
		if err := c.printRow("SYNC SESSIONS", "DATA STORAGE", "LAST MODIFIED", "REQUEST ID", "POOL ID"); err != nil {
			return err
		}
	}
	modified := ""
	if e.LastModifiedDate != nil {
		modified = *e.LastModifiedDate
	}
	return c.printRow(count(e.SyncSessionsCount), count(e.DataStorage), orDash(modified), orDash(e.RequestID), e.IdentityPoolID)
}

// printRow writes a row of the table. The widths are fixed, because the rows to come
// are not known yet.
func (c *command) printRow(sessions, storage, modified, requestID, id string) error {
	if c.verbose {
		id = fmt.Sprintf("%-36s  %s", requestID, id)
	}
	_, err := fmt.Fprintf(c.stdout, "%13s  %12s  %-24s  %s\n", sessions, storage, modified, id)
	return err
}

func count(n *int64) string {
	if n == nil {
		return orDash("")
	}
	return strconv.FormatInt(*n, 10)
}

// orDash returns s, or "-" for a value that the service does not report.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
