package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A target is a limit for a measurement of this library.
type target struct {
	what     string
	rounds   []float64 // the measurement in each round
	bound    float64
	atLeast  bool // bound is a minimum; otherwise a maximum
	decimals int  // of the displayed value, which is the one compared
	exact    bool // independent of the machine and its load, so a run that misses it fails
}

// targets returns the targets with their measurements. It omits those for a number of goroutines that was not measured.
func targets(r results) []target {
	all := []target{
		{
			what:   "allocations of a call",
			rounds: r.stub.values(directName, callAllocs), bound: 90, exact: true,
		},
		{
			what:   "allocations that an option function adds",
			rounds: r.stub.differences(optionName, directName, callAllocs), bound: 15, exact: true,
		},
		{
			what:   "time of a call ÷ by hand",
			rounds: r.stub.ratios(directName, byHandName, callTime), bound: 0.85, decimals: 2,
		},
		{
			what:   "time of a call ÷ bare",
			rounds: r.stub.ratios(directName, bareName, callTime), bound: 1.3, decimals: 2,
		},
		{
			what:   "time of a call ÷ v2 sibling",
			rounds: r.stub.ratios(directName, sdkV2Name, callTime), bound: 0.35, decimals: 2,
		},
		{
			what:   "time of a call through a stack ÷ v2 sibling",
			rounds: r.stub.ratios(stackName, sdkV2Name, callTime), bound: 0.58, decimals: 2,
		},
	}
	const goroutines = 256
	if tls, measured := r.tls[goroutines]; measured {
		perGoroutine := func(t traffic) float64 { return t.connections / goroutines }
		all = append(all,
			target{
				what:   fmt.Sprintf("calls/s of %d goroutines over TLS ÷ v2 sibling", goroutines),
				rounds: tls.ratios(directName, sdkV2Name, callsPerSecond), bound: 5, atLeast: true, decimals: 2,
			},
			target{
				what:   fmt.Sprintf("connections of %[1]d goroutines over TLS ÷ %[1]d", goroutines),
				rounds: tls.values(directName, perGoroutine), bound: 1.1, decimals: 2,
			},
		)
	}
	return all
}

// met reports whether the median of the rounds, as displayed, is within the bound.
func (t target) met() bool {
	displayed := t.rounded(medianNumber(t.rounds))
	if t.atLeast {
		return displayed >= t.bound
	}
	return displayed <= t.bound
}

// missed returns an error that names each exact target that r does not meet.
func missed(r results) error {
	var all []error
	for _, t := range targets(r) {
		if t.exact && !t.met() {
			measured := t.rounded(medianNumber(t.rounds))
			all = append(all, fmt.Errorf("%s: measured %s, but the limit is %s",
				t.what, decimals(measured, t.decimals), decimals(t.bound, t.decimals)))
		}
	}
	return errors.Join(all...)
}

// rounded returns number rounded to the decimals of t.
func (t target) rounded(number float64) float64 {
	unit := math.Pow10(t.decimals)
	return math.Round(number*unit) / unit
}

// targetTable returns a table with a row for each target.
func targetTable(r results) table {
	t := table{header: []string{"what", "target", "measured", "interquartile range", "met"}}
	for _, target := range targets(r) {
		sorted := slices.Sorted(slices.Values(target.rounds))
		show := func(number float64) string { return decimals(target.rounded(number), target.decimals) }
		limit, verdict := "at most ", "no"
		if target.atLeast {
			limit = "at least "
		}
		if target.met() {
			verdict = "yes"
		}
		t.rows = append(t.rows, []string{
			target.what, limit + show(target.bound), show(medianNumber(target.rounds)),
			show(quantile(sorted, 0.25)) + " to " + show(quantile(sorted, 0.75)), verdict,
		})
	}
	return t
}
