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

// Failure returns the error of a call for the pool whose attempts consume the steps, the
// last step as often as needed. It is the error of a real [cognitosync.Client], with status,
// request ID and number of attempts, for a mock to return:
//
//	mock := cognitosync.DescribeIdentityPoolUsageFunc(func(
//		context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
//	) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
//		return nil, cognitosynctest.Failure("us-east-1:1f2e", cognitosynctest.TooManyRequests())
//	})
//
// The client makes up to 3 attempts, its default, and calls the pool's region, or us-east-1
// if the ID begins with none. If the call succeeds, Failure returns nil.
//
// Failure omits the delays of such a call. It does not wait between attempts, whatever
// Retry-After says. A response delayed by less than 15 s with [Step.After] arrives
// immediately. A longer delay, [Step.Drip] or a stall ends in an attempt timeout after 20 ms.
func Failure(poolID string, steps ...Step) error {
	step := Forever(Sequence(steps...).edit("withoutDelays()", (*act).dropDelays))
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

	transport := &noRetryAfterTransport{RoundTripper: server.RoundTripper()}
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

// dropDelays removes delays. Those that would exceed the attempt timeout become stalls.
func (a *act) dropDelays() {
	if a.latency >= cognitosync.DefaultAttemptTimeout || a.drip > 0 {
		a.fault, a.faultAt = stalled, -1
	}
	a.latency, a.drip = 0, 0
}

// A noRetryAfterTransport hides Retry-After headers from the client. The responses are
// part of the error, so restore puts the headers back.
type noRetryAfterTransport struct {
	http.RoundTripper
	hidden []hiddenHeader
}

type hiddenHeader struct {
	of     http.Header
	name   string
	values []string
}

// RoundTrip implements [http.RoundTripper].
func (t *noRetryAfterTransport) RoundTrip(r *http.Request) (*http.Response, error) {
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

func (t *noRetryAfterTransport) restore() {
	for _, h := range t.hidden {
		h.of[h.name] = h.values
	}
}
