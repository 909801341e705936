package endpoints_test

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/endpoints"
)

// row is a recorded result of the rules.
type row struct {
	Name         string  `json:"name"`
	Region       string  `json:"region"` // null: none
	UseFIPS      bool    `json:"use_fips"`
	UseDualStack bool    `json:"use_dualstack"`
	Endpoint     *string `json:"endpoint"`
	Want         struct {
		URL   string `json:"url"`
		Error any    `json:"error"` // its text, or true for any error
		Any   bool   `json:"any"`   // an error is acceptable too
	} `json:"want"`
}

func TestConformance(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../testdata/conformance/endpoints.json")
	require.NoError(t, err)
	var rows []row
	require.NoError(t, json.Unmarshal(text, &rows))
	require.Len(t, rows, 194)
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			region, fips := endpoints.RealRegion(row.Region)
			got, err := endpoints.Resolve(endpoints.Params{
				Region: region, Endpoint: row.Endpoint, FIPS: fips || row.UseFIPS, DualStack: row.UseDualStack,
			})
			switch reason, _ := row.Want.Error.(string); {
			case reason != "":
				require.EqualError(t, err, "endpoint rule error, "+reason)
			case row.Want.Error != nil:
				require.Error(t, err)
			case row.Want.Any && err != nil:
			default:
				require.NoError(t, err)
				// The client appends the operation's path.
				assert.Equal(t, row.Want.URL, strings.TrimSuffix(got.String(), "/"))
			}
			if err != nil {
				assert.Zero(t, got)
			}
		})
	}
}

