package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cognitosync "github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const poolID = "us-east-1:00000000-0000-0000-0000-000000000001"

// A process is the running command.
type process struct {
	start  startLine
	lines  *bufio.Scanner
	stderr *buffer
	end    func() int // stops the command and returns its exit status
}

// A buffer is a [bytes.Buffer] for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

// launch runs the command and reads its first line.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	p := &process{lines: bufio.NewScanner(reader), stderr: &buffer{}}
	status := make(chan int, 1)
	go func() {
		defer writer.Close()
		status <- run(ctx, args, writer, p.stderr)
	}()
	p.end = sync.OnceValue(func() int {
		cancel()
		return <-status
	})
	t.Cleanup(func() { p.end() })
	require.True(t, p.lines.Scan(), p.stderr)
	require.NoError(t, json.Unmarshal(p.lines.Bytes(), &p.start))
	return p
}

// client returns a client with the configuration in the first line.
func (p *process) client(t *testing.T) *cognitosync.Client {
	t.Helper()
	o := cognitosync.Options{
		BaseEndpoint: aws.String(p.start.Endpoint),
		Region:       p.start.Region,
		Retryer:      cognitosynctest.NoWaitRetryer(),
		Credentials: cognitosynctest.Credentials{
			AccessKeyID: p.start.AccessKeyID, SecretAccessKey: p.start.SecretAccessKey, SessionToken: p.start.SessionToken,
		}.Provider(),
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	if p.start.CertificateFile != "" {
		pem, err := os.ReadFile(p.start.CertificateFile)
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(pem))
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	o.HTTPClient = &http.Client{Transport: transport}
	return cognitosync.New(o)
}

// describe makes a call and reads the lines of its requests.
func (p *process) describe(t *testing.T, id string) (*cognitosync.IdentityPoolUsage, []requestLine, error) {
	t.Helper()
	type result struct {
		out *cognitosync.DescribeIdentityPoolUsageOutput
		err error
	}
	done := make(chan result, 1)
	client := p.client(t)
	go func() {
		out, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id})
		done <- result{out, err}
	}()
	var lines []requestLine
	for p.lines.Scan() {
		var line requestLine
		require.NoError(t, json.Unmarshal(p.lines.Bytes(), &line))
		lines = append(lines, line)
		if line.Attempt == line.MaxAttempts || line.Status < 429 && line.Status != 0 {
			break
		}
	}
	r := <-done
	if r.err != nil {
		return nil, lines, r.err
	}
	return r.out.IdentityPoolUsage, lines, nil
}

func code(err error) string { return cognitosync.InspectError(err).Code }

func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fake.json")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		args := []string{"-pool", poolID, "-pool", "us-east-1:2"}
		if secure {
			args = append(args, "-tls")
		}
		p := launch(t, args...)
		assert.Equal(t, secure, strings.HasPrefix(p.start.Endpoint, "https://"))
		assert.Equal(t, secure, p.start.CertificateFile != "")

		for _, id := range []string{poolID, "us-east-1:2"} {
			got, lines, err := p.describe(t, id)
			require.NoError(t, err)
			assert.Equal(t, id, *got.IdentityPoolId)
			assert.Nil(t, got.DataStorage)
			require.Len(t, lines, 1)
			assert.Equal(t, id, lines[0].Pool)
			assert.Equal(t, 200, lines[0].Status)
			assert.NotEmpty(t, lines[0].RequestID)
			assert.Equal(t, 3, lines[0].MaxAttempts)
		}
		_, lines, err := p.describe(t, "us-east-1:3")
		assert.Equal(t, "ResourceNotFoundException", code(err))
		assert.Equal(t, "ResourceNotFoundException", lines[0].Code)

		assert.Zero(t, p.end())
		instructions := p.stderr.String()
		assert.Contains(t, instructions, "export AWS_ACCESS_KEY_ID="+p.start.AccessKeyID+"\n")
		assert.Contains(t, instructions, "aws --endpoint-url "+p.start.Endpoint+" cognito-sync describe-identity-pool-usage")
		assert.NotContains(t, instructions, "requests:", "there is nothing to report")
		if secure {
			assert.Contains(t, instructions, "export AWS_CA_BUNDLE="+p.start.CertificateFile+"\n")
			assert.NoFileExists(t, p.start.CertificateFile)
		}
	}
}

