package redact_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/redact"
)

// Keys like those of AWS: they contain punctuation, with short runs of letters between.
const secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKEY"

var sessionToken = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJGMEQCIB7/" + strings.Repeat("k3Yq+Zp/8uVwT0aB", 40) + "Q5c=="

// Values that are not keys of a call.
const (
	unknownKey       = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
	unknownSignature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
)

func newSecrets(keys ...string) *redact.Secrets {
	s := new(redact.Secrets)
	s.Add(keys...)
	return s
}

// everyByte spells each byte of s with format.
func everyByte(format, s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// everySign spells each byte of s that is not a letter or digit with format.
func everySign(format, s string) string {
	var b strings.Builder
	for i := range len(s) {
		if isAlphanumeric(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, format, s[i])
		}
	}
	return b.String()
}

// withoutSigns returns the letters and digits of s.
func withoutSigns(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && isAlphanumeric(byte(r)) {
			return r
		}
		return -1
	}, s)
}

// fold puts separator after every n bytes of s.
func fold(s, separator string, n int) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + separator)
		s = s[n:]
	}
	return b.String() + s
}

func jsonText(s string) string {
	text, _ := json.Marshal(s) // a string can always be written
	return string(text[1 : len(text)-1])
}

// A spelling is a way to write a key.
type spelling struct {
	name string
	of   func(string) string
}

func format(how func(format, s string) string, verb string) func(string) string {
	return func(s string) string { return how(verb, s) }
}

func twice(of func(string) string) func(string) string {
	return func(s string) string { return of(of(s)) }
}

var spellings = []spelling{
	{"unchanged", func(s string) string { return s }},
	{"percent-escaped", url.QueryEscape},
	{"percent-escaped twice", twice(url.QueryEscape)},
	{"percent-escaped three times", func(s string) string { return url.QueryEscape(url.QueryEscape(url.QueryEscape(s))) }},
	{"percent-escaped in lower case", format(everySign, "%%%02x")},
	{"percent-escaped, every character", format(everyByte, "%%%02X")},
	{"percent-escaped twice, every character", twice(format(everyByte, "%%%02X"))},
	{"+ as space", func(s string) string { return strings.ReplaceAll(s, "+", " ") }},
	{"JSON with slashes escaped", func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }},
	{"JSON with numbers", format(everySign, `\u%04x`)},
	{"JSON with numbers twice", func(s string) string { return jsonText(everySign(`\u%04X`, s)) }},
	{"JSON with numbers, every character", format(everyByte, `\u%04x`)},
	{"hexadecimal Go escapes", format(everySign, `\x%02x`)},
	{"HTML", html.EscapeString},
	{"HTML with numbers", format(everySign, "&#%d;")},
	{"HTML with padded numbers", format(everySign, "&#%07d;")},
	{"HTML with hexadecimal numbers", format(everySign, "&#x%x;")},
	{"HTML with padded hexadecimal numbers", format(everySign, "&#X%06X;")},
	{"HTML with numbers, every character", format(everyByte, "&#%d;")},
	{"HTML with numbers twice", func(s string) string { return html.EscapeString(everySign("&#%d;", s)) }},
	{"HTML with names", strings.NewReplacer("/", "&sol;", "+", "&plus;", "=", "&equals;").Replace},
	{"percent-escaped in HTML in JSON", func(s string) string { return jsonText(everySign("&#%d;", url.QueryEscape(s))) }},
	{"without padding", func(s string) string { return strings.TrimRight(s, "=") }},
	{"without punctuation", withoutSigns},
	{"truncated at the end", func(s string) string { return s[:len(s)*2/3] }},
	{"truncated at the beginning", func(s string) string { return s[len(s)/3:] }},
	{"truncated and quoted", func(s string) string { return fmt.Sprintf("%.30q...", s) }},
	{"in lines of 12", func(s string) string { return fold(s, "\n", 12) }},
	{"in lines of 5", func(s string) string { return fold(s, "\r\n\t", 5) }},
	{"in lines in JSON", func(s string) string { return jsonText(fold(s, "\n", 16)) }},
	{"in lines in a URL", func(s string) string { return url.QueryEscape(fold(s, "\n", 16)) }},
	{"in Go string literals", func(s string) string { return fold(s, "\" +\n\t\"", 20) }},
	{"with zero width spaces", func(s string) string { return fold(s, "\u200b", 7) }},
}

// exposed returns 12 consecutive letters and digits of key that text contains, or "". All
// other characters of both are ignored.
func exposed(text, key string) string {
	text, key = withoutSigns(text), withoutSigns(key)
	for i := 0; i+12 <= len(key); i++ {
		if part := key[i : i+12]; strings.Contains(text, part) {
			return part
		}
	}
	return ""
}

