package ci_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// given is what a fragment of Go may use without saying what it is. Whoever writes a
// document that needs another name adds it here, if a reader can guess what it stands for.
const given = `
var (
	cfg    aws.Config
	client *cognitosync.Client
	ctx    context.Context
	err    error
	input  *cognitosync.DescribeIdentityPoolUsageInput
	out    *cognitosync.DescribeIdentityPoolUsageOutput
	server *httptest.Server
	t      *testing.T

	// The reader's package, which reads the data storage of a pool.
	yourpackage struct {
		Storage func(context.Context, cognitosync.DescribeIdentityPoolUsageAPIClient, string) (int64, error)
	}
)
`

// TestGoBlocks type-checks every block of Go in the documents, in the module that the
// document belongs to: a file as it is, a fragment within a function.
func TestGoBlocks(t *testing.T) {
	t.Parallel()
	byModule := make(map[string][]block)
	for _, d := range documents(t) {
		if blocks := d.blocks("go"); len(blocks) > 0 {
			module := moduleOf(t, d)
			byModule[module] = append(byModule[module], blocks...)
		}
	}
	require.NotEmpty(t, byModule[repository], "README.md shows how it is used")
	for module, blocks := range byModule {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			for _, problem := range check(t, module, blocks) {
				t.Error(problem)
			}
		})
	}
}

// TestGoBlocks_broken has the check find what is wrong.
func TestGoBlocks_broken(t *testing.T) {
	t.Parallel()
	d := parse("README.md", nil)
	snippets := map[string]string{ // and what is wrong with each
		"out, err := client.DescribeIdentityPoolUsage(ctx, input)": "",
		"func f() error { return client.Describe(ctx) }":           "client.Describe undefined",
		"x := 1\ncfg = x":                        "cannot use x",
		"undeclared()":                           "undefined: undeclared",
		"if {":                                   "neither a file nor a fragment",
		"package main\n\nfunc main() { x := 1 }": "declared and not used: x",
		"package main\n\nimport \"github.com/cognitosync/cognitosync-go\"": "imported as cognitosync and not used",
		"package main\n\nimport \"example.com/none\"\n\nvar _ = none.X":    "example.com/none",
		"var e *smithy.OperationError\n_ = errors.As(err, &e)":             "",
	}
	var blocks []block
	var want []string
	for text, problem := range snippets {
		blocks = append(blocks, block{d, "go", text, 100 * (len(blocks) + 1)})
		if problem != "" {
			want = append(want, problem)
		}
	}

	problems := check(t, repository, blocks)

	assert.Len(t, problems, len(want), problems)
	for _, problem := range want {
		assert.True(t, slices.ContainsFunc(problems, func(found string) bool {
			return strings.Contains(found, "README.md:") && strings.Contains(found, problem)
		}), "%s: %v", problem, problems)
	}
}

// moduleOf returns the directory of the module that a document is in.
func moduleOf(t *testing.T, d *document) string {
	t.Helper()
	for directory := d.directory(); ; directory = filepath.Dir(directory) {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory
		}
		require.NotEqual(t, repository, directory, "no module has %s", d.path)
	}
}

// check type-checks the blocks as packages of the module, which are on no disk, and returns
// what is wrong with them.
func check(t *testing.T, module string, blocks []block) []string {
	t.Helper()
	directory, err := filepath.Abs(module)
	require.NoError(t, err)
	imports := usualImports(t, module)
	overlay := make(map[string][]byte)
	fragments := make(map[string]bool)
	var patterns, problems []string
	for i, b := range blocks {
		file, isFragment, err := complete(b, imports)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		name := fmt.Sprintf("snippet%d", i)
		overlay[filepath.Join(directory, name, name+".go")] = []byte(file)
		fragments[name] = isFragment
		patterns = append(patterns, "./"+name)
	}
	loaded, err := packages.Load(&packages.Config{
		Context: t.Context(),
		Mode:    packages.NeedName | packages.NeedImports | packages.NeedTypes | packages.NeedSyntax | packages.NeedExportFile,
		Dir:     directory,
		Overlay: overlay,
	}, patterns...)
	require.NoError(t, err)
	require.Len(t, loaded, len(patterns))
	for _, p := range loaded {
		for _, wrong := range p.Errors {
			// Type errors are below, and the compiler repeats them.
			if wrong.Kind != packages.TypeError && wrong.Pos != "" && wrong.Pos != "-" {
				problems = append(problems, wrong.Error())
			}
		}
		for _, wrong := range p.TypeErrors {
			// A fragment may leave it to the reader to use what it declares.
			if !wrong.Soft || !fragments[filepath.Base(p.PkgPath)] {
				problems = append(problems, fmt.Sprintf("%s: %s", wrong.Fset.Position(wrong.Pos), wrong.Msg))
			}
		}
	}
	return problems
}