// The line of a refused request and the final report say why it was refused.
func TestRun_refused(t *testing.T) {
	t.Parallel()
	p := launch(t, "-region", "eu-west-1", "-pool", poolID)
	assert.Equal(t, "eu-west-1", p.start.Region)
	p.start.SecretAccessKey = "wrong"
	_, lines, err := p.describe(t, poolID)
	assert.Equal(t, "InvalidSignatureException", code(err))
	assert.Equal(t, "the request was signed with another secret key or changed after signing", lines[0].Reason)
	p.end()
	assert.Contains(t, p.stderr.String(), "refused requests: 1\n")
}

func TestRun_config(t *testing.T) {
	t.Parallel()
	p := launch(t, "-cert", filepath.Join(t.TempDir(), "cert.pem"), "-any-region", "-config", write(t, `{
		"pathPrefix": "/proxy",
		"credentials": [{"accessKeyId": "AKID", "secretAccessKey": "s", "deniedPools": ["us-east-1:d"]}],
		"pools": [
			{"identityPoolId": "us-east-1:1", "syncSessionsCount": 12, "dataStorage": 4096, "lastModifiedDate": "2014-10-13T20:12:14.115Z"},
			{"identityPoolId": "eu-west-1:1"}
		],
		"scripts": [
			{"pool": "us-east-1:1", "steps": [
				{"step": "TooManyRequests", "times": 2},
				{"step": "OK", "after": "1ms"},
				{"step": "Error", "status": 400, "code": "OddException", "message": "it is odd"},
				{"step": "OK", "cutAfter": 10, "forever": true}
			]},
			{"eachCall": true, "steps": [{"step": "Hangup"}]},
			{"pool": "us-east-1:never", "steps": [{"step": "Stall", "times": 2}]}
		]
	}`))
	assert.Equal(t, "AKID", p.start.AccessKeyID)
	assert.True(t, strings.HasSuffix(p.start.Endpoint, "/proxy"))

	got, lines, err := p.describe(t, "us-east-1:1")
	require.NoError(t, err)
	assert.Equal(t, int64(12), *got.SyncSessionsCount)
	assert.Equal(t, int64(4096), *got.DataStorage)
	assert.Equal(t, int64(1413231134115), got.LastModifiedDate.UnixMilli())
	require.Len(t, lines, 3)
	assert.Equal(t, []int{429, 429, 200}, []int{lines[0].Status, lines[1].Status, lines[2].Status})

	_, _, err = p.describe(t, "us-east-1:1")
	assert.Equal(t, "OddException", code(err))
	_, lines, err = p.describe(t, "us-east-1:d")
	assert.Equal(t, "AccessDeniedException", code(err))
	assert.Equal(t, []int{0, 403}, []int{lines[0].Status, lines[1].Status})
	p.start.Region = "eu-west-1"
	_, _, err = p.describe(t, "eu-west-1:1")
	require.NoError(t, err)

	assert.Zero(t, p.end())
	assert.Contains(t, p.stderr.String(), "pending steps: 3\n\tus-east-1:1: OK.CutAfter(10)\n\tus-east-1:never: Stall (2 times)\n")
	assert.FileExists(t, p.start.CertificateFile, "only temporary files are removed")
}

// The example in the help is valid, and the help lists every step and flag.
func TestHelp(t *testing.T) {
	t.Parallel()
	var out, help bytes.Buffer
	assert.Zero(t, run(t.Context(), []string{"-h"}, &out, &help))
	assert.Empty(t, out.String())
	for name := range simpleSteps {
		assert.Contains(t, help.String(), name)
	}
	for _, name := range []string{"-addr", "-any-region", "-cert", "-config", "-pool", "-region", "-tls"} {
		assert.Contains(t, help.String(), "\n  "+name)
	}
	_, document, _ := strings.Cut(help.String(), "every member is optional:\n")
	document, _, _ = strings.Cut(document, "The server accepts")
	p := launch(t, "-config", write(t, document))
	assert.Equal(t, "AKID", p.start.AccessKeyID)
}