func isAlphanumeric(b byte) bool {
	return b < utf8.RuneSelf && (unicode.IsLetter(rune(b)) || unicode.IsDigit(rune(b)))
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	secrets := newSecrets(secretKey, sessionToken)
	for _, spelling := range spellings {
		t.Run(spelling.name, func(t *testing.T) {
			t.Parallel()
			for _, key := range []string{secretKey, sessionToken} {
				got := secrets.Text("the token <" + spelling.of(key) + "> got refused")
				assert.Equal(t, "thetokenREDACTEDgotrefused", withoutSigns(got), got)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		keys []string
		text string
		want string
	}{
		{"no keys", nil, secretKey, secretKey},
		{"empty keys", []string{"", ""}, "a text", "a text"},
		{"empty text", []string{secretKey}, "", ""},
		{"two keys", []string{secretKey, sessionToken}, secretKey + " and " + sessionToken, "REDACTED and REDACTED"},
		{"keys of two attempts", []string{secretKey, unknownKey}, unknownKey + "," + secretKey, "REDACTED,REDACTED"},
		{"in a word", []string{secretKey}, "x" + secretKey + "x", "xREDACTEDx"},
		{"after what looks like an escape", []string{"41bcdefghijk"}, "%41bcdefghijk", "%REDACTED"},
		{"after a backslash", []string{"nbcdefghijkl"}, `\nbcdefghijkl`, `\REDACTED`},
		{"11 letters", []string{secretKey}, "wJalrXUtnFE", "wJalrXUtnFE"},
		{"12 letters", []string{secretKey}, "JalrXUtnFEMI", "REDACTED"},
		{"12 letters, punctuation between", []string{secretKey}, "FEMI/K7MDENG+b", "REDACTED"},
		{"12 letters, other punctuation between", []string{secretKey}, "FEMI K7MDENG, b.", "REDACTED."},
		{"one letter wrong", []string{secretKey}, "wJalrXUtnFEMI/K7MDEN_!_bPxRfiCYzEXAMPLEKEY", "REDACTED_!_REDACTED"},
		{"letters between short pieces", []string{secretKey}, "nFEMI&#3f;K7MDENG", "nFEMI&#3f;K7MDENG"}, // not a decimal number
		{"character beyond ASCII", []string{secretKey}, "&#x14A;alrXUtnFEMI", "&#x14A;alrXUtnFEMI"},     // 0x100 more than "J"
		{"padding", []string{secretKey}, secretKey + "== = x", "REDACTED = x"},
		{"escaped padding", []string{secretKey}, secretKey + "%3D%3D&x", "REDACTED&x"},
		{"= elsewhere", []string{secretKey}, "=a=", "=a="},
		{"short keys of tests", []string{"secret", "token"}, "the secret token of " + "secret", "the secret token of secret"},
		{"whole key with few letters", []string{"a/b+c/d+e"}, "(a/b+c/d+e)(a/b+c/d+e)", "(REDACTED)(REDACTED)"},
		{"part of a key with few letters", []string{"a/b+c/d+e"}, "a/b+c/d", "a/b+c/d"},
		{"key of punctuation", []string{"!!!!!!!!"}, "!!!!!!!! !!!!!!!", "REDACTED !!!!!!!"},
		{"key of one letter", []string{strings.Repeat("a", 40)}, strings.Repeat("a", 100) + " baaaaaaaaaaab", "REDACTED baaaaaaaaaaab"},
		{"key that is invalid UTF-8", []string{"\xffabcdefghijkl\xff"}, "\xffabcdefghijkl\xff", "\xffREDACTED\xff"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, newSecrets(test.keys...).Text(test.text))
		})
	}
}

// TestNamedValues checks that keys of other calls are redacted if their name precedes them.
func TestNamedValues(t *testing.T) {
	t.Parallel()
	const key, signature = unknownKey, unknownSignature
	header := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/cognito-sync/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=" + signature
	for _, test := range []struct{ name, text, want string }{
		{"JSON", `{"SecretAccessKey":"` + key + `","SessionToken" : "` + key + `"}`, `{"SecretAccessKey":"REDACTED","SessionToken" : "REDACTED"}`},
		{"JSON in lines", "{\n  \"SecretAccessKey\":\n    \"" + key + "\"\n}", "{\n  \"SecretAccessKey\":\n    \"REDACTED\"\n}"},
		{"JSON in JSON", `{\"SecretAccessKey\": \"` + key + `\"}`, `{\"SecretAccessKey\": \"REDACTED\"}`},
		{"JSON in JSON in JSON", `{\\\"SecretAccessKey\\\": \\\"` + key + `\\\"}`, `{\\\"SecretAccessKey\\\": \\\"REDACTED\\\"}`},
		{"JSON in HTML", `{&#34;SessionToken&quot;: &quot;` + key + `&quot;}`, `{&#34;SessionToken&quot;: &quot;REDACTED&quot;}`},
		{"XML", "<SecretAccessKey>" + key + "</SecretAccessKey>", "<SecretAccessKey>REDACTED</SecretAccessKey>"},
		{"environment", "export AWS_SECRET_ACCESS_KEY=" + key + "\nexport AWS_SESSION_TOKEN='" + key + "'", "export AWS_SECRET_ACCESS_KEY=REDACTED\nexport AWS_SESSION_TOKEN='REDACTED'"},
		{"profile", "[default]\naws_secret_access_key = " + key + "\n", "[default]\naws_secret_access_key = REDACTED\n"},
		{"profile in upper case", "AWS_Secret_Access_Key:" + key, "AWS_Secret_Access_Key:REDACTED"},
		{"words", "Secret Access Key: " + key + ", secret key: " + key, "Secret Access Key: REDACTED, secret key: REDACTED"},
		{"Go map", "map[X-Amz-Security-Token:[" + key + "]]", "map[X-Amz-Security-Token:[REDACTED]]"},
		{"Go struct", "{AccessKeyID:AKID SecretAccessKey:" + key + " SessionToken:}", "{AccessKeyID:AKID SecretAccessKey:REDACTED SessionToken:}"},
		{"header", "x-amz-security-token:" + key + "\n", "x-amz-security-token:REDACTED\n"},
		{"query", "?X-Amz-Security-Token=" + url.QueryEscape(key) + "&X-Amz-Signature=" + signature + "&a=b", "?X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED&a=b"},
		{"escaped query", url.QueryEscape("?X-Amz-Security-Token=" + key + "&a"), "%3FX-Amz-Security-Token%3DREDACTED%26a"},
		{"arrow", "secretKey => '" + key + "'", "secretKey => 'REDACTED'"},
		{"padding before another name", "token=" + key + "token=" + key, "token=REDACTED"},
		{"name as value", "Token: SecretAccessKey: " + key, "Token: SecretAccessKey: REDACTED"},
		{"key without a digit", "SecretAccessKey=" + strings.Repeat("aBcDe/", 6) + "FgHi", "SecretAccessKey=REDACTED"},
		{"JSON Web Token", "access_token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl. Try again.", "access_token: REDACTED. Try again."},
		{"client secret", `"clientSecret":"` + key + `"`, `"clientSecret":"REDACTED"`},
		{"password", "password=" + key, "password=REDACTED"},
		{"output of a process before its JSON", "invalid character 'w', data: warning\n" + `{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"` + key + `","SessionToken":"` + key + `"}`, "invalid character 'w', data: warning\n" + `{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"REDACTED","SessionToken":"REDACTED"}`},

		{"Authorization", "Authorization: " + header, "Authorization: REDACTED"},
		{"Authorization in a map", "map[Authorization:[" + header + "] Host:[h]]", "map[Authorization:[REDACTED] Host:[h]]"},
		{"Authorization in JSON", `{"Authorization":["` + header + `"]}`, `{"Authorization":["REDACTED"]}`},
		{"Authorization in a sentence", "Authorization=" + header + " is wrong", "Authorization=REDACTED is wrong"},
		{"Authorization in lines", header + "\nX-Amz-Date: 20260102T030405Z", "REDACTED\nX-Amz-Date: 20260102T030405Z"},
		{"Authorization, truncated", "authorization: " + header[:40] + "...", "authorization: REDACTED"},
		{"Authorization, truncated in the signature", header[:len(header)-60], "REDACTED"},
		{"Authorization before other parameters", header + " is wrong, x=1", "REDACTED is wrong, x=1"},
		{"Authorization escaped", url.PathEscape("Authorization: " + header), "Authorization:%20REDACTED"},
		{"without spaces", strings.ReplaceAll(header, ", ", ","), "REDACTED"},
		{"Bearer", "Authorization: Bearer abc.123DEF456, x", "Authorization: Bearer abc.123DEF456, x"},
		{"Bearer token", `"authorization":"bearer aBcDeF12"`, `"authorization":"bearer REDACTED"`},
		{"Basic", "Proxy-Authorization:[Basic dXNlcjpwYXNzMQ==]", "Proxy-Authorization:[Basic REDACTED]"},
		{"Basic without a digit", "Proxy-Authorization: Basic dXNlcjpwdw==", "Proxy-Authorization: Basic REDACTED"},
		{"password of a URL", `proxyconnect tcp: "http://user:hunter2@proxy.test:8080/"`, `proxyconnect tcp: "http://REDACTED@proxy.test:8080/"`},
		{"password with escapes", "http://user:p%2Fa%3Fss@proxy.test", "http://REDACTED@proxy.test"},
		{"password with an at sign", "http://user:p@ss@proxy.test and a@b", "http://REDACTED@proxy.test and a@b"},
		{"URL in JSON", `{"proxy":"http:\/\/user:pw@proxy.test\/"}`, `{"proxy":"http:\/\/REDACTED@proxy.test\/"}`},
		{"URL in a query", "?proxy=http%3A%2F%2Fuser%3Apw%40proxy.test", "?proxy=http%3A%2F%2FREDACTED%40proxy.test"},
		{"token as the user of a URL", "https://0123456789abcdef0123@host.test/", "https://REDACTED@host.test/"},
		{"Bearer words", "Authorization: Bearer confidential-word", "Authorization: Bearer REDACTED"},

		{"signature", "Signature=" + signature + " is wrong", "Signature=REDACTED is wrong"},
		{"truncated signature", "Signature=" + signature[:16], "Signature=REDACTED"},
		{"string to sign", "AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/cognito-sync/aws4_request\n" + signature + "'", "AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/cognito-sync/aws4_request\nREDACTED'"},
		{"string to sign with CRLF", "aws4_request\r\n" + signature, "aws4_request\r\nREDACTED"},
		{"string to sign in JSON", `aws4_request\n` + signature + `\n`, `aws4_request\nREDACTED\n`},
		{"string to sign in JSON twice", `aws4_request\\r\\n` + signature, `aws4_request\\r\\nREDACTED`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, secrets := range []*redact.Secrets{newSecrets(), newSecrets(secretKey, sessionToken)} {
				assert.Equal(t, test.want, secrets.Text(test.text))
			}
		})
	}
}

