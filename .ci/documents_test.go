package ci_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// repository is where the checkout is, seen from the tests.
const repository = ".."

// A document is a Markdown file of the repository.
type document struct {
	path   string // from the top of the repository, with slashes
	source []byte
	root   ast.Node
}

// parse reads the document of this path and source as GitHub does.
func parse(path string, source []byte) *document {
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM))
	return &document{path, source, markdown.Parser().Parse(text.NewReader(source))}
}

// documents returns the Markdown files of the repository.
func documents(t *testing.T) []*document {
	t.Helper()
	var all []*document
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repository, path)
		all = append(all, parse(filepath.ToSlash(name), source))
		return err
	})
	require.NoError(t, err)
	require.Contains(t, paths(all), "README.md")
	return all
}

func paths(all []*document) []string {
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.path
	}
	return names
}

// named returns the document of this path.
func named(t *testing.T, path string) *document {
	t.Helper()
	all := documents(t)
	i := slices.IndexFunc(all, func(d *document) bool { return d.path == path })
	require.GreaterOrEqual(t, i, 0, "there is no %s", path)
	return all[i]
}

// directory returns where the document is, as a path that can be opened.
func (d *document) directory() string {
	return filepath.Join(repository, filepath.FromSlash(d.path), "..")
}

// walk calls f for each node, from the first to the last.
func (d *document) walk(f func(ast.Node)) {
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // f cannot fail
		if entering {
			f(n)
		}
		return ast.WalkContinue, nil
	})
}

// at names the line that an offset into the source is on.
func (d *document) at(offset int) string {
	return fmt.Sprintf("%s:%d", d.path, d.line(offset))
}

func (d *document) line(offset int) int {
	return 1 + bytes.Count(d.source[:offset], []byte("\n"))
}

// A block is a fenced block of code.
type block struct {
	document *document
	language string
	text     string
	line     int // that text begins on
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.document.path, b.line) }

// blocks returns the fenced blocks of code in these languages.
func (d *document) blocks(languages ...string) []block {
	var found []block
	d.walk(func(n ast.Node) {
		fence, ok := n.(*ast.FencedCodeBlock)
		if !ok || fence.Lines().Len() == 0 {
			return
		}
		if language := string(fence.Language(d.source)); slices.Contains(languages, language) {
			found = append(found, block{d, language, string(fence.Lines().Value(d.source)), d.line(fence.Lines().At(0).Start)})
		}
	})
	return found
}

// A phrase is text of a document that means something: a span of code, or where a link leads.
type phrase struct {
	text string
	at   string // document and line
}

// spans returns the spans of code.
func (d *document) spans() []phrase {
	var found []phrase
	d.walk(func(n ast.Node) {
		if span, ok := n.(*ast.CodeSpan); ok {
			found = append(found, phrase{d.text(span), d.at(d.start(span))})
		}
	})
	return found
}

// links returns where links and images lead, those of HTML included.
func (d *document) links() []phrase {
	var found []phrase
	d.walk(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.Link:
			found = append(found, phrase{string(n.Destination), d.at(d.start(n))})
		case *ast.Image:
			found = append(found, phrase{string(n.Destination), d.at(d.start(n))})
		case *ast.RawHTML:
			found = append(found, d.htmlLinks(n.Segments)...)
		case *ast.HTMLBlock:
			found = append(found, d.htmlLinks(n.Lines())...)
		}
	})
	return found
}

// htmlLinks returns the values of src and href.
func (d *document) htmlLinks(segments *text.Segments) []phrase {
	var found []phrase
	for _, segment := range segments.Sliced(0, segments.Len()) {
		html := string(segment.Value(d.source))
		for _, attribute := range []string{`src="`, `href="`} {
			for rest := html; ; {
				_, after, ok := strings.Cut(rest, attribute)
				if !ok {
					break
				}
				var target string
				target, rest, _ = strings.Cut(after, `"`)
				found = append(found, phrase{target, d.at(segment.Start)})
			}
		}
	}
	return found
}

// anchors returns the fragments that lead to the document's headings, as GitHub makes them.
func (d *document) anchors() []string {
	var anchors []string
	uses := make(map[string]int)
	d.walk(func(n ast.Node) {
		heading, ok := n.(*ast.Heading)
		if !ok {
			return
		}
		anchor := anchorOf(d.text(heading))
		uses[anchor]++
		if n := uses[anchor]; n > 1 {
			anchor = fmt.Sprintf("%s-%d", anchor, n-1)
		}
		anchors = append(anchors, anchor)
	})
	return anchors
}

// anchorOf returns a heading in small letters, with hyphens for spaces and without punctuation.
func anchorOf(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsNumber(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// text returns the text of a node and all within it.
func (d *document) text(n ast.Node) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if leaf, ok := child.(*ast.Text); ok {
			b.Write(leaf.Value(d.source))
			if leaf.SoftLineBreak() {
				b.WriteByte(' ')
			}
		} else {
			b.WriteString(d.text(child))
		}
	}
	return b.String()
}

// start returns where the first text of a node is in the source; 0 if it has none.
func (d *document) start(n ast.Node) int {
	if leaf, ok := n.(*ast.Text); ok {
		return leaf.Segment.Start
	}
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if offset := d.start(child); offset != 0 {
			return offset
		}
	}
	return 0
}

// sample is read in the tests of the functions above, which have to find what it has.
const sample = "# Two *words*, `code`\n\n" +
	"## Again\n\n## Again\n\n" +
	"A [link](a.md#b), ![image](c.svg) and <img src=\"d.png\">.\n\n" +
	"| a | b |\n|---|---|\n| `x\\|y` | [in a table](e.md) |\n\n" +
	"```go\na := 1\n```\n\n```text\nno\n```\n\n<p><a href=\"f.md\">html</a></p>\n"

func TestDocument(t *testing.T) {
	t.Parallel()
	d := parse("docs/sample.md", []byte(sample))

	assert.Equal(t, []string{"two-words-code", "again", "again-1"}, d.anchors())
	assert.Equal(t, []phrase{
		{"a.md#b", "docs/sample.md:7"}, {"c.svg", "docs/sample.md:7"}, {"d.png", "docs/sample.md:7"},
		{"e.md", "docs/sample.md:11"}, {"f.md", "docs/sample.md:21"},
	}, d.links())
	assert.Equal(t, []phrase{{"code", "docs/sample.md:1"}, {"x|y", "docs/sample.md:11"}}, d.spans())
	assert.Equal(t, []block{{d, "go", "a := 1\n", 14}}, d.blocks("go", "json"))
}