func TestRun_mistakes(t *testing.T) {
	t.Parallel()
	step := func(step string) []string {
		return []string{"-config", write(t, `{"scripts": [{"steps": [{"step": "OK"}, `+step+`]}]}`)}
	}
	for _, test := range []struct {
		name   string
		args   []string
		status int
		text   string // that the error contains
	}{
		{"unknown flag", []string{"-x"}, 2, "flag provided but not defined: -x; run with -h for help"},
		{"argument", []string{"x"}, 2, `unexpected argument "x"; run with -h for help`},
		{"no file", []string{"-config", "none.json"}, 2, "none.json"},
		{"no JSON", []string{"-config", write(t, "x")}, 2, "invalid character"},
		{"two documents", []string{"-config", write(t, "{}{}")}, 2, "unexpected data after the JSON document"},
		{"misspelled member", []string{"-config", write(t, `{"pool": []}`)}, 2, `unknown field "pool"`},
		{"no step", step(`{}`), 2, `script 1: step 2: unknown step ""`},
		{"unknown step", step(`{"step": "Ok"}`), 2, `script 1: step 2: unknown step "Ok"`},
		{"no duration", step(`{"step": "OK", "after": "soon"}`), 2, "soon"},
		{"no status", step(`{"step": "Error"}`), 2, "script 1: invalid status 0: it must be between 200 and 999"},
		{"no limit", step(`{"step": "RateLimit"}`), 2, "script 1: invalid rate limit 0: it must be at least 1"},
		{"two ends", step(`{"step": "OK", "cutAfter": 0, "stallAfter": 0}`), 2, "cutAfter, resetAfter and stallAfter are mutually exclusive"},
		{"times and forever", step(`{"step": "OK", "times": 2, "forever": true}`), 2, "times and forever are mutually exclusive"},
		{"no times", step(`{"step": "OK", "times": 0}`), 2, "invalid times 0: it must be at least 1"},
		{"after forever", step(`{"step": "Stall", "forever": true}, {"step": "OK"}`), 2, "OK follows Forever(Stall)"},
		{"status of OK", step(`{"step": "OK", "status": 500}`), 2, `status is not a parameter of step "OK"`},
		{"code of Reply", step(`{"step": "Reply", "status": 500, "code": "x"}`), 2, `code is not a parameter of step "Reply"`},
		{"message of Reply", step(`{"step": "Reply", "status": 500, "message": "x"}`), 2, `message is not a parameter of step "Reply"`},
		{"body of Error", step(`{"step": "Error", "status": 500, "body": "x"}`), 2, `body is not a parameter of step "Error"`},
		{"location of Reply", step(`{"step": "Reply", "status": 500, "location": "x"}`), 2, `location is not a parameter of step "Reply"`},
		{"size of Endless", step(`{"step": "Endless", "size": 1}`), 2, `size is not a parameter of step "Endless"`},
		{"limit of Stall", step(`{"step": "Stall", "perSecond": 1}`), 2, `perSecond is not a parameter of step "Stall"`},
		{"address", []string{"-addr", "256.0.0.1:0"}, 1, "cognitosynctest: listen tcp"},
		{"prefix", []string{"-config", write(t, `{"pathPrefix": "x"}`)}, 1, "invalid Options.PathPrefix"},
		{"certificate", []string{"-cert", filepath.Join(t.TempDir(), "none", "cert.pem")}, 1, "cert.pem"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			assert.Equal(t, test.status, run(t.Context(), test.args, &stdout, &stderr))
			assert.Empty(t, stdout.String())
			assert.Contains(t, stderr.String(), test.text)
		})
	}
}

// Every parameter takes effect.
func TestSteps(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		`{"step": "Reply", "status": 299, "body": "x", "headers": {"A": "b"}}`: "Reply(299).WithHeader(A)",
		`{"step": "Redirect", "status": 307, "location": "x"}`:                 "Redirect(307)",
		`{"step": "Oversized", "size": 5, "drip": "1ms"}`:                      "Oversized.Drip(1ms)",
		`{"step": "GzipBomb", "size": 5, "clock": "-1h"}`:                      "GzipBomb.WithClock(-1h0m0s)",
		`{"step": "OK", "resetAfter": 5}`:                                      "OK.ResetAfter(5)",
		`{"step": "OK", "stallAfter": 0}`:                                      "OK.StallAfter(0)",
		`{"step": "RateLimit", "perSecond": 5}`:                                "RateLimit(5)",
	} {
		s, err := parseSettings([]string{"-config", write(t, `{"scripts": [{"steps": [`+name+`]}]}`)}, io.Discard)
		require.NoError(t, err)
		server := cognitosynctest.NewServer(t)
		s.scripts[0](server)
		assert.Equal(t, []cognitosynctest.PendingStep{{Step: want, Count: 1}}, server.PendingSteps())
	}
}

// The command fails if it cannot write its output.
func TestRun_noOutput(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	assert.Equal(t, 1, run(t.Context(), nil, failing{}, &stderr))
	assert.Contains(t, stderr.String(), "cognitosync-fake: io: read/write on closed pipe")
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
