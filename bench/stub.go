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

// poolID is the identity pool of AWS's own example. The sibling operation takes it as the name of its profiling group,
// so that both requests have a label of the same length with the same character to escape.
const poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// What the answer says, and what every client must make of it.
const (
	dataStorage       = 12_345_678_901
	syncSessionsCount = 4_711
	lastModified      = 1_413_231_134 // seconds; the answers add 115 milliseconds
)

// The two answers have the same number of bytes, of JSON objects and of members, so that decoding them is comparable
// work. They differ in what the sibling's shape dictates: it has no counts and writes dates as text.
const (
	usageAnswer = `{"IdentityPoolUsage":{"DataStorage":12345678901,"IdentityPoolId":"` + poolID + `",` +
		`"LastModifiedDate":1.413231134115E9,"SyncSessionsCount":4711}}`
	groupAnswer = `{"name":"` + poolID + `","arn":"arn:aws:profiler:0","updatedAt":"2014-10-13T20:12:14.115Z",` +
		`"agentOrchestrationConfig":{"profilingEnabled":true}}`
)

// usagePath and groupPath are where the two operations live, up to the label.
const (
	usagePath = "/identitypools/"
	groupPath = "/profilingGroups/"
)

// answerTo returns what the service answers to a request for path, or false when it knows nothing there.
func answerTo(path string) (string, bool) {
	switch path {
	case usagePath + poolID:
		return usageAnswer, true
	case groupPath + poolID:
		return groupAnswer, true
	}
	return "", false
}

// setHeader gives an answer the header fields that AWS's answers have, apart from Date.
func setHeader(header http.Header, answer string) {
	values := [...]string{"application/json", strconv.Itoa(len(answer)), "8d4b0b04-3c68-4bd5-a3cc-5b5a4b0e4b3e"}
	header["Content-Type"] = values[0:1:1]
	header["Content-Length"] = values[1:2:2]
	header["X-Amzn-Requestid"] = values[2:3:3]
}

// A stub is an [http.RoundTripper] that answers at once, without a connection. It is the same for every client, and its
// own few allocations are part of every figure.
type stub struct {
	date string
}

// newStub returns a stub whose Date is now: clients look at it to learn how far their clock is off. It is good for some
// minutes.
func newStub() *stub {
	return &stub{date: time.Now().UTC().Format(http.TimeFormat)}
}

// RoundTrip answers req.
func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, ok := answerTo(req.URL.Path)
	if !ok {
		return nil, fmt.Errorf("nothing at %s", req.URL.Path)
	}
	header := make(http.Header, 4)
	setHeader(header, answer)
	header["Date"] = []string{s.date}
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(answer)),
		ContentLength: int64(len(answer)),
		Request:       req,
	}, nil
}

// A gatedStub is a stub that can make its requests wait.
type gatedStub struct {
	*stub
	arrived chan struct{} // receives once for each request that begins to wait
	closed  atomic.Bool
	opened  chan struct{}
}

// newGatedStub returns a gatedStub that lets requests pass.
func newGatedStub() *gatedStub {
	return &gatedStub{stub: newStub(), arrived: make(chan struct{}), opened: make(chan struct{})}
}

// shut makes the requests from now on wait.
func (g *gatedStub) shut() { g.closed.Store(true) }

// open lets all requests go, for good.
func (g *gatedStub) open() { close(g.opened) }

// RoundTrip answers req when the gate is open.
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

// errWrongAnswer is what a call reports when a client made something else of the answer than it says.
var errWrongAnswer = errors.New("the client read the answer wrongly")

// checkUsage reports errWrongAnswer unless the members are those of usageAnswer.
func checkUsage(id *string, storage, sessions *int64, modified *time.Time) error {
	if id == nil || *id != poolID || storage == nil || *storage != dataStorage ||
		sessions == nil || *sessions != syncSessionsCount || modified == nil || modified.Unix() != lastModified {
		return errWrongAnswer
	}
	return nil
}
