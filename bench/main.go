// The fake service's certificate stands in for the machine's roots; see trustedIdentity.
//go:debug x509usefallbackroots=1

// Command bench measures what one DescribeIdentityPoolUsage call costs with this module and with what a Go program would
// use in its place, side by side on one machine. See README.md.
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
	if played, err := playRole(os.Args, os.Stdin, os.Stdout); played {
		exitOn(err)
		return
	}
	quick := flag.Bool("quick", false, "measure briefly, to see that it works: the figures are rough, "+
		"and go to no file unless -o is given")
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
	exitOn(run(ctx, chosen, *dir, os.Stdout, os.Stderr))
}

// exitOn ends the program with a message if err is not nil.
func exitOn(err error) {
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

// run measures as p says, prints the report, and writes it with its chart to dir unless that is empty. Progress goes to
// progress.
func run(ctx context.Context, p plan, dir string, out, progress io.Writer) error {
	if err := forgetAWS(); err != nil {
		return err
	}
	r, err := measureAll(ctx, p, progress)
	if err != nil {
		return err
	}
	report := markdown(r)
	if _, err := io.WriteString(out, report); err != nil {
		return err
	}
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, markdownFile), []byte(report), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, chartFile), []byte(chart(r)), 0o644)
}

// A plan says how long and how often to measure. In each round the clients take turns.
type plan struct {
	quick      bool
	costRounds int           // rounds of the cost of a call; many short ones, because their ratios must be precise
	cost       time.Duration // for the cost of one client's call, in a round
	rounds     int           // rounds of all else
	traffic    time.Duration // for one client at one number of goroutines, in a round
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
