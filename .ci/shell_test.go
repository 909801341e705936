package ci_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestShellBlocks looks at the go commands of every block of shell in the documents: what
// they are to run, build or test has to exist, seen from the top of the repository or from
// the document.
func TestShellBlocks(t *testing.T) {
	t.Parallel()
	found := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks("sh", "shell", "bash") {
			for _, c := range goCommands(b.text) {
				found++
				inRepository := lists(t, filepath.Join(repository, c.directory), c.packages)
				besideDocument := lists(t, filepath.Join(d.directory(), c.directory), c.packages)
				assert.True(t, inRepository || besideDocument, "%s: no packages %q in %q", b, c.packages, c.directory)
			}
		}
	}
	assert.Greater(t, found, 5)
}

// A goCommand is a go command of a block of shell.
type goCommand struct {
	directory string
	packages  []string
}

var (
	comment   = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	separator = regexp.MustCompile(`\|\||&&|[;|()\n]`)
	quoted    = regexp.MustCompile(`'([^']*)'|"([^"]*)"`)
)

// goCommands returns the go commands that name packages. What it knows of shell is what the
// documents have: comments, quotes, cd, subshells, lists.
func goCommands(block string) []goCommand {
	var found []goCommand
	// What is quoted names no package.
	block = quoted.ReplaceAllString(comment.ReplaceAllString(block, ""), "quoted")
	directory := "."
	for _, text := range separator.Split(block, -1) {
		words := strings.Fields(text)
		words = slices.DeleteFunc(words, func(word string) bool { return word == "time" })
		switch {
		case len(words) == 2 && words[0] == "cd":
			directory = words[1] // until another command has run
		case len(words) > 1 && words[0] == "go":
			if c := parseGo(directory, words[1:]); len(c.packages) > 0 {
				found = append(found, c)
			}
			directory = "."
		}
	}
	return found
}

// parseGo reads what follows "go" on a command line.
func parseGo(directory string, words []string) goCommand {
	c := goCommand{directory: directory}
	verb, words := words[0], words[1:]
	if !slices.Contains([]string{"build", "doc", "generate", "get", "install", "list", "run", "test", "vet"}, verb) {
		return goCommand{}
	}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch {
		case slices.Contains([]string{"-C", "-bench", "-count", "-fuzz", "-fuzztime", "-o", "-parallel", "-run", "-skip", "-tags", "-timeout"}, word):
			if word == "-C" {
				c.directory = filepath.Join(c.directory, words[0])
			}
			words = words[1:]
		case strings.HasPrefix(word, "-"):
		case strings.Contains(word, "@") && !strings.HasPrefix(word, "github.com/cognitosync/cognitosync-go"):
			// of another module, in a version that no module here requires
		default:
			name, _, _ := strings.Cut(word, "@")
			c.packages = append(c.packages, name)
			if verb == "run" {
				return c // the rest is for the program
			}
		}
	}
	return c
}

func lists(t *testing.T, directory string, packages []string) bool {
	t.Helper()
	cmd := command(t, directory, "go", append([]string{"list", "--"}, packages...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	err := cmd.Run()
	return err == nil && !strings.Contains(complaints.String(), "matched no packages")
}

func TestGoCommands(t *testing.T) {
	t.Parallel()
	for block, want := range map[string][]goCommand{
		"go test ./... # all of them\ngo vet .":             {{".", []string{"./..."}}, {".", []string{"."}}},
		"(cd bench && go run . -quick); go build ./types":   {{"bench", []string{"."}}, {".", []string{"./types"}}},
		"go run -C cmd/inventory . -discover us-east-1 # x": {{"cmd/inventory", []string{"."}}},
		"go test -run '^$' -fuzz '^FuzzX$' -fuzztime 1m .":  {{".", []string{"."}}},
		"go install example.com/tool@v1":                    nil,
		"go get github.com/cognitosync/cognitosync-go@main": {{".", []string{"github.com/cognitosync/cognitosync-go"}}},
		"aws x | go run ./examples/describe -":              {{".", []string{"./examples/describe"}}},
		"go version && echo go run ./x":                     nil,
	} {
		assert.Equal(t, want, goCommands(block), block)
	}
}