// TestNameAfterLongWord checks names at every position relative to the end of the buffer.
func TestNameAfterLongWord(t *testing.T) {
	t.Parallel()
	secrets := newSecrets()
	for n := range 300 {
		word := strings.Repeat("x", n)
		assert.Equal(t, word+"AuthorizationBearer: SecretAccessKey: REDACTED", secrets.Text(word+"AuthorizationBearer: SecretAccessKey: "+unknownKey))
	}
}

// TestHarmlessTexts checks that texts that do not contain keys are unchanged.
func TestHarmlessTexts(t *testing.T) {
	t.Parallel()
	secrets := newSecrets("secret", "token", secretKey, sessionToken)
	for _, text := range []string{
		"",
		"authorization: denied by SCP",
		"Failed authorization: user arn:aws:iam::123456789012:user/Alice is not authorized",
		"Authorization: Bearer authentication is required",
		"authorization: Basic credentials missing",
		"authorization: AWS4-HMAC-SHA256 is not supported",
		"AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/cognito-sync/aws4_request\n",
		"The security token included in the request is invalid.",
		"The security token included in the request is expired",
		"operation error: refresh cached SSO token: InvalidIdentityTokenException: no",
		"failed to load token: open /home/alice1/.aws/sso/cache/0123456789abcdef0123.json: no such file",
		"unexpected token: VALUE_STRING_OF_SOME_LENGTH",
		"static credentials: secret access key: must-not-be-empty-at-all",
		"secret access key=, session token=",
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
		"Signature expired: 20260102T030405Z is now earlier than 20260102T031405Z",
		"signature: face",
		"signature: DescribeIdentityPoolUsageV1",
		"That is no secret. Access key: AKIAIOSFODNN7EXAMPLE",
		"GET /identitypools/us-east-1%3A0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d HTTP/1.1",
		"identity pool us-east-1:0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d not found",
		"RequestID: 0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d",
		"100 % of \\ & &; &#; &#x; &#xzz; &#99999999999999999999; %zz \\u00 \\",
		"C:\\new\\users\\token",
		"ssh://git@host.test/path, https://host.test:443/@scope?a@b, https://[::1]:80 a@b, mailto:alice@host.test",
		`{"url":"http://host.test:80","mail":"a@b"}, <a href='http://host:80'>a@b</a>`,
		"日本語 \u2028 \xff\x00\x1b",
		strings.Repeat("wJalrXUtnFE!", 3), // 11 letters of a key, but not the next one
	} {
		assert.Equal(t, text, secrets.Text(text))
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	var secrets redact.Secrets
	secrets.Add(secretKey)
	require.Equal(t, "REDACTED "+unknownKey, secrets.Text(secretKey+" "+unknownKey))
	secrets.Add(unknownKey, sessionToken)
	assert.Equal(t, strings.Repeat(" REDACTED", 2)[1:], secrets.Text(secretKey+" "+unknownKey), "keys that are added later")
}

// TestAllocations is not parallel, because it counts the allocations of the process.
func TestAllocations(t *testing.T) {
	text := strings.Repeat("The security token of arn:aws:iam::123456789012:user/Alice%20B is \\n expired. ", 10)
	var secrets redact.Secrets
	secrets.Add(secretKey, sessionToken)
	_ = secrets.Text(text)
	for _, test := range []struct {
		name string
		want float64
		f    func()
	}{
		{"a call's keys", 1, func() { // the Secrets
			s := new(redact.Secrets)
			s.Add(secretKey, sessionToken)
			s.Add(secretKey, sessionToken)
			escaping = s
		}},
		{"known keys", 0, func() { secrets.Add(sessionToken, "", secretKey) }},
		{"Text", 0, func() { _ = secrets.Text(text) }},
		{"Quote", 0, func() { _ = secrets.Quote(text, len(text)) }},
		{"Log", 0, func() { _ = secrets.Log(text) }},
		{"Printable", 0, func() { _ = redact.Printable("a text", 100) }},
	} {
		assert.LessOrEqual(t, testing.AllocsPerRun(100, test.f), test.want, test.name)
	}
}

var escaping *redact.Secrets

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	var (
		secrets redact.Secrets
		wg      sync.WaitGroup
	)
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			key := fmt.Sprintf("key%d%s", i, secretKey)
			secrets.Add(key)
			assert.Equal(t, "<REDACTED>", secrets.Text("<"+key+">"))
		}()
	}
	wg.Wait()
}

