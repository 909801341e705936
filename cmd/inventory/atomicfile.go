package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// atomicFile is a file that appears under its name completely or not at all. A file that is not
// regular, such as /dev/null, is written directly.
type atomicFile struct {
	buffer *bufio.Writer
	file   *os.File
	rename string // the final name of file; "" if it already has that
	done   bool
}

// createAtomic creates a temporary file in the directory of name. If name exists, the file gets its
// mode.
func createAtomic(name string, mode fs.FileMode) (*atomicFile, error) {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory", name)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &atomicFile{buffer: bufio.NewWriter(file), file: file}, nil
	case err == nil:
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	f := &atomicFile{buffer: bufio.NewWriter(file), file: file, rename: name}
	if err := file.Chmod(mode); err != nil {
		f.discard()
		return nil, err
	}
	return f, nil
}

var _ io.Writer = (*atomicFile)(nil)

func (f *atomicFile) Write(p []byte) (int, error) { return f.buffer.Write(p) }

// commit renames the file to its final name.
func (f *atomicFile) commit() error {
	err := f.buffer.Flush()
	if err == nil && f.rename != "" {
		err = f.file.Sync()
	}
	if err = errors.Join(err, f.file.Close()); err != nil {
		return err
	}
	if f.rename != "" {
		if err := os.Rename(f.file.Name(), f.rename); err != nil {
			return err
		}
	}
	f.done = true
	return nil
}

// discard removes the file unless it was committed.
func (f *atomicFile) discard() {
	if f == nil || f.done {
		return
	}
	_ = f.file.Close() // the file is removed
	if f.rename != "" {
		_ = os.Remove(f.file.Name()) // it may not exist any more
	}
}
