package main

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadPools(t *testing.T) {
	t.Parallel()
	a, b := listedPool{"us-east-1:a", ""}, listedPool{"eu-west-1:b", ""}
	namedA, namedB := listedPool{"us-east-1:a", "Notes app"}, listedPool{"eu-west-1:b", "b"}
	tests := []struct {
		name, text string
		want       poolList
	}{
		{"lines", "us-east-1:a\neu-west-1:b\n", poolList{pools: []listedPool{a, b}}},
		{"no newline at the end, and those of Windows", "us-east-1:a\r\neu-west-1:b", poolList{pools: []listedPool{a, b}}},
		{"blank lines, comments, white space", "# all\n\n  us-east-1:a # the old one\n\t\neu-west-1:b\n", poolList{pools: []listedPool{a, b}}},
		{"duplicates", "us-east-1:a\neu-west-1:b\nus-east-1:a\nus-east-1:a\n", poolList{pools: []listedPool{a, b}, duplicates: 2}},
		{"byte order mark", "\ufeffus-east-1:a\n", poolList{pools: []listedPool{a}}},
		{"empty", "", poolList{}},
		{"only comments", "\n# none\n", poolList{}},
		{
			"JSON of the AWS CLI",
			`{"IdentityPools": [{"IdentityPoolId": "us-east-1:a", "IdentityPoolName": "Notes app"}, {"IdentityPoolId": "eu-west-1:b", "IdentityPoolName": "b"}]}`,
			poolList{pools: []listedPool{namedA, namedB}},
		},
		{
			"JSON of two regions, incomplete",
			`{"IdentityPools": [{"IdentityPoolId": "us-east-1:a"}], "NextToken": "more"}` + "\n" + `{"IdentityPools": [{"IdentityPoolId": "eu-west-1:b"}]}`,
			poolList{pools: []listedPool{a, b}, incomplete: true},
		},
		{"JSON of --query IdentityPools", ` [{"IdentityPoolId": "us-east-1:a", "IdentityPoolName": "Notes app"}]`, poolList{pools: []listedPool{namedA}}},
		{"JSON of --query IdentityPools[].IdentityPoolId", "[\n\"us-east-1:a\",\n\"eu-west-1:b\"\n]", poolList{pools: []listedPool{a, b}}},
		{"JSON without pools", `{"IdentityPools": []}`, poolList{}},
		{
			"text of the AWS CLI", "IDENTITYPOOLS\tus-east-1:a\tNotes app\nIDENTITYPOOLS\teu-west-1:b\tb\nNEXTTOKEN\tmore\n",
			poolList{pools: []listedPool{namedA, namedB}, incomplete: true},
		},
		{"text of --query IdentityPools[].IdentityPoolId", "us-east-1:a\teu-west-1:b\n", poolList{pools: []listedPool{a, b}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := readPools(iotest.OneByteReader(strings.NewReader(test.text)))
			require.NoError(t, err)
			got.seen = nil
			assert.Equal(t, test.want, got)
		})
	}
}

func TestReadPools_errors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"a table", "us-east-1:a\nus-east-1:b,Notes\n", `line 2: "us-east-1:b,Notes" is not a pool ID`},
		{"CSV", "\"id\"\n", `line 1: "\"id\"" is not a pool ID`},
		{"UTF-16", "\xff\xfeu\x00s\x00", "the list is UTF-16: save it as UTF-8"},
		{"binary", "us-east-1:a\n\x80\x81\n", "line 2 is not UTF-8 text"},
		{"control characters", "us-east-1:a\x1b[31m\n", `line 1: "us-east-1:a\x1b[31m" is not a pool ID`},
		{"broken JSON", `{"IdentityPools": [`, "JSON: unexpected EOF"},
		{"other JSON", `{"UserPools": []}`, `JSON: missing the member "IdentityPools"`},
		{"JSON with another type", `{"IdentityPools": [{"IdentityPoolId": "x:1"}, 7]}`, "JSON: pool 2: "},
		{"JSON without an ID", `{"IdentityPools": [{"IdentityPoolName": "x"}]}`, "JSON: pool 1: empty pool ID"},
		{"text without an ID", "IDENTITYPOOLS\n", "line 1: empty pool ID"},
		{"an endless line", strings.Repeat("x", 17<<20), "line 1: bufio.Scanner: token too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := readPools(strings.NewReader(test.text))
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, poolList{}, got)
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("broken disk")
		for _, text := range []string{"", "us-east-1:a\n", `{"IdentityPools": [`} {
			got, err := readPools(iotest.DataErrReader(&failingReader{text, broken}))
			require.ErrorIs(t, err, broken)
			assert.Equal(t, poolList{}, got)
		}
	})
}

// failingReader returns an error after a text.
type failingReader struct {
	text string
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, r.err
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}