// TestPartitions checks a region, a possible future region and the global region of each
// partition.
func TestPartitions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		regions              string
		dnsSuffix, dualStack string
	}{
		{"us-east-1 eu-west-1 ap-southeast-2 sa-east-1 ca-central-1 me-south-1 af-south-1 il-central-1 mx-central-1 eu-north-99 aws-global",
			"amazonaws.com", "api.aws"},
		{"atlantis-1 local xx-west-1 us-isox-east-1 us-east US-EAST-1 cn aws-moon-global", "amazonaws.com", "api.aws"},
		{"cn-north-1 cn-northwest-9 aws-cn-global", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
		{"us-gov-west-1 us-gov-moon-2 aws-us-gov-global", "amazonaws.com", "api.aws"},
		{"eusc-de-east-1 eusc-de-moon-2", "amazonaws.eu", "api.amazonwebservices.eu"},
		{"us-iso-east-1 us-iso-moon-2 aws-iso-global", "c2s.ic.gov", "api.aws.ic.gov"},
		{"us-isob-east-1 us-isob-moon-2 aws-iso-b-global", "sc2s.sgov.gov", "api.aws.scloud"},
		{"eu-isoe-west-1 eu-isoe-moon-2 aws-iso-e-global", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
		{"us-isof-south-1 us-isof-moon-2 aws-iso-f-global", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
	} {
		for region := range strings.FieldsSeq(test.regions) {
			t.Run(region, func(t *testing.T) {
				t.Parallel()
				for _, p := range []struct {
					fips, dualStack bool
					want            string
				}{
					{false, false, "https://cognito-sync." + region + "." + test.dnsSuffix},
					{true, false, "https://cognito-sync-fips." + region + "." + test.dnsSuffix},
					{false, true, "https://cognito-sync." + region + "." + test.dualStack},
					{true, true, "https://cognito-sync-fips." + region + "." + test.dualStack},
				} {
					got, err := endpoints.Resolve(endpoints.Params{Region: region, FIPS: p.fips, DualStack: p.dualStack})
					require.NoError(t, err)
					assert.Equal(t, p.want, got.String())
				}
			})
		}
	}
}

func TestResolveErrors(t *testing.T) {
	t.Parallel()
	const refused = "endpoint rule error, Invalid Configuration: "
	endpoint := func(s string) endpoints.Params { return endpoints.Params{Region: "us-east-1", Endpoint: &s} }
	for _, test := range []struct {
		name   string
		params endpoints.Params
		err    string
	}{
		{"no region", endpoints.Params{FIPS: true, DualStack: true}, refused + "Missing Region"},
		{"path in the region", endpoints.Params{Region: "evil.test/"}, `invalid region "evil.test/": must be a single host label, such as us-east-1`},
		{"line break in the region", endpoints.Params{Region: "a\r\nb"}, `invalid region "a\r\nb": must be a single host label, such as us-east-1`},
		{"long region", endpoints.Params{Region: strings.Repeat("a", 1000)},
			`invalid region "` + strings.Repeat("a", 128) + `": must be a single host label, such as us-east-1`},

		{"empty endpoint", endpoint(""), `custom endpoint ":": the scheme must be http or https`},
		{"no scheme", endpoint("hunter2.test/path"), `custom endpoint ":": the scheme must be http or https`},
		{"port but no scheme", endpoint("localhost:4566"), `custom endpoint "localhost:": the scheme must be http or https`},
		{"other scheme", endpoint("ftp://host.test/hunter2"), `custom endpoint "ftp://host.test": the scheme must be http or https`},
		{"no host", endpoint("https:///hunter2"), `custom endpoint "https:": the host is missing`},
		{"opaque", endpoint("https:hunter2"), `custom endpoint "https:": the host is missing`},
		{"user", endpoint("https://hunter2@host.test"), `custom endpoint "https://host.test": it must not contain user information`},
		{"password", endpoint("https://user:hunter2@host.test:1"), `custom endpoint "https://host.test:1": it must not contain user information`},
		{"query", endpoint("https://host.test/?key=hunter2"), `custom endpoint "https://host.test": it must not contain a query`},
		{"question mark", endpoint("https://host.test?"), `custom endpoint "https://host.test": it must not contain a query`},
		{"fragment", endpoint("https://host.test/hunter2#hunter2"), `custom endpoint "https://host.test": it must not contain a fragment`},
		{"port", endpoint("https://host.test:65536/hunter2"), `custom endpoint "https://host.test:65536": the port must be at most 65535`},
		{"control character", endpoint("https://host.test/hunter2\n"), "custom endpoint: not a valid URL"},
		{"escape", endpoint("https://host.test/hunter2%zz"), "custom endpoint: not a valid URL"},
		{"password with a slash", endpoint("https://user:hunter2/@host.test"), "custom endpoint: not a valid URL"},
		{"password with a space", endpoint("https://user:hunter2 @host.test"), "custom endpoint: not a valid URL"},
		{"bracket", endpoint("https://[hunter2"), "custom endpoint: not a valid URL"},
		{"invisible character", endpoint("ftp://host\u202e.test"), `custom endpoint "ftp:": the scheme must be http or https`},
		{"user but no scheme", endpoint("hunter2:x@host.test"), `custom endpoint "": the scheme must be http or https`},
		{"long host", endpoint("ftp://" + strings.Repeat("a", 1000)),
			`custom endpoint "ftp://` + strings.Repeat("a", 250) + `": the scheme must be http or https`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := endpoints.Resolve(test.params)
			require.EqualError(t, err, test.err)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Zero(t, got)
		})
	}
}

// TestCustomEndpoint checks that the scheme, the port, the path and its escapes are kept.
func TestCustomEndpoint(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		"https://host.test", "http://127.0.0.1:8080", "http://[::1]:4566", "http://[fe80::1%25en0]:80/", "https://host.test/a%2Fb%20c/",
		"HTTP://host.test:0", "https://host.test:65535/a/../b",
	} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			for _, region := range []string{"us-east-1", ""} {
				got, err := endpoints.Resolve(endpoints.Params{Region: region, Endpoint: &endpoint})
				require.NoError(t, err)
				assert.Equal(t, strings.Replace(endpoint, "HTTP:", "http:", 1), got.String())
			}
		})
	}
}

// TestUnusable checks URLs that parsing cannot produce.
func TestUnusable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url          url.URL
		want, origin string
	}{
		{url.URL{Scheme: "https", Host: "host.test", Path: "/a b"}, "", "https://host.test"},
		{url.URL{Scheme: "https", Host: "user:hunter2@host.test"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "host.test/path"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "host.test?"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "a b"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "host.test?token=hunter2@x"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "host:hunter2"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "host\x1b[31m"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "host\u202e.test"}, "the host is not valid", "https:"},
		{url.URL{Scheme: "https", Host: "[fe80::1%en0]:443"}, "", "https://[fe80::1%en0]:443"},
		{url.URL{Scheme: "https", Host: "münchen.test"}, "", "https://münchen.test"},
		{url.URL{Scheme: "user", Opaque: "hunter2@host.test"}, "the scheme must be http or https", ""},
		{url.URL{Scheme: "https", Host: ":443"}, "the host is missing", "https://:443"},
		{url.URL{Scheme: "https", Host: "host.test", RawQuery: "a"}, "it must not contain a query", "https://host.test"},
		{url.URL{}, "the scheme must be http or https", ":"},
	} {
		t.Run(test.url.Scheme+" "+test.url.Host, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, endpoints.Unusable(&test.url))
			assert.Equal(t, test.origin, endpoints.Origin(&test.url))
		})
	}
}

