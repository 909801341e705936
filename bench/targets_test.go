package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTargetTable(t *testing.T) {
	t.Parallel()
	r := sampleResults()
	for name, rounds := range r.stub {
		r.stub[name] = slices.Repeat(rounds, 4)
	}
	r.stub[directName] = []cost{{9_000, 7_000, 80}, {11_000, 7_000, 91}, {10_000, 7_000, 90.4}, {12_000, 7_000, 90}}
	r.stub[byHandName] = slices.Repeat([]cost{{10_000, 8_000, 100}}, 4)
	var b strings.Builder

	writeTable(&b, targetTable(r))

	for _, want := range []string{
		"| what | target | measured | interquartile range | met |\n| --- | ---: | ---: | ---: | ---: |\n",
		"| allocations of a call | at most 90 | 90 | 80 to 90 | yes |\n",
		"| time of a call ÷ by hand | at most 0.85 | 1.05 | 0.90 to 1.10 | no |\n",
		"| calls/s of 256 goroutines over TLS ÷ v2 sibling | at least 5.00 | 16.00 | 16.00 to 16.00 | yes |\n",
	} {
		assert.Contains(t, b.String(), want)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	measured := make(map[string][]float64)
	for _, target := range targets(sampleResults()) {
		measured[target.what] = target.rounds
	}
	assert.Equal(t, map[string][]float64{
		"allocations of a call":                           {80},
		"allocations that an option function adds":        {18},
		"time of a call ÷ by hand":                        {11.0 / 12.5},
		"time of a call ÷ bare":                           {1.1},
		"time of a call ÷ v2 sibling":                     {11.0 / 30},
		"time of a call through a stack ÷ v2 sibling":     {0.5},
		"calls/s of 256 goroutines over TLS ÷ v2 sibling": {16},
		"connections of 256 goroutines over TLS ÷ 256":    {257.0 / 256},
	}, measured)

	few := sampleResults()
	few.tls = map[int]samples[traffic]{1: few.tls[1]}
	assert.Len(t, targets(few), len(measured)-2, "there are no targets for 256 goroutines without measurements")
}

func TestMissed(t *testing.T) {
	t.Parallel()
	within := sampleResults()
	within.stub[directName] = []cost{{11_000, 7_000, 90}}
	within.stub[optionName] = []cost{{12_000, 9_000, 105}}
	assert.NoError(t, missed(within))

	slow := sampleResults()
	slow.stub[directName] = []cost{{900_000, 7_000, 90}}
	slow.stub[optionName] = []cost{{900_000, 7_000, 105}}
	assert.NoError(t, missed(slow), "the time of a call depends on the machine")

	over := sampleResults()
	over.stub[directName] = []cost{{11_000, 7_000, 91}}
	over.stub[optionName] = []cost{{12_000, 9_000, 107}}
	assert.EqualError(t, missed(over), "allocations of a call: measured 91, but the limit is 90\n"+
		"allocations that an option function adds: measured 16, but the limit is 15")
}

func TestTargetMet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		target target
		want   bool
	}{
		{"below the maximum", target{rounds: []float64{80}, bound: 90}, true},
		{"at the maximum", target{rounds: []float64{90}, bound: 90}, true},
		{"at the maximum after rounding", target{rounds: []float64{90.4}, bound: 90}, true},
		{"above the maximum", target{rounds: []float64{90.6}, bound: 90}, false},
		{"the median is compared", target{rounds: []float64{300, 80, 85}, bound: 90}, true},
		{"the displayed decimals are compared", target{rounds: []float64{0.856}, bound: 0.85, decimals: 2}, false},
		{"above the minimum", target{rounds: []float64{7}, bound: 5, atLeast: true}, true},
		{"below the minimum", target{rounds: []float64{4.99}, bound: 5, atLeast: true, decimals: 2}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, test.target.met())
		})
	}
}
