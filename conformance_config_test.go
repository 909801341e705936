package cognitosync_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// How many rows there are: none may get lost unseen.
const (
	endpointCount = 194
	configCount   = 42
)

// The pool that the rows are tried with. Its id names no region, so it fits all.
const anyPool = "pool-of-no-region"

// A destination is where a client must send its requests, and how. What is not
// given is not compared.
type destination struct {
	URL           string    `json:"url"`
	SigningRegion string    `json:"signing_region"`
	Attempts      int       `json:"attempts"`
	AppID         string    `json:"app_id"`
	Error         wantError `json:"error"` // instead of sending anything
	Any           bool      `json:"any"`   // the above or an error
}

// wantError is true for any error, or a text that the error must contain.
type wantError struct {
	wanted bool
	text   string
}

func (w *wantError) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &w.wanted) == nil {
		return nil
	}
	w.wanted = true
	return json.Unmarshal(text, &w.text)
}

// A trip is what a client did with its configuration: what it sent, or how it failed.
type trip struct {
	URL           string // up to the operation's own path
	SigningRegion string
	AppID         string
	Attempts      int // how many requests it sent
	Err           string
}

// assertReached checks a trip against what a row wants.
func (want destination) assertReached(t *testing.T, got trip) {
	t.Helper()
	if want.Error.wanted || want.Any && got.Attempts == 0 {
		assert.Zero(t, got.Attempts, "requests sent in spite of the error")
		assert.NotEmpty(t, got.Err, "no error")
		assert.Contains(t, got.Err, want.Error.text)
		return
	}
	assert.Equal(t, want.URL, got.URL)
	if want.SigningRegion != "" {
		assert.Equal(t, want.SigningRegion, got.SigningRegion)
	}
	if want.Attempts != 0 {
		assert.Equal(t, want.Attempts, got.Attempts)
	}
	assert.Equal(t, want.AppID, got.AppID)
}

// A recorder is an HTTP client that answers each request with status, and notes
// where it was sent to.
type recorder struct {
	status int
	trip   trip
}

var (
	credentialScope = regexp.MustCompile(`Credential=[^/]+/\d{8}/([^/]*)/cognito-sync/aws4_request`)
	userAgentAppID  = regexp.MustCompile(`(?:^| )app/(\S+)`)
)

func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	r.trip.Attempts++
	r.trip.URL = strings.TrimSuffix(request.URL.String(), "/identitypools/"+anyPool)
	r.trip.SigningRegion = submatch(credentialScope, request.Header.Get("Authorization"))
	r.trip.AppID = submatch(userAgentAppID, request.Header.Get("User-Agent"))
	answer := httptest.NewRecorder()
	answer.WriteHeader(r.status)
	return answer.Result(), nil
}

// submatch returns what is in the expression's first parentheses, or "".
func submatch(expression *regexp.Regexp, text string) string {
	if found := expression.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// follow makes one call of the client that sends through r, and returns where it went.
func (r *recorder) follow(t *testing.T, client *cognitosync.Client) trip {
	t.Helper()
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(anyPool)}
	output, err := client.DescribeIdentityPoolUsage(t.Context(), input)
	assertSound(t, outcome{output: output, err: err})
	if err != nil {
		r.trip.Err = err.Error()
	}
	return r.trip
}

// endpointRow says where a client of this region and these options sends to.
type endpointRow struct {
	Name         string      `json:"name"`
	Region       string      `json:"region"` // null: none
	UseFIPS      bool        `json:"use_fips"`
	UseDualStack bool        `json:"use_dualstack"`
	Endpoint     *string     `json:"endpoint"`
	Want         destination `json:"want"`

	// For the reader of the data only.
	Source  string `json:"source"`
	Boto3   any    `json:"boto3"`
	Ruleset any    `json:"ruleset"`
	Note    string `json:"note"`
}