// TestWithoutSecrets checks the errors of resolvers.
func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	parse := func(s string) string {
		_, err := url.Parse(s)
		require.Error(t, err)
		return err.Error()
	}
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"no endpoint for eu-west-1", "no endpoint for eu-west-1"},
		{"a://", "a:"},
		{`Get "https://user:hunter2@host.test/hunter2?token=hunter2#hunter2": refused`, `Get "https://host.test": refused`},
		{"bad endpoint https://user:hunter2@host.test: refused", "bad endpoint https://host.test: refused"},
		{"bad endpoint https://user:hun hunter2@host.test: refused", "bad endpoint https://... refused"},
		{"https://host.test/hunter2, 'http://other.test/hunter2'", "https://host.test 'http://other.test'"},
		{parse("https://user:hunter2/@host.test"), `parse "https://...": not a valid URL`},
		{parse("https://user:hunter2 @host.test"), `parse "https://...": not a valid URL`},
		{parse("https://host.test/hunter2%zz"), `parse "https://...": not a valid URL`},
		{"not: " + parse("https://host.test:hunter2"), `not: parse "https://...": not a valid URL`},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got := endpoints.WithoutSecrets(test.text)
			assert.Equal(t, test.want, got)
			assert.NotContains(t, got, "hunter2")
		})
	}
}

func TestRealRegion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		region, want string
		fips         bool
	}{
		{"us-west-2", "us-west-2", false},
		{"fips-us-west-2", "us-west-2", true},
		{"us-gov-west-1-fips", "us-gov-west-1", true},
		{"us-fips-west-2", "us-west-2", true},
		{"fips-aws-global", "aws-global", true},
		{"fipsus-west-2", "fipsus-west-2", false},
		{"fips", "fips", false},
		{"", "", false},
	} {
		t.Run(test.region, func(t *testing.T) {
			t.Parallel()
			region, fips := endpoints.RealRegion(test.region)
			assert.Equal(t, test.want, region)
			assert.Equal(t, test.fips, fips)
		})
	}
}

func TestPoolRegion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ id, want string }{
		{"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE", "us-east-1"},
		{"eu-west-1:1", "eu-west-1"},
		{"ap-southeast-2:1", "ap-southeast-2"},
		{"sa-east-1:1", "sa-east-1"},
		{"ca-central-1:1", "ca-central-1"},
		{"me-south-1:1", "me-south-1"},
		{"af-south-1:1", "af-south-1"},
		{"il-central-1:1", "il-central-1"},
		{"mx-central-1:1", "mx-central-1"},
		{"cn-north-1:1", "cn-north-1"},
		{"us-gov-west-1:1", "us-gov-west-1"},
		{"eusc-de-east-1:1", "eusc-de-east-1"},
		{"us-iso-east-1:1", "us-iso-east-1"},
		{"us-isob-east-1:1", "us-isob-east-1"},
		{"eu-isoe-west-1:1", "eu-isoe-west-1"},
		{"us-isof-south-1:1", "us-isof-south-1"},
		{"eu-north-99:1", "eu-north-99"},
		{"eu-west-1:1:2", "eu-west-1"},
		{"eu-west-1:", "eu-west-1"},

		{"eu-west-1", ""},
		{"", ""},
		{":1", ""},
		{"aws-global:1", ""},
		{"aws-cn-global:1", ""},
		{"fips-us-east-1:1", ""},
		{"us-east-1-fips:1", ""},
		{"mars-north-1:1", ""},
		{"EU-WEST-1:1", ""},
		{" eu-west-1:1", ""},
	} {
		t.Run(test.id, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, endpoints.PoolRegion(test.id))
		})
	}
}

