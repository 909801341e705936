package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A roundTripper is a function as an [http.RoundTripper].
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// eachClient runs test with every client, each with a transport of its own.
func eachClient(t *testing.T, transport func() http.RoundTripper, test func(*testing.T, client, http.RoundTripper, call)) {
	t.Helper()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rt := transport()
			s, err := loadSettings(t.Context(), "", rt)
			require.NoError(t, err)
			test(t, c, rt, c.construct(s))
		})
	}
}

func TestClientsMakeTheCall(t *testing.T) {
	t.Parallel()
	type recorder struct {
		http.RoundTripper
		requests *[]*http.Request
	}
	newRecorder := func() http.RoundTripper {
		requests := new([]*http.Request)
		inner := newStub()
		return recorder{requests: requests, RoundTripper: roundTripper(func(req *http.Request) (*http.Response, error) {
			*requests = append(*requests, req)
			return inner.RoundTrip(req)
		})}
	}
	eachClient(t, newRecorder, func(t *testing.T, c client, rt http.RoundTripper, do call) {
		require.NoError(t, do(t.Context()))

		requests := *rt.(recorder).requests
		require.Len(t, requests, 1)
		req := requests[0]
		host, path, signingName := "cognito-sync.us-east-1.amazonaws.com", usagePath, "cognito-sync"
		if c.name == sdkV2Name {
			host, path, signingName = "codeguru-profiler.us-east-1.amazonaws.com", groupPath, "codeguru-profiler"
		}
		assert.Equal(t, http.MethodGet, req.Method)
		assert.Equal(t, "https://"+host+path+"us-east-1%3A23EC4050-6AEA-7089-A2DD-08002EXAMPLE", req.URL.String())
		assert.Zero(t, req.ContentLength)
		assert.Equal(t, sessionToken, req.Header.Get("X-Amz-Security-Token"))
		requireSigned(t, req, signingName)
	})
}

// requireSigned checks the signature of req by signing a copy.
func requireSigned(t *testing.T, req *http.Request, signingName string) {
	t.Helper()
	_, rest, found := strings.Cut(req.Header.Get("Authorization"), "SignedHeaders=")
	require.True(t, found, req.Header.Get("Authorization"))
	signed, _, _ := strings.Cut(rest, ",")

	again, err := http.NewRequest(req.Method, req.URL.String(), nil)
	require.NoError(t, err)
	for name := range strings.SplitSeq(signed, ";") {
		if name != "host" {
			again.Header.Set(name, req.Header.Get(name))
		}
	}
	at, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
	require.NoError(t, err)
	credentials := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: sessionToken}
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), credentials, again, emptyHash, signingName, region, at))
	assert.Equal(t, again.Header.Get("Authorization"), req.Header.Get("Authorization"))
}

func TestEscapeSegment(t *testing.T) {
	t.Parallel()
	const unreserved = "ABCXYZabcxyz0189-._~"
	assert.Equal(t, unreserved, escapeSegment(unreserved))
	assert.Equal(t, "us-east-1%3Aa%20b%2Bc%2Fd%25%C3%A9", escapeSegment("us-east-1:a b+c/d%\u00e9"))
}

func TestByHandHasATimeout(t *testing.T) {
	t.Parallel()
	inner := newStub()
	var deadline time.Time
	s, err := loadSettings(t.Context(), "", roundTripper(func(req *http.Request) (*http.Response, error) {
		deadline, _ = req.Context().Deadline()
		return inner.RoundTrip(req)
	}))
	require.NoError(t, err)

	require.NoError(t, byHand(s)(t.Context()))

	assert.WithinDuration(t, time.Now().Add(15*time.Second), deadline, 5*time.Second)
}

// A call fails on a response other than the expected one, so that no client is measured that ignores it.
func TestClientsRejectOtherResponses(t *testing.T) {
	t.Parallel()
	otherID := strings.NewReplacer(poolID, "us-east-1:other")
	tests := []struct {
		name   string
		status int
		change func(string) string
	}{
		{"an error", http.StatusBadRequest, func(string) string { return `{"message":"no"}` }},
		{"an error status with the expected body", http.StatusBadRequest, func(body string) string { return body }},
		{"an empty object", http.StatusOK, func(string) string { return `{}` }},
		{"another ID", http.StatusOK, otherID.Replace},
		{"another date", http.StatusOK, strings.NewReplacer("1.413231134115E9", "1.5E9", "2014-10-13", "2015-10-13").Replace},
		{"truncated", http.StatusOK, func(body string) string { return body[:len(body)-3] }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			changing := func() http.RoundTripper {
				inner := newStub()
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := inner.RoundTrip(req)
					if err != nil {
						return nil, err
					}
					body, err := io.ReadAll(resp.Body)
					if err != nil {
						return nil, err
					}
					changed := test.change(string(body))
					resp.StatusCode = test.status
					resp.Body = io.NopCloser(strings.NewReader(changed))
					resp.ContentLength = int64(len(changed))
					resp.Header.Del("Content-Length")
					return resp, nil
				})
			}
			eachClient(t, changing, func(t *testing.T, _ client, _ http.RoundTripper, do call) {
				require.Error(t, do(t.Context()))
			})
		})
	}
}

func TestStub(t *testing.T) {
	t.Parallel()

	t.Run("responses are comparable", func(t *testing.T) {
		t.Parallel()
		assert.Len(t, groupResponse, len(usageResponse))
		assert.Equal(t, [2]int{2, 5}, objectsAndMembers(t, usageResponse))
		assert.Equal(t, [2]int{2, 5}, objectsAndMembers(t, groupResponse))
	})

	t.Run("rejects other paths", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/", "/" + poolID, usagePath, usagePath + "other", groupPath + poolID + "/agent"} {
			req, err := http.NewRequest(http.MethodGet, "https://example.com"+path, nil)
			require.NoError(t, err)
			_, err = newStub().RoundTrip(req)
			require.ErrorContains(t, err, "no response for "+req.URL.Path)
		}
	})
}

// objectsAndMembers returns the number of objects in a JSON text, and the total number of their members.
func objectsAndMembers(t *testing.T, text string) [2]int {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	var counts [2]int
	var visit func(any)
	visit = func(v any) {
		if object, ok := v.(map[string]any); ok {
			counts[0]++
			counts[1] += len(object)
			for _, member := range object {
				visit(member)
			}
		}
	}
	visit(value)
	return counts
}
