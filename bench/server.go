package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A serveRequest is the first input of the child.
type serveRequest struct {
	Identity *identity // nil: plain HTTP
	Together int64     // number of initial requests that wait for one another
}

// A serveStarted is the child's output once it listens.
type serveStarted struct {
	Endpoint string
}

// A serveEnded is the child's last output.
type serveEnded struct {
	Connections int64 // accepted in total
}

// serve runs the fake service in a child process. It reads a serveRequest from in, serves until in ends, and writes a
// serveStarted and a serveEnded to out.
func serve(in io.Reader, out io.Writer) error {
	messages := json.NewDecoder(in)
	var request serveRequest
	if err := messages.Decode(&request); err != nil {
		return fmt.Errorf("read the serve request: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	endpoint := "http://" + listener.Addr().String()
	if request.Identity != nil {
		pair, err := tls.X509KeyPair(request.Identity.Certificate, request.Identity.Key)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		endpoint = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}

	var connections atomic.Int64
	server := &http.Server{
		Handler: respondTogether(request.Together),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		},
		// Clients may drop connections that they have just dialed.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	encoder := json.NewEncoder(out)
	err = encoder.Encode(serveStarted{Endpoint: endpoint})
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	err = errors.Join(err, server.Close())
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return errors.Join(err, encoder.Encode(serveEnded{Connections: connections.Load()}))
}

// respondTogether returns the HTTP handler of the fake service. The handler blocks the first n requests until all of them
// have arrived, so that the client needs n connections for them.
func respondTogether(n int64) http.Handler {
	var arrived atomic.Int64
	all := make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch number := arrived.Add(1); {
		case number == n:
			close(all)
		case number < n:
			select {
			case <-all:
			case <-req.Context().Done():
				return
			}
		}
		response, ok := responseFor(req.URL.Path)
		if !ok || req.Method != http.MethodGet {
			http.NotFound(w, req)
			return
		}
		setHeader(w.Header(), response)
		_, _ = io.WriteString(w, response) // fails only if the client is gone
	})
}

// A server is the parent's handle of the fake service.
type server struct {
	endpoint string // URL without a trailing slash
	child    *child
}

// startServer starts the fake service, over TLS if id is not nil. Its first requests, as many as together, wait for one
// another. The caller must stop it.
func startServer(ctx context.Context, id *identity, together int) (*server, error) {
	c, err := startChild(ctx, serveRole)
	if err != nil {
		return nil, err
	}
	var started serveStarted
	if err := c.request(serveRequest{Identity: id, Together: int64(together)}, &started); err != nil {
		return nil, fmt.Errorf("start the fake service: %w", errors.Join(err, c.end(nil)))
	}
	return &server{endpoint: started.Endpoint, child: c}, nil
}

// stop ends the fake service and returns how many connections it accepted.
func (s *server) stop() (int64, error) {
	var ended serveEnded
	err := s.child.end(&ended)
	return ended.Connections, err
}

// An identity is a certificate for loopback and its key, PEM-encoded.
type identity struct {
	Certificate []byte
	Key         []byte
}

// trustedIdentity returns the identity of the fake service, and makes this process trust its certificate in place of the
// machine's roots. Passing the certificate to the clients instead would replace their default transports. This requires
// the setting x509usefallbackroots=1 of GODEBUG, which a directive in package main sets.
var trustedIdentity = sync.OnceValues(func() (*identity, error) {
	// AWS's endpoints have 2048-bit RSA keys, too.
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "cognitosync-go bench"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	id := &identity{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes}),
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(id.Certificate) {
		return nil, errors.New("cannot parse the new certificate")
	}
	x509.SetFallbackRoots(roots)
	return id, nil
})
