package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

func TestRun_demonstration(t *testing.T) {
	setUp(t) // which the demonstration must ignore
	got := runCommand(t.Context(), "", "-format", "json")
	assert.Equal(t, exitSome, got.status)
	assert.Contains(t, got.stderr, "this is a demonstration with an embedded fake service, not AWS")
	assert.Contains(t, got.stderr, "190 of 200 pools read, 10 failed")

	var document struct {
		Pools  []row
		Totals []total
		Total  total
	}
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &document))
	assert.Len(t, document.Pools, 200)
	assert.Len(t, document.Totals, 8) // 2 accounts in 4 regions
	assert.Equal(t, 190, document.Total.Read)
	codes := map[string]int{}
	for _, r := range document.Pools {
		if r.Error != nil {
			codes[r.Error.Code]++
		}
	}
	assert.Equal(t, map[string]int{"AccessDeniedException": 5, "ResourceNotFoundException": 5}, codes)
}

func TestRun_exitStatus(t *testing.T) {
	setUp(t)
	tests := []struct {
		name string
		ids  []string
		want int
	}{
		{"all read", []string{fullPool, nullPool}, exitOK},
		{"some not", []string{fullPool, missingPool}, exitSome},
		{"none", []string{missingPool, deniedPool}, exitNone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := runCommand(t.Context(), "", append([]string{"-format", "ndjson"}, test.ids...)...)
			assert.Equal(t, test.want, got.status, got.stderr)
			assert.ElementsMatch(t, test.ids, idsOf(rowsOf(t, got.stdout)))
		})
	}
}

func TestRun_formats(t *testing.T) {
	setUp(t)
	ids := []string{fullPool, nullPool, irishPool, missingPool, deniedPool}
	tests := []struct{ format, want string }{
		{"csv", `account,region,identity_pool_id,identity_pool_name,sync_sessions_count,data_storage,last_modified_date,attempts,error_code,error_reason,advice,request_id
,us-east-1,us-east-1:00000000-0000-4000-8000-00000000f011,,1284,52428800,2014-10-13T20:12:14.115Z,1,,,,
,us-east-1,us-east-1:00000000-0000-4000-8000-000000000000,,,,,1,,,,
,eu-west-1,eu-west-1:00000000-0000-4000-8000-000000000001,,0,4096,,1,,,,
,us-east-1,us-east-1:00000000-0000-4000-8000-00000000dead,,,,,1,ResourceNotFoundException,`},
		//nolint:dupword // two columns
		{"table", `POOL                                            SYNC SESSIONS  DATA STORAGE  LAST MODIFIED             STATUS
us-east-1:00000000-0000-4000-8000-00000000f011          1,284    52,428,800  2014-10-13T20:12:14.115Z  read
us-east-1:00000000-0000-4000-8000-000000000000        unknown       unknown  unknown                   read
eu-west-1:00000000-0000-4000-8000-000000000001              0         4,096  unknown                   read
us-east-1:00000000-0000-4000-8000-00000000dead              -             -  -                         ResourceNotFoundException
eu-west-1:00000000-0000-4000-8000-00000000d000              -             -  -                         AccessDeniedException

REGION     POOLS  READ  NOT READ  SYNC SESSIONS  UNKNOWN  DATA STORAGE  UNKNOWN
eu-west-1      2     1         1              0        1         4,096        1
us-east-1      3     2         1          1,284        2    52,428,800        2
all            5     3         2          1,284        3    52,432,896        3

Not read:
  us-east-1:00000000-0000-4000-8000-00000000dead  ResourceNotFoundException
`},
		{"json", `  "pools": [
    {
      "account": "",
      "region": "us-east-1",
      "identityPoolId": "us-east-1:00000000-0000-4000-8000-00000000f011",
      "identityPoolName": "",
      "syncSessionsCount": 1284,
      "dataStorage": 52428800,
      "lastModifiedDate": "2014-10-13T20:12:14.115Z",
      "attempts": 1,
      "error": null
    },
    {
      "account": "",
      "region": "us-east-1",
      "identityPoolId": "us-east-1:00000000-0000-4000-8000-000000000000",
      "identityPoolName": "",
      "syncSessionsCount": null,
      "dataStorage": null,
      "lastModifiedDate": null,
`},
	}
	for _, test := range tests {
		t.Run(test.format, func(t *testing.T) {
			got := runCommand(t.Context(), "", append([]string{"-q", "-format", test.format}, ids...)...)
			assert.Equal(t, exitSome, got.status)
			assert.Empty(t, got.stderr)
			assert.Contains(t, got.stdout, test.want)
			for _, text := range []string{"AccessDeniedException", "is not authorized to perform", "that is allowed cognito-sync:DescribeIdentityPoolUsage for this pool"} {
				assert.Contains(t, got.stdout, text)
			}
			assert.NotContains(t, got.stdout, "\x1b")

			file := filepath.Join(t.TempDir(), "results")
			toFile := runCommand(t.Context(), "", append([]string{"-q", "-format", test.format, "-o", file}, ids...)...)
			assert.Empty(t, toFile.stdout)
			assert.Contains(t, readFile(t, file), test.want)
			assertOnly(t, filepath.Dir(file), "results")
		})
	}
}

