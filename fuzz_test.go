package cognitosync_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"os"
	pathpkg "path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// seedCases returns the recorded cases. Their responses and IDs are the seeds for fuzzing.
func seedCases(f *testing.F) []testCase {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(conformanceDir, "cases", "*.json"))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	var cases []testCase
	for _, file := range files {
		var kind []testCase
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		require.NoError(f, json.Unmarshal(text, &kind), file)
		cases = append(cases, kind...)
	}
	return cases
}

// fuzzClient returns a client that makes one attempt and sends it with do.
func fuzzClient(path string, do clienttest.Doer, optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	cfg := configOf(do)
	cfg.RetryMaxAttempts = 1
	return newClient(cfg, path, optFns...)
}

// maxFuzzed is the maximum length of a fuzzed body. Longer ones only take more time.
const maxFuzzed = 64 << 10

// FuzzDecodeUsage compares the output for a successful response with that of a simple, slow
// decoder.
func FuzzDecodeUsage(f *testing.F) {
	for _, c := range seedCases(f) {
		for _, a := range c.Responses {
			if content := a.content(); a.Status == http.StatusOK && len(content) <= maxFuzzed {
				f.Add(content)
			}
		}
	}
	for _, number := range []string{
		"-0", "0.0", "1e3", "1E+3", "1e-3", "12.50e1", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"92233720368547758070e-1", "1e19", "0e99", "0.0005", "-0.0005", "1.4999999999999999999", "253402300799.9994", "9223372036854775.8075",
		"1e-2147483649", "1e2147483648",
	} {
		f.Add([]byte(`{"IdentityPoolUsage":{"DataStorage":` + number + `}}`))
		f.Add([]byte(`{"IdentityPoolUsage":{"LastModifiedDate":` + number + `}}`))
	}
	f.Add([]byte(`{"IdentityPoolUsage":{"DataStorage":1},"identitypoolusage":{"DataStorage":2},"IdentityPoolUsage":{"SyncSessionsCount":3,"syncsessionscount":4}}`))

	var sent []byte // shared by all calls of the client, which are sequential
	client := fuzzClient(direct, func(req *http.Request) (*http.Response, error) {
		return clienttest.Response(req, http.StatusOK, nil, string(sent)), nil
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxFuzzed {
			t.Skip()
		}
		sent = body
		output, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput(poolID))

		want, reading := readUsage(body)
		switch {
		case reading == nil:
			require.NoError(t, err)
			require.Equal(t, want, usageTextOf(output.IdentityPoolUsage))
		case errors.Is(reading, errExtreme) && err == nil: // too close to zero to compare
		default:
			requireFailure(t, output, err)
			requireAs[*smithy.DeserializationError](t, err)
		}
	})
}

// errExtreme reports that the exponent of a number is too extreme for the simple decoder.
var errExtreme = errors.New("extreme exponent")

// readUsage decodes a successful response like encoding/json: names match in any letter case,
// and the last of several equal members wins.
func readUsage(body []byte) (*usageText, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if !json.Valid(body) {
		return nil, errors.New("no JSON")
	}
	var usage *usageText
	err := eachMember(body, func(name string, value json.RawMessage) error {
		if !sameName(name, "IdentityPoolUsage") {
			return nil
		}
		if string(value) == "null" {
			usage = nil
			return nil
		}
		if usage == nil {
			usage = &usageText{}
		}
		return readUsageMembers(value, usage)
	})
	return usage, err
}

// sameName reports whether encoding/json decodes a member into the field with this name.
func sameName(name, field string) bool { return strings.EqualFold(name, field) }

// eachMember calls read with each member of an object. null has none. After an error it
// continues, and returns the last error.
func eachMember(object json.RawMessage, read func(string, json.RawMessage) error) (err error) {
	object = bytes.TrimSpace(object)
	if string(object) == "null" {
		return nil
	}
	if object[0] != '{' {
		return errors.New("no object")
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	_, _ = decoder.Token() // no error here and below: the JSON is valid
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		if decodeErr := decoder.Decode(&value); decodeErr != nil {
			return decodeErr
		}
		if readErr := read(name.(string), value); readErr != nil {
			err = readErr
		}
	}
	return err
}

