package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// A state file is a header and one row for each pool that was read, a JSON document a line.
const (
	stateFormat  = "cognitosync-inventory-state"
	stateVersion = 1
)

type stateHeader struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	Endpoint string `json:"endpoint"` // "" for AWS's
}

// state is what the state file is to contain.
type state struct {
	file     string // "" for none
	endpoint string
	rows     []*row
	unsaved  int
	next     time.Time // not saved before
}

// minSaveInterval is the least time between two saves. A save writes the whole file, so that
// it is also a multiple of what the last one took.
const minSaveInterval = 2 * time.Second

// openState reads a state file. It need not exist.
func openState(file, endpoint string) (*state, error) {
	s := &state{file: file, endpoint: endpoint}
	if file == "" {
		return s, nil
	}
	source, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Better to find out now than after the first batch.
		if err := s.write(); err != nil {
			return nil, fmt.Errorf("-state: %w", err)
		}
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("-state: %w", err)
	}
	defer func() { _ = source.Close() }() // it has been read
	if err := s.read(source); err != nil {
		return nil, fmt.Errorf("-state: %s: %w; it is left as it is: name another file, or delete it", file, err)
	}
	return s, nil
}

func (s *state) read(r io.Reader) error {
	decoder := json.NewDecoder(bufio.NewReader(r))
	var header stateHeader
	if err := decoder.Decode(&header); err != nil || header.Format != stateFormat {
		return errors.New("it is no state file of this command")
	}
	if header.Version != stateVersion {
		return fmt.Errorf("it has version %d, and this command reads version %d", header.Version, stateVersion)
	}
	if header.Endpoint != s.endpoint {
		return fmt.Errorf("it is of another service: it has the endpoint %q, and this command %q", header.Endpoint, s.endpoint)
	}
	defer func() { s.unsaved = 0 }()
	for {
		var r row
		switch err := decoder.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("row %d: %w", len(s.rows)+1, err)
		}
		s.add(&r)
	}
}

// apply gives targets the rows that were read before.
func (s *state) apply(targets []*target) {
	type key struct{ account, id string }
	known := make(map[key]*row, len(s.rows))
	for _, r := range s.rows {
		known[key{r.Account, r.IdentityPoolID}] = r
	}
	for _, t := range targets {
		for _, a := range t.accounts {
			if r := known[key{a.name, t.IdentityPoolID}]; r != nil {
				if t.IdentityPoolName != "" {
					r.IdentityPoolName = t.IdentityPoolName
				}
				t.row = r
				break
			}
		}
	}
}

// add adds a row if its pool was read.
func (s *state) add(r *row) {
	if r.Error == nil {
		s.rows = append(s.rows, r)
		s.unsaved++
	}
}

// save writes the file if there is something new and the last time is long enough ago, or now.
func (s *state) save(now bool) error {
	if s.file == "" || s.unsaved == 0 || !now && time.Now().Before(s.next) {
		return nil
	}
	start := time.Now()
	err := s.write()
	s.next = time.Now().Add(max(minSaveInterval, 20*time.Since(start)))
	if err != nil {
		return err
	}
	s.unsaved = 0
	return nil
}

func (s *state) write() error {
	file, err := createAtomic(s.file, 0o600)
	if err != nil {
		return err
	}
	defer file.discard()
	encoder := json.NewEncoder(file)
	if err := encoder.Encode(stateHeader{stateFormat, stateVersion, s.endpoint}); err != nil {
		return err
	}
	for _, r := range s.rows {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return file.commit()
}