func TestRun_sorts(t *testing.T) {
	setUp(t)
	tests := []struct {
		key  string
		want []string
	}{
		{"storage", []string{fullPool, irishPool, nullPool}},
		{"sessions", []string{fullPool, irishPool, nullPool}},
		{"modified", []string{fullPool, irishPool, nullPool}},
		{"id", []string{irishPool, nullPool, fullPool}},
	}
	for _, test := range tests {
		t.Run(test.key, func(t *testing.T) {
			got := runCommand(t.Context(), "", "-format", "ndjson", "-sort", test.key, nullPool, irishPool, fullPool)
			assert.Equal(t, test.want, idsOf(rowsOf(t, got.stdout)))
		})
	}
}

func TestRun_standardInput(t *testing.T) {
	setUp(t)
	got := runCommand(t.Context(), fullPool+"\n# a comment\n"+irishPool+"\n"+fullPool+"\n", "-pools", "-", "-format", "ndjson")
	assert.Equal(t, exitOK, got.status)
	assert.ElementsMatch(t, []string{fullPool, irishPool}, idsOf(rowsOf(t, got.stdout)))
	assert.Contains(t, got.stderr, "1 duplicate left out")
}

func TestRun_endpointAndRegion(t *testing.T) {
	server := setUp(t)
	t.Setenv("AWS_ENDPOINT_URL_COGNITO_SYNC", "http://127.0.0.1:1")
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: "noregion"})
	got := runCommand(t.Context(), "", "-endpoint", server.URL(), "-region", "eu-central-1", "-format", "ndjson", "noregion")
	assert.Equal(t, exitOK, got.status, got.stdout)
	assert.Contains(t, server.Requests().Last().Header.Get("Authorization"), "/eu-central-1/cognito-sync/")
}

