package main

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Not parallel, because it modifies the environment.
func TestClearAWSEnvironment(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_CA_BUNDLE", "/nowhere")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("BENCH_KEEPS_THIS", "kept")

	require.NoError(t, clearAWSEnvironment())

	for _, name := range []string{"AWS_REGION", "AWS_CA_BUNDLE"} {
		_, set := os.LookupEnv(name)
		assert.False(t, set, name)
	}
	assert.Equal(t, os.DevNull, os.Getenv("AWS_CONFIG_FILE"))
	assert.Equal(t, "true", os.Getenv("AWS_EC2_METADATA_DISABLED"))
	assert.Equal(t, "kept", os.Getenv("BENCH_KEEPS_THIS"))
}

func TestLoadSettings(t *testing.T) {
	t.Parallel()

	t.Run("default HTTP clients", func(t *testing.T) {
		t.Parallel()
		s, err := loadSettings(t.Context(), "", nil)
		require.NoError(t, err)
		assert.Nil(t, s.httpClient)
		assert.Nil(t, s.config.HTTPClient)
		assert.Same(t, http.DefaultClient, s.session.Config.HTTPClient)
		assert.Nil(t, s.config.BaseEndpoint)
		assert.Nil(t, s.session.Config.Endpoint)
		assert.Nil(t, s.config.Retryer)
		assert.Nil(t, s.session.Config.Retryer)
	})

	t.Run("own transport and endpoint", func(t *testing.T) {
		t.Parallel()
		transport := newStub()
		s, err := loadSettings(t.Context(), "http://127.0.0.1:1", transport)
		require.NoError(t, err)
		assert.Same(t, transport, s.httpClient.Transport)
		assert.Same(t, s.httpClient, s.config.HTTPClient)
		assert.Same(t, s.httpClient, s.session.Config.HTTPClient)
		assert.Equal(t, "http://127.0.0.1:1", s.endpoint)
		assert.Equal(t, "http://127.0.0.1:1", *s.config.BaseEndpoint)
		assert.Equal(t, "http://127.0.0.1:1", *s.session.Config.Endpoint)
	})

	t.Run("same credentials and region", func(t *testing.T) {
		t.Parallel()
		s, err := loadSettings(t.Context(), "", nil)
		require.NoError(t, err)
		v2, err := s.config.Credentials.Retrieve(t.Context())
		require.NoError(t, err)
		v1, err := s.session.Config.Credentials.Get()
		require.NoError(t, err)
		assert.Equal(t, [3]string{accessKeyID, secretKey, sessionToken}, [3]string{v2.AccessKeyID, v2.SecretAccessKey, v2.SessionToken})
		assert.Equal(t, [3]string{accessKeyID, secretKey, sessionToken}, [3]string{v1.AccessKeyID, v1.SecretAccessKey, v1.SessionToken})
		assert.Equal(t, region, s.config.Region)
		assert.Equal(t, region, *s.session.Config.Region)
	})
}
