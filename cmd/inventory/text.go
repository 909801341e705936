package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable replaces each character that could control a terminal with "\ufffd": control characters
// and those that change the direction of the text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if controlsTerminal(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func controlsTerminal(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// escapeJSON escapes such characters in JSON. encoding/json leaves most of them unescaped.
func escapeJSON(data []byte) []byte {
	var escaped bytes.Buffer
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n' || !controlsTerminal(r):
			escaped.Write(data[:size])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
		data = data[size:]
	}
	return escaped.Bytes()
}

// shorten returns at most n runes of s.
func shorten(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// plural returns "1 pool" or "2 pools".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return group(int64(n)) + " " + noun + "s"
}
