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

// ReadBody reads the body of resp to its end, so that the connection can be used
// again, and closes it. What was read comes back with the error, if any: tooLarge if
// there are more than limit bytes. When ctx is done it returns an error that wraps
// ctx.Err(), whatever the body does. A body whose reads keep returning nothing gives
// io.ErrNoProgress.
//
// A body that may ignore ctx is read on a goroutine of its own. That is any body but
// one that an http.Transport returned for a request with ctx, or text in memory. When
// ctx is done first, the goroutine closes the body as soon as its Read returns.
func ReadBody(ctx context.Context, resp *http.Response, limit int64, tooLarge error) ([]byte, error) {
	if resp.Body == nil {
		return nil, nil
	}
	if endsWith(ctx, resp.Body) {
		defer func() { _ = resp.Body.Close() }() // what has been read stays read
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

// endsWith reports whether reading and closing body are sure to end when ctx is done,
// or need not, since it never is.
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

// The types of what io.NopCloser returns, for readers without and with WriteTo.
var (
	nopCloserType         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterToType = reflect.TypeOf(io.NopCloser((*strings.Reader)(nil)))
)

// isInMemory reports whether body is text in memory behind io.NopCloser. Stubs in tests
// return such bodies, and should not make a call cost more than the network does.
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
	done    chan struct{}   // closed at the end of the goroutine
	outcome foreign.Outcome // to be read after that
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

// set notes what has been read. p is nil when nobody else looks at it.
func (p *progress) set(body []byte) {
	if p != nil {
		p.mu.Lock()
		p.body = body
		p.mu.Unlock()
	}
}

// result returns what has been read, and ctx.Err() if that is not all.
func (p *progress) result(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.finished {
		return p.body[:len(p.body):len(p.body)], abandoned(ctx)
	}
	return p.body, p.err
}

// closeGrace is how long a Read may take to notice that the context is done. Then the
// body is closed while it is being read, which not every body allows, but which is all
// that ends the reads of some.
const closeGrace = 100 * time.Millisecond

func (p *progress) closeAfterGrace(body io.Closer) {
	time.AfterFunc(closeGrace, func() { p.closeBody(body) })
}

func (p *progress) closeBody(body io.Closer) {
	p.close.Do(func() { _ = body.Close() }) // what has been read stays read
}

func abandoned(ctx context.Context) error {
	return fmt.Errorf("body not read to its end: %w", ctx.Err())
}

// maxEmptyReads is how many times in a row a Read may return nothing, as in bufio.
const maxEmptyReads = 100

// readAll reads the body of resp to its end, and reports each step to p.
func readAll(ctx context.Context, resp *http.Response, limit int64, tooLarge error, p *progress) ([]byte, error) {
	bounded := boundedBody{ReadCloser: resp.Body, remaining: limit, tooLarge: tooLarge}
	// Mostly the first buffer is large enough. Growing in few and large steps keeps
	// the sum of all of them near the limit, for a body of any length.
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

// Bound returns a body that ends in the error tooLarge when there are more than limit
// bytes to read.
func Bound(body io.ReadCloser, limit int64, tooLarge error) io.ReadCloser {
	return &boundedBody{ReadCloser: body, remaining: limit, tooLarge: tooLarge}
}

type boundedBody struct {
	io.ReadCloser
	remaining int64 // negative when there was more
	tooLarge  error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.remaining < 0 {
		return 0, b.tooLarge
	}
	// One byte more than allowed tells a body of just the limit from a longer one.
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
