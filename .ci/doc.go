// Package ci checks what no compiler and no linter looks at: that the documents are true
// of the code, that the versions agree, and that the examples print what they should.
//
// It holds tests only, and is a module of its own so that users of the library inherit
// nothing of it.
package ci
