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

// describeMachine describes the machine in one line.
func describeMachine() string {
	// Only Linux has these files.
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

// valueIn returns the value of the first line of the form "key separator value" in the file, or "".
func valueIn(file, key, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), separator)
		if strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// describeVersions returns the versions of Go and of the measured modules in this build.
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

// programSize returns the size in bytes of the smallest program that uses c, built without flags. It must run inside this
// module.
func programSize(ctx context.Context, c client) (float64, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory may stay
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