// hostileRegions are texts in an ID that could send requests to another host.
var hostileRegions = []string{
	"evil.example", "evil.example#", "evil.example?", "evil.example%23", "@evil.example", "user@evil.example",
	"us-east-1.evil.example", "us-east-1.amazonaws.com.evil.example", "evil.us-east-1",
	"us-east-1@evil.example", "us-east-1#", "us-east-1?x=", "us-east-1%2fevil", "us-east-1%00", "us-east-1;", "us-east-1,",
	"us-east-1 ", " us-east-1", "us east 1", "us-east-1\u3002evil", "us-east-1\uff0eevil", "ｕs-east-1", "us-eаst-1", // the last contains a Cyrillic а
	"-us-east-1", "us-east-1-", "us-east--1", "us--1", "us-east-", "us-east-x", "us-east-1x", "us_east_1", "us-ea_st-1", "..", ".", "", "xn--80ak6aa92e",
	"[::1]", "127.0.0.1", "localhost", "169.254.169.254", strings.Repeat("a", 64), "us-" + strings.Repeat("a", 64) + "-1",
}

func TestHostileRegions(t *testing.T) {
	t.Parallel()
	for _, region := range hostileRegions {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			assert.Empty(t, endpoints.PoolRegion(region+":1"))
			got, err := endpoints.Resolve(endpoints.Params{Region: region})
			if err == nil { // a single label in AWS's domain
				assert.True(t, endpoints.IsHostLabel(region))
				assert.Equal(t, "cognito-sync."+region+".amazonaws.com", got.Host)
			}
		})
	}
}

func TestSamePartition(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"us-east-1", "us-east-1", true},
		{"us-east-1", "mx-central-1", true},
		{"us-east-1", "aws-global", true},
		{"us-east-1", "atlantis-1", true},
		{"us-east-1", "", true},
		{"cn-north-1", "cn-northwest-1", true},
		{"cn-north-1", "aws-cn-global", true},
		{"fips-us-gov-west-1", "us-gov-east-1", true},
		{"us-east-1", "us-gov-east-1", false},
		{"us-east-1", "us-gov-east-1-fips", false},
		{"us-east-1", "cn-north-1", false},
		{"eu-west-1", "eusc-de-east-1", false},
		{"us-iso-east-1", "us-isob-east-1", false},
		{"us-isof-south-1", "eu-isoe-west-1", false},
		{"eu-west-1", "eu-isoe-west-1", false},
		{"atlantis-1", "cn-north-1", false},
		{"eusc-de-east-1", "", false},
	} {
		t.Run(test.a+" "+test.b, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, endpoints.SamePartition(test.a, test.b))
			assert.Equal(t, test.want, endpoints.SamePartition(test.b, test.a))
		})
	}
}

func TestIsHostLabel(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		label string
		want  bool
	}{
		{"us-east-1", true},
		{"US-EAST-1", true},
		{"1", true},
		{"a--b", true},
		{strings.Repeat("a", 63), true},
		{strings.Repeat("a", 64), false},
		{"", false},
		{"-", false},
		{"-a", false},
		{"a-", false},
		{"a.b", false},
		{"a_b", false},
		{"a b", false},
		{"ä", false},
		{"@", false}, // adjacent to the letters in ASCII, like the others here
		{"[", false},
		{"`", false},
		{"{", false},
		{"/", false},
		{":", false},
	} {
		t.Run(test.label, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, endpoints.IsHostLabel(test.label))
		})
	}
}

// awsHost matches the hosts that requests may be sent to. Its first group is the region.
var awsHost = regexp.MustCompile(`^cognito-sync(?:-fips)?\.([0-9A-Za-z-]{1,63})\.(?:amazonaws\.(?:com|com\.cn|eu)|api\.aws|` +
	`api\.amazonwebservices\.(?:com\.cn|eu)|c2s\.ic\.gov|api\.aws\.ic\.gov|sc2s\.sgov\.gov|api\.aws\.scloud|` +
	`cloud\.adc-e\.uk|api\.cloud-aws\.adc-e\.uk|csp\.hci\.ic\.gov|api\.aws\.hci\.ic\.gov)$`)

// FuzzRegion checks that no region and no pool ID results in a host that is not AWS's.
func FuzzRegion(f *testing.F) {
	for _, region := range append(hostileRegions, "us-east-1", "cn-north-1", "fips-us-gov-west-1", "aws-iso-b-global") {
		f.Add(region, true, false)
		f.Add(region+":1", false, true)
	}
	f.Fuzz(func(t *testing.T, text string, fips, dualStack bool) {
		pool := endpoints.PoolRegion(text)
		require.True(t, pool == "" || strings.HasPrefix(text, pool+":"), "%q", pool)
		for _, region := range []string{text, pool} {
			got, err := endpoints.Resolve(endpoints.Params{Region: region, FIPS: fips, DualStack: dualStack})
			if err != nil {
				require.False(t, region == pool && pool != "", "%v", err)
				continue
			}
			match := awsHost.FindStringSubmatch(got.Host)
			require.NotNil(t, match, got.Host)
			require.Equal(t, region, match[1])
			parsed, err := url.Parse(got.String())
			require.NoError(t, err)
			require.Equal(t, got, *parsed)
		}
	})
}

