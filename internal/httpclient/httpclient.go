// Package httpclient sends one request: without following redirects, with connections
// for many goroutines, and within the time and the size that its caller allows.
//
// The context of the request bounds the time, whatever the HTTP client does. The
// RoundTripper of an http.Client returns when the context is done, as net/http demands,
// and the reads of an http.Transport's bodies do so too. Any other client or body may
// ignore the context, so it is called on a goroutine of its own, which is abandoned if
// the context is done first. A panic on that goroutine is repeated on the caller's, and
// so is runtime.Goexit.
package httpclient

import (
	"net/http"
	"runtime"
	"sync"
	"weak"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Doer is the interface of an HTTP client.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// A Set makes clients that do not follow redirects. It remembers the one that it made
// of an awshttp.BuildableClient for as long as that lives, so that its connections are
// used again. The zero value is ready for use, also by several goroutines.
type Set struct {
	clients sync.Map // of *noRedirectClient by setKey
}

type setKey struct {
	client weak.Pointer[awshttp.BuildableClient]
	mode   aws.DefaultsMode
}

// WithoutRedirects returns a client that does what client does, except that it follows
// no redirects, because the signature and the session token would go along.
//
//   - An *http.Client stays the caller's. It is read at each request, so that what is
//     changed on it later takes effect, and never written to. nil is
//     http.DefaultClient.
//   - An *awshttp.BuildableClient is replaced with an http.Client that has its
//     settings, our connection limits and the timeouts of mode. nil is a new one.
//   - Any other client is returned as it is.
func (s *Set) WithoutRedirects(client Doer, mode aws.DefaultsMode) Doer {
	switch client := client.(type) {
	case *http.Client:
		return &noRedirectClient{client}
	case *awshttp.BuildableClient:
		return s.ofBuildable(client, mode)
	}
	return client
}

func (s *Set) ofBuildable(client *awshttp.BuildableClient, mode aws.DefaultsMode) Doer {
	key := setKey{weak.Make(client), mode}
	if known, ok := s.clients.Load(key); ok {
		return known.(*noRedirectClient)
	}
	buildable := client
	if buildable == nil {
		buildable = awshttp.NewBuildableClient()
	}
	made, known := s.clients.LoadOrStore(key, &noRedirectClient{&http.Client{
		Transport: newTransport(buildable, mode, defaultHealthCheck),
		Timeout:   buildable.GetTimeout(),
	}})
	if client != nil && !known {
		// The buildable client may be shared by many sets, and outlive them.
		set := weak.Make(s)
		runtime.AddCleanup(client, func(key setKey) {
			if s := set.Value(); s != nil {
				s.clients.Delete(key)
			}
		}, key)
	}
	return made.(*noRedirectClient)
}
