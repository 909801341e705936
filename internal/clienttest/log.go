package clienttest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/aws/smithy-go/logging"
)

// Notes collects lines of text. It implements [logging.Logger].
type Notes struct {
	mu    sync.Mutex
	lines []string
}

// Add adds a line.
func (n *Notes) Add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

// Take returns the lines since the last Take.
func (n *Notes) Take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

// Logf adds a log entry.
func (n *Notes) Logf(class logging.Classification, format string, args ...any) {
	n.Add("%s %s", class, fmt.Sprintf(format, args...))
}

// Records is a [slog.Handler] that keeps the records it handles. It does not support groups or
// attributes of the logger.
type Records struct {
	slog.Handler
	Level slog.Level // the lowest that is enabled

	mu       sync.Mutex
	records  []slog.Record
	contexts []context.Context
}

// Enabled reports whether the level is at least that of the handler.
func (r *Records) Enabled(_ context.Context, level slog.Level) bool { return level >= r.Level }

// Handle keeps the record.
func (r *Records) Handle(ctx context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record.Clone())
	r.contexts = append(r.contexts, ctx)
	return nil
}

// Take returns the attributes of each record since the last Take, with its level
// and its message.
func (r *Records) Take() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []map[string]any
	for _, record := range r.records {
		attributes := map[string]any{"level": record.Level, "message": record.Message}
		record.Attrs(func(a slog.Attr) bool {
			attributes[a.Key] = a.Value.Any()
			return true
		})
		all = append(all, attributes)
	}
	r.records = nil
	return all
}

// Contexts returns the contexts of all records.
func (r *Records) Contexts() []context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.contexts)
}
