package redact

import "strings"

// longestEscape is the maximum length of an escape that is recognized. HTML allows any number
// of leading zeros.
const longestEscape = 24

// entities are the HTML names of characters that occur in keys or next to them.
var entities = map[string]byte{
	"amp": '&', "apos": '\'', "bsol": '\\', "colon": ':', "equals": '=', "gt": '>', "lowbar": '_', "lt": '<',
	"nbsp": ' ', "NewLine": '\n', "num": '#', "percnt": '%', "plus": '+', "quot": '"', "semi": ';', "sol": '/',
}

// resolve replaces an escape at the end of chars with its character, and continues if that
// completes another escape: "%25252F" becomes "%252F" when "%25" is read, then "%2F", then
// "/". Every replacement removes characters, so the time is linear in the length of the text,
// however deeply escapes are nested.
func (s *scan) resolve(chars *[]char) {
	for {
		s.steps++
		length, b := escape(*chars)
		if length == 0 {
			return
		}
		first := len(*chars) - length
		(*chars)[first] = char{b, (*chars)[first].start, (*chars)[len(*chars)-1].end}
		*chars = (*chars)[:first+1]
	}
}

// escape returns the length of the escape at the end of chars, or 0 if there is none, and its
// character.
func escape(chars []char) (length int, b byte) {
	fromEnd := func(n int) byte {
		if n > len(chars) {
			return 0
		}
		return chars[len(chars)-n].b
	}
	hex := func(length, digits int) (int, byte) {
		if b, ok := number(chars[len(chars)-digits:], 16); ok {
			return length, b
		}
		return 0, 0
	}
	switch last := fromEnd(1); {
	case last == ';':
		return entity(chars)
	case fromEnd(2) == '\\':
		switch last {
		case '\\', '/', '"', '\'':
			return 2, last
		case 'n', 'r', 't':
			return 2, '\n'
		}
	case fromEnd(3) == '%':
		return hex(3, 2)
	case fromEnd(4) == '\\' && fromEnd(3) == 'x':
		return hex(4, 2)
	case fromEnd(6) == '\\' && fromEnd(5) == 'u':
		return hex(6, 4)
	}
	return 0, 0
}

// entity is escape for an HTML entity. chars end with ";".
func entity(chars []char) (length int, b byte) {
	var name [longestEscape]byte
	for length := 2; length <= min(len(chars), longestEscape); length++ {
		c := chars[len(chars)-length].b
		if c != '&' {
			name[longestEscape-length] = c
			continue
		}
		body := chars[len(chars)-length+1 : len(chars)-1]
		if b, ok := entities[string(name[longestEscape-length+1:longestEscape-1])]; ok {
			return length, b
		}
		base := 10
		if len(body) == 0 || body[0].b != '#' {
			return 0, 0
		}
		if body = body[1:]; len(body) > 0 && toLower(body[0].b) == 'x' {
			base, body = 16, body[1:]
		}
		if b, ok := number(body, base); ok {
			return length, b
		}
		return 0, 0
	}
	return 0, 0
}

// number returns the character whose number consists of digits. It returns 0x80 for any
// character that is not ASCII.
func number(digits []char, base int) (b byte, ok bool) {
	n := 0
	for _, digit := range digits {
		d := strings.IndexByte("0123456789abcdef", toLower(digit.b))
		if d < 0 || d >= base {
			return 0, false
		}
		n = min(n*base+d, 0x80)
	}
	return byte(n), len(digits) > 0
}