func TestQuote(t *testing.T) {
	t.Parallel()
	secrets := newSecrets(secretKey, sessionToken)
	for _, test := range []struct {
		name  string
		text  string
		limit int
		want  string
	}{
		{"short", "a\nb", 3, "a\nb"},
		{"long", "abcdefgh", 6, "abc..."},
		{"key at the limit", "12345 " + secretKey, 14, "12345 REDACTED"},
		{"key beyond the limit", "12345 " + secretKey, 13, "12345 REDA..."},
		{"token that is shorter when redacted", sessionToken + " is wrong", 17, "REDACTED is wrong"},
		{"many tokens", strings.Repeat(sessionToken+" ", 50) + "x", 20, "REDACTED REDACTED..."},
		{"value of a name at the limit", "SecretAccessKey=" + unknownKey, 18, "SecretAccessKey..."},
		{"no room", secretKey, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, secrets.Quote(test.text, test.limit))
			assert.Equal(t, redact.Clip(secrets.Text(test.text), test.limit), secrets.Quote(test.text, test.limit))
			assert.Equal(t, strings.ReplaceAll(test.want, "\n", " "), secrets.Line(test.text, test.limit))
		})
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	secrets := newSecrets(secretKey)
	for _, test := range []struct{ name, text, log, line string }{
		{"plain", "é 日本 x", "é 日本 x", "é 日本 x"},
		{"lines", "a\tb\nc\r\nd", "a\tb\nc\r\nd", "a b c  d"},
		{"carriage return", "a\rb\r\r\nc\r", "a b \r\nc ", "a b   c "},
		{"escape sequence", "\x1b[31mred\x07\x00\x7f", " [31mred   ", " [31mred   "},
		{"C1 control", "\u009b31m", " 31m", " 31m"},
		{"bidi", "a\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061cb", "a" + strings.Repeat(" ", 12) + "b", "a" + strings.Repeat(" ", 12) + "b"},
		{"invisible", "\ufeffa\u200bb\u200dc\u2060d\u00ade", " a b c d e", " a b c d e"},
		{"separators", "a\u2028b\u2029c\u0085d\u00a0e\vf\fg", "a b c d e f g", "a b c d e f g"},
		{"invalid UTF-8", "a\xffb\xe6\x97\ufffd", "a b   ", "a b   "},
		{"key with controls", "<" + fold(secretKey, "\x1b\u202e", 3) + ">", "<REDACTED>", "<REDACTED>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.log, secrets.Log(test.text))
			assert.Equal(t, test.line, secrets.Line(test.text, 1000))
			assert.Equal(t, test.line, redact.Printable(secrets.Text(test.text), 1000))
		})
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 0, ""}, {"abc", 3, "abc"}, {"abcd", 3, "..."}, {"abcdef", 5, "ab..."},
		{"abcd", 2, ".."}, {"abcd", 0, ""}, {"abcd", -1, ""},
		{"日本語", 9, "日本語"}, {"日本語", 8, "日..."}, {"日本語x", 9, "日本..."},
	} {
		assert.Equal(t, test.want, redact.Clip(test.text, test.limit), "%q at %d", test.text, test.limit)
		assert.Equal(t, test.want, redact.Printable(test.text, test.limit), "%q at %d", test.text, test.limit)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"Authorization":            {"Bearer x"},
		"proxy-AUTHORIZATION":      {"Basic x"},
		"X-Amz-Security-Token":     {"x", "y"},
		"X-Amz-S3session-Token":    {"x"},
		"X-Aws-Ec2-Metadata-Token": {"x"},
		"X-Api-Key":                {"x"},
		"Cookie":                   {"a=x"},
		"Set-Cookie":               {"a=x", "b=y"},
		"Cookies-Allowed":          {"yes"},
		"Proxy-Authenticate":       {"Basic"},
		"X-Amz-Date":               {"20260102T030405Z"},
		"X-Token":                  nil,
	}
	before := header.Clone()
	got := redact.Header(header)
	assert.Equal(t, http.Header{
		"Authorization":            {"REDACTED"},
		"proxy-AUTHORIZATION":      {"REDACTED"},
		"X-Amz-Security-Token":     {"REDACTED"},
		"X-Amz-S3session-Token":    {"REDACTED"},
		"X-Aws-Ec2-Metadata-Token": {"REDACTED"},
		"X-Api-Key":                {"REDACTED"},
		"Cookie":                   {"REDACTED"},
		"Set-Cookie":               {"REDACTED"},
		"Cookies-Allowed":          {"yes"},
		"Proxy-Authenticate":       {"Basic"},
		"X-Amz-Date":               {"20260102T030405Z"},
		"X-Token":                  nil,
	}, got)
	got.Add("X-Amz-Date", "x")
	assert.Equal(t, before, header, "the original is unchanged")
	assert.Nil(t, redact.Header(nil))
}

func TestHeaderLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "",
		"GET\n/path\n\ncookie:a=x\nhost:h\n\ncookie;host": "GET\n/path\n\ncookie:REDACTED\nhost:h\n\ncookie;host",
		"Cookie: a=x":            "Cookie:REDACTED",
		"x-api-key:a:b\n\nx:y\n": "x-api-key:REDACTED\n\nx:y\n",
		"cookies-allowed:yes":    "cookies-allowed:yes",
		"no lines":               "no lines",
	} {
		assert.Equal(t, want, redact.HeaderLines(text))
	}
}

// maxSteps limits the cost of a search per byte of text. Each of the four finders takes one
// step, and one more when it redacts. The search for escapes takes two.
const maxSteps = 10

// TestLinear searches texts of 1 MiB that could make the search slow.
func TestLinear(t *testing.T) {
	t.Parallel()
	size := 1 << 20
	if testing.CoverMode() != "" {
		size = 1 << 14 // together with the race detector, coverage would take minutes
	}
	repeated := strings.Repeat("a", 40)
	secrets := newSecrets(secretKey, sessionToken, repeated, "/!/!/!/!")
	for _, test := range []struct{ name, unit string }{
		{"authorization", "authorization:AWS4-HMAC-SHA256 "},
		{"authorization with parameters", "authorization:AWS4-HMAC-SHA256 a=b "},
		{"parameters", "a=b, "},
		{"name", "SecretAccessKey"},
		{"name and colon", "SecretAccessKey:"},
		{"name and value", "SecretAccessKey:" + unknownKey + " "},
		{"space after a name", " "},
		{"signature", "Signature=0123456789abcdef"},
		{"percent", "%25"},
		{"percent escaped", "%2525"},
		{"percent alone", "%"},
		{"backslash", `\`},
		{"number", `\u0025`},
		{"entity", "&#"},
		{"zeros of an entity", "&#0"},
		{"ampersand", "&amp;"},
		{"semicolon", ";"},
		{"11 letters", secretKey[:11]},
		{"12 letters", secretKey[:12] + "."},
		{"key", secretKey},
		{"token", sessionToken},
		{"one letter", "a"},
		{"one letter escaped", "%61"},
		{"letter and space", "a "},
		{"signs", "/!"},
		{"at signs", "://a:@@@@@@@@@@@@@@@@@@@@@@@"},
		{"password of a URL", "://a:b@"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := "token:" + strings.Repeat(test.unit, size/len(test.unit))
			assert.LessOrEqual(t, secrets.Steps(text), maxSteps*len(text))
		})
	}
}

// TestEscapes checks which escapes are resolved. The key is found only if the
// escape of its first letter, or of the character in its middle, is resolved.
func TestEscapes(t *testing.T) {
	t.Parallel()
	const key, rest = "ABCDEFGHIJKL", "BCDEFGHIJKL"
	for _, test := range []struct {
		escape string
		found  bool
	}{
		{"A", true},
		{"%41", true},
		{`\x41`, true},
		{`\u0041`, true},
		{"&#65;", true},
		{"&#x41;", true},
		{"&#X41;", true},
		{"&#" + strings.Repeat("0", 19) + "65;", true},   // 24 characters
		{"&#" + strings.Repeat("0", 20) + "65;", false},  // 25
		{"&#x" + strings.Repeat("0", 18) + "41;", true},  // 24
		{"&#x" + strings.Repeat("0", 19) + "41;", false}, // 25
		{`\z0041`, false},
		{`\z41`, false},
		{"u0041", false},
		{"/u0041", false},
		{`\u1041`, false},
		{"&065;", false},
		{"&x41;", false},
		{"#65;", false},
		{"&#6a;", false}, // not a decimal digit
		{"&#x4g;", false},
		{"&#-65;", false},
		{"&#193;", false}, // not ASCII: 128 more than "A"
		{"&#xc1;", false},
		{"%4", false},
		{"%4g", false},
		{`\u004g`, false},
	} {
		got := newSecrets(key).Text(test.escape + rest)
		assert.Equal(t, test.found, strings.Contains(got, "REDACTED") && !strings.Contains(got, rest), "%s: %s", test.escape, got)
	}
	assert.Equal(t, "&#6a;BCDEFGHIJKL", newSecrets("FBCDEFGHIJKL").Text("&#6a;BCDEFGHIJKL"), "a is not a decimal digit")
	for name, sign := range map[string]string{
		"amp": "&", "apos": "'", "bsol": `\`, "colon": ":", "equals": "=", "gt": ">", "lowbar": "_", "lt": "<", "nbsp": " ", "NewLine": "\n",
		"num": "#", "percnt": "%", "plus": "+", "quot": `"`, "semi": ";", "sol": "/",
	} {
		assert.Equal(t, "REDACTED", newSecrets("ABCDEF"+sign+"GHIJKL").Text("ABCDEF&"+name+";GHIJKL"), name)
	}
	for _, escape := range []string{`\n`, `\r`, `\t`, `\\`, `\/`, `\"`, `\'`} {
		assert.Equal(t, "REDACTED", newSecrets("ABCDEF/GHIJKL").Text("ABCDEF"+escape+"GHIJKL"), escape)
	}
	assert.Equal(t, `'SecretAccessKey\': \'REDACTED\'`, newSecrets().Text(`'SecretAccessKey\': \'`+unknownKey+`\'`))
}

// TestLengthsOfValues checks the minimum lengths of confidential values.
func TestLengthsOfValues(t *testing.T) {
	t.Parallel()
	letters := func(n int) string { return strings.Repeat("x", n) }
	digit := func(n int) string { return "1" + strings.Repeat("x", n-1) }
	capital := func(n int) string { return strings.Repeat("x", n-1) + "X" }
	capitals := func(n int) string { return strings.Repeat("X", n) }
	digits := func(n int) string { return strings.Repeat("1", n) }
	hash := func(n int) string { return strings.Repeat("f", n) }
	for _, test := range []struct {
		before  string
		value   func(int) string
		longest int // the longest value that is not confidential
	}{
		{"SecretAccessKey=", digit, 15},
		{"SecretAccessKey=", letters, 39},
		{"secret key: ", digit, 15},
		{"secret=", digit, 15},
		{"token=", digit, 15},
		{"password=", digit, 15},
		{"aws4_request\n", digits, 15},
		{"SecretAccessKey=", capital, 39},
		{"Authorization: Bearer ", digit, 7},
		{"Authorization: Bearer ", letters, 15},
		{"Authorization: Bearer ", capital, 15},
		{"Authorization: Basic ", digit, 7},
		{"Authorization: Basic ", capital, 7},
		{"Authorization: Basic ", letters, 15},
		{"Authorization: Basic ", capitals, 15},
		{"Signature=", hash, 15},
		{"https://", digit, 15},
	} {
		after := "."
		if strings.HasSuffix(test.before, "//") {
			after = "@host.test"
		}
		for n := max(1, test.longest-8); n <= test.longest+8; n++ {
			value := test.value(n)
			want := test.before + "REDACTED" + after
			if n <= test.longest {
				want = test.before + value + after
			}
			assert.Equal(t, want, newSecrets().Text(test.before+value+after))
		}
	}
}

// TestAuthorizationParameters checks Authorization headers with tabs instead of spaces, and
// two of them in a row.
func TestAuthorizationParameters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"AWS4-HMAC-SHA256\tCredential=a/b\tSignature=" + unknownSignature + "\tis wrong":  "REDACTED\tis wrong",
		"AWS4-HMAC-SHA256 Credential=a/b,\tSignature=" + unknownSignature + ",\tis=wrong": "REDACTED",
		"AWS4-HMAC-SHA256 Credential=a, x AWS4-HMAC-SHA256 Signature=b!":                  "REDACTED, x REDACTED!",
		"AWS4-HMAC-SHA256 , Signature=b":                                                  "REDACTED",
		"AWS4-HMAC-SHA256\n":                                                              "AWS4-HMAC-SHA256\n",
		"x_AWS4-HMAC-SHA256 Signature=b!":                                                 "REDACTED!",
		"x.AWS4-HMAC-SHA256 Signature=b!":                                                 "x.REDACTED!",
		"AWS4-HMAC-SHA256 Signature=b;c.d, e":                                             "REDACTED, e",
	} {
		assert.Equal(t, want, newSecrets().Text(text))
	}
}

