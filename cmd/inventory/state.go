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

// A state file contains a header and a row for each pool that was read, one JSON document per line.
const (
	stateFormat  = "cognitosync-inventory-state"
	stateVersion = 1
)

type stateHeader struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	Endpoint string `json:"endpoint"` // "" for AWS
}

// state is the content of the state file.
type state struct {
	file     string // "" for none
	endpoint string
	rows     []*row
	unsaved  int
	next     time.Time // the earliest time of the next save
}

// minSaveInterval is the minimum time between two saves. Since a save writes the whole file, the
// interval is also at least a multiple of the duration of the last one.
const minSaveInterval = 2 * time.Second

// openState reads a state file, or creates it.
func openState(file, endpoint string) (*state, error) {
	s := &state{file: file, endpoint: endpoint}
	if file == "" {
		return s, nil
	}
	source, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// If the file cannot be written, fail now and not after the first pools.
		if err := s.write(); err != nil {
			return nil, fmt.Errorf("-state: %w", err)
		}
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("-state: %w", err)
	}
	defer func() { _ = source.Close() }() // opened for reading
	if err := s.read(source); err != nil {
		return nil, fmt.Errorf("-state: %s: %w; the file is unchanged: name another one, or delete it", file, err)
	}
	return s, nil
}

func (s *state) read(r io.Reader) error {
	decoder := json.NewDecoder(bufio.NewReader(r))
	var header stateHeader
	if err := decoder.Decode(&header); err != nil || header.Format != stateFormat {
		return errors.New("not a state file of this command")
	}
	if header.Version != stateVersion {
		return fmt.Errorf("the file has version %d, but this command reads version %d", header.Version, stateVersion)
	}
	if header.Endpoint != s.endpoint {
		return fmt.Errorf("the file is for another service: it has the endpoint %q, but this command uses %q", header.Endpoint, s.endpoint)
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

// apply sets the rows of targets that were read before.
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

// save writes the file if there are new rows, and the last save was long enough ago or now is set.
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
