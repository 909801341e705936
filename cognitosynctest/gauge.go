package cognitosynctest

import "sync"

// A gauge counts what is going on. Unlike a [sync.WaitGroup] it may rise from zero
// while somebody waits for it to fall.
type gauge struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n is 0; nil if nobody waits
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n += n; g.n == 0 && g.none != nil {
		close(g.none)
		g.none = nil
	}
}

// wait returns when the gauge is at zero.
func (g *gauge) wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	if g.none == nil {
		g.none = make(chan struct{})
	}
	none := g.none
	g.mu.Unlock()
	<-none
}
