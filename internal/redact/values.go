package redact

import "strings"

// A kind of value that is confidential because of the text before it.
type kind int

const (
	none kind = iota
	// key is a secret key or a token. It has at least 16 characters with a digit, or 40
	// without. "token: InvalidIdentityTokenException" is not one.
	key
	// credentials follow "Authorization: Bearer". They have at least 8 characters with a
	// digit, or 16 without. "authentication required" are not.
	credentials
	// basic credentials follow "Authorization: Basic". The base64 of a short password may
	// have no digit, but it has capital letters after small ones.
	basic
	// hash is a signature, or the hash that is signed.
	hash
	// parameters follow AWS4-HMAC-SHA256: "Credential=..., SignedHeaders=..., Signature=...".
	parameters
)

// names are the ends of the texts before confidential values, in lower case and without
// spaces, hyphens, underscores and quotes. "=" and the ">" of XML count as ":".
var names = [...]struct {
	name string
	kind kind
}{
	{"secretaccesskey:", key},
	{"secretkey:", key},
	{"secret:", key},
	{"token:", key}, // also of SessionToken and X-Amz-Security-Token
	{"password:", key},
	{"authorization:basic", basic},
	{"authorization:bearer", credentials},
	{"signature:", hash},
	{"aws4request", hash}, // the end of the credential scope; the hash follows in a string to sign
	{"aws4hmacsha256", parameters},
}

const longestName = len("authorization:bearer")

// A valueFinder hides the values after names in the characters that are passed to it.
type valueFinder struct {
	scan *scan

	name      [128]byte // the text so far, as in names; larger than they are, so that it is rarely moved
	length    int       // of name
	inWord    bool      // the last character belongs to a word, such as "AWS4-HMAC-SHA256"
	wordStart int

	value value
}

// A value is the text after a name, as far as it has been read.
type value struct {
	kind       kind
	start, end int
	size       int  // in characters; of parameters, the size of the last
	equals     bool // the last of the parameters has a "="
	digit      bool // there is a digit
	small      bool // the last character is a small letter
	mixed      bool // there is a capital letter after a small one
}

func (f *valueFinder) next(c char) {
	f.scan.steps++
	switch f.value.kind {
	case none:
	case parameters:
		f.readParameters(c)
	default:
		f.readValue(c)
	}
	f.readName(c)
}

// readName adds c to the name, and begins a value if the name is now one of names.
func (f *valueFinder) readName(c char) {
	isWord := isAlphanumeric(c.b) || c.b == '-' || c.b == '_'
	if isWord && !f.inWord {
		f.wordStart = c.start
	}
	f.inWord = isWord
	switch c.b {
	case ':', '=', '>':
		f.extendName(':')
		f.beginValue()
	case ' ', '\t', '\r', '\n':
		f.beginValue()
	case '-', '_', '"', '\'', '[':
	default:
		if isAlphanumeric(c.b) {
			f.extendName(toLower(c.b))
		} else {
			f.length = 0
		}
	}
}

func (f *valueFinder) extendName(b byte) {
	if f.length == len(f.name) {
		f.length = copy(f.name[:], f.name[f.length-longestName:])
	}
	f.name[f.length] = b
	f.length++
}

func (f *valueFinder) beginValue() {
	if f.value.kind == parameters {
		return // "Signature=" is part of them
	}
	for _, n := range names {
		if start := f.length - len(n.name); start >= 0 && string(f.name[start:f.length]) == n.name {
			f.finish()
			f.value = value{kind: n.kind, start: f.wordStart}
			return
		}
	}
}

func (f *valueFinder) readValue(c char) {
	v := &f.value
	switch {
	case v.size == 0 && isBeforeValue(c.b):
	case isHex(c.b), v.kind != hash && isBase64(c.b):
		if v.size == 0 {
			v.start = c.start
		}
		v.end = c.end
		v.size++
		v.digit = v.digit || isDigit(c.b)
		v.mixed = v.mixed || v.small && isUpper(c.b)
		v.small = isLower(c.b)
	case c.b == '.' && v.isSecret(): // between the parts of a JSON Web Token
	default:
		f.finish()
	}
}

// readParameters reads words until one contains no "=". They are hidden together with the
// name of the scheme.
func (f *valueFinder) readParameters(c char) {
	v := &f.value
	switch {
	case c.b == ' ' || c.b == '\t' || c.b == ',':
		if v.size > 0 && !v.equals {
			f.finish()
			return
		}
		v.size, v.equals = 0, false
	case isBase64(c.b) || c.b == ';' || c.b == '.':
		v.size++
		v.equals = v.equals || c.b == '='
		if v.equals {
			v.end = c.end
		}
	default:
		f.finish()
	}
}

// finish ends the value that is being read, and hides it if it is confidential.
func (f *valueFinder) finish() {
	if f.value.isSecret() {
		f.scan.hide(f.value.start, f.value.end)
	}
	f.value = value{}
}

func (v *value) isSecret() bool {
	switch v.kind {
	case key:
		return v.size >= 16 && v.digit || v.size >= 40
	case credentials:
		return v.size >= 8 && v.digit || v.size >= 16
	case basic:
		return v.size >= 8 && (v.digit || v.mixed) || v.size >= 16
	case hash:
		return v.size >= 16
	case parameters:
		return v.end > 0
	default:
		return false
	}
}

// A userFinder hides the user information of URLs in the characters that are passed to it,
// such as "user:password" in "http://user:password@host". It hides a name without a password
// only if it looks like a key, so not the one in "ssh://git@host".
type userFinder struct {
	scan *scan

	scheme     int // how many characters of "://" were last; after 3, a user may follow
	start, end int
	size       int
	digit      bool
	password   bool // there is a ":"
}

func (f *userFinder) next(c char) {
	f.scan.steps++
	if f.scheme < len("://") {
		f.readScheme(c)
		return
	}
	// An escaped slash may be part of a password, but a quote ends the URL.
	escaped := c.end > c.start+1 && f.scan.text[c.start] == '%'
	switch {
	case c.b == '@':
		if f.password || f.digit && f.size >= 16 {
			f.scan.hide(f.start, f.end)
			f.start = c.start // the "@" is part of the password if another one follows
		}
	case c.b <= ' ', strings.IndexByte("\"'`<>", c.b) >= 0, strings.IndexByte("/?#", c.b) >= 0 && !escaped:
		f.scheme = 0
		return
	case c.b == ':':
		f.password = true
	case isDigit(c.b):
		f.digit = true
	}
	f.end = c.end
	f.size++
}

func (f *userFinder) readScheme(c char) {
	switch c.b {
	case "://"[f.scheme]:
		f.scheme++
	case ':':
		f.scheme = 1
	default:
		f.scheme = 0
	}
	f.start, f.end = c.end, c.end
	f.size, f.digit, f.password = 0, false, false
}

// isBeforeValue reports whether b may stand between a name and its value.
func isBeforeValue(b byte) bool { return strings.IndexByte(" \t\r\n:=>\"'`[({<\\", b) >= 0 }

// isBase64 reports whether b belongs to one of the alphabets of base64.
func isBase64(b byte) bool { return isAlphanumeric(b) || strings.IndexByte("+/=-_", b) >= 0 }
