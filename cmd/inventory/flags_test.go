package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRun_wrongUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"-x"}, "flag provided but not defined: -x"},
		{"two sources", []string{"-pools", "a", "-discover", "all"}, "use only one of pool IDs as arguments, -pools and -discover"},
		{"two sources, arguments", []string{"-discover", "all", "us-east-1:1"}, "use only one of pool IDs as arguments, -pools and -discover"},
		{"flag after an ID", []string{"us-east-1:1", "-q"}, "-q is not a pool ID; flags come before pool IDs"},
		{"no ID", []string{"us-east-1:1,us-east-1:2"}, `"us-east-1:1,us-east-1:2" is not a pool ID such as us-east-1:23EC`},
		{"control character", []string{"us-east-1:\x1b[31m"}, `is not a pool ID`},
		{"profile alone", []string{"-profile", "a"}, "-profile needs pool IDs, -pools or -discover"},
		{"profile twice", []string{"-profile", "a", "-profile", "a"}, "-profile: given twice"},
		{"blank profile", []string{"-profile", " "}, "-profile: must not be blank"},
		{"region alone", []string{"-region", "us-east-1"}, "-region needs pool IDs, -pools or -discover"},
		{"region", []string{"-region", "Mars", "x:1"}, `-region "Mars": want a region such as us-east-1`},
		{"discover", []string{"-discover", "us-east-1,mars"}, `-discover: "mars" is neither a region such as us-east-1 nor all`},
		{"endpoint alone", []string{"-endpoint", "http://127.0.0.1:1"}, "-endpoint needs pool IDs, -pools or -discover"},
		{"endpoint", []string{"-endpoint", "127.0.0.1", "x:1"}, "-endpoint: want a URL such as http://127.0.0.1:4566"},
		{"concurrency", []string{"-concurrency", "0"}, "-concurrency 0: want 1 to 1000"},
		{"concurrency is no number", []string{"-concurrency", "many"}, `invalid value "many" for flag -concurrency`},
		{"rate", []string{"-rate", "-1"}, "-rate -1: want requests per second, or 0 for no limit"},
		{"rate is no number", []string{"-rate", "NaN"}, "-rate NaN: want requests per second"},
		{"timeout", []string{"-timeout", "-1s"}, "-timeout -1s: want a duration such as 30m, or 0 for no limit"},
		{"max-wait", []string{"-max-wait", "-1s"}, "-max-wait -1s: want a duration such as 10m, or 0 for no retries"},
		{"format", []string{"-format", "xml"}, `-format "xml": want table, csv, json, ndjson`},
		{"sort", []string{"-sort", "size"}, `-sort "size": want storage, sessions, modified, id`},
		{"quiet and verbose", []string{"-q", "-v"}, "use only one of -q and -v"},
		{"one file for two", []string{"-o", "a", "-html", "a"}, "-o and -html name the same file, a"},
		{"missing list", []string{"-pools", "/does/not/exist"}, "-pools: open /does/not/exist: no such file or directory"},
		{"empty list", []string{"-pools", "-"}, "-pools: standard input contains no pool ID"},
		{"output directory", []string{"-o", "/does/not/exist/file"}, "-o: open /does/not/exist/"},
		{"output is a directory", []string{"-o", "/"}, "-o: / is a directory"},
		{"page directory", []string{"-html", "/does/not/exist/file"}, "-html: open /does/not/exist/"},
		{"state directory", []string{"-state", "/does/not/exist/file"}, "-state: open /does/not/exist/"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t.Context(), "", test.args...)
			assert.Equal(t, exitUsage, got.status)
			assert.Empty(t, got.stdout)
			assert.Contains(t, got.stderr, test.want)
			assert.NotContains(t, got.stderr, "\x1b")
		})
	}
}

func TestRun_help(t *testing.T) {
	t.Parallel()
	got := runCommand(t.Context(), "", "-h")
	assert.Equal(t, exitOK, got.status)
	assert.Empty(t, got.stderr)
	for _, flag := range []string{"pools", "discover", "profile", "region", "endpoint", "concurrency", "rate", "timeout", "max-wait",
		"format", "o", "sort", "html", "state", "q", "v"} {
		assert.Contains(t, got.stdout, "  -"+flag+"", flag)
	}
}
