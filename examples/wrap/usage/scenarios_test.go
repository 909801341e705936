package usage_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/examples/wrap/usage"
)

// Tests as users of the fake service write them, each in a few lines.

func TestScenario_throttledOnce(t *testing.T) {
	t.Parallel()
	client, server, _ := setUp(t)
	server.Script(poolID, cognitosynctest.Throttle(1))

	_, err := client.Read(t.Context(), poolID)

	require.NoError(t, err)
	assert.Equal(t, 2, server.Count())
}

func TestScenario_outageAndRecovery(t *testing.T) {
	t.Parallel()
	client, server, _ := setUp(t)
	server.Script("", cognitosynctest.Forever(cognitosynctest.ServiceUnavailable()))
	_, err := client.Read(t.Context(), poolID)
	require.ErrorIs(t, err, usage.ErrUnavailable)

	server.ClearScript("")
	_, err = client.Read(t.Context(), poolID)
	require.NoError(t, err)
}

func TestScenario_poolOfAnotherRegion(t *testing.T) {
	t.Parallel()
	_, server, _ := setUp(t, func(o *cognitosynctest.Options) { o.AWSHosts = true })
	client := usage.NewFromAPI(cognitosync.NewFromConfig(server.Config()), nil) // without UseIdentityPoolRegion

	_, err := client.Read(t.Context(), "eu-west-1:1f2e")

	require.ErrorAs(t, err, new(*cognitosync.RegionMismatchError))
	assert.Zero(t, server.Count())
}

func TestScenario_oneRegionIsDown(t *testing.T) {
	t.Parallel()
	client, server, _ := setUp(t, func(o *cognitosynctest.Options) { o.AnyRegion = true })
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: "eu-west-1:1f2e"})
	server.Script("", cognitosynctest.Forever(cognitosynctest.Func(downIn("eu-west-1"))))

	_, err := client.Read(t.Context(), "eu-west-1:1f2e")
	require.ErrorIs(t, err, usage.ErrUnavailable)
	_, err = client.Read(t.Context(), poolID)
	require.NoError(t, err)
}

func downIn(region string) func(cognitosynctest.Request) cognitosynctest.Step {
	return func(r cognitosynctest.Request) cognitosynctest.Step {
		if r.Region == region {
			return cognitosynctest.InternalError()
		}
		return cognitosynctest.OK()
	}
}

func TestScenario_everyThirdRequestIsLost(t *testing.T) {
	t.Parallel()
	client, server, _ := setUp(t)
	server.Script("", cognitosynctest.Forever(cognitosynctest.Func(everyThird)))
	for range 10 {
		_, err := client.Read(t.Context(), poolID)
		require.NoError(t, err)
	}
	assert.Equal(t, 14, server.Count())
}

func everyThird(r cognitosynctest.Request) cognitosynctest.Step {
	if r.Number%3 == 0 {
		return cognitosynctest.Hangup()
	}
	return cognitosynctest.OK()
}

func TestScenario_rateLimit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	client, server, _ := setUp(t, func(o *cognitosynctest.Options) { o.Now = func() time.Time { return now } })
	server.Script("", cognitosynctest.RateLimit(5))
	for i := range 7 {
		_, err := client.Read(t.Context(), poolID)
		assert.Equal(t, i >= 5, errors.Is(err, usage.ErrUnavailable), err)
	}
}

func TestScenario_keysExpire(t *testing.T) {
	t.Parallel()
	_, server, _ := setUp(t)
	old := cognitosynctest.Credentials{AccessKeyID: "AKIDOLD", SecretAccessKey: "old", SessionToken: "old", Expired: true}
	server.SetCredentials(old)
	cfg := server.Config()
	cfg.Credentials = cognitosynctest.RenewingProvider(old, cognitosynctest.DefaultCredentials())

	_, err := usage.New(cfg, nil).Read(t.Context(), poolID)
	require.NoError(t, err)
}

func TestScenario_onePoolIsDenied(t *testing.T) {
	t.Parallel()
	auditor := cognitosynctest.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", DeniedPools: []string{"us-east-1:1f2e"}}
	client, _, _ := setUp(t, func(o *cognitosynctest.Options) { o.Credentials = []cognitosynctest.Credentials{auditor} })

	_, err := client.Read(t.Context(), "us-east-1:1f2e")
	require.ErrorIs(t, err, usage.ErrDenied)
	_, err = client.Read(t.Context(), poolID)
	require.NoError(t, err)
}

func TestScenario_malformedID(t *testing.T) {
	t.Parallel()
	client, _, _ := setUp(t)

	_, err := client.Read(t.Context(), "us-east-1_AbCdEf") // a user pool ID

	require.ErrorAs(t, err, new(*cognitosync.InvalidParameterException))
	require.NotErrorIs(t, err, usage.ErrNotFound)
}

// Each of many calls meets the same faults.
func TestScenario_manyAtOnce(t *testing.T) {
	t.Parallel()
	_, server, _ := setUp(t)
	server.ScriptEachCall("", cognitosynctest.Throttle(1), cognitosynctest.OK().CutAfter(10))
	for _, err := range readAtOnce(t, server, 50) {
		require.NoError(t, err)
	}
	assert.Empty(t, server.PendingSteps())
}

// readAtOnce makes n concurrent reads of the pool, each with its own client and thus its
// own retry quota.
func readAtOnce(t *testing.T, server *cognitosynctest.Server, n int) []error {
	t.Helper()
	errs := make([]error, n)
	var reads sync.WaitGroup
	for i := range errs {
		reads.Add(1)
		go func() {
			defer reads.Done()
			_, errs[i] = usage.New(server.Config(), nil).Read(t.Context(), poolID)
		}()
	}
	reads.Wait()
	return errs
}

// Tests that share a server, such as one that TestMain starts, each log their own requests.
func TestScenario_sharedServer(t *testing.T) {
	t.Parallel()
	_, server, _ := setUp(t)
	client := usage.New(server.Config(), nil) // the recorder is for one goroutine
	for _, id := range []string{"us-east-1:1", "us-east-1:2"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			server.Watch(t, id)
			_, err := client.Read(t.Context(), id)
			require.ErrorIs(t, err, usage.ErrNotFound)
		})
	}
}
