package ci_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/semver"
)

// TestVersion compares the constant Version with the changelog.
func TestVersion(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(repository, "doc.go"))
	require.NoError(t, err)
	constant := regexp.MustCompile(`(?m)^const Version = "([^"]+)"$`).FindStringSubmatch(string(source))
	require.NotNil(t, constant, "doc.go has the constant Version")

	changelog, err := os.ReadFile(filepath.Join(repository, "CHANGELOG.md"))
	require.NoError(t, err)
	require.NoError(t, checkVersion(constant[1], string(changelog)))
}

var (
	unreleased = regexp.MustCompile(`^Unreleased(?: \((\d+\.\d+\.\d+)\))?$`)
	released   = regexp.MustCompile(`^\[?(\d+\.\d+\.\d+)\]? (?:- )?\(?\d{4}-\d{2}-\d{2}\)?$`)
)

// checkVersion returns what is wrong with a version, or with the sections of the changelog.
// The first section may be "Unreleased", with the version that is to come in brackets; each
// other one has a version and a date, and is newer than the next. The version is the one to
// come, or where none is named that of the newest release.
func checkVersion(version, changelog string) error {
	var sections []string
	for line := range strings.Lines(changelog) {
		if heading, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			sections = append(sections, heading)
		}
	}
	var versions []string
	for i, section := range sections {
		if match := unreleased.FindStringSubmatch(section); match != nil && i == 0 {
			if match[1] != "" {
				versions = append(versions, "v"+match[1])
			}
			continue
		}
		match := released.FindStringSubmatch(section)
		if match == nil {
			return fmt.Errorf("the heading %q is neither a version with its date nor, at the top, Unreleased", section)
		}
		versions = append(versions, "v"+match[1])
	}
	if len(versions) == 0 {
		return errors.New("the changelog names no version")
	}
	for i, newer := range versions[:len(versions)-1] {
		if semver.Compare(newer, versions[i+1]) <= 0 {
			return fmt.Errorf("%s stands above %s", newer, versions[i+1])
		}
	}
	if versions[0] != "v"+version {
		return fmt.Errorf("the constant Version is %s, but the changelog begins with %s", version, versions[0])
	}
	return nil
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, version string
		sections      []string
		want          string // of the error; "" for none
	}{
		{"nothing released", "0.1.0", []string{"Unreleased (0.1.0)"}, ""},
		{"another is to come", "0.1.0", []string{"Unreleased (0.2.0)"}, "the constant Version is 0.1.0, but the changelog begins with v0.2.0"},
		{"just released", "0.1.0", []string{"0.1.0 (2026-12-01)"}, ""},
		{"released, as Keep a Changelog writes it", "0.1.0", []string{"Unreleased", "[0.1.0] - 2026-12-01"}, ""},
		{"released, and another is to come", "0.2.0", []string{"Unreleased (0.2.0)", "0.1.0 (2026-12-01)"}, ""},
		{"raised without saying so", "0.2.0", []string{"Unreleased", "0.1.0 (2026-12-01)"}, "the constant Version is 0.2.0"},
		{"not raised", "0.1.0", []string{"0.2.0 (2026-12-09)", "0.1.0 (2026-12-01)"}, "the constant Version is 0.1.0"},
		{"out of order", "0.9.0", []string{"0.9.0 (2026-12-09)", "0.10.0 (2026-12-01)"}, "v0.9.0 stands above v0.10.0"},
		{"the same twice", "0.1.0", []string{"Unreleased (0.1.0)", "0.1.0 (2026-12-01)"}, "v0.1.0 stands above v0.1.0"},
		{"no date", "0.1.0", []string{"0.1.0"}, "neither a version"},
		{"unreleased below", "0.1.0", []string{"0.1.0 (2026-12-01)", "Unreleased"}, "neither a version"},
		{"no version", "0.1.0", []string{"Unreleased"}, "names no version"},
		{"nothing", "0.1.0", nil, "names no version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			headings := slices.Clone(test.sections)
			for i, s := range headings {
				headings[i] = "## " + s + "\n\n### Added\n"
			}

			err := checkVersion(test.version, "# Changelog\n\n"+strings.Join(headings, "\n"))

			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
}
