package main

import (
	"cmp"
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/cognitosync/cognitosync-go/inventory"
)

// row is the outcome for one pool. A nil count or date is unknown: the service does not report it,
// or the pool was not read.
type row struct {
	Account           string     `json:"account"` // a profile; "" is the default one
	Region            string     `json:"region"`
	IdentityPoolID    string     `json:"identityPoolId"` // "" if the pools in a region could not be listed
	IdentityPoolName  string     `json:"identityPoolName"`
	SyncSessionsCount *int64     `json:"syncSessionsCount"`
	DataStorage       *int64     `json:"dataStorage"`
	LastModifiedDate  *time.Time `json:"lastModifiedDate"`
	Attempts          int        `json:"attempts"`
	Error             *problem   `json:"error"` // nil if the pool was read
}

// target is a pool to read, in the first of the accounts that knows it.
type target struct {
	listedPool
	region   string
	accounts []*account
	row      *row // nil until it is known
}

// rowOf returns the row of a pool in an account.
func (t *target) rowOf(accountName string) *row {
	return &row{
		Account:          accountName,
		Region:           t.region,
		IdentityPoolID:   t.IdentityPoolID,
		IdentityPoolName: t.IdentityPoolName,
	}
}

// newRow returns the row of a result. If ctx is done, that may be the cause of its error.
func (t *target) newRow(ctx context.Context, a *account, result inventory.Result) *row {
	r := t.rowOf(a.name)
	r.Attempts = result.Attempts
	if result.Err != nil {
		if t.isLast(a) && len(t.accounts) > 1 && isElsewhere(result.Err) {
			r.Account = names(t.accounts)
		}
		if ctx.Err() != nil && errors.Is(result.Err, ctx.Err()) {
			r.Error = newInterruption(result.Err)
		} else {
			r.Error = newProblem(result.Err)
		}
		return r
	}
	r.SyncSessionsCount = result.Usage.SyncSessionsCount
	r.DataStorage = result.Usage.DataStorage
	r.LastModifiedDate = result.Usage.LastModifiedDate
	return r
}

func (t *target) isLast(a *account) bool { return t.accounts[len(t.accounts)-1] == a }

// sortRows sorts by the value of -sort, unknown values last. "" keeps the order.
func sortRows(rows []*row, key string) {
	byID := func(a, b *row) int {
		return cmp.Or(strings.Compare(a.IdentityPoolID, b.IdentityPoolID), strings.Compare(a.Account, b.Account))
	}
	var compare func(a, b *row) int
	switch key {
	case "storage":
		compare = func(a, b *row) int { return largestFirst(a.DataStorage, b.DataStorage, cmp.Compare) }
	case "sessions":
		compare = func(a, b *row) int { return largestFirst(a.SyncSessionsCount, b.SyncSessionsCount, cmp.Compare) }
	case "modified":
		compare = func(a, b *row) int { return largestFirst(a.LastModifiedDate, b.LastModifiedDate, time.Time.Compare) }
	case "id":
		compare = byID
	default:
		return
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Or(compare(a, b), byID(a, b)) })
}

func largestFirst[T any](a, b *T, compare func(a, b T) int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return compare(*b, *a)
}

// total sums up pools. Its sums have no maximum, because a single count can fill an int64.
type total struct {
	Account         string  `json:"account"`
	Region          string  `json:"region"`
	Pools           int     `json:"pools"`
	Read            int     `json:"read"`
	NotRead         int     `json:"notRead"`
	SyncSessions    big.Int `json:"syncSessionsCount"`
	UnknownSessions int     `json:"syncSessionsCountUnknown"` // pools that are not in the sum
	DataStorage     big.Int `json:"dataStorage"`
	UnknownStorage  int     `json:"dataStorageUnknown"` // pools that are not in the sum
}

func (t *total) add(r *row) {
	if r.IdentityPoolID == "" {
		return // a region without a list of pools
	}
	t.Pools++
	if r.Error != nil {
		t.NotRead++
	} else {
		t.Read++
	}
	addCount(&t.SyncSessions, &t.UnknownSessions, r.SyncSessionsCount)
	addCount(&t.DataStorage, &t.UnknownStorage, r.DataStorage)
}

func addCount(sum *big.Int, unknown *int, n *int64) {
	if n == nil {
		*unknown++
		return
	}
	sum.Add(sum, big.NewInt(*n))
}

// report is the outcome of the command.
type report struct {
	rows      []*row
	totals    []*total // by account and region
	all       total
	created   time.Time
	interrupt string // why the run ended early; "" if it did not
	isDemo    bool
}

func newReport(rows []*row) *report {
	r := &report{rows: rows, created: time.Now().UTC().Truncate(time.Second)}
	byKey := map[[2]string]*total{}
	for _, row := range rows {
		r.all.add(row)
		if row.IdentityPoolID == "" {
			continue
		}
		key := [2]string{row.Account, row.Region}
		if byKey[key] == nil {
			byKey[key] = &total{Account: row.Account, Region: row.Region}
			r.totals = append(r.totals, byKey[key])
		}
		byKey[key].add(row)
	}
	slices.SortFunc(r.totals, func(a, b *total) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region))
	})
	return r
}

// failed returns the rows of pools that were not read.
func (r *report) failed() []*row {
	var failed []*row
	for _, row := range r.rows {
		if row.Error != nil {
			failed = append(failed, row)
		}
	}
	return failed
}

// status returns the exit status.
func (r *report) status() int {
	switch failures := len(r.failed()); {
	case failures == 0:
		return exitOK
	case r.all.Read == 0:
		return exitNone
	}
	return exitSome
}
