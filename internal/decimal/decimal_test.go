package decimal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/decimal"
)

const (
	notANumber = "not a number"
	notWhole   = "not a whole number"
	outOfRange = "out of range"
)

func TestInt64(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int64
		err  string // the end of the error, if there is one
	}{
		{text: "0"},
		{text: "-0"},
		{text: "0.0"},
		{text: "-0.000e5"},
		{text: "0e999999999999999999999999"},
		{text: "0e-999999999999999999999999"},
		{text: "12", want: 12},
		{text: "12.0", want: 12},
		{text: "12.50e1", want: 125},
		{text: "1e3", want: 1000},
		{text: "1E+3", want: 1000},
		{text: "1e003", want: 1000},
		{text: "-1e+03", want: -1000},
		{text: "120e-1", want: 12},
		{text: "0.00012e5", want: 12},
		{text: "1200000e-00005", want: 12},
		{text: " 7\n", want: 7},
		{text: "9007199254740993", want: 1<<53 + 1}, // not a float64
		{text: "9223372036854775807", want: math.MaxInt64},
		{text: "9223372036854775807.000", want: math.MaxInt64},
		{text: "92233720368547758070e-1", want: math.MaxInt64},
		{text: "922337203685477580.7e1", want: math.MaxInt64},
		{text: "-9223372036854775808", want: math.MinInt64},
		{text: "-0.9223372036854775808e19", want: math.MinInt64},
		{text: "1e18", want: 1e18},

		{text: "12.5", err: "12.5 is " + notWhole},
		{text: "-0.1", err: notWhole},
		{text: "1e-3", err: notWhole},
		{text: "1e-999999999999999999999999", err: notWhole},
		{text: "9223372036854775807.4", err: notWhole},
		{text: "9223372036854775807.5", err: outOfRange},
		{text: "0.99999999999999999999999999999999", err: notWhole},
		{text: "9223372036854775808", err: "9223372036854775808 is " + outOfRange},
		{text: "-9223372036854775809", err: outOfRange},
		{text: "18446744073709551616", err: outOfRange}, // 0 modulo 2^64
		{text: "99999999999999999999999999", err: outOfRange},
		{text: "1e19", err: outOfRange},
		{text: "-1e19", err: outOfRange},
		{text: "1e2147483648", err: outOfRange},
		{text: "1e999999999999999999999999", err: outOfRange},

		{text: `"12"`, err: notANumber},
		{text: "null", err: notANumber},
		{text: "true", err: notANumber},
		{text: "{}", err: notANumber},
		{text: "[1]", err: notANumber},
		{text: "", err: notANumber},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := decimal.Int64([]byte(test.text))
			assert.Equal(t, test.want, got)
			requireErrorEnd(t, err, test.err)
		})
	}
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int64
		err  string
	}{
		{text: "0"},
		{text: "1", want: 1000},
		{text: "1.001", want: 1001},
		{text: "-1.001", want: -1001},
		{text: "1.413231134115E9", want: 1413231134115}, // AWS's sample
		{text: "253402300799.9994", want: 253402300799999},
		{text: "253402300799.9995", want: 253402300800000},
		{text: "9223372036854775.807", want: math.MaxInt64},
		{text: "9223372036854775.8074", want: math.MaxInt64},
		{text: "-9223372036854775.808", want: math.MinInt64},
		{text: "-9223372036854775.80849", want: math.MinInt64},
		{text: "1e-3", want: 1},
		{text: "5e-4", want: 1},
		{text: "0.0005", want: 1},
		{text: "-0.0005", want: -1},
		{text: "0.000499999999999999999999999", want: 0},
		{text: "0.00005", want: 0},
		{text: "9e-5", want: 0},
		{text: "1.4999999999999999999", want: 1500},
		{text: "1.0014999999999999999", want: 1001},
		{text: "1e-999999999999999999999999", want: 0},

		{text: "9223372036854775.8075", err: "9223372036854775.8075 is " + outOfRange},
		{text: "-9223372036854775.8085", err: outOfRange},
		{text: "9223372036854775.808", err: outOfRange},
		{text: "1e999999999999999999999999", err: outOfRange},
		{text: `"2014-10-13"`, err: notANumber},
		{text: "null", err: notANumber},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := decimal.Milliseconds([]byte(test.text))
			assert.Equal(t, test.want, got)
			requireErrorEnd(t, err, test.err)
		})
	}
}