func TestConformanceEndpoints(t *testing.T) {
	t.Parallel()
	var rows []endpointRow
	readStrictly(t, filepath.Join(conformanceDir, "endpoints.json"), &rows)
	require.Len(t, rows, endpointCount)
	for _, way := range ways {
		for _, row := range rows {
			t.Run(way+"/"+row.Name, func(t *testing.T) {
				t.Parallel()
				sender := &recorder{status: http.StatusOK}
				options := cognitosync.Options{
					Region:       row.Region,
					BaseEndpoint: row.Endpoint,
					HTTPClient:   sender,
					Credentials:  cognitosynctest.DefaultCredentials().Provider(),
				}
				if row.UseFIPS {
					options.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
				}
				if row.UseDualStack {
					options.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
				}
				goThrough(way, &options)
				got := sender.follow(t, cognitosync.New(options))
				row.Want.assertReached(t, got)
				assert.Equal(t, got.Err == "", got.Attempts == 1, "one request, or an error: %+v", got)
			})
		}
	}
}

// configRow says where a client ends in a process with just this environment and
// this shared configuration file.
type configRow struct {
	Name   string            `json:"name"`
	Env    map[string]string `json:"env"`
	Config string            `json:"config"`
	Want   destination       `json:"want"`

	// For the reader of the data only.
	Boto3 any    `json:"boto3"`
	GoV2  any    `json:"go_v2"`
	Note  string `json:"note"`
}

func TestConformanceConfig(t *testing.T) {
	t.Parallel()
	var rows []configRow
	readStrictly(t, filepath.Join(conformanceDir, "config.json"), &rows)
	require.Len(t, rows, configCount)
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			row.Want.assertReached(t, tripOfProcess(t, row))
		})
	}
}

// tripFileEnv names the file for the outcome of TestConformanceConfigProcess.
const tripFileEnv = "COGNITOSYNC_TEST_TRIP_FILE"

// tripOfProcess runs TestConformanceConfigProcess in a process of its own, with the
// row's environment and nothing else of this process's.
func tripOfProcess(t *testing.T, row configRow) trip {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{
		"GORACE":                      "atexit_sleep_ms=0", // else each process sleeps a second under -race
		tripFileEnv:                   filepath.Join(dir, "trip.json"),
		"AWS_CONFIG_FILE":             filepath.Join(dir, "config"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_ACCESS_KEY_ID":           "AKID",
		"AWS_SECRET_ACCESS_KEY":       "secret",
		"AWS_EC2_METADATA_DISABLED":   "true",
	}
	require.NoError(t, os.WriteFile(env["AWS_CONFIG_FILE"], []byte(row.Config), 0o600))
	require.NoError(t, os.WriteFile(env["AWS_SHARED_CREDENTIALS_FILE"], nil, 0o600))

	binary, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), binary, "-test.run=^TestConformanceConfigProcess$")
	process.Env = []string{} // nil would be this process's own
	for _, variables := range []map[string]string{env, row.Env} {
		for name, value := range variables {
			process.Env = append(process.Env, name+"="+value)
		}
	}
	printed, err := process.CombinedOutput()
	require.NoError(t, err, "%s", printed)

	text, err := os.ReadFile(env[tripFileEnv])
	require.NoError(t, err, "%s", printed)
	var got trip
	require.NoError(t, json.Unmarshal(text, &got))
	return got
}

// TestConformanceConfigProcess is no test of its own: it is what TestConformanceConfig
// runs. It makes a client from the environment, and one call of it that never succeeds.
func TestConformanceConfigProcess(t *testing.T) {
	file := os.Getenv(tripFileEnv)
	if file == "" {
		t.Skip("runs in the processes that TestConformanceConfig starts")
	}
	sender := &recorder{status: http.StatusInternalServerError}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithHTTPClient(sender))
	got := trip{}
	if err != nil {
		got.Err = err.Error()
	} else {
		client := cognitosync.NewFromConfig(cfg)
		cognitosync.SetSleep(client, doNotSleep)
		got = sender.follow(t, client)
	}
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}
