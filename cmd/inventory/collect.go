package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cognitosync/cognitosync-go/inventory"
)

// run executes the command. It returns the exit status.
func (c *command) run(ctx context.Context) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("%w: -timeout %v", context.DeadlineExceeded, c.timeout))
		defer stop()
	}

	targets, unlisted, status := c.targets(ctx)
	if status != exitOK {
		return status
	}
	out, err := c.openOutputs()
	if err != nil {
		return c.fail(exitUsage, err)
	}
	defer out.discard()
	state, err := openState(c.state, c.endpointName())
	if err != nil {
		return c.fail(exitUsage, err)
	}
	state.apply(targets)

	col := &collector{command: c, ctx: ctx, cancel: cancel, targets: targets, state: state, out: out}
	col.progress = c.newMeter(countMissing(targets))
	for _, row := range unlisted {
		col.stream(row)
	}
	col.collect()
	col.progress.stop()

	report := col.report(unlisted)
	return c.finish(report, col)
}

// fail prints an error and returns the status.
func (c *command) fail(status int, err error) int {
	fmt.Fprintf(c.stderr, "inventory: %s\n", printable(err.Error()))
	return status
}

// notify prints a line to standard error, unless -q is set.
func (c *command) notify(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(c.stderr, "inventory: %s\n", printable(fmt.Sprintf(format, args...)))
	}
}

// endpointName returns the name that the state file records for the service.
func (c *command) endpointName() string {
	if c.isDemonstration() {
		return "demonstration"
	}
	return c.endpoint
}

// targets returns the pools to read, and a row for each region whose pools could not be listed. If the
// status is not exitOK, the command ends with it.
func (c *command) targets(ctx context.Context) (targets []*target, unlisted []*row, status int) {
	if c.isDemonstration() {
		c.notify("no pools given: this is a demonstration with an embedded fake service, not AWS")
		demo, err := newDemo(ctx)
		if err != nil {
			return nil, nil, c.fail(exitNone, err)
		}
		context.AfterFunc(ctx, demo.close)
		return demo.targets, nil, exitOK
	}
	list, err := c.listed()
	if err != nil {
		return nil, nil, c.fail(exitUsage, err)
	}
	if list.duplicates > 0 {
		c.notify("%s left out", plural(list.duplicates, "duplicate"))
	}
	if list.incomplete {
		c.notify("the list is incomplete: it contains a NextToken")
	}
	accounts, err := c.accounts(ctx)
	if err != nil {
		return nil, nil, c.fail(exitUsage, err)
	}
	for _, pool := range list.pools {
		targets = append(targets, &target{listedPool: pool, region: regionIn(pool.IdentityPoolID), accounts: accounts})
	}
	if len(c.discover) == 0 {
		return targets, nil, exitOK
	}
	for _, found := range c.discoverPools(ctx, accounts) {
		for _, pool := range found.pools {
			targets = append(targets, &target{listedPool: pool, region: found.region, accounts: []*account{found.account}})
		}
		if found.err != nil {
			p := listProblem(found.err)
			unlisted = append(unlisted, &row{Account: found.account.name, Region: found.region, Error: p})
			c.notify("%s%s: %s: %s", prefix(found.account.name, " "), found.region, p.Code, p.Reason)
		}
	}
	c.notify("%s found in %s", plural(len(targets), "pool"), plural(len(c.discover), "region"))
	return targets, unlisted, exitOK
}

func prefix(s, separator string) string {
	if s == "" {
		return ""
	}
	return s + separator
}

func countMissing(targets []*target) int {
	missing := 0
	for _, t := range targets {
		if t.row == nil {
			missing++
		}
	}
	return missing
}

// collector reads the targets. Only one goroutine changes it.
type collector struct {
	*command
	ctx      context.Context
	cancel   context.CancelCauseFunc
	targets  []*target
	state    *state
	out      *outputs
	progress *meter

	streamErr error // the first error of streaming results
	stateErr  error // the first error of saving the state
}

// event is a result or a retry in an account.
type event struct {
	account *account
	target  *target
	result  inventory.Result
	retry   *inventory.Retry
}

// collect reads all targets without a row. A pool that is not in one account is queried in the next.
func (c *collector) collect() {
	for _, t := range c.targets {
		if t.row != nil {
			c.stream(t.row)
		}
	}
	for round := 0; c.ctx.Err() == nil; round++ {
		pending := make(map[*account][]*target)
		for _, t := range c.targets {
			if t.row == nil && round < len(t.accounts) {
				pending[t.accounts[round]] = append(pending[t.accounts[round]], t)
			}
		}
		if len(pending) == 0 {
			break
		}
		c.collectRound(pending)
	}
	c.saveState(true)
}