func TestRun_discover(t *testing.T) {
	server := setUp(t)
	var many []listedPool
	for i := range 150 {
		id := fmt.Sprintf("us-east-1:%012x", i)
		server.SetPool(cognitosynctest.Pool{IdentityPoolId: id, DataStorage: aws.Int64(int64(i))})
		many = append(many, listedPool{id, fmt.Sprintf("app %d", i)})
	}
	service := &identityService{
		pools:  map[string][]listedPool{"us-east-1": many, "eu-west-1": {{irishPool, "irish"}}},
		denied: []string{"us-east-2"},
	}
	startIdentityService(t, service)

	t.Run("some regions, all pages", func(t *testing.T) {
		got := runCommand(t.Context(), "", "-discover", "us-east-1, eu-west-1", "-discover", "eu-west-1", "-format", "ndjson")
		assert.Equal(t, exitOK, got.status, got.stderr)
		rows := rowsOf(t, got.stdout)
		assert.Len(t, rows, 151)
		for _, r := range rows {
			assert.NotEmpty(t, r.IdentityPoolName)
		}
		assert.Contains(t, got.stderr, "151 pools found in 2 regions")
	})
	t.Run("all regions, of which one cannot be listed", func(t *testing.T) {
		service.requests = nil
		got := runCommand(t.Context(), "", "-discover", "all", "-format", "json")
		assert.Equal(t, exitSome, got.status)
		slices.Sort(service.requests)
		assert.Equal(t, allRegions, slices.Compact(service.requests))
		var document struct{ Pools []row }
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &document))
		require.Len(t, document.Pools, 152)
		failed := document.Pools[0]
		assert.Equal(t, "us-east-2", failed.Region)
		assert.Empty(t, failed.IdentityPoolID)
		assert.Equal(t, "AccessDeniedException", failed.Error.Code)
		assert.Contains(t, failed.Error.Reason, "the pools in the region could not be listed: not allowed to list")
		assert.Contains(t, failed.Error.Advice, "cognito-identity:ListIdentityPools")
		table := runCommand(t.Context(), "", "-discover", "us-east-2")
		assert.Equal(t, exitNone, table.status)
		assert.Contains(t, table.stdout, "us-east-2: pools not listed")
	})
	t.Run("no pools", func(t *testing.T) {
		got := runCommand(t.Context(), "", "-discover", "eu-central-1")
		assert.Equal(t, exitOK, got.status)
		assert.Equal(t, "no pools\n", got.stdout)
	})
	t.Run("pages without end", func(t *testing.T) {
		startIdentityService(t, &identityService{pools: map[string][]listedPool{"eu-west-1": {{irishPool, "irish"}}}, loops: true})
		got := runCommand(t.Context(), "", "-discover", "eu-west-1", "-format", "csv")
		assert.Equal(t, exitSome, got.status)
		assert.Contains(t, got.stdout, "the service returns the same NextToken twice")
	})
}

// twoAccounts creates profiles of two accounts, each with some of the pools.
func twoAccounts(t *testing.T) *cognitosynctest.Server {
	t.Helper()
	one := cognitosynctest.Credentials{AccessKeyID: "AKIDONE", SecretAccessKey: "secret1", AllowedPools: []string{fullPool, nullPool}}
	two := cognitosynctest.Credentials{AccessKeyID: "AKIDTWO", SecretAccessKey: "secret2", DeniedPools: []string{fullPool}}
	server := setUp(t, func(o *cognitosynctest.Options) { o.Credentials = []cognitosynctest.Credentials{one, two} })
	var config strings.Builder
	for name, keys := range map[string]cognitosynctest.Credentials{"one": one, "two": two} {
		fmt.Fprintf(&config, "[profile %s]\nregion = us-east-1\naws_access_key_id = %s\naws_secret_access_key = %s\n",
			name, keys.AccessKeyID, keys.SecretAccessKey)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		require.NoError(t, os.Unsetenv(name))
	}
	t.Setenv("AWS_CONFIG_FILE", writeFile(t, config.String()))
	return server
}

// With several accounts, a pool in a list is read in the first account that knows it.
func TestRun_profiles(t *testing.T) {
	twoAccounts(t)
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"-profile", "one", "-profile", "two", "-format", "ndjson", "-state", state, fullPool, irishPool, missingPool}
	for range 2 { // the second time from the state
		got := runCommand(t.Context(), "", args...)
		assert.Equal(t, exitSome, got.status, got.stderr)
		accounts := map[string]string{}
		for _, r := range rowsOf(t, got.stdout) {
			accounts[r.IdentityPoolID] = r.Account
		}
		assert.Equal(t, map[string]string{fullPool: "one", irishPool: "two", missingPool: "one, two"}, accounts)
	}
}

func TestRun_discoverInAccounts(t *testing.T) {
	twoAccounts(t)
	startIdentityService(t, &identityService{pools: map[string][]listedPool{
		"AKIDONE/us-east-1": {{fullPool, "a"}, {nullPool, "b"}},
		"AKIDTWO/eu-west-1": {{irishPool, "c"}},
	}})
	got := runCommand(t.Context(), "", "-profile", "one", "-profile", "two", "-discover", "us-east-1,eu-west-1")
	assert.Equal(t, exitOK, got.status, got.stderr)
	assert.Contains(t, got.stdout, "one      "+fullPool)
	assert.Contains(t, got.stdout, "two      "+irishPool)
	assert.Contains(t, got.stdout, "one      us-east-1      2")
}

