package main

import (
	"net/http"
	"testing"
)

// BenchmarkStub makes calls over the stub.
func BenchmarkStub(b *testing.B) {
	for _, c := range clients {
		b.Run(c.name, func(b *testing.B) {
			s := mustLoad(b, "", newStub())
			repeat(b, c.construct(s))
		})
	}
}

// BenchmarkFirst constructs a client and makes its first call, over the stub.
func BenchmarkFirst(b *testing.B) {
	for _, c := range clients {
		b.Run(c.name, func(b *testing.B) {
			s := mustLoad(b, "", newStub())
			b.ReportAllocs()
			for b.Loop() {
				if err := c.construct(s)(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHTTP makes calls over plain HTTP on loopback, from as many goroutines as -cpu says.
func BenchmarkHTTP(b *testing.B) {
	benchmarkLoopback(b, nil)
}

// BenchmarkTLS makes calls over TLS on loopback, from as many goroutines as -cpu says.
func BenchmarkTLS(b *testing.B) {
	id, err := trustedIdentity()
	if err != nil {
		b.Fatal(err)
	}
	benchmarkLoopback(b, id)
}

func benchmarkLoopback(b *testing.B, id *identity) {
	for _, c := range clients {
		b.Run(c.name, func(b *testing.B) {
			server, err := startServer(b.Context(), id, 0)
			if err != nil {
				b.Fatal(err)
			}
			do := c.construct(mustLoad(b, server.endpoint, nil))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := do(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			connections, err := server.stop()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(connections), "connections")
		})
	}
}

// repeat makes the call for as long as the benchmark runs.
func repeat(b *testing.B, do call) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if err := do(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func mustLoad(b *testing.B, endpoint string, transport http.RoundTripper) settings {
	b.Helper()
	s, err := loadSettings(b.Context(), endpoint, transport)
	if err != nil {
		b.Fatal(err)
	}
	return s
}
