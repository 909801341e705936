package redact

import (
	"math/bits"
	"strings"
)

const (
	gramLength  = 12 // letters and digits of a key; fewer in a row are not confidential
	shortestKey = 8  // bytes; shorter keys are ignored
)

// A gram is gramLength consecutive letters and digits, without the signs between them.
type gram struct {
	low  uint64 // the last eight of them
	high uint32 // the first four
}

// push returns g without its first letter or digit, and with b appended.
func (g gram) push(b byte) gram {
	return gram{low: g.low<<8 | uint64(b), high: g.high<<8 | uint32(g.low>>56)}
}

// A keyIndex contains the grams of keys. It is immutable.
type keyIndex struct {
	grams []gram   // a hash table with linear probing, at most half full; free places are zero
	whole []string // keys with too few letters and digits for a gram
}

func newKeyIndex(keys []string) *keyIndex {
	size := 0
	for _, key := range keys {
		size += len(key)
	}
	index := &keyIndex{grams: make([]gram, 2<<bits.Len(uint(size)))}
	for _, key := range keys {
		var (
			g gram
			n int
		)
		for i := range len(key) {
			if !isAlphanumeric(key[i]) {
				continue
			}
			if g, n = g.push(key[i]), n+1; n >= gramLength {
				*index.place(g) = g
			}
		}
		if n < gramLength {
			index.whole = append(index.whole, key)
		}
	}
	return index
}

// place returns the place of g in the table. It is free if the table does not contain g.
func (x *keyIndex) place(g gram) *gram {
	mask := uint64(len(x.grams) - 1)
	hash := (g.low ^ uint64(g.high)<<20) * 0x9e3779b97f4a7c15
	for i := hash >> 32; ; i++ {
		if place := &x.grams[i&mask]; *place == g || *place == (gram{}) {
			return place
		}
	}
}

// A scan is the search of one text.
type scan struct {
	text   string
	hidden []bool // for each byte, whether to remove it; nil while nothing is to be removed
	steps  int    // measures the work, for the tests
}

// run searches the text in one pass, both unchanged and with its escapes resolved. Both are
// necessary: in "%41BC", a key may begin with "ABC" or with "41BC".
func (s *scan) run(index *keyIndex) {
	for _, key := range index.whole {
		s.hideAll(key)
	}
	var (
		plain    = keyFinder{scan: s, index: index}
		resolved = keyFinder{scan: s, index: index}
		values   = valueFinder{scan: s}
		users    = userFinder{scan: s}
		escaped  = strings.ContainsAny(s.text, `%\&`)
		buffer   [128]char
		pending  = buffer[:0] // the last of them may be the beginning of an escape
	)
	flush := func(n int) {
		for _, c := range pending[:n] {
			resolved.next(c)
			values.next(c)
			users.next(c)
		}
		pending = pending[:copy(pending, pending[n:])]
	}
	for i := range len(s.text) {
		c := char{s.text[i], i, i + 1}
		pending = append(pending, c)
		if escaped {
			plain.next(c)
			s.resolve(&pending)
		}
		if len(pending) == cap(pending) {
			flush(len(pending) - longestEscape)
		}
	}
	flush(len(pending))
	values.finish()
}

// hide marks text[start:end] for removal.
func (s *scan) hide(start, end int) {
	if s.hidden == nil {
		s.hidden = make([]bool, len(s.text))
	}
	for i := start; i < end; i++ {
		s.hidden[i] = true
		s.steps++
	}
}

// hideAll hides all occurrences of key.
func (s *scan) hideAll(key string) {
	for end := 0; ; {
		i := strings.Index(s.text[end:], key)
		if i < 0 {
			return
		}
		start := end + i
		end = start + len(key)
		s.hide(start, end)
	}
}

// A char is an ASCII character that text[start:end] represents, or one byte of another
// character.
type char struct {
	b          byte
	start, end int
}

// A keyFinder hides the grams of keys in the characters that are passed to it.
type keyFinder struct {
	scan   *scan
	index  *keyIndex
	last   gram            // of the letters and digits so far
	starts [gramLength]int // their positions; that of the n-th is at n % gramLength
	n      int             // how many there are so far
	end    int             // the end of what was hidden last
}

func (f *keyFinder) next(c char) {
	f.scan.steps++
	if !isAlphanumeric(c.b) {
		if c.b == '=' && f.end > 0 && c.start == f.end { // padding of a key
			f.hide(c.start, c.end)
		}
		return
	}
	f.last = f.last.push(c.b)
	f.starts[f.n%gramLength] = c.start
	f.n++
	if *f.index.place(f.last) == f.last {
		f.hide(f.starts[f.n%gramLength], c.end)
	}
}

// hide hides text[start:end]. It skips what it has hidden before, because consecutive grams
// overlap.
func (f *keyFinder) hide(start, end int) {
	f.scan.hide(max(start, f.end), end)
	f.end = end
}

func isAlphanumeric(b byte) bool { return isLower(b) || isUpper(b) || isDigit(b) }

func isLower(b byte) bool { return 'a' <= b && b <= 'z' }

func isUpper(b byte) bool { return 'A' <= b && b <= 'Z' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isHex(b byte) bool { return isDigit(b) || 'a' <= toLower(b) && toLower(b) <= 'f' }

func toLower(b byte) byte {
	if isUpper(b) {
		b += 'a' - 'A'
	}
	return b
}
