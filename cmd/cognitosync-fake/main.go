// Cognitosync-fake runs a fake Amazon Cognito Sync server, for tests in any language and for
// experiments:
//
//	cognitosync-fake -pool us-east-1:00000000-0000-0000-0000-000000000001
//
// The server is that of package cognitosynctest. It checks request signatures, responds from
// a table of pools, and runs scripts of errors and faults from a JSON file. Run it with -h
// for the flags and the format of the file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// keptRequests bounds the memory of the server. The final report covers these requests.
const keptRequests = 1000

// run runs the command until ctx is done, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parseSettings(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "cognitosync-fake: %v\n", err)
		return 2
	}
	if err := serve(ctx, s, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "cognitosync-fake: %v\n", err)
		return 1
	}
	return 0
}

// serve runs the server until ctx is done.
func serve(ctx context.Context, s *settings, stdout, stderr io.Writer) error {
	lines := &lines{encoder: json.NewEncoder(stdout)}
	lines.encoder.SetEscapeHTML(false)
	server, err := cognitosynctest.Start(s.apply, func(o *cognitosynctest.Options) {
		o.OnRequest = lines.request
		o.KeepRequests = keptRequests
	})
	if err != nil {
		return err
	}
	defer server.Close()
	for _, script := range s.scripts {
		script(server)
	}
	certificate, err := writeCertificate(s.certificateFile, server.CertificatePEM())
	if err != nil {
		return err
	}
	if certificate != "" && s.certificateFile == "" {
		defer os.Remove(certificate) //nolint:errcheck // a temporary file may stay
	}
	if err := lines.start(ctx, server, certificate); err != nil {
		return err
	}
	printUsage(stderr, server, certificate)

	<-ctx.Done()
	server.Close()
	if server.Pending() > 0 || server.Requests().Refused().Count() > 0 {
		fmt.Fprintln(stderr, server.Report())
	}
	return lines.err
}

// writeCertificate writes the certificate, if there is one, to the named file or, without a
// name, to a temporary file. It returns the name of the file.
func writeCertificate(name string, pem []byte) (string, error) {
	if pem == nil {
		return "", nil
	}
	if name != "" {
		return name, os.WriteFile(name, pem, 0o600)
	}
	file, err := os.CreateTemp("", "cognitosync-fake-*.pem")
	if err != nil {
		return "", err
	}
	_, err = file.Write(pem)
	return file.Name(), errors.Join(err, file.Close())
}

// printUsage writes how to use the server from a shell.
func printUsage(w io.Writer, server *cognitosynctest.Server, certificate string) {
	fmt.Fprintf(w, "Fake Amazon Cognito Sync listening on %s. To call it from another shell:\n\n", server.URL())
	for _, variable := range server.Env() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			fmt.Fprintf(w, "export %s\n", variable)
		}
	}
	if certificate != "" {
		fmt.Fprintf(w, "export AWS_CA_BUNDLE=%s\n", certificate)
	}
	fmt.Fprintf(w, "aws --endpoint-url %s cognito-sync describe-identity-pool-usage --identity-pool-id ...\n\nPress Ctrl-C to stop.\n", server.URL())
}

// lines writes JSON values, one a line.
type lines struct {
	mu      sync.Mutex
	encoder *json.Encoder
	err     error // the first
}

func (l *lines) write(line any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.encoder.Encode(line); l.err == nil {
		l.err = err
	}
}

// A startLine is the first line of output: the configuration for clients.
type startLine struct {
	Endpoint        string `json:"endpoint"`
	Region          string `json:"region"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken,omitempty"`
	CertificateFile string `json:"certificateFile,omitempty"`
}

func (l *lines) start(ctx context.Context, server *cognitosynctest.Server, certificate string) error {
	cfg := server.Config()
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	l.write(startLine{
		Endpoint:        server.URL(),
		Region:          cfg.Region,
		AccessKeyID:     keys.AccessKeyID,
		SecretAccessKey: keys.SecretAccessKey,
		SessionToken:    keys.SessionToken,
		CertificateFile: certificate,
	})
	return l.err
}

// A requestLine is the line of output for a request.
type requestLine struct {
	Number      int       `json:"number"`
	Time        time.Time `json:"time"`
	Method      string    `json:"method"`
	Path        string    `json:"path"`
	Pool        string    `json:"pool,omitempty"`
	Region      string    `json:"region,omitempty"`
	Invocation  string    `json:"invocation,omitempty"`
	Attempt     int       `json:"attempt,omitempty"`
	MaxAttempts int       `json:"maxAttempts,omitempty"`
	Status      int       `json:"status"` // 0: no response
	Code        string    `json:"code,omitempty"`
	Reason      string    `json:"reason,omitempty"` // of the refusal by the signature check
	RequestID   string    `json:"requestId,omitempty"`
}

func (l *lines) request(r cognitosynctest.Request) {
	line := requestLine{
		Number:      r.Number,
		Time:        r.Time.UTC(),
		Method:      r.Method,
		Path:        r.Path,
		Pool:        r.PoolID,
		Region:      r.Region,
		Invocation:  r.InvocationID,
		Attempt:     r.Attempt,
		MaxAttempts: r.MaxAttempts,
		Status:      r.StatusCode,
		Code:        r.ErrorCode,
		RequestID:   r.RequestID,
	}
	if r.Refusal != nil {
		line.Reason = r.Refusal.Reason
	}
	l.write(line)
}
