package httpclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/cognitosync/cognitosync-go/internal/foreign"
)

// ReadBody reads the body of resp to its end, so that the connection can be reused, and
// closes it. It returns what it has read even if there is an error. The error is tooLarge if
// the body has more than limit bytes, and io.ErrNoProgress if its reads keep returning
// nothing. When ctx is done, ReadBody returns an error that wraps ctx.Err(), even if a read
// has not returned.
//
// A body that may ignore ctx is read on its own goroutine. Every body may, except for text in
// memory and the bodies that an http.Transport returns for requests with ctx. When ctx is
// done, the goroutine closes the body as soon as its Read returns.
func ReadBody(ctx context.Context, resp *http.Response, limit int64, tooLarge error) ([]byte, error) {
	if resp.Body == nil {
		return nil, nil
	}
	if endsWith(ctx, resp.Body) {
		defer func() { _ = resp.Body.Close() }() // an error does not affect what has been read
		return readAll(ctx, resp, limit, tooLarge, nil)
	}
	p := &progress{done: make(chan struct{})}
	go p.readAll(ctx, resp, limit, tooLarge)
	select {
	case <-p.done:
		p.outcome.Repeat()
	case <-ctx.Done():
		p.closeAfterGrace(resp.Body)
	}
	return p.result(ctx)
}

// endsWith reports whether reading and closing body are certain to end when ctx is done, or
// ctx is never done.
func endsWith(ctx context.Context, body io.ReadCloser) bool {
	if ctx.Done() == nil || body == http.NoBody {
		return true
	}
	switch body := body.(type) {
	case *responseBody:
		return body.done == ctx.Done() || endsWith(ctx, body.ReadCloser)
	case *boundedBody:
		return endsWith(ctx, body.ReadCloser)
	}
	return isInMemory(body)
}

// The types that io.NopCloser returns for readers without and with WriteTo.
var (
	nopCloserType         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterToType = reflect.TypeOf(io.NopCloser((*strings.Reader)(nil)))
)

// isInMemory reports whether body is io.NopCloser around text in memory. Stubs in tests
// return such bodies. Without this check, a stub would cost more than the network.
func isInMemory(body io.ReadCloser) bool {
	if t := reflect.TypeOf(body); t != nopCloserType && t != nopCloserWriterToType {
		return false
	}
	switch reflect.ValueOf(body).Field(0).Interface().(type) {
	case *strings.Reader, *bytes.Reader, *bytes.Buffer:
		return true
	}
	return false
}

// progress is what a goroutine has read so far of a body that may ignore the context.
type progress struct {
	done    chan struct{}   // closed when the goroutine ends
	outcome foreign.Outcome // valid once done is closed
	close   sync.Once       // closes the body

	mu       sync.Mutex
	body     []byte // the goroutine writes only beyond its length
	err      error
	finished bool // body and err are final
}

// readAll reads and closes the body of resp.
func (p *progress) readAll(ctx context.Context, resp *http.Response, limit int64, tooLarge error) {
	defer close(p.done)
	p.outcome.Of(func() {
		defer p.closeBody(resp.Body)
		body, err := readAll(ctx, resp, limit, tooLarge, p)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.body, p.err, p.finished = body, err, true
	})
}

// set records what has been read. p is nil if no other goroutine needs it.
func (p *progress) set(body []byte) {
	if p != nil {
		p.mu.Lock()
		p.body = body
		p.mu.Unlock()
	}
}

// result returns what has been read, with an error if it is incomplete.
func (p *progress) result(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.finished {
		return p.body[:len(p.body):len(p.body)], abandoned(ctx)
	}
	return p.body, p.err
}

// closeGrace is how long a Read may continue after the context is done. Then the body is
// closed during the read. Not every body allows that, but it is the only way to end the reads
// of some.
const closeGrace = 100 * time.Millisecond

func (p *progress) closeAfterGrace(body io.Closer) {
	time.AfterFunc(closeGrace, func() { p.closeBody(body) })
}

func (p *progress) closeBody(body io.Closer) {
	p.close.Do(func() { _ = body.Close() }) // an error does not affect what has been read
}

func abandoned(ctx context.Context) error {
	return fmt.Errorf("interrupted: %w", ctx.Err())
}

// maxEmptyReads is how many times in a row a Read may return nothing. bufio has the same
// limit.
const maxEmptyReads = 100

// readAll reads the body of resp to its end, and reports each step to p.
func readAll(ctx context.Context, resp *http.Response, limit int64, tooLarge error, p *progress) ([]byte, error) {
	bounded := boundedBody{ReadCloser: resp.Body, remaining: limit, tooLarge: tooLarge}
	// The first buffer is usually large enough. Growing in a few large steps keeps the
	// memory for a large body close to the limit.
	size := int64(512)
	if resp.ContentLength > 0 {
		size = min(resp.ContentLength, limit) + 1
	}
	body := make([]byte, 0, size)
	for empty := 0; empty < maxEmptyReads; empty++ {
		n, err := bounded.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		p.set(body)
		switch {
		case err == io.EOF:
			return body, nil
		case ctx.Err() != nil:
			return body, abandoned(ctx)
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = append(make([]byte, 0, min(64*int64(cap(body)), limit+1)), body...)
		}
		if n > 0 {
			empty = -1
		}
	}
	return body, io.ErrNoProgress
}

// Bound returns a body whose reads return tooLarge after limit bytes, if there are more.
func Bound(body io.ReadCloser, limit int64, tooLarge error) io.ReadCloser {
	return &boundedBody{ReadCloser: body, remaining: limit, tooLarge: tooLarge}
}

type boundedBody struct {
	io.ReadCloser
	remaining int64 // negative once the limit is exceeded
	tooLarge  error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.remaining < 0 {
		return 0, b.tooLarge
	}
	// Reading one byte more distinguishes a longer body from one of exactly the limit.
	if int64(len(p)) > b.remaining+1 {
		p = p[:b.remaining+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.remaining -= int64(n)
	if b.remaining < 0 {
		return n - 1, b.tooLarge
	}
	return n, err
}