// TestUsersInURLs checks that users and passwords in URLs are redacted, and that
// similar texts are unchanged.
func TestUsersInURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://u:p@h":                    "http://REDACTED@h",
		"a:://u:p@h":                      "a:://REDACTED@h",
		"a:/:/u:p@h":                      "a:/:/u:p@h",
		":x//u:p@h":                       ":x//u:p@h",
		"https://useruseruseruser@c":      "https://useruseruseruser@c",
		"https://h //u:p@h":               "https://h //u:p@h",
		"https://u!:p@h":                  "https://REDACTED@h",
		":/://u:p@h":                      ":/://REDACTED@h",
		":///u:p@h":                       ":///u:p@h",
		`https:\/\/h\/a:b@c`:              `https:\/\/h\/a:b@c`,
		"https://h&#47;a:b@c":             "https://h&#47;a:b@c",
		"https://u%2Fa:b@c":               "https://REDACTED@c",
		"https://u:p%23@c":                "https://REDACTED@c",
		"https://u:p#@c":                  "https://u:p#@c",
		"https://u:p?@c":                  "https://u:p?@c",
		"https://u:p @c":                  "https://u:p @c",
		"https://u:p<@c":                  "https://u:p<@c",
		"https://u:p`@c":                  "https://u:p`@c",
		"https://u:p@@c":                  "https://REDACTED@c",
		"https://u@c":                     "https://u@c",
		"https://user1@c":                 "https://user1@c",
		"https://u:p@h, http://u:q@h":     "https://REDACTED@h, http://REDACTED@h",
		"https://u1:@h, https://" + "u@h": "https://REDACTED@h, https://u@h",
	} {
		assert.Equal(t, want, newSecrets().Text(text))
	}
}

