// Package redact removes keys, tokens and signatures from texts that are logged or put
// into errors, and makes such texts safe to print.
//
// Two things are removed: what is part of a key of the call (see [Secrets.Text]), and
// what is a key by the name before it, such as the value of "SecretAccessKey". The time
// it takes is linear in the length of the text, whatever the text.
package redact

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Redacted stands in for what has been removed.
const Redacted = "REDACTED"

// Secrets are the keys and tokens of a call that must not be printed. The zero value has
// none. Secrets are safe for concurrent use, and must not be copied.
type Secrets struct {
	mu    sync.Mutex
	first [2]string // the array of keys until it outgrows it: most calls have one key and one token
	keys  []string
	index *keyIndex // of keys; nil until a text is searched
}

// Add adds secret access keys and session tokens. Those it has are ignored, and so are
// keys of less than 8 bytes: AWS has none so short, but tests have, and "secret" or
// "token" would be removed from every text.
func (s *Secrets) Add(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if len(key) < shortestKey || slices.Contains(s.keys, key) {
			continue
		}
		if s.keys == nil {
			s.keys = s.first[:0]
		}
		s.keys = append(s.keys, key)
		s.index = nil // do not change it: another goroutine may be searching
	}
}

// Text returns text without secrets. A text that has none is returned as it is.
//
// Every 12 consecutive letters and digits of a key are removed, and all that is between
// them. Signs do not count, neither the key's nor the text's. So a key is found without
// its padding, cut short, folded into lines, or with spaces for "+". It is also found
// escaped, in whole or in part, once or several times, as in URLs (%2F), JSON (\/,
// \u002f, \x2f) and HTML (&#47;, &#x2f;, &sol;). A key with fewer than 12 letters and
// digits is found verbatim only.
//
// Also removed are signatures, the parameters of AWS4-HMAC-SHA256, and values that look
// like a key after names such as SecretAccessKey, session_token or "Authorization:
// Bearer". They need not be keys of the call.
//
// Not found is a key that is changed otherwise: in another letter case, encoded anew (in
// base64, say), or with letters between its pieces when these are shorter than 12.
func (s *Secrets) Text(text string) string { return s.redact(text, math.MaxInt) }

// Quote returns at most limit bytes of text without secrets. The secrets are removed
// first: the first half of a token is as confidential as the whole.
func (s *Secrets) Quote(text string, limit int) string {
	return Clip(s.redact(text, limit), limit)
}

// Line returns [Secrets.Quote] of text as one line without control characters.
func (s *Secrets) Line(text string, limit int) string {
	return Printable(s.Quote(text, limit), limit)
}

// Log returns text without secrets, for a logger. It may have many lines, but nothing
// else that a terminal or a reader of logs would act on: other control and format
// characters and invalid UTF-8 are replaced with spaces.
func (s *Secrets) Log(text string) string { return replaceUnprintable(s.Text(text), true) }

// redact returns text without secrets, or its beginning if that has more than limit bytes.
func (s *Secrets) redact(text string, limit int) string {
	scan := scan{text: text}
	scan.run(s.indexed())
	if scan.hidden == nil {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() <= limit; {
		start, hidden := i, scan.hidden[i]
		for i < len(text) && scan.hidden[i] == hidden {
			i++
		}
		if hidden {
			b.WriteString(Redacted)
		} else {
			b.WriteString(text[start:i])
		}
	}
	return b.String()
}

func (s *Secrets) indexed() *keyIndex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index == nil {
		s.index = newKeyIndex(s.keys)
	}
	return s.index
}

// Header returns a copy of h without the values of headers that hold credentials,
// whatever the letter case of their names.
func Header(h http.Header) http.Header {
	h = h.Clone()
	for name, values := range h {
		if len(values) > 0 && isConfidential(name) {
			h[name] = []string{Redacted}
		}
	}
	return h
}

// isConfidential reports whether a header holds credentials. The ends of names include
// Proxy-Authorization, Set-Cookie, X-Amz-Security-Token and X-Aws-Ec2-Metadata-Token.
func isConfidential(name string) bool {
	name = strings.ToLower(name)
	for _, end := range [...]string{"authorization", "cookie", "token", "api-key"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// Printable returns s as one line of at most limit bytes. Control and format characters
// and invalid UTF-8 are replaced with spaces.
func Printable(s string, limit int) string { return replaceUnprintable(Clip(s, limit), false) }

// replaceUnprintable replaces with a space every character that is not printable, and
// keeps tabs and line ends if there may be several lines.
func replaceUnprintable(s string, lines bool) string {
	isSafe := func(i int, r rune) bool {
		switch r {
		case utf8.RuneError:
			return false
		case '\n', '\t':
			return lines
		case '\r': // alone it lets a line overwrite itself
			return lines && strings.HasPrefix(s[i:], "\r\n")
		}
		return unicode.IsPrint(r)
	}
	var b strings.Builder
	done := 0
	for i, r := range s {
		if isSafe(i, r) {
			continue
		}
		b.WriteString(s[done:i])
		b.WriteByte(' ')
		_, size := utf8.DecodeRuneInString(s[i:])
		done = i + size
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// Clip returns s, cut between two characters to at most limit bytes.
func Clip(s string, limit int) string {
	const ellipsis = "..."
	if len(s) <= limit {
		return s
	}
	end := max(0, limit-len(ellipsis))
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis[:max(0, min(limit, len(ellipsis)))]
}
