package cognitosynctest

import "sync"

// A gauge counts running activities. Unlike a [sync.WaitGroup], it may rise from zero
// during a wait.
type gauge struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when n drops to 0; nil if nobody waits
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n += n; g.n == 0 && g.zero != nil {
		close(g.zero)
		g.zero = nil
	}
}

// wait blocks until the gauge is at zero.
func (g *gauge) wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	if g.zero == nil {
		g.zero = make(chan struct{})
	}
	zero := g.zero
	g.mu.Unlock()
	<-zero
}
