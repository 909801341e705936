package cognitosynctest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	cognitosync "github.com/cognitosync/cognitosync-go"
)

// Failure returns the error of a call for the pool whose attempts meet the steps, the last
// of them as often as needed. It is what a [cognitosync.Client] returns, with status, request
// ID, number of attempts and everything around them, for a mock to return:
//
//	mock := cognitosync.DescribeIdentityPoolUsageFunc(func(
//		context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
//	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
//		return nil, cognitosynctest.Failure("us-east-1:1f2e", cognitosynctest.TooManyRequests())
//	})
//
// The client has its defaults, so that it makes up to 3 attempts, and calls the pool's region,
// or us-east-1 if the ID names none. If it gets a usage in the end, Failure returns nil.
//
// Failure does not wait as long as such a call would. There is no delay between attempts,
// whatever Retry-After says. A response After less than 15 s comes at once; a later one, like
// one with Drip or a stall, ends in an attempt timeout, which is 20 ms.
func Failure(poolID string, steps ...Step) error {
	step := Forever(Sequence(steps...).edit("hurried()", (*act).hurry))
	timeout := cognitosync.DefaultAttemptTimeout
	if slices.ContainsFunc(step.acts, func(a act) bool { return a.fault == stalled }) {
		timeout = 20 * time.Millisecond
	}
	server, err := Start(func(o *Options) {
		o.InMemory, o.AnyRegion = true, true
		o.Pools = []Pool{{IdentityPoolId: poolID}}
	})
	if err != nil {
		return err
	}
	defer server.Close()
	server.Script("", step)

	transport := &hurriedTransport{RoundTripper: server.RoundTripper()}
	defer transport.restore()
	client := cognitosync.NewFromConfig(server.Config(), func(o *cognitosync.Options) {
		o.HTTPClient = &http.Client{Transport: transport}
		o.BaseEndpoint, o.UseIdentityPoolRegion = nil, true
		o.AttemptTimeout = timeout
	})
	_, err = client.DescribeIdentityPoolUsage(context.Background(), &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: aws.String(poolID),
	})
	return err
}

// hurry takes out what only costs time, and stalls where that would have been too long.
func (a *act) hurry() {
	if a.latency >= cognitosync.DefaultAttemptTimeout || a.drip > 0 {
		a.fault, a.faultAt = stalled, -1
	}
	a.latency, a.drip = 0, 0
}

// A hurriedTransport hides from a client how long it should wait, until restore.
type hurriedTransport struct {
	http.RoundTripper
	hidden []hiddenHeader
}

type hiddenHeader struct {
	of     http.Header
	name   string
	values []string
}

// RoundTrip implements [http.RoundTripper].
func (t *hurriedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for name, values := range response.Header {
		if strings.HasSuffix(name, "Retry-After") {
			t.hidden = append(t.hidden, hiddenHeader{response.Header, name, values})
			delete(response.Header, name)
		}
	}
	return response, nil
}

func (t *hurriedTransport) restore() {
	for _, h := range t.hidden {
		h.of[h.name] = h.values
	}
}