// TestLongNumbers decodes numbers whose length compensates for their exponent, and checks that
// an error does not quote a long number.
func TestLongNumbers(t *testing.T) {
	t.Parallel()
	const length = 1 << 20
	zeros := strings.Repeat("0", length)
	for _, test := range []struct {
		name, text string
		want       int64
		err        string
	}{
		{"long number, long exponent", "7" + zeros + "e-" + strconv.Itoa(length), 7, ""},
		{"long fraction", "0." + zeros + "7e" + strconv.Itoa(length+1), 7, ""},
		{"exponent of many zeros", "7e" + zeros + "1", 70, ""},
		{"fraction of zeros", "7." + zeros, 7, ""},
		{"many nines", strings.Repeat("9", length), 0, strings.Repeat("9", 64) + "... is " + outOfRange},
		{"exponent of many nines", "1e" + strings.Repeat("9", length), 0, outOfRange},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := decimal.Int64([]byte(test.text))
			assert.Equal(t, test.want, got)
			requireErrorEnd(t, err, test.err)
			if err != nil {
				assert.Less(t, len(err.Error()), 100)
			}
		})
	}
}

func TestAllocations(t *testing.T) { // not parallel: AllocsPerRun counts for the whole process
	count, date := []byte("4611686018427387904"), []byte("1.413231134115E9")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = decimal.Int64(count)
		_, _ = decimal.Milliseconds(date)
	}))
}

func requireErrorEnd(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	require.True(t, strings.HasSuffix(err.Error(), want), "%q does not end in %q", err, want)
}

// FuzzDecimal compares both functions with math/big.
func FuzzDecimal(f *testing.F) {
	for _, text := range []string{
		"0", "-0", "0.0", "1e3", "1E+3", "1e-3", "12.50e1", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"92233720368547758070e-1", "1e19", "0e99", "0.0005", "-0.0005", "1.4999999999999999999", "253402300799.9994",
		"9223372036854775.8075", "1.413231134115E9", "1e-2147483649", "1e2147483648", `"1"`, "null", "[1]", " 1 ",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<10 || !json.Valid(text) {
			t.Skip()
		}
		compare(t, text, 1, decimal.Int64)
		compare(t, text, 1000, decimal.Milliseconds)
	})
}

func compare(t *testing.T, text []byte, scale int64, parse func([]byte) (int64, error)) {
	t.Helper()
	want, wantErr := bigScale(bytes.TrimSpace(text), scale)
	got, err := parse(text)
	if wantErr != nil {
		require.ErrorContains(t, err, wantErr.Error())
	} else {
		require.NoError(t, err)
	}
	require.Equal(t, want, got)
}

// bigScale returns the expected result of Int64 (scale 1) or Milliseconds (scale 1000).
func bigScale(text []byte, scale int64) (int64, error) {
	if !bytes.ContainsAny(text[:1], "-0123456789") {
		return 0, errors.New(notANumber)
	}
	mantissa, power, _ := strings.Cut(strings.ToLower(string(text)), "e")
	number, _ := new(big.Rat).SetString(mantissa)
	if number.Sign() == 0 {
		return 0, nil
	}
	exponent := new(big.Int)
	if power != "" {
		exponent.SetString(power, 10)
	}
	// No fuzzed mantissa compensates for a larger exponent, so the result would be the same.
	// math/big cannot handle it.
	const extreme = 10_000
	exponent.SetInt64(min(max(clampInt64(exponent), -extreme), extreme))
	power10 := new(big.Int).Exp(big.NewInt(10), new(big.Int).Abs(exponent), nil)
	factor := new(big.Rat).SetInt(power10)
	if exponent.Sign() < 0 {
		factor.Inv(factor)
	}
	number.Mul(number, factor)
	number.Mul(number, new(big.Rat).SetInt64(scale))

	if !number.IsInt() && scale == 1 {
		if number.Cmp(big.NewRat(math.MaxInt64, 1)) > 0 || number.Cmp(big.NewRat(math.MinInt64, 1)) < 0 {
			return 0, errors.New(" is ") // for either reason
		}
		return 0, errors.New(notWhole)
	}
	number.Add(number, big.NewRat(int64(number.Sign()), 2))
	whole := new(big.Int).Quo(number.Num(), number.Denom()) // rounds towards zero
	if !whole.IsInt64() {
		return 0, errors.New(outOfRange)
	}
	return whole.Int64(), nil
}

