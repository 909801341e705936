// The fake service's certificate replaces the machine's roots; see trustedIdentity.
//go:debug x509usefallbackroots=1

// Command bench measures the cost of a DescribeIdentityPoolUsage call with this library and with its alternatives, side by
// side on one machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	if handled, err := runRole(os.Args, os.Stdin, os.Stdout); handled {
		exitOnError(err)
		return
	}
	quick := flag.Bool("quick", false, "run briefly, as a check: the figures are rough, and no files are written without -o")
	dir := flag.String("o", "", "write "+markdownFile+" and "+chartFile+" to this `directory` (default the current one)")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	chosen := fullPlan
	if *quick {
		chosen = quickPlan
	} else if *dir == "" {
		*dir = "."
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, chosen, *dir, os.Stdout, os.Stderr)
	exitOnError(err)
	exitOnError(missed(r))
}

func exitOnError(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Names of the files that a run writes.
const (
	markdownFile = "RESULTS.md"
	chartFile    = "results.svg"
)

// run carries out p, writes the report to out and, unless dir is empty, the report and the chart to files in dir. It
// writes progress messages to progress.
func run(ctx context.Context, p plan, dir string, out, progress io.Writer) (results, error) {
	if err := clearAWSEnvironment(); err != nil {
		return results{}, err
	}
	r, err := measureAll(ctx, p, progress)
	if err != nil {
		return results{}, err
	}
	report := markdown(r)
	if _, err := io.WriteString(out, report); err != nil || dir == "" {
		return r, err
	}
	return r, writeFiles(dir, report, chart(r))
}

// writeFiles writes the files of a run to dir, and makes dir if necessary.
func writeFiles(dir, report, chart string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, markdownFile), []byte(report), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, chartFile), []byte(chart), 0o644)
}

// A plan says how long and how often to measure. In each round, every client has a turn.
type plan struct {
	quick      bool
	costRounds int           // rounds for the cost of a call: many and short, because the ratios must be precise
	cost       time.Duration // duration of a turn in these rounds
	rounds     int           // rounds for everything else
	traffic    time.Duration // duration of a turn at one number of goroutines
	goroutines []int         // numbers of goroutines that share a client
	inFlight   []int         // numbers of calls in flight
}

var (
	fullPlan = plan{
		costRounds: 25,
		cost:       100 * time.Millisecond,
		rounds:     5,
		traffic:    time.Second,
		goroutines: []int{1, 16, 64, 256},
		inFlight:   []int{256, 4096},
	}
	quickPlan = plan{
		quick:      true,
		costRounds: 9,
		cost:       20 * time.Millisecond,
		rounds:     1,
		traffic:    50 * time.Millisecond,
		goroutines: []int{1, 16, 64, 256},
		inFlight:   []int{256, 4096},
	}
)
