package ci_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	markdown "github.com/yuin/goldmark/ast"
	extension "github.com/yuin/goldmark/extension/ast"
)

// testName is the name of a test in a document, after the directory of its package where
// that is not the root.
var testName = regexp.MustCompile(`^(?:([\w./-]+)\.)?((?:Test|Fuzz|Benchmark|Example)(?:[A-Z_]\w*)?)$`)

// TestTestNames looks for every test that a document names in a span of code.
func TestTestNames(t *testing.T) {
	t.Parallel()
	tests := testFunctions(t)
	found := 0
	for _, d := range documents(t) {
		for _, span := range d.spans() {
			if match := testName.FindStringSubmatch(span.text); match != nil {
				found++
				assert.Contains(t, tests[match[1]], match[2], "%s: there is no %s", span.at, span.text)
			}
		}
	}
	assert.Greater(t, found, 20, "CONTRIBUTING.md says which test covers what")
}

// TestPromises looks at the table in CONTRIBUTING.md of what the documents promise: each row
// leads to where that is promised, names a test, and no document of promises is left out.
// That the places and tests exist is for TestLinks and TestTestNames.
func TestPromises(t *testing.T) {
	t.Parallel()
	guide := named(t, "CONTRIBUTING.md")
	promisedIn := make(map[string]bool)
	for _, row := range rowsBelow(t, guide, "Which test covers what") {
		places, tests := 0, 0
		_ = markdown.Walk(row, func(n markdown.Node, entering bool) (markdown.WalkStatus, error) {
			switch n := n.(type) {
			case *markdown.Link:
				if entering {
					places++
					promisedIn[string(n.Destination)] = true
				}
			case *markdown.CodeSpan:
				if entering && testName.MatchString(guide.text(n)) {
					tests++
				}
			}
			return markdown.WalkContinue, nil
		})
		at := guide.at(guide.start(row))
		assert.Equal(t, 1, places, "%s: one place where this is promised", at)
		assert.Positive(t, tests, "%s: a test for this", at)
	}
	for _, d := range documents(t) {
		if d.path != "SECURITY.md" && filepath.Dir(d.path) != "docs" {
			continue
		}
		for _, anchor := range sections(d) {
			assert.True(t, promisedIn[d.path+"#"+anchor], "%s#%s has no row in CONTRIBUTING.md", d.path, anchor)
		}
	}
}

// noPromises are sections of which there is nothing to test.
var noPromises = map[string]bool{
	"SECURITY.md#reporting-a-vulnerability": true,
	"SECURITY.md#supported-versions":        true,
}

// sections returns the anchors of the headings of the second level.
func sections(d *document) []string {
	var all []string
	anchors := d.anchors()
	i := 0
	d.walk(func(n markdown.Node) {
		heading, ok := n.(*markdown.Heading)
		if !ok {
			return
		}
		if anchor := anchors[i]; heading.Level == 2 && !noPromises[d.path+"#"+anchor] {
			all = append(all, anchor)
		}
		i++
	})
	return all
}

// rowsBelow returns the rows of the table below a heading.
func rowsBelow(t *testing.T, d *document, heading string) []markdown.Node {
	t.Helper()
	var rows []markdown.Node
	below := false
	d.walk(func(n markdown.Node) {
		switch n := n.(type) {
		case *markdown.Heading:
			below = d.text(n) == heading
		case *extension.TableRow:
			if below {
				rows = append(rows, n)
			}
		}
	})
	require.NotEmpty(t, rows, "%s has no table below %q", d.path, heading)
	return rows
}

// testFunctions returns the names of the test functions of each directory.
func testFunctions(t *testing.T) map[string][]string {
	t.Helper()
	tests := make(map[string][]string)
	err := filepath.WalkDir(repository, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		directory, err := filepath.Rel(repository, filepath.Dir(path))
		if directory == "." {
			directory = ""
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil {
				directory := filepath.ToSlash(directory)
				tests[directory] = append(tests[directory], function.Name.Name)
			}
		}
		return err
	})
	require.NoError(t, err)
	return tests
}