// complete returns the text of a Go file that has the block in it, and whether the block is
// but a fragment. Errors are found where the document has them.
func complete(b block, imports map[string]string) (file string, isFragment bool, err error) {
	document, err := filepath.Abs(filepath.Join(repository, filepath.FromSlash(b.document.path)))
	if err != nil {
		return "", false, err
	}
	line := fmt.Sprintf("//line %s:%d\n", document, b.line)
	if parses(line + b.text) {
		return line + b.text, false, nil
	}
	for _, body := range []string{line + b.text, "func _() {\n" + line + b.text + "}\n"} {
		text := "package snippet\n" + given + body
		if parses(text) {
			return "package snippet\n" + importsOf(text, imports) + given + body, true, nil
		}
	}
	return "", false, fmt.Errorf("%s: neither a file nor a fragment of Go", b)
}

func parses(file string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", file, parser.SkipObjectResolution)
	return err == nil
}

// importsOf returns import declarations for the packages that the file uses.
func importsOf(file string, imports map[string]string) string {
	used := make(map[string]bool)
	parsed, err := parser.ParseFile(token.NewFileSet(), "", file, 0)
	if err != nil {
		panic(err) // the caller has parsed it
	}
	for _, unresolved := range parsed.Unresolved {
		used[unresolved.Name] = true
	}
	selected := make(map[string]bool)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if name, ok := selector.X.(*ast.Ident); ok && used[name.Name] {
				selected[name.Name] = true
			}
		}
		return true
	})
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(selected)) {
		if path := imports[name]; path != "" {
			fmt.Fprintf(&b, "import %s %q\n", name, path)
		}
	}
	return b.String()
}

// usualImports returns the package that each name stands for in a module: of several, the
// one that most of the module's packages import.
func usualImports(t *testing.T, module string) map[string]string {
	t.Helper()
	type listed struct {
		Name, ImportPath, ForTest          string
		Standard                           bool
		Imports, TestImports, XTestImports []string
		Module                             *struct{ Main bool }
	}
	uses := make(map[string]int)
	var all []listed
	decoder := json.NewDecoder(strings.NewReader(run(t, module, "go", "list", "-deps", "-test", "-json="+
		"Name,ImportPath,ForTest,Standard,Imports,TestImports,XTestImports,Module", "./...")))
	for decoder.More() {
		var p listed
		require.NoError(t, decoder.Decode(&p))
		if p.ForTest != "" || strings.Contains("/"+p.ImportPath+"/", "/internal/") {
			continue
		}
		all = append(all, p)
		if p.Module != nil && p.Module.Main {
			for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				uses[path]++
			}
		}
	}
	slices.SortFunc(all, func(a, b listed) int {
		return cmp.Or(uses[b.ImportPath]-uses[a.ImportPath], len(a.ImportPath)-len(b.ImportPath))
	})
	imports := make(map[string]string)
	for _, p := range all {
		if imports[p.Name] == "" && p.Name != "main" {
			imports[p.Name] = p.ImportPath
		}
	}
	return imports
}

// TestJSONBlocks parses every block of JSON in the documents.
func TestJSONBlocks(t *testing.T) {
	t.Parallel()
	found := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks("json") {
			found++
			assert.True(t, json.Valid([]byte(b.text)), "%s: this is no JSON:\n%s", b, b.text)
		}
	}
	assert.Positive(t, found)
}
