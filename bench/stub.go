package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// poolID is the identity pool of AWS's example. The sibling operation uses it as the name of its profiling group, so that
// both requests have a label of the same length with the same character to escape.
const poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// The values in the response, which every client must return.
const (
	dataStorage       = 12_345_678_901
	syncSessionsCount = 4_711
	lastModified      = 1_413_231_134 // seconds; the responses add 115 milliseconds
)

// Both responses have the same number of bytes, JSON objects and members, so that decoding takes a comparable effort. The
// sibling's shape has no counts, and its dates are strings.
const (
	usageResponse = `{"IdentityPoolUsage":{"DataStorage":12345678901,"IdentityPoolId":"` + poolID + `",` +
		`"LastModifiedDate":1.413231134115E9,"SyncSessionsCount":4711}}`
	groupResponse = `{"name":"` + poolID + `","arn":"arn:aws:profiler:0","updatedAt":"2014-10-13T20:12:14.115Z",` +
		`"agentOrchestrationConfig":{"profilingEnabled":true}}`
)

// The paths of the two operations, up to the label.
const (
	usagePath = "/identitypools/"
	groupPath = "/profilingGroups/"
)

// responseFor returns the body of the service's response to a request for path. It reports whether there is one.
func responseFor(path string) (string, bool) {
	switch path {
	case usagePath + poolID:
		return usageResponse, true
	case groupPath + poolID:
		return groupResponse, true
	}
	return "", false
}

// setHeader sets the headers of AWS's responses, except for Date.
func setHeader(header http.Header, response string) {
	values := [...]string{"application/json", strconv.Itoa(len(response)), "8d4b0b04-3c68-4bd5-a3cc-5b5a4b0e4b3e"}
	header["Content-Type"] = values[0:1:1]
	header["Content-Length"] = values[1:2:2]
	header["X-Amzn-Requestid"] = values[2:3:3]
}

// A stub is an [http.RoundTripper] that responds immediately, without a connection. All clients use it, and its few
// allocations are part of every figure.
type stub struct {
	date string
}

// newStub returns a stub with the current time in its Date header. Clients correct their clocks from that header, so a stub
// can only be used for some minutes.
func newStub() *stub {
	return &stub{date: time.Now().UTC().Format(http.TimeFormat)}
}

// RoundTrip implements [http.RoundTripper].
func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	response, ok := responseFor(req.URL.Path)
	if !ok {
		return nil, fmt.Errorf("no response for %s", req.URL.Path)
	}
	header := make(http.Header, 4)
	setHeader(header, response)
	header["Date"] = []string{s.date}
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(response)),
		ContentLength: int64(len(response)),
		Request:       req,
	}, nil
}

// A gatedStub is a stub that can block requests.
type gatedStub struct {
	*stub
	arrived chan struct{} // receives a value for each blocked request
	closed  atomic.Bool
	opened  chan struct{}
}

// newGatedStub returns a gatedStub that does not block yet.
func newGatedStub() *gatedStub {
	return &gatedStub{stub: newStub(), arrived: make(chan struct{}), opened: make(chan struct{})}
}

// shut makes g block requests from now on.
func (g *gatedStub) shut() { g.closed.Store(true) }

// open unblocks all requests for good.
func (g *gatedStub) open() { close(g.opened) }

// RoundTrip implements [http.RoundTripper].
func (g *gatedStub) RoundTrip(req *http.Request) (*http.Response, error) {
	if g.closed.Load() {
		select {
		case g.arrived <- struct{}{}:
		case <-g.opened:
		}
		<-g.opened
	}
	return g.stub.RoundTrip(req)
}

// errWrongOutput is the error of a call if the output of the client differs from the response.
var errWrongOutput = errors.New("the output of the client differs from the response")

// checkUsage returns errWrongOutput unless the members are those of usageResponse.
func checkUsage(id *string, storage, sessions *int64, modified *time.Time) error {
	if id == nil || *id != poolID || storage == nil || *storage != dataStorage ||
		sessions == nil || *sessions != syncSessionsCount || modified == nil || modified.Unix() != lastModified {
		return errWrongOutput
	}
	return nil
}
