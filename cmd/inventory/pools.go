package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// listedPool is a pool of a list. The name is "" where the list has none.
type listedPool struct {
	IdentityPoolID   string `json:"IdentityPoolId"`
	IdentityPoolName string
}

// poolList is the content of a list.
type poolList struct {
	pools      []listedPool // without duplicates, in order
	duplicates int
	incomplete bool // the list contains a token for more pools
	seen       map[string]bool
}

func (l *poolList) add(pool listedPool) error {
	if err := checkID(pool.IdentityPoolID); err != nil {
		return err
	}
	if l.seen[pool.IdentityPoolID] {
		l.duplicates++
		return nil
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[pool.IdentityPoolID] = true
	l.pools = append(l.pools, pool)
	return nil
}

// listed returns the pools that the command line names.
func (c *command) listed() (poolList, error) {
	var list poolList
	for _, id := range c.ids {
		if err := list.add(listedPool{IdentityPoolID: id}); err != nil {
			return poolList{}, err
		}
	}
	if c.file == "" {
		return list, nil
	}
	name, source := "standard input", c.stdin
	if c.file != "-" {
		file, err := os.Open(c.file)
		if err != nil {
			return poolList{}, fmt.Errorf("-pools: %w", err)
		}
		defer func() { _ = file.Close() }() // opened for reading
		name, source = c.file, file
	}
	list, err := readPools(source)
	switch {
	case err != nil:
		return poolList{}, fmt.Errorf("-pools: %s: %w", name, err)
	case len(list.pools) == 0:
		return poolList{}, fmt.Errorf("-pools: %s contains no pool ID", name)
	}
	return list, nil
}

// readPools reads a list: lines of IDs, with comments, or the JSON or text output of one or several
// runs of "aws cognito-identity list-identity-pools".
func readPools(source io.Reader) (poolList, error) {
	r := bufio.NewReader(source)
	start, err := r.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return poolList{}, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return poolList{}, errors.New("the list is UTF-16: save it as UTF-8")
	case bytes.Equal(start, []byte("\ufeff")):
		_, _ = r.Discard(len(start)) // cannot fail after Peek
	}
	for {
		first, err := r.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return poolList{}, nil
		case err != nil:
			return poolList{}, err
		case first[0] == '{' || first[0] == '[':
			return readJSON(r)
		case !unicode.IsSpace(rune(first[0])):
			return readLines(r)
		}
		_, _ = r.Discard(1) // cannot fail after Peek
	}
}

// readJSON reads a sequence of JSON documents.
func readJSON(r io.Reader) (list poolList, err error) {
	for decoder := json.NewDecoder(r); ; {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return poolList{}, fmt.Errorf("JSON: %w", err)
		}
		if err := list.addJSON(document); err != nil {
			return poolList{}, err
		}
	}
}

// addJSON adds the pools in a document: the output of the AWS CLI or, with its --query, an array of
// pools or IDs.
func (l *poolList) addJSON(document json.RawMessage) error {
	var page struct {
		IdentityPools []json.RawMessage
		NextToken     string
	}
	if document[0] == '[' {
		if err := json.Unmarshal(document, &page.IdentityPools); err != nil {
			return fmt.Errorf("JSON: %w", err)
		}
	} else if err := json.Unmarshal(document, &page); err != nil {
		return fmt.Errorf("JSON: %w", err)
	} else if page.IdentityPools == nil {
		return errors.New(`JSON: missing the member "IdentityPools" of "aws cognito-identity list-identity-pools"`)
	}
	l.incomplete = l.incomplete || page.NextToken != ""
	for i, item := range page.IdentityPools {
		var pool listedPool
		if json.Unmarshal(item, &pool.IdentityPoolID) != nil {
			if err := json.Unmarshal(item, &pool); err != nil {
				return fmt.Errorf("JSON: pool %d: %w", i+1, err)
			}
		}
		if err := l.add(pool); err != nil {
			return fmt.Errorf("JSON: pool %d: %w", i+1, err)
		}
	}
	return nil
}

// readLines reads lines of IDs, separated by white space, or the text output of the AWS CLI.
func readLines(r io.Reader) (list poolList, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20) // --query can print all IDs on one line
	number := 0
	for lines.Scan() {
		number++
		if !utf8.Valid(lines.Bytes()) {
			return poolList{}, fmt.Errorf("line %d is not UTF-8 text", number)
		}
		line, _, _ := strings.Cut(lines.Text(), "#")
		columns := strings.Split(line, "\t")
		switch strings.TrimSpace(columns[0]) {
		case "IDENTITYPOOLS":
			pool := listedPool{}
			if len(columns) > 1 {
				pool.IdentityPoolID = strings.TrimSpace(columns[1])
			}
			if len(columns) > 2 {
				pool.IdentityPoolName = strings.TrimSpace(columns[2])
			}
			err = list.add(pool)
		case "NEXTTOKEN":
			list.incomplete = true
		default:
			for id := range strings.FieldsSeq(line) {
				if err = list.add(listedPool{IdentityPoolID: id}); err != nil {
					break
				}
			}
		}
		if err != nil {
			return poolList{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return poolList{}, fmt.Errorf("line %d: %w", number+1, err)
	}
	return list, nil
}

// checkID returns an error if id cannot be a pool ID. It is no stricter than it must be: AWS decides
// which IDs it accepts.
func checkID(id string) error {
	if id == "" {
		return errors.New("empty pool ID")
	}
	if strings.ContainsAny(id, " ,;\"'{}[]<>") || strings.ContainsFunc(id, unicode.IsControl) {
		return fmt.Errorf("%q is not a pool ID such as us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE", shorten(id, 100))
	}
	return nil
}