// TestBearerAfterLongWord checks the longest names at every position relative to the end of
// the buffer.
func TestBearerAfterLongWord(t *testing.T) {
	t.Parallel()
	secrets := newSecrets()
	for n := range 300 {
		word := strings.Repeat("x", n)
		for _, scheme := range []string{"bearer", "Basic"} {
			assert.Equal(t, word+"Authorization: "+scheme+" REDACTED", secrets.Text(word+"Authorization: "+scheme+" aBcDeF12"))
		}
	}
}

// TestQuoteUpToAKey checks quotes that end where a key begins or ends.
func TestQuoteUpToAKey(t *testing.T) {
	t.Parallel()
	secrets := newSecrets(secretKey)
	assert.Equal(t, "abcde...", secrets.Quote("abcdefgh"+secretKey, 8))
	assert.Equal(t, "abcdefgh", secrets.Quote("abcdefgh", 8))
	assert.Equal(t, "REDACTED", secrets.Quote(secretKey, 8))
	assert.Equal(t, "REDAC...", secrets.Quote(secretKey+"x", 8))
}

// TestClipInvalidUTF8 checks that clipping drops bytes that do not begin a character.
func TestClipInvalidUTF8(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "...", redact.Clip("\x80\x80\x80\x80\x80", 4))
	assert.Equal(t, "a...", redact.Clip("ab\x80\x80\x80\x80", 4))
}