func TestRun_unknownProfile(t *testing.T) {
	setUp(t)
	got := runCommand(t.Context(), "", "-profile", "nobody", fullPool)
	assert.Equal(t, exitUsage, got.status)
	assert.Contains(t, got.stderr, "-profile nobody: ")
}

func TestRun_state(t *testing.T) {
	server := setUp(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	args := []string{"-state", state, "-format", "ndjson", "-max-wait", "0"}
	server.Script(irishPool, cognitosynctest.InternalError())

	got := runCommand(t.Context(), "", append(args, fullPool, irishPool)...)
	assert.Equal(t, exitSome, got.status)
	assert.Equal(t, 2, server.Requests().Count())

	// Only the missing pool and a new one are queried. The others are neither queried again nor lost.
	got = runCommand(t.Context(), "", append(args, irishPool, fullPool, nullPool)...)
	assert.Equal(t, exitOK, got.status, got.stderr)
	rows := rowsOf(t, got.stdout)
	assert.ElementsMatch(t, []string{fullPool, irishPool, nullPool}, idsOf(rows))
	assert.Equal(t, 4, server.Requests().Count())
	for _, r := range rows {
		if r.IdentityPoolID == fullPool {
			assert.Equal(t, aws.Int64(1284), r.SyncSessionsCount)
			assert.Equal(t, "2014-10-13T20:12:14.115Z", date(r.LastModifiedDate, ""))
		}
	}

	// Rows of pools that are not on the command line are kept.
	got = runCommand(t.Context(), "", append(args, irishPool, "eu-west-1:other")...)
	assert.Equal(t, exitSome, got.status)
	assert.Contains(t, readFile(t, state), fullPool)
	assertOnly(t, dir, "state")
}

func TestRun_stateUnusable(t *testing.T) {
	setUp(t)
	tests := []struct{ name, content, want string }{
		{"another version", `{"format":"cognitosync-inventory-state","version":2}`, "the file has version 2, but this command reads version 1"},
		{"another file", `{"format":"x","version":1}`, "not a state file of this command"},
		{"no JSON", "hello", "not a state file of this command"},
		{"empty", "", "not a state file of this command"},
		{"another service", `{"format":"cognitosync-inventory-state","version":1,"endpoint":"http://x"}`, `it has the endpoint "http://x", but this command uses ""`},
		{"cut off", `{"format":"cognitosync-inventory-state","version":1}` + "\n" + `{"account":`, "row 1: unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state := writeFile(t, test.content)
			got := runCommand(t.Context(), "", "-state", state, fullPool)
			assert.Equal(t, exitUsage, got.status)
			assert.Contains(t, got.stderr, test.want)
			assert.Contains(t, got.stderr, "the file is unchanged: name another one, or delete it")
			assert.Equal(t, test.content, readFile(t, state))
		})
	}
}

// The directory vanishes during the run: as with a full disk, the state cannot be written.
func TestRun_stateCannotBeKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.Mkdir(dir, 0o700))
	setUp(t, func(o *cognitosynctest.Options) {
		o.OnRequest = func(cognitosynctest.Request) { _ = os.RemoveAll(dir) }
	})
	got := runCommand(t.Context(), "", "-state", filepath.Join(dir, "state"), "-format", "ndjson", fullPool)
	assert.Equal(t, exitSome, got.status)
	assert.Contains(t, got.stderr, "-state: open ")
	assert.Contains(t, got.stderr, "the run continues, and the file is unchanged")
	assert.Equal(t, []string{fullPool}, idsOf(rowsOf(t, got.stdout)))
}