// FuzzCustomEndpoint checks that errors contain only the scheme and the host of an endpoint,
// and that a valid endpoint is unchanged.
func FuzzCustomEndpoint(f *testing.F) {
	for _, prefix := range []string{"https://host.test/", "https://user:", "https://host.test/?", "https://[", "", "https:", "https://host.test:"} {
		for _, suffix := range []string{"", "@host.test", "/@host.test", " @host.test", "%zz", "#", "\n"} {
			f.Add(prefix, suffix)
		}
	}
	f.Fuzz(func(t *testing.T, prefix, suffix string) {
		const secret = "hunter2"
		endpoint := prefix + secret + suffix
		got, err := endpoints.Resolve(endpoints.Params{Endpoint: &endpoint})
		parsed, parseErr := url.Parse(endpoint)
		switch {
		case err == nil:
			require.NoError(t, parseErr)
			require.Equal(t, *parsed, got)
			require.Nil(t, got.User)
		case parseErr != nil:
			require.NotContains(t, err.Error(), secret)
		case !strings.Contains(parsed.Scheme+parsed.Host, secret):
			require.NotContains(t, err.Error(), secret)
		}
		if err != nil {
			require.Less(t, len(err.Error()), 2<<10)
		}
	})
}

func TestPartitionID(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"us-east-1": "aws", "atlantis-1": "aws", "aws-global": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc",
		"us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f",
	} {
		assert.Equal(t, want, endpoints.PartitionID(region), region)
	}
}

// TestWithoutSecretsBounds checks where a URL in a text begins and ends.
func TestWithoutSecretsBounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"://user:hunter2@host.test", "://..."},
		{`"https://host.test/hunter2 hunter2" failed`, `"https://host.test" failed`},
		{`x "https://host.test/hunter2 hunter2" failed`, `x "https://host.test" failed`},
		{"'https://host.test/hunter2 hunter2' failed", "'https://host.test' failed"},
		{"`https://host.test/hunter2 hunter2` failed", "`https://host.test` failed"},
		{`"https://user:hunter2@host.test`, `"https://host.test`},
		{`/https://host.test/hunter2/ failed`, `/https://host.test failed`},
		{"https://user:hunter2@host.test/hunter2 ask me@host.test", "https://host.test ask me@host.test"},
		{"bad endpoint https://user:hun hunter2@host.test", "bad endpoint https://..."},
		{"git+ssh.v1://user:hunter2@host.test", "git+ssh.v1://host.test"},
		{"h2-c://user:hunter2@host.test", "h2-c://host.test"},
		{"a=https://user:hunter2@host.test\nb", "a=https://host.test\nb"},
		{"https://user:hunter2 hunter2@host.test\tnext", "https://...\tnext"},
		{"<https://host.test/hunter2> and <http://other.test/hunter2>", "<https://host.test> and <http://other.test>"},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got := endpoints.WithoutSecrets(test.text)
			assert.Equal(t, test.want, got)
			assert.NotContains(t, got, "hunter2")
		})
	}
}

// TestGlobalRegions checks the partition of each global region.
func TestGlobalRegions(t *testing.T) {
	t.Parallel()
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"} {
		assert.Equal(t, partition, endpoints.PartitionID(partition+"-global"))
		assert.Equal(t, partition == "aws", endpoints.SamePartition(partition+"-global", "us-east-1"), partition)
	}
}

// TestLettersOfRegions checks the first and last letters and digits that a region can
// contain.
func TestLettersOfRegions(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"a", "z", "A", "Z", "0", "9"} {
		assert.True(t, endpoints.IsHostLabel(letter), letter)
		assert.Equal(t, "us-"+letter+"-1", endpoints.PoolRegion("us-"+letter+"-1:1"))
	}
	for _, digit := range []string{"0", "9", "10"} {
		assert.Equal(t, "us-east-"+digit, endpoints.PoolRegion("us-east-"+digit+":1"))
	}
}