func clampInt64(n *big.Int) int64 {
	switch {
	case n.IsInt64():
		return n.Int64()
	case n.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

func BenchmarkInt64(b *testing.B) {
	text := []byte("4611686018427387904")
	for b.Loop() {
		_, _ = decimal.Int64(text)
	}
}

// TestSmallest checks the smallest int64 in many spellings, and numbers below it.
func TestSmallest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"-9223372036854775808.0", "-9223372036854775808e0", "-92233720368547758080e-1", "-922337203685477580.8e1",
		"-0.09223372036854775808E+20", "-9223372036854775808000e-3", "-9223372036854775.808e+03",
	} {
		got, err := decimal.Int64([]byte(text))
		require.NoError(t, err, text)
		assert.EqualValues(t, math.MinInt64, got, text)
	}
	for _, text := range []string{"-9223372036854775809.0", "-92233720368547758090e-1", "-922337203685477580.9e1", "-92233720368547758081e0"} {
		got, err := decimal.Int64([]byte(text))
		assert.Zero(t, got, text)
		requireErrorEnd(t, err, outOfRange)
	}
	got, err := decimal.Milliseconds([]byte("-92233720368547758080e-4"))
	require.NoError(t, err)
	assert.EqualValues(t, math.MinInt64, got)
}

// TestNegativeRounding checks that half a millisecond is rounded away from zero, also
// before 1970.
func TestNegativeRounding(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int64
	}{
		{"-1.0014", -1001},
		{"-1.0014999", -1001},
		{"-1.0015", -1002},
		{"-1.0016", -1002},
		{"-0.0004", 0},
		{"-0.0005", -1},
		{"-1.9995", -2000},
		{"-15e-4", -2},
		{"-25e-4", -3},
	} {
		got, err := decimal.Milliseconds([]byte(test.text))
		require.NoError(t, err, test.text)
		assert.Equal(t, test.want, got, test.text)
	}
}

// TestBounds checks numbers at the limits of range, length and exponent.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int64
		err  string
	}{
		{text: "12.50", err: "12.50 is " + notWhole},
		{text: "1250e-2", err: "1250e-2 is " + notWhole},
		{text: "922337203685477580e1", want: 9223372036854775800},
		{text: "-922337203685477580e1", want: -9223372036854775800},
		{text: "922337203685477581e1", err: "922337203685477581e1 is " + outOfRange},
		{text: "1." + strings.Repeat("0", 61) + "1", err: "1." + strings.Repeat("0", 61) + "1 is " + notWhole},
		{text: "1." + strings.Repeat("0", 62) + "1", err: "1." + strings.Repeat("0", 62) + "... is " + notWhole},
		{text: "1" + strings.Repeat("0", 63), err: "1" + strings.Repeat("0", 63) + " is " + outOfRange},
		{text: "1" + strings.Repeat("0", 64), err: "1" + strings.Repeat("0", 63) + "... is " + outOfRange},
		{text: "7" + strings.Repeat("0", 100) + "e-0000000000000000000000100", want: 7},
		{text: "7e000000000000000000000000000000000000001", want: 70},
		{text: "7e999999999999999999", err: outOfRange},
		{text: "7e-999999999999999999", err: notWhole},
		{text: "7e-9999999999999999999999", err: notWhole},
		{text: "0." + strings.Repeat("0", 200) + "7e201", want: 7},
		{text: "0." + strings.Repeat("0", 200) + "7e200", err: notWhole},
		{text: "9223372036854775807000000000000000000000e-21", want: math.MaxInt64},
		{text: "9223372036854775808000000000000000000000e-21", err: outOfRange},
		{text: "-9223372036854775808000000000000000000000e-21", want: math.MinInt64},
		{text: "-9223372036854775809000000000000000000000e-21", err: outOfRange},
		{text: "0.5e1", want: 5},
	} {
		got, err := decimal.Int64([]byte(test.text))
		assert.Equal(t, test.want, got, test.text)
		requireErrorEnd(t, err, test.err)
	}
}