func TestRun_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := setUp(t, func(o *cognitosynctest.Options) {
		o.OnRequest = func(r cognitosynctest.Request) {
			if r.PoolID == irishPool {
				cancel()
			}
		}
	})
	server.Script(irishPool, cognitosynctest.Stall())
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"-concurrency", "1", "-state", state, "-format", "json", fullPool, irishPool, nullPool}

	got := runCommand(ctx, "", args...)

	assert.Equal(t, exitSome, got.status)
	assert.Contains(t, got.stderr, "1 of 3 pools read, 2 failed; interrupted")
	var document struct {
		Interrupted string
		Pools       []row
	}
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &document))
	assert.Equal(t, "interrupted", document.Interrupted)
	require.Len(t, document.Pools, 3)
	assert.Nil(t, document.Pools[0].Error)
	for _, r := range document.Pools[1:] {
		assert.Equal(t, codeInterrupted, r.Error.Code)
		assert.Contains(t, r.Error.Advice, "run the same command again")
	}

	requests := server.Requests().Count()
	got = runCommand(t.Context(), "", args...)
	assert.Equal(t, exitOK, got.status, got.stdout)
	assert.Equal(t, 0, server.Requests()[requests:].ByPool(fullPool).Count(), "it was read before")
}

// 5,000 pools in two runs. The second run does not query the pools that the first has read.
func TestRun_resumesThousands(t *testing.T) {
	const pools, until = 5000, 2000
	ctx, cancel := context.WithCancel(t.Context())
	var count atomic.Int64
	server := setUp(t, func(o *cognitosynctest.Options) {
		o.OnRequest = func(cognitosynctest.Request) {
			if count.Add(1) == until {
				cancel()
			}
		}
	})
	var list strings.Builder
	for i := range pools {
		id := fmt.Sprintf("%s:%012x", allRegions[i%len(allRegions)], i)
		fmt.Fprintln(&list, id)
		server.SetPool(cognitosynctest.Pool{IdentityPoolId: id, DataStorage: aws.Int64(int64(i))})
		if i%500 == 0 {
			server.Script(id, cognitosynctest.InternalError())
		}
	}
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"-q", "-pools", "-", "-state", state, "-format", "ndjson"}

	first := runCommand(ctx, list.String(), args...)
	assert.Equal(t, exitSome, first.status)
	read := map[string]bool{}
	for _, r := range rowsOf(t, first.stdout) {
		if r.Error == nil {
			read[r.IdentityPoolID] = true
		}
	}
	assert.Greater(t, len(read), until/2)
	server.Reset()

	second := runCommand(t.Context(), list.String(), args...)
	assert.Equal(t, exitOK, second.status, second.stderr)
	ids := idsOf(rowsOf(t, second.stdout))
	slices.Sort(ids)
	assert.Len(t, slices.Compact(ids), pools)
	queried := map[string]int{}
	for _, request := range server.Requests() {
		queried[request.PoolID]++
		assert.False(t, read[request.PoolID], "%s was read before", request.PoolID)
	}
	assert.Len(t, queried, pools-len(read))
}

func TestRun_timeout(t *testing.T) {
	server := setUp(t)
	server.Script("", cognitosynctest.Forever(cognitosynctest.Stall()))
	got := runCommand(t.Context(), "", "-timeout", "50ms", "-format", "csv", fullPool)
	assert.Equal(t, exitNone, got.status)
	assert.Contains(t, got.stderr, "-timeout 50ms")
	assert.Contains(t, got.stdout, codeInterrupted)
}

// Standard output is closed, as with "inventory | head -1".
func TestRun_closedPipe(t *testing.T) {
	server := setUp(t)
	state := filepath.Join(t.TempDir(), "state")
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("us-east-1:%012x", i))
		server.SetPool(cognitosynctest.Pool{IdentityPoolId: ids[i]})
	}
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			var stderr bytes.Buffer
			args := append([]string{"-format", format, "-state", state, "-concurrency", "1"}, ids...)
			status := run(t.Context(), args, strings.NewReader(""), &brokenWriter{err: syscall.EPIPE}, &stderr)
			assert.Equal(t, exitSome, status)
			assert.Contains(t, stderr.String(), "write results: broken pipe")
			assert.Contains(t, readFile(t, state), ids[0])
		})
	}
}

