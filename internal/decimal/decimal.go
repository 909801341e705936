// Package decimal decodes JSON numbers exactly. It works on the decimal digits, because a
// float64 cannot represent every int64 or every millisecond.
package decimal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Int64 returns the JSON number text as a whole number, in any notation: 12, 12.0, 1.2e1 and
// 120e-1 are all 12. It returns an error for a number with a fraction, for a number outside
// the range of int64, and for a JSON value of another type. text must be valid JSON.
func Int64(text []byte) (int64, error) {
	n, exact, err := scale(text, 0)
	if err == nil && !exact {
		return 0, badNumber(text, "not a whole number")
	}
	return n, err
}

// Milliseconds returns the JSON number text, in seconds, converted to milliseconds. It rounds
// to the nearest millisecond, and halves away from zero. It returns an error for a result
// outside the range of int64 and for a JSON value of another type. text must be valid JSON.
func Milliseconds(text []byte) (int64, error) {
	n, _, err := scale(text, 3)
	return n, err
}

// scale returns the JSON number text times 10 to the power of shift, rounded to the nearest
// whole number, halves away from zero. exact reports whether rounding did not change it. The
// time is linear in the length of text, whatever the exponent.
func scale(text []byte, shift int64) (n int64, exact bool, err error) {
	mantissa := bytes.TrimSpace(text)
	if len(mantissa) == 0 || mantissa[0] != '-' && !isDigit(mantissa[0]) {
		return 0, false, errors.New("not a number")
	}
	var exponent int64
	if e := bytes.IndexAny(mantissa, "eE"); e >= 0 {
		mantissa, exponent = mantissa[:e], parseExponent(mantissa[e+1:])
	}
	mantissa, negative := bytes.CutPrefix(mantissa, []byte("-"))
	wholeDigits := bytes.IndexByte(mantissa, '.')
	if wholeDigits < 0 {
		wholeDigits = len(mantissa)
	}

	// left is the number of remaining digits before the decimal point of the result.
	left := int64(wholeDigits) + exponent + shift
	magnitude, exact := uint64(0), true
	for _, digit := range mantissa {
		if digit == '.' {
			continue
		}
		switch {
		case left > 0 && magnitude > maxMagnitude/10:
			return 0, false, badNumber(text, "out of range")
		case left > 0:
			magnitude = 10*magnitude + uint64(digit-'0')
		case left == 0 && digit >= '5':
			magnitude++
		}
		exact = exact && (left > 0 || digit == '0')
		left--
	}
	for ; left > 0 && magnitude > 0; left-- {
		if magnitude > maxMagnitude/10 {
			return 0, false, badNumber(text, "out of range")
		}
		magnitude *= 10
	}

	switch {
	case negative && magnitude <= maxMagnitude:
		return -int64(magnitude), exact, nil // -int64(1<<63) is the smallest int64
	case magnitude <= math.MaxInt64:
		return int64(magnitude), exact, nil
	}
	return 0, false, badNumber(text, "out of range")
}

// maxMagnitude is the magnitude of the smallest int64. If a magnitude is at most a tenth of
// it, appending a digit does not overflow a uint64.
const maxMagnitude = -math.MinInt64

// parseExponent returns the exponent of a JSON number, limited to ±1e18. A larger exponent
// makes no difference, because no number has that many digits.
func parseExponent(text []byte) int64 {
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	digits = bytes.TrimLeft(bytes.TrimPrefix(digits, []byte("+")), "0")
	exponent := int64(1e18)
	if len(digits) <= 18 {
		exponent, _ = strconv.ParseInt("0"+string(digits), 10, 64) // no error: there are only digits
	}
	if negative {
		return -exponent
	}
	return exponent
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// badNumber returns an error that quotes the number, truncated if it is long.
func badNumber(text []byte, reason string) error {
	const maxQuote = 64
	if len(text) > maxQuote {
		return fmt.Errorf("%s... is %s", text[:maxQuote], reason)
	}
	return fmt.Errorf("%s is %s", text, reason)
}