func readUsageMembers(object json.RawMessage, usage *usageText) error {
	return eachMember(object, func(name string, value json.RawMessage) (err error) {
		switch {
		case sameName(name, "IdentityPoolId"):
			err = json.Unmarshal(value, &usage.IdentityPoolID)
		case sameName(name, "DataStorage"):
			usage.DataStorage, err = readWhole(value, 1)
		case sameName(name, "SyncSessionsCount"):
			usage.SyncSessionsCount, err = readWhole(value, 1)
		case sameName(name, "LastModifiedDate"):
			var ms *int64
			if ms, err = readWhole(value, 1000); ms == nil {
				usage.LastModifiedDate = nil
			} else {
				usage.LastModifiedDate = aws.String(time.UnixMilli(*ms).UTC().Format("2006-01-02T15:04:05.000Z07:00"))
			}
		}
		return err
	})
}

var jsonNumber = regexp.MustCompile(`^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$`)

// readWhole returns the number times scale. A fraction is an error if scale is 1. Otherwise
// it is rounded, halves away from zero.
func readWhole(value json.RawMessage, scale int64) (*int64, error) {
	if string(value) == "null" {
		return nil, nil
	}
	part := jsonNumber.FindStringSubmatch(string(value))
	if part == nil {
		return nil, errors.New("no number")
	}
	if strings.Trim(part[2]+part[3], "0") == "" {
		return new(int64), nil
	}
	if exponent, err := strconv.Atoi(part[4]); part[4] != "" && (err != nil || exponent > 2*maxFuzzed || exponent < -2*maxFuzzed) {
		if part[4][0] == '-' {
			return new(int64), errExtreme
		}
		return nil, errors.New("out of range")
	}
	number, ok := new(big.Rat).SetString(string(value))
	if !ok {
		return nil, errors.New("no number")
	}
	number.Mul(number, new(big.Rat).SetInt64(scale))
	if !number.IsInt() && scale == 1 {
		return nil, errors.New("not whole")
	}
	half := big.NewRat(int64(number.Sign()), 2)
	number.Add(number, half)
	whole := new(big.Int).Quo(number.Num(), number.Denom()) // rounds towards zero
	if !whole.IsInt64() {
		return nil, errors.New("out of range")
	}
	return aws.Int64(whole.Int64()), nil
}

// FuzzDecodeError checks that every response with a status other than 2xx results in an error
// of the service with a code, a status and a fault.
func FuzzDecodeError(f *testing.F) {
	for _, c := range seedCases(f) {
		for _, a := range c.Responses {
			if content := a.content(); a.Status/100 != 2 && len(content) <= maxFuzzed {
				header := http.Header{}
				for name, value := range a.Headers {
					header.Set(name, value)
				}
				f.Add(a.Status, header.Get("X-Amzn-ErrorType"), header.Get("X-Amzn-ErrorMessage"),
					header.Get("X-Amzn-RequestId"), header.Get("Location"), content)
			}
		}
	}
	f.Add(302, "", "", "", "http://[", []byte("<p>"))
	f.Add(307, "\u202e", "\x00", "\n", "https://user:password@host:1/?q#f", []byte(`{"message":"\u0000\ud800"}`))

	var respond func(*http.Request) *http.Response // shared by all calls of the client
	client := fuzzClient(direct, func(req *http.Request) (*http.Response, error) { return respond(req), nil })
	f.Fuzz(func(t *testing.T, status int, code, message, id, location string, body []byte) {
		if len(body) > maxFuzzed || status/100 == 2 {
			t.Skip()
		}
		header := http.Header{
			"X-Amzn-Errortype": {code}, "X-Amzn-Errormessage": {message}, "X-Amzn-Requestid": {id}, "Location": {location},
		}
		respond = func(req *http.Request) *http.Response { return clienttest.Response(req, status, header, string(body)) }
		output, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput(poolID))

		requireFailure(t, output, err)
		require.True(t, utf8.ValidString(err.Error()) && strings.IndexFunc(err.Error(), isUnprintable) < 0, "%q", err)
		api := requireAs[smithy.APIError](t, err)
		require.NotEmpty(t, api.ErrorCode())
		require.LessOrEqual(t, len(api.ErrorCode()), 256)
		require.Negative(t, strings.IndexFunc(api.ErrorCode(), isUnprintable), "%q", api.ErrorCode())
		require.LessOrEqual(t, len(api.ErrorMessage()), 3<<10)
		response := requireAs[*awshttp.ResponseError](t, err)
		require.Equal(t, status, response.HTTPStatusCode())
		details := cognitosync.InspectError(err)
		require.Equal(t, api.ErrorCode(), details.Code)
		require.Equal(t, api.ErrorMessage(), details.Message)
		require.Equal(t, api.ErrorFault(), details.Fault)
		require.Equal(t, status, details.StatusCode)
		require.Equal(t, 1, details.Attempts)
		require.Equal(t, details.Code == "NotAuthorizedException" || details.Code == "AccessDeniedException", cognitosync.IsDenied(err))
	})
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }

