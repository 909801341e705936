// Package redact removes keys, tokens and signatures from the texts of logs and errors, and
// makes such texts safe to print.
//
// It removes the keys of a call (see [Secrets.Text]). It also removes what must be a key
// because of the name before it, such as the value of "SecretAccessKey", or because of its
// position in a URL. The time is linear in the length of the text.
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

// Redacted is the replacement for what is removed.
const Redacted = "REDACTED"

// Secrets are the keys and tokens of a call, which must not be printed. The zero value has
// none. Secrets is safe for concurrent use and must not be copied.
type Secrets struct {
	mu    sync.Mutex
	first [2]string // backs keys, so that one key and one token need no allocation
	keys  []string
	index *keyIndex // of keys; created when a text is searched
}

// Add adds secret access keys and session tokens. It ignores duplicates, and keys shorter
// than 8 bytes. AWS does not issue such keys, but tests use words like "secret" and "token",
// which must not be removed from every text.
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
		s.index = nil // replaced, not modified, because another goroutine may be using it
	}
}

// Text returns text without secrets. It returns the same string if there are none.
//
// It removes any 12 or more consecutive letters and digits of a key, and everything
// between them. Other characters are ignored in the text and in the key, so a key is
// found without its padding, truncated, folded into lines, or with spaces for "+". It is
// also found if some or all of its characters are escaped, once or several times, as in
// URLs (%2F), JSON (\/, \u002f, \x2f) and HTML (&#47;, &#x2f;, &sol;). A key with fewer
// than 12 letters and digits is only found verbatim.
//
// It also removes signatures, the parameters of AWS4-HMAC-SHA256, and anything that looks
// like a key after a name such as SecretAccessKey, session_token or "Authorization:
// Bearer", and user and password in a URL, whether or not it is a key of the call.
//
// It does not find a key that is transformed in another way: in another letter case,
// encoded again (in base64, for example), or in pieces of fewer than 12 letters and
// digits with other letters and digits between them.
func (s *Secrets) Text(text string) string { return s.redact(text, math.MaxInt) }

// Quote returns at most limit bytes of text without secrets. It cuts the text after the
// secrets are removed, because half a token might not be recognized.
func (s *Secrets) Quote(text string, limit int) string {
	return Clip(s.redact(text, limit), limit)
}

// Line returns at most limit bytes of text without secrets, as one printable line. See
// [Printable].
func (s *Secrets) Line(text string, limit int) string {
	return Printable(s.Quote(text, limit), limit)
}

// Log returns text without secrets, for a logger. It keeps tabs and line ends, and
// replaces everything else that is not printable as [Printable] does, so that a text
// cannot control a terminal or hide part of itself.
func (s *Secrets) Log(text string) string { return replaceUnprintable(s.Text(text), true) }

// redact returns text without secrets. It may stop after limit bytes.
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

// Header returns a copy of h in which the values of headers with credentials are
// replaced. Names match in any letter case.
func Header(h http.Header) http.Header {
	h = h.Clone()
	for name, values := range h {
		if len(values) > 0 && isConfidential(name) {
			h[name] = []string{Redacted}
		}
	}
	return h
}

// HeaderLines returns text in which the values of lines such as "cookie:a=b" are replaced
// if the names are those of headers with credentials.
func HeaderLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		name, value, isHeader := strings.Cut(line, ":")
		if isHeader && isConfidential(name) {
			line = name + ":" + Redacted + value[len(strings.TrimRight(value, "\n")):]
		}
		b.WriteString(line)
	}
	return b.String()
}

// isConfidential reports whether the header contains credentials. These are Authorization,
// Cookie, X-Amz-Security-Token and headers whose names have the same endings, such as
// Proxy-Authorization, Set-Cookie and X-Aws-Ec2-Metadata-Token.
func isConfidential(name string) bool {
	name = strings.ToLower(name)
	for _, end := range [...]string{"authorization", "cookie", "token", "api-key"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// Printable returns s as one line of at most limit bytes. It replaces control and format
// characters, invalid UTF-8 and everything else that is not printable with spaces.
func Printable(s string, limit int) string { return replaceUnprintable(Clip(s, limit), false) }

// replaceUnprintable replaces everything that is not printable with spaces. If lines is
// true, it keeps tabs and line ends.
func replaceUnprintable(s string, lines bool) string {
	isSafe := func(i int, r rune) bool {
		switch r {
		case utf8.RuneError:
			return false
		case '\n', '\t':
			return lines
		case '\r': // without "\n" it would overwrite the line on a terminal
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

// Clip returns s, truncated to at most limit bytes. A truncated text ends with "..." and does
// not end within a character.
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
