package ci_test

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLinks follows every link that leads into the repository: the file has to exist, and
// the heading within it. What other servers have is not looked at.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := documents(t)
	anchors := make(map[string][]string)
	for _, d := range all {
		anchors[d.path] = d.anchors()
	}
	followed := 0
	for _, d := range all {
		for _, link := range d.links() {
			target, err := url.Parse(link.text)
			if !assert.NoError(t, err, link.at) || target.Scheme != "" {
				continue
			}
			followed++
			file := d.path
			if target.Path != "" {
				file = path.Join(path.Dir(d.path), target.Path)
			}
			if !assert.True(t, exists(file), "%s: there is no %s", link.at, file) || target.Fragment == "" {
				continue
			}
			assert.Contains(t, anchors[file], target.Fragment, "%s: %s has no such heading", link.at, file)
		}
	}
	assert.Greater(t, followed, 10)
}

// exists reports whether the repository has a file or directory of this path. It does not
// leave the repository.
func exists(name string) bool {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return false
	}
	_, err := os.Stat(filepath.Join(repository, filepath.FromSlash(name)))
	return err == nil
}

// TestFileNames looks for every file and directory that a document names in a span of code.
func TestFileNames(t *testing.T) {
	t.Parallel()
	packages := importPaths(t)
	found := 0
	for _, d := range documents(t) {
		if d.path == "CHANGELOG.md" {
			continue // of names as they were
		}
		for _, span := range d.spans() {
			isPackage := func(imported string) bool { return imported == span.text || strings.HasSuffix(imported, "/"+span.text) }
			if !isFileName(span.text) || slices.ContainsFunc(packages, isPackage) {
				continue
			}
			found++
			assert.True(t, exists(span.text) || exists(path.Join(path.Dir(d.path), span.text)),
				"%s: there is no %s", span.at, span.text)
		}
	}
	assert.Greater(t, found, 20)
}

// Texts that are made like names of files.
var (
	fileName  = regexp.MustCompile(`^\.{0,2}[\w-]*(/[\w.-]+)+/?$|^[\w-]+/$|^[\w.-]+\.(go|md|mod|sum|svg|png|yml|yaml)$`)
	hostName  = regexp.MustCompile(`^[\w-]+(\.[\w-]+)+/`)                              // of an import path
	mediaType = regexp.MustCompile(`^(application|audio|image|multipart|text|video)/`) // of MIME
)

// isFileName reports whether a span of code is the name of a file or directory of the
// repository, if anything.
func isFileName(span string) bool {
	return fileName.MatchString(span) && !testName.MatchString(span) && !hostName.MatchString(span) && !mediaType.MatchString(span) &&
		!strings.HasPrefix(span, "/") // of a URL, or of the reader's machine
}

func TestIsFileName(t *testing.T) {
	t.Parallel()
	for span, want := range map[string]bool{
		"client.go":                 true,
		"internal/redact":           true,
		"testdata/conformance/":     true,
		"types/":                    true,
		".ci/run":                   true,
		".golangci.yml":             true,
		"../../inventory":           true,
		"inventory.TestRun_maxRate": false,
		"net/http":                  true, // TestFileNames knows the packages
		"github.com/aws/smithy":     false,
		"application/json":          false,
		"/identitypools/{id}":       false,
		"/tmp/page.html":            false,
		"client.call.*":             false,
		"errors.As":                 false,
		"go test ./...":             false,
		"Authorization: AWS4/123":   false,
	} {
		assert.Equal(t, want, isFileName(span), span)
	}
}

// importPaths returns the packages that the modules of the repository can import.
func importPaths(t *testing.T) []string {
	t.Helper()
	all := strings.Fields(run(t, repository, "go", "list", "std"))
	for _, module := range modules(t) {
		all = append(all, strings.Fields(run(t, module, "go", "list", "-deps", "-test", "./..."))...)
	}
	return all
}

// TestLinterVersion compares the version that CONTRIBUTING has with that of the script.
func TestLinterVersion(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("run")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^readonly golangci_lint=(\S+)`).FindStringSubmatch(string(script))
	require.NotNil(t, version)
	guide := named(t, "CONTRIBUTING.md")

	told := regexp.MustCompile(`golangci-lint@(\S+)`).FindAllStringSubmatch(string(guide.source), -1)

	require.NotEmpty(t, told)
	for _, match := range told {
		assert.Equal(t, version[1], match[1])
	}
}
