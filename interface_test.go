package cognitosync_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestExportedInterfacesStay compares the exported interfaces with the list that users
// implement. A new method would break their mocks, so an interface never changes.
func TestExportedInterfacesStay(t *testing.T) {
	t.Parallel()
	for directory, want := range map[string]map[string][]string{
		".": {
			"DescribeIdentityPoolUsageAPIClient": {
				"DescribeIdentityPoolUsage func(context.Context, *DescribeIdentityPoolUsageInput, ...func(*Options)) (*DescribeIdentityPoolUsageOutput, error)",
			},
			"EndpointResolver":   {"ResolveEndpoint func(region string, options EndpointResolverOptions) (aws.Endpoint, error)"},
			"EndpointResolverV2": {"ResolveEndpoint func(ctx context.Context, params EndpointParameters) (smithyendpoints.Endpoint, error)"},
			"HTTPClient":         {"Do func(*http.Request) (*http.Response, error)"},
			"HTTPSignerV4": {
				"SignHTTP func(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash string, service string, region string, signingTime time.Time, optFns ...func(*v4.SignerOptions)) error",
			},
		},
		"types": {},
		"cognitosynctest": {
			"TB": {
				"Helper func()",
				"Cleanup func(func())",
				"Failed func() bool",
				"Logf func(format string, args ...any)",
				"Fatalf func(format string, args ...any)",
			},
		},
	} {
		t.Run(directory, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, want, exportedInterfaces(t, directory))
		})
	}
}

// exportedInterfaces returns the methods and the embedded types of each exported interface
// in the package in directory.
func exportedInterfaces(t *testing.T, directory string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	interfaces := map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				spec, ok := spec.(*ast.TypeSpec)
				if !ok || !spec.Name.IsExported() {
					continue
				}
				if defined, ok := spec.Type.(*ast.InterfaceType); ok {
					interfaces[spec.Name.Name] = elements(t, fset, defined)
				}
			}
		}
	}
	return interfaces
}

func elements(t *testing.T, fset *token.FileSet, defined *ast.InterfaceType) []string {
	t.Helper()
	list := []string{}
	for _, field := range defined.Methods.List {
		var text bytes.Buffer
		for _, name := range field.Names {
			text.WriteString(name.Name + " ")
		}
		require.NoError(t, printer.Fprint(&text, fset, field.Type))
		list = append(list, text.String())
	}
	return list
}