// FuzzIdentityPoolID checks that every ID is either rejected, or sent as a single path segment
// that decodes to the ID, with a valid signature.
func FuzzIdentityPoolID(f *testing.F) {
	for _, c := range seedCases(f) {
		if c.PoolID != nil {
			f.Add(*c.PoolID, "")
		}
	}
	for _, id := range []string{" a ", "%2F", "%", "+", "a b", "?", "#", ";", "..%2f", "...", "\u2028", "\xff\xfe", "é", "~", "*", "'", "\u200b"} {
		f.Add(id, "/prefix")
		f.Add(id, "/./a//../b/")
	}
	verifier := cognitosynctest.Verifier{Region: "us-east-1"}
	f.Fuzz(func(t *testing.T, id, prefix string) {
		var normal string // the prefix, as AWS checks a signature over it
		if prefix != "" {
			normal = strings.TrimSuffix(pathpkg.Clean(prefix), "/")
		}
		if prefix != "" && !regexp.MustCompile(`^/[0-9A-Za-z%._~/-]+$`).MatchString(prefix) {
			t.Skip()
		}
		for _, path := range paths {
			var sent *http.Request
			client := fuzzClient(path, func(req *http.Request) (*http.Response, error) {
				var wire bytes.Buffer
				if err := req.Write(&wire); err != nil {
					return nil, err
				}
				var err error
				if sent, err = http.ReadRequest(bufio.NewReader(&wire)); err != nil {
					return nil, err
				}
				return clienttest.Response(req, http.StatusOK, nil, ""), nil
			}, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String("http://service.example" + prefix) })

			output, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput(id))

			if unsendable(id) {
				requireFailure(t, output, err)
				requireAs[smithy.InvalidParamsError](t, err)
				require.Nil(t, sent)
				continue
			}
			if isA[*cognitosync.ConfigurationError](err) { // the prefix has a broken escape
				require.Nil(t, sent)
				continue
			}
			require.NoError(t, err)
			require.NotNil(t, sent)
			segment, ok := strings.CutPrefix(sent.RequestURI, normal+"/identitypools/")
			require.True(t, ok, "%s in front of %s", normal, sent.RequestURI)
			require.Regexp(t, `^([0-9A-Za-z._~-]|%[0-9A-F]{2})+$`, segment)
			unescaped, err := url.PathUnescape(segment)
			require.NoError(t, err)
			require.Equal(t, id, unescaped)
			require.Equal(t, "service.example", sent.Host)
			refusal := verifier.Verify(sent)
			require.Nil(t, refusal, "%v", refusal)
		}
	})
}