// collectRound reads the targets of each account.
func (c *collector) collectRound(pending map[*account][]*target) {
	events := make(chan event)
	var accounts sync.WaitGroup
	for account, targets := range pending {
		accounts.Go(func() { c.query(account, targets, events) })
	}
	go func() {
		accounts.Wait()
		close(events)
	}()
	for e := range events {
		switch {
		case e.retry != nil:
			c.progress.retry(*e.retry)
			c.logRetry(e.account, e.retry)
		case e.result.Err != nil && !e.target.isLast(e.account) && isElsewhere(e.result.Err):
			// The next account may have the pool.
		default:
			c.add(e.target, e.target.newRow(c.ctx, e.account, e.result))
		}
		c.saveState(false)
	}
}

// query reads targets in one account and sends the outcomes to events.
func (c *collector) query(a *account, targets []*target, events chan<- event) {
	byID := make(map[string]*target, len(targets))
	for _, t := range targets {
		byID[t.IdentityPoolID] = t
	}
	ids := func(yield func(string) bool) {
		for _, t := range targets {
			if !yield(t.IdentityPoolID) {
				return
			}
		}
	}
	for result := range inventory.Run(c.ctx, a.client, ids, func(o *inventory.Options) {
		o.Concurrency = c.concurrency
		o.MaxRate = c.rate
		o.MaxWait = c.maxWait
		if c.maxWait == 0 {
			o.MaxWait = -1
		}
		o.OnRetry = func(r inventory.Retry) { events <- event{account: a, retry: &r} }
	}) {
		events <- event{account: a, target: byID[result.IdentityPoolId], result: result}
	}
}

// add sets the row of t.
func (c *collector) add(t *target, r *row) {
	t.row = r
	c.state.add(r)
	c.progress.done(r)
	if r.Error != nil && c.verbose {
		c.progress.log(fmt.Sprintf("%s%s: %s: %s", prefix(r.Account, " "), r.IdentityPoolID, r.Error.Code, r.Error.Reason))
	}
	c.stream(r)
}

// stream writes a row immediately if the format allows it.
func (c *collector) stream(r *row) {
	if !c.streams() || c.streamErr != nil {
		return
	}
	c.streamErr = c.out.results.writeRow(r)
	if c.streamErr != nil && c.out.file == nil {
		c.cancel(fmt.Errorf("write results: %w", c.streamErr)) // standard output is closed
	}
}

// streams reports whether results are written as they become known.
func (c *command) streams() bool { return c.format == "ndjson" && c.sort == "" }

// logRetry prints a retry, if -v is set.
func (c *collector) logRetry(a *account, r *inventory.Retry) {
	if !c.verbose {
		return
	}
	p := newProblem(r.Err)
	rate := ""
	if r.Rate > 0 {
		rate = fmt.Sprintf(", %.1f requests/s", r.Rate)
	}
	c.progress.log(fmt.Sprintf("%s%s: attempt %d: %s: %s%s", prefix(a.name, " "), r.IdentityPoolId, r.Attempts, p.Code, p.Reason, rate))
}

// saveState saves the rows read so far. A failure is reported once and does not end the run.
func (c *collector) saveState(now bool) {
	if err := c.state.save(now); err != nil && c.stateErr == nil {
		c.stateErr = err
		c.progress.log(fmt.Sprintf("-state: %v; the run continues, and the file is unchanged", err))
	}
}

// report returns the rows of all targets, including those that were not queried.
func (c *collector) report(unlisted []*row) *report {
	rows := slices.Clone(unlisted)
	interrupt := ""
	if c.ctx.Err() != nil {
		interrupt = "interrupted"
		if cause := context.Cause(c.ctx); !errors.Is(cause, context.Canceled) {
			interrupt = cause.Error()
		}
	}
	for _, t := range c.targets {
		if t.row == nil {
			t.row = t.rowOf(names(t.accounts))
			t.row.Error = notQueried(interrupt)
			c.stream(t.row)
		}
		rows = append(rows, t.row)
	}
	sortRows(rows, c.sort)
	r := newReport(rows)
	r.interrupt = interrupt
	r.isDemo = c.isDemonstration()
	return r
}

// finish writes the results and the page and returns the exit status.
func (c *command) finish(r *report, col *collector) int {
	status := r.status()
	if err := col.streamErr; err != nil && col.out.file == nil {
		c.fail(status, fmt.Errorf("write results: %w", err))
		status = max(status, exitSome)
	}
	for _, write := range []func() error{
		func() error { return c.writeResults(r, col.out, col.streamErr) },
		func() error { return c.writePage(r, col.out) },
	} {
		if err := write(); err != nil {
			c.fail(status, err)
			status = max(status, exitSome)
		}
	}
	if err := col.stateErr; err != nil {
		status = max(status, exitSome)
	}
	c.notify("%s", r.summary())
	return status
}

// summary returns the outcome in one line.
func (r *report) summary() string {
	s := fmt.Sprintf("%s of %s read", group(int64(r.all.Read)), plural(r.all.Pools, "pool"))
	if r.all.NotRead > 0 {
		s += fmt.Sprintf(", %s failed", group(int64(r.all.NotRead)))
	}
	if r.interrupt != "" {
		s += "; " + r.interrupt
	}
	return s
}
