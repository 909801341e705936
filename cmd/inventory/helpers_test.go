package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const (
	fullPool    = "us-east-1:00000000-0000-4000-8000-00000000f011"
	nullPool    = "us-east-1:00000000-0000-4000-8000-000000000000"
	irishPool   = "eu-west-1:00000000-0000-4000-8000-000000000001"
	missingPool = "us-east-1:00000000-0000-4000-8000-00000000dead"
	deniedPool  = "eu-west-1:00000000-0000-4000-8000-00000000d000"
)

// setUp starts a fake service and sets the environment of a user who may call it: keys, an endpoint,
// no configuration files.
func setUp(t *testing.T, optFns ...func(*cognitosynctest.Options)) *cognitosynctest.Server {
	t.Helper()
	server := cognitosynctest.NewServer(t, append([]func(*cognitosynctest.Options){func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.Pools = []cognitosynctest.Pool{
			{
				IdentityPoolId: fullPool, SyncSessionsCount: aws.Int64(1284), DataStorage: aws.Int64(52_428_800),
				LastModifiedDate: aws.Time(time.UnixMilli(1_413_231_134_115)),
			},
			{IdentityPoolId: nullPool},
			{IdentityPoolId: irishPool, SyncSessionsCount: aws.Int64(0), DataStorage: aws.Int64(4096)},
			{IdentityPoolId: deniedPool},
		}
	}}, optFns...)...)
	server.Script(deniedPool, cognitosynctest.Forever(cognitosynctest.AccessDenied()))
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restores it after the test
			require.NoError(t, os.Unsetenv(name))
		}
	}
	keys := cognitosynctest.DefaultCredentials()
	t.Setenv("AWS_ACCESS_KEY_ID", keys.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keys.SecretAccessKey)
	t.Setenv("AWS_SESSION_TOKEN", keys.SessionToken)
	t.Setenv("AWS_CONFIG_FILE", writeFile(t, ""))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeFile(t, ""))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ENDPOINT_URL_COGNITO_SYNC", server.URL())
	return server
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(content)
}

// outcome is the outcome of a run of the command.
type outcome struct {
	status         int
	stdout, stderr string
}

func runCommand(ctx context.Context, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// rowsOf returns the rows in lines of JSON.
func rowsOf(t *testing.T, lines string) []row {
	t.Helper()
	var rows []row
	for decoder := json.NewDecoder(strings.NewReader(lines)); decoder.More(); {
		var r row
		require.NoError(t, decoder.Decode(&r))
		rows = append(rows, r)
	}
	return rows
}

func idsOf(rows []row) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.IdentityPoolID
	}
	return ids
}

// identityService is a fake service for ListIdentityPools.
type identityService struct {
	pools  map[string][]listedPool // by region, or by access key and region: "AKID/region"
	denied []string                // regions
	loops  bool                    // each page has the same token

	mu       sync.Mutex
	requests []string // the regions
}

func startIdentityService(t *testing.T, s *identityService) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", server.URL)
}

func (s *identityService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scope := strings.Split(r.Header.Get("Authorization"), "/")
	if r.Header.Get("X-Amz-Target") != "AWSCognitoIdentityService.ListIdentityPools" || len(scope) < 4 {
		http.Error(w, "unexpected request", http.StatusTeapot)
		return
	}
	key, region := scope[0][strings.LastIndex(scope[0], "=")+1:], scope[2]
	s.mu.Lock()
	s.requests = append(s.requests, region)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if slices.Contains(s.denied, region) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"AccessDeniedException","Message":"not allowed to list"}`)
		return
	}
	var input struct {
		MaxResults int
		NextToken  string
	}
	if err := json.NewDecoder(r.Body).Decode(&input); err != nil || input.MaxResults < 1 || input.MaxResults > 60 {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"InvalidParameterException"}`)
		return
	}
	pools, ok := s.pools[key+"/"+region]
	if !ok {
		pools = s.pools[region]
	}
	start, _ := strconv.Atoi(input.NextToken)
	end := min(start+input.MaxResults, len(pools))
	output := map[string]any{"IdentityPools": pools[start:end]}
	switch {
	case s.loops:
		output["NextToken"] = "0"
	case end < len(pools):
		output["NextToken"] = strconv.Itoa(end)
	}
	_ = json.NewEncoder(w).Encode(output) // an error shows in the client
}

// brokenWriter fails after some bytes.
type brokenWriter struct {
	left int
	err  error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, w.err
	}
	w.left -= len(p)
	return len(p), nil
}

var _ io.Writer = (*brokenWriter)(nil)

// assertNoFiles asserts that a directory contains only the named files.
func assertOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	got := []string{}
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	assert.ElementsMatch(t, names, got)
}