// unsendable reports whether an ID must be rejected.
func unsendable(id string) bool {
	return strings.TrimSpace(id) == "" || id == "." || id == ".." ||
		strings.ContainsAny(id, `/\`) || strings.ContainsFunc(id, unicode.IsControl)
}

// FuzzRetryAfter checks the limits of a delay that the service requests.
func FuzzRetryAfter(f *testing.F) {
	for _, c := range seedCases(f) {
		for _, a := range c.Responses {
			for name, value := range a.Headers {
				switch http.CanonicalHeaderKey(name) {
				case "Retry-After":
					f.Add("", value, int64(time.Second))
				case "X-Amz-Retry-After":
					f.Add(value, "", int64(time.Second))
				}
			}
		}
	}
	for _, value := range []string{"", "0", "-1", "1", "4", "5000", "1.5", "+3", "0x10", "1e3", " 3", "9223372036854775807", "9223372036854775808",
		"Mon, 13 Oct 2014 20:12:14 GMT", "Monday, 13-Oct-14 20:12:14 GMT", "Mon Oct 13 20:12:14 2014", "Mon, 13 Oct 9999 20:12:14 GMT"} {
		f.Add(value, "", int64(0))
		f.Add("", value, int64(20*time.Second))
	}
	f.Fuzz(func(t *testing.T, milliseconds, seconds string, backoff int64) {
		delay := time.Duration(backoff)
		if delay < 0 || delay > 20*time.Second {
			t.Skip()
		}
		header := http.Header{"X-Amz-Retry-After": {milliseconds}, "Retry-After": {seconds}}
		now := time.Date(2014, 10, 13, 20, 12, 10, 0, time.UTC)
		got := cognitosync.ServerDelay(delay, header, now)
		require.GreaterOrEqual(t, got, delay)
		require.LessOrEqual(t, got, delay+5*time.Second)
		if plain := regexp.MustCompile(`^\d{1,9}$`); plain.MatchString(milliseconds) {
			n, _ := strconv.Atoi(milliseconds)
			require.Equal(t, max(delay, min(time.Duration(n)*time.Millisecond, delay+5*time.Second)), got)
		} else if milliseconds == "" && plain.MatchString(seconds) {
			n, _ := strconv.Atoi(seconds)
			require.Equal(t, max(delay, min(time.Duration(n)*time.Second, delay+5*time.Second)), got)
		}
	})
}

// awsHost matches the service's hosts. Its group is the region.
var awsHost = regexp.MustCompile(`^cognito-sync(?:-fips)?\.([0-9A-Za-z-]{1,63})\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|` +
	`c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)

// FuzzRegion checks that a client only calls AWS's hosts, whatever its region and the pool's
// ID are.
func FuzzRegion(f *testing.F) {
	var rows []endpointRow
	text, err := os.ReadFile(filepath.Join(conformanceDir, "endpoints.json"))
	require.NoError(f, err)
	require.NoError(f, json.Unmarshal(text, &rows))
	for _, row := range rows {
		f.Add(row.Region, poolID, false)
		f.Add("us-east-1", row.Region+":1", true)
	}
	for _, hostile := range hostileRegions {
		f.Add(hostile, poolID, false)
		f.Add("", hostile+":1", true)
	}
	f.Fuzz(func(t *testing.T, region, id string, usePoolRegion bool) {
		for _, path := range paths {
			var sent *http.Request
			client := fuzzClient(path, func(req *http.Request) (*http.Response, error) {
				sent = req
				return clienttest.Response(req, http.StatusOK, nil, ""), nil
			}, func(o *cognitosync.Options) { o.Region, o.UseIdentityPoolRegion = region, usePoolRegion })

			output, err := client.DescribeIdentityPoolUsage(t.Context(), poolInput(id))

			if err != nil {
				requireFailure(t, output, err)
				require.Nil(t, sent)
				require.True(t, isA[*cognitosync.ConfigurationError](err) || isA[*cognitosync.RegionMismatchError](err) ||
					isA[smithy.InvalidParamsError](err), "%v", err)
				continue
			}
			require.Equal(t, "https", sent.URL.Scheme)
			require.Nil(t, sent.URL.User)
			called := awsHost.FindStringSubmatch(sent.URL.Host)
			require.NotNil(t, called, sent.URL.Host)
			parsed, err := url.Parse(sent.URL.String())
			require.NoError(t, err)
			require.Equal(t, sent.URL.Host, parsed.Host)
			require.Contains(t, sent.Header.Get("Authorization"), "/"+called[1]+"/cognito-sync/aws4_request")

			actual := strings.ReplaceAll(region, "-fips-", "-")
			actual = strings.TrimSuffix(strings.TrimPrefix(actual, "fips-"), "-fips")
			ofPool, _, _ := strings.Cut(id, ":")
			if called[1] != actual {
				require.True(t, usePoolRegion)
				require.Equal(t, ofPool, called[1])
				require.Regexp(t, `^[a-z-]+-[0-9A-Za-z_]+-[0-9]+$`, called[1])
			}
		}
	})
}
