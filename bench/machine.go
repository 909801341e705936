package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/cognitosync/cognitosync-go"
)

// describeMachine says what the program runs on, in one line.
func describeMachine() string {
	// Both files are Linux's; elsewhere Go's own names must do.
	processor := valueIn("/proc/cpuinfo", "model name", ":")
	if processor == "" {
		processor = runtime.GOARCH
	}
	system := strings.Trim(valueIn("/etc/os-release", "PRETTY_NAME", "="), `"`)
	if system == "" {
		system = runtime.GOOS
	}
	return fmt.Sprintf("%s, %d cores (GOMAXPROCS %d), %s, %s/%s",
		processor, runtime.NumCPU(), runtime.GOMAXPROCS(0), system, runtime.GOOS, runtime.GOARCH)
}

// valueIn returns the value of the first line of the form "key separator value" in the file, and "" if there is none.
func valueIn(file, key, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), separator)
		if strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// describeVersions says which versions of Go and of the measured modules the program was built with.
func describeVersions() []string {
	versions := []string{runtime.Version(), "cognitosync-go " + cognitosync.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	const account = "github.com/aws/"
	for _, module := range info.Deps {
		switch name := strings.TrimPrefix(module.Path, account); name {
		case "aws-sdk-go", "aws-sdk-go-v2", "aws-sdk-go-v2/config", "aws-sdk-go-v2/service/codeguruprofiler", "smithy-go":
			versions = append(versions, name+" "+module.Version)
		}
	}
	return versions
}

// programSize builds the smallest program that uses c, as go build does without flags, and returns its size in bytes. It
// must run inside this module.
func programSize(ctx context.Context, c client) (float64, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is in the temporary directory
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/cognitosync/cognitosync-go/bench/"+c.program)
	if message, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", build, err, message)
	}
	info, err := os.Stat(program)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()), nil
}
