package cognitosync_test

import (
	"context"

	"github.com/aws/smithy-go/middleware"

	"github.com/cognitosync/cognitosync-go"
)

// A probe is a middleware for each of the five steps. It notes that it is run, and
// does what it is told to.
type probe struct {
	id    string
	notes *notes // nil: nothing is noted

	instead any                                                // a middleware to run in its place
	before  func(context.Context, any) context.Context         // given the input or request
	after   func(middleware.Metadata, any, error) (any, error) // given what came back: result or raw response
}

func (p *probe) ID() string { return p.id }

func (p *probe) enter(ctx context.Context, in any) context.Context {
	if p.notes != nil {
		p.notes.add("%s", p.id)
	}
	if p.before != nil {
		return p.before(ctx, in)
	}
	return ctx
}

func (p *probe) leave(metadata middleware.Metadata, result any, err error) (any, error) {
	if p.after != nil {
		return p.after(metadata, result, err)
	}
	return result, err
}

func (p *probe) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	out middleware.InitializeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Parameters)
	if m, ok := p.instead.(middleware.InitializeMiddleware); ok {
		out, metadata, err = m.HandleInitialize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleInitialize(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleSerialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.SerializeMiddleware); ok {
		out, metadata, err = m.HandleSerialize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleSerialize(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleBuild(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
	out middleware.BuildOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.BuildMiddleware); ok {
		out, metadata, err = m.HandleBuild(ctx, in, next)
	} else {
		out, metadata, err = next.HandleBuild(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.FinalizeMiddleware); ok {
		out, metadata, err = m.HandleFinalize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleFinalize(ctx, in)
	}
	out.Result, err = p.leave(metadata, out.Result, err)
	return out, metadata, err
}

func (p *probe) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	ctx = p.enter(ctx, in.Request)
	if m, ok := p.instead.(middleware.DeserializeMiddleware); ok {
		out, metadata, err = m.HandleDeserialize(ctx, in, next)
	} else {
		out, metadata, err = next.HandleDeserialize(ctx, in)
	}
	out.RawResponse, err = p.leave(metadata, out.RawResponse, err)
	return out, metadata, err
}

// A step is a step of a stack, whatever it is a step of.
type step interface {
	has(id string) bool
	list() []string
	add(p *probe, position middleware.RelativePosition) error
	insert(p *probe, id string, position middleware.RelativePosition) error
	swap(id string, p *probe) (old any, err error)
	remove(id string) error
}

// stepOf is what the five types of steps have in common: M is their middleware.
type stepOf[M any] struct {
	step interface {
		Get(id string) (M, bool)
		List() []string
		Add(m M, position middleware.RelativePosition) error
		Insert(m M, relativeTo string, position middleware.RelativePosition) error
		Swap(id string, m M) (M, error)
		Remove(id string) (M, error)
	}
}

func (s stepOf[M]) has(id string) bool {
	_, found := s.step.Get(id)
	return found
}

func (s stepOf[M]) list() []string { return s.step.List() }

func (s stepOf[M]) add(p *probe, position middleware.RelativePosition) error {
	return s.step.Add(any(p).(M), position)
}

func (s stepOf[M]) insert(p *probe, id string, position middleware.RelativePosition) error {
	return s.step.Insert(any(p).(M), id, position)
}

func (s stepOf[M]) swap(id string, p *probe) (any, error) { return s.step.Swap(id, any(p).(M)) }

func (s stepOf[M]) remove(id string) error {
	_, err := s.step.Remove(id)
	return err
}

// stepNamed returns one of the five steps.
func stepNamed(name string, s *middleware.Stack) step {
	switch name {
	case "initialize":
		return stepOf[middleware.InitializeMiddleware]{s.Initialize}
	case "serialize":
		return stepOf[middleware.SerializeMiddleware]{s.Serialize}
	case "build":
		return stepOf[middleware.BuildMiddleware]{s.Build}
	case "finalize":
		return stepOf[middleware.FinalizeMiddleware]{s.Finalize}
	default:
		return stepOf[middleware.DeserializeMiddleware]{s.Deserialize}
	}
}

// with returns an option that has a client run p in the step, before or after a
// middleware of it.
func with(stepName string, p *probe, position middleware.RelativePosition, id string) func(*cognitosync.Options) {
	return cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		return stepNamed(stepName, s).insert(p, id, position)
	})
}

// atEnd returns an option that has a client run p at one end of the step.
func atEnd(stepName string, p *probe, position middleware.RelativePosition) func(*cognitosync.Options) {
	return cognitosync.WithAPIOptions(func(s *middleware.Stack) error {
		return stepNamed(stepName, s).add(p, position)
	})
}