// A full disk loses nothing: the results go to standard output.
func TestRun_fullDisk(t *testing.T) {
	setUp(t)
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	for _, format := range []string{"csv", "json", "ndjson", "table"} {
		t.Run(format, func(t *testing.T) {
			got := runCommand(t.Context(), "", "-format", format, "-o", "/dev/full", fullPool, irishPool)
			assert.Equal(t, exitSome, got.status)
			assert.Contains(t, got.stderr, "-o: write /dev/full: no space left on device; the results are on standard output")
			assert.Contains(t, got.stderr, "2 of 2 pools read")
			assert.Contains(t, got.stdout, fullPool)
			assert.Contains(t, got.stdout, irishPool)
		})
	}
	got := runCommand(t.Context(), "", "-html", "/dev/full", fullPool)
	assert.Equal(t, exitSome, got.status)
	assert.Contains(t, got.stderr, "-html: write /dev/full: no space left on device")
	assert.Contains(t, got.stdout, fullPool)
}

// A run that fails leaves the files of the previous run.
func TestRun_filesAreReplacedWhole(t *testing.T) {
	setUp(t)
	dir := t.TempDir()
	output, page := filepath.Join(dir, "out"), filepath.Join(dir, "page")
	for _, name := range []string{output, page} {
		require.NoError(t, os.WriteFile(name, []byte("old"), 0o640))
	}
	got := runCommand(t.Context(), "", "-pools", "/does/not/exist", "-o", output, "-html", page)
	assert.Equal(t, exitUsage, got.status)
	assert.Equal(t, "old", readFile(t, output))

	got = runCommand(t.Context(), "", "-o", output, "-html", page, fullPool)
	assert.Equal(t, exitOK, got.status, got.stderr)
	assert.Contains(t, readFile(t, output), fullPool)
	assert.Contains(t, readFile(t, page), fullPool)
	info, err := os.Stat(output)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	assertOnly(t, dir, "out", "page")
}

func TestRun_verbose(t *testing.T) {
	server := setUp(t)
	server.Script(fullPool, cognitosynctest.Throttle(1))
	got := runCommand(t.Context(), "", "-v", "-format", "ndjson", fullPool, missingPool)
	assert.Equal(t, exitSome, got.status)
	assert.Contains(t, got.stderr, "inventory: "+fullPool+": attempt 1: TooManyRequestsException: Rate exceeded, 3.5 requests/s\n")
	assert.Contains(t, got.stderr, "inventory: "+missingPool+": ResourceNotFoundException: ")
}

func TestRun_noCredentials(t *testing.T) {
	setUp(t)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		require.NoError(t, os.Unsetenv(name))
	}
	got := runCommand(t.Context(), "", "-format", "csv", fullPool)
	assert.Equal(t, exitNone, got.status)
	assert.Contains(t, got.stdout, ","+codeCredentials+",")
	assert.Contains(t, got.stdout, adviceLogin)
}

// In every format, texts from outside are neither formulas nor control sequences.
func TestWriteReport_hostileTexts(t *testing.T) {
	t.Parallel()
	var rows []*row
	for _, text := range append(hostile, "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u009b31m") {
		rows = append(rows, &row{Account: text, Region: text, IdentityPoolID: text, IdentityPoolName: text,
			Error: &problem{Code: text, Reason: text, Advice: text, RequestID: text}})
	}
	r := newReport(rows)
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c := &command{format: format, stdout: &out}
			results, err := c.openOutputs()
			require.NoError(t, err)
			require.NoError(t, c.writeReport(results.results.w, r, &out))
			for _, char := range out.String() {
				if char != '\n' && controlsTerminal(char) {
					t.Fatalf("%U is in the output", char)
				}
			}
			switch format {
			case "csv":
				records, err := csv.NewReader(&out).ReadAll()
				require.NoError(t, err)
				require.Len(t, records, len(rows)+1)
				for _, record := range records[1:] {
					for _, field := range record {
						assert.NotRegexp(t, `^\s*[=+@-]`, field)
						assert.NotRegexp(t, "^[\t\r]", field)
					}
				}
			case "ndjson": // exact in data formats
				for i, got := range rowsOf(t, out.String()) {
					assert.Equal(t, rows[i].IdentityPoolID, got.IdentityPoolID)
				}
			}
		})
	}
}
