// Package httpclient sends a request without following redirects, and limits the time and
// the size of the response.
//
// The context of the request limits the time, even if the HTTP client ignores it. The
// RoundTripper of an http.Client returns when the context is done, as net/http requires,
// and so do the reads of an http.Transport's bodies. Any other client or body may ignore
// the context. It is called on its own goroutine, which is abandoned when the context is
// done. A panic or runtime.Goexit on that goroutine is repeated on the caller's.
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

// A Set creates clients that do not follow redirects. It caches the client for an
// awshttp.BuildableClient as long as that is reachable, so that its connections are reused.
// The zero value is ready to use. A Set is safe for concurrent use.
type Set struct {
	clients sync.Map // of *noRedirectClient by setKey
}

type setKey struct {
	client weak.Pointer[awshttp.BuildableClient]
	mode   aws.DefaultsMode
}

// WithoutRedirects returns a client that behaves like client but does not follow redirects,
// because they would forward the signature and the session token.
//
//   - An *http.Client is read for each request, so later changes take effect. It is never
//     modified. nil means http.DefaultClient.
//   - An *awshttp.BuildableClient is replaced with an http.Client that has its settings,
//     this package's connection limits and the timeouts of mode. nil means a new one.
//   - Any other client is returned unchanged.
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
		// The buildable client may outlive the set, so the cleanup must not keep the set alive.
		set := weak.Make(s)
		runtime.AddCleanup(client, func(key setKey) {
			if s := set.Value(); s != nil {
				s.clients.Delete(key)
			}
		}, key)
	}
	return made.(*noRedirectClient)
}
