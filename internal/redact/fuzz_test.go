package redact_test

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/cognitosync/cognitosync-go/internal/redact"
)

// FuzzSecrets puts pieces of keys into texts, in all spellings, and checks that the result does
// not contain them.
func FuzzSecrets(f *testing.F) {
	f.Add("the token ", " is not known", uint8(0), uint16(0), uint16(2000), uint16(0), true)
	f.Add(`{"message":"`, `\n"}`, uint8(4), uint16(3), uint16(20), uint16(12), false)
	f.Add("100%", "%2", uint8(7), uint16(30), uint16(14), uint16(13), true)
	f.Add("SecretAccessKey: ", "&amp;", uint8(16), uint16(1), uint16(40), uint16(5), false)
	f.Add("Authorization: AWS4-HMAC-SHA256 Credential=", ", Signature=0123456789abcdef0123", uint8(2), uint16(0), uint16(12), uint16(1), true)
	f.Add("\x1b]0;\u202e\x07\r\r\n", "\xff\u200b\u2028", uint8(3), uint16(100), uint16(100), uint16(15), false)
	f.Add("http://user:pass", "@host/", uint8(5), uint16(0), uint16(20), uint16(0), false)
	secrets := newSecrets(secretKey, sessionToken)
	f.Fuzz(func(t *testing.T, before, after string, how uint8, from, length, width uint16, ofToken bool) {
		key := secretKey
		if ofToken {
			key = sessionToken
		}
		from = min(from, uint16(len(key)))
		key = key[from:min(int(from)+int(length), len(key))]
		spelling := spellings[int(how)%len(spellings)]
		folded := key
		if width > 0 {
			folded = fold(key, "\n", int(width))
		}
		// The characters before an escape may change its meaning.
		text := before + " " + spelling.of(folded) + " " + after

		got := secrets.Text(text)
		for _, reading := range readings(strings.TrimSuffix(strings.TrimPrefix(got, before), after)) {
			assert.Empty(t, exposed(reading, key), "%s: %q in %q", spelling.name, got, text)
		}
		assert.LessOrEqual(t, secrets.Steps(text), maxSteps*len(text))

		// Text next to the letters of a key does not prevent finding it.
		touching := secrets.Text(before + key + after)
		for _, run := range alphanumericRuns.FindAllString(strings.TrimSuffix(strings.TrimPrefix(touching, before), after), -1) {
			assert.Empty(t, exposed(run, key), "%q in %q", touching, before+key+after)
		}

		// A text without keys and names of keys is unchanged.
		honest := strings.NewReplacer("%", "~", `\`, "~", "&", "~").Replace(before + after)
		if exposed(honest, secretKey) == "" && exposed(honest, sessionToken) == "" && !names.MatchString(withoutSigns(honest)) && !users.MatchString(honest) {
			assert.Equal(t, honest, secrets.Text(honest))
		}

		log, line := secrets.Log(text), secrets.Line(text, 100)
		assertPrintable(t, strings.NewReplacer("\r\n", "", "\n", "", "\t", "").Replace(log))
		assertPrintable(t, line)
		assertPrintable(t, redact.Printable(text, 100))
		assert.LessOrEqual(t, len(line), 100)
		assert.Equal(t, redact.Clip(got, 50), secrets.Quote(text, 50))
	})
}

var (
	alphanumericRuns = regexp.MustCompile(`[0-9A-Za-z]+`)
	names            = regexp.MustCompile(`(?i)secret|token|password|signature|aws4|authorization`)
	users            = regexp.MustCompile(`(?s)://.*@`)
)

func assertPrintable(t *testing.T, text string) {
	t.Helper()
	assert.True(t, utf8.ValidString(text), "%q", text)
	for _, r := range text {
		assert.True(t, unicode.IsPrint(r), "%q in %q", r, text)
	}
}

// readings returns text and its meanings if up to three levels of escapes are resolved.
func readings(text string) []string {
	all := []string{text}
	for range 3 {
		text = percentEscapes.ReplaceAllStringFunc(text, func(s string) string { return fromHex(s[1:]) })
		all = append(all, text)
		text = html.UnescapeString(text)
		all = append(all, text)
		text = jsonEscapes.ReplaceAllStringFunc(text, func(s string) string {
			switch s[1] {
			case 'u', 'x':
				return fromHex(s[2:])
			case 'n', 'r', 't':
				return "\n"
			}
			return s[1:]
		})
		all = append(all, text)
	}
	return all
}

var (
	percentEscapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	jsonEscapes    = regexp.MustCompile(`\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrt\\"/])`)
)

func fromHex(digits string) string {
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return fmt.Sprintf("?%v?", err)
	}
	if n < utf8.RuneSelf {
		return string(rune(n))
	}
	return "\x80" // not ASCII
}

// BenchmarkText searches a message of the usual length and the longest possible body.
func BenchmarkText(b *testing.B) {
	secrets := newSecrets(secretKey, sessionToken)
	message := "User: arn:aws:sts::123456789012:assumed-role/Admin/alice is not authorized to perform: cognito-sync:DescribeIdentityPoolUsage on resource: arn:aws:cognito-sync:us-east-1:123456789012:identitypool/us-east-1%3A0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d"
	for _, test := range []struct{ name, text string }{
		{"message", message},
		{"message with token", message + sessionToken},
		{"body", strings.Repeat(message, 1<<20/len(message))},
		{"body of tokens", strings.Repeat(sessionToken+" ", 1<<20/len(sessionToken))},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.text)))
			b.ReportAllocs()
			for b.Loop() {
				_ = secrets.Quote(test.text, 512)
			}
		})
	}
	b.Run("new keys", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = newSecrets(secretKey, sessionToken).Text("")
		}
	})
}