// TestSignsNextToLetters checks that characters adjacent to letters and digits in ASCII
// count as punctuation.
func TestSignsNextToLetters(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{"/", ":", "@", "[", "`", "{"} {
		assert.Equal(t, "REDACTED", newSecrets("ABCDEF"+sign+"GHIJKL").Text("ABCDEFGHIJKL"), sign)
		assert.Equal(t, "REDACTED", newSecrets("ABCDEFGHIJKL").Text("ABCDEF"+sign+"GHIJKL"), sign)
	}
	for _, letter := range []string{"0", "9", "A", "Z", "a", "z"} {
		assert.Equal(t, "ABCDEFGHIJK"+letter, newSecrets("ABCDEFGHIJK_").Text("ABCDEFGHIJK"+letter), letter)
		assert.Equal(t, "REDACTED", newSecrets("ABCDEFGHIJK"+letter).Text("ABCDEFGHIJK"+letter), letter)
	}
	for _, end := range []string{"g", "G", "`", "@", "/", ":"} {
		text := "Signature=" + strings.Repeat("f", 15) + end
		assert.Equal(t, text, newSecrets().Text(text))
	}
	for _, digit := range []string{"0", "9", "a", "f", "A", "F"} {
		assert.Equal(t, "Signature=REDACTED", newSecrets().Text("Signature="+strings.Repeat("1", 15)+digit), digit)
	}
}

// TestShortestKey checks that keys of 8 bytes are redacted, and shorter ones are not.
func TestShortestKey(t *testing.T) {
	t.Parallel()
	secrets := newSecrets("1234567", "abcdefgh")
	assert.Equal(t, "1234567 REDACTED 1234567REDACTED", secrets.Text("1234567 abcdefgh 1234567abcdefgh"))
}

// TestAlmostKeysAndNames checks texts that are one letter short of a key, or almost a
// name.
func TestAlmostKeysAndNames(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"ABCDEFGHIJK", " ABCDEFGHIJK", "t.oken=" + unknownKey} {
		assert.Equal(t, text, newSecrets("ABCDEFGHIJKL").Text(text))
	}
}
