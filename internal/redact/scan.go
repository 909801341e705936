package redact

import "strings"

const (
	gramLength  = 12 // so many letters and digits of a key in a row are confidential
	shortestKey = 8  // bytes; shorter keys are not looked for
)

// A keyIndex finds the pieces of keys. It never changes.
type keyIndex struct {
	grams map[gram]struct{} // all that the letters and digits of the keys have in a row
	whole []string          // the keys with too few of them
}

// A gram is the shortest piece of a key that is confidential, without its signs.
type gram [gramLength]byte

func newKeyIndex(keys []string) *keyIndex {
	index := &keyIndex{grams: make(map[gram]struct{}, len(strings.Join(keys, "")))}
	for _, key := range keys {
		var letters []byte
		for i := range len(key) {
			if isAlphanumeric(key[i]) {
				letters = append(letters, key[i])
			}
		}
		if len(letters) < gramLength {
			index.whole = append(index.whole, key)
		}
		for ; len(letters) >= gramLength; letters = letters[1:] {
			index.grams[gram(letters)] = struct{}{}
		}
	}
	return index
}

// A scan is the search of one text.
type scan struct {
	text   string
	hidden []bool // for each byte, whether to remove it; nil while nothing is to be removed
	steps  int    // how much work it was, for the tests
}

// run searches the text twice: as it stands, and as it reads when all escapes are
// resolved. One is not enough, for in "%41BC" the beginning of a key may be "ABC" or
// "41BC".
func (s *scan) run(index *keyIndex) {
	for _, key := range index.whole {
		s.hideAll(key)
	}
	var (
		plain    = keyFinder{scan: s, grams: index.grams}
		resolved = keyFinder{scan: s, grams: index.grams}
		values   = valueFinder{scan: s}
		escaped  = strings.ContainsAny(s.text, `%\&`)
		buffer   [128]char
		pending  = buffer[:0] // characters that may turn out to be part of an escape
	)
	flush := func(n int) {
		for _, c := range pending[:n] {
			resolved.next(c)
			values.next(c)
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

// hideAll hides key wherever it stands in the text.
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

// A char is one character of a text, and text[start:end] is how it is written there. The
// bytes of what is not ASCII are characters of their own.
type char struct {
	b          byte
	start, end int
}

// A keyFinder hides the pieces of keys in the characters it is given.
type keyFinder struct {
	scan   *scan
	grams  map[gram]struct{}
	last   gram            // the last letters and digits
	starts [gramLength]int // where they start; that of the n-th is at n % gramLength
	n      int             // how many there have been
	end    int             // of what has been hidden last
}

func (f *keyFinder) next(c char) {
	f.scan.steps++
	if !isAlphanumeric(c.b) {
		if c.b == '=' && f.end > 0 && c.start == f.end { // padding of a key
			f.hide(c.start, c.end)
		}
		return
	}
	copy(f.last[:], f.last[1:])
	f.last[gramLength-1] = c.b
	f.starts[f.n%gramLength] = c.start
	f.n++
	if _, found := f.grams[f.last]; found {
		f.hide(f.starts[f.n%gramLength], c.end)
	}
}

// hide hides what is new of text[start:end]: consecutive grams overlap.
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
