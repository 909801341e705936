package endpoints

import "strings"

// partition is a group of regions with its own accounts and DNS suffixes.
type partition struct {
	id                 string
	regionPrefixes     []string // a region's name is PREFIX-WORD-NUMBER
	globalRegion       string   // the pseudo region of the whole partition; "" if there is none
	dnsSuffix          string
	dualStackDNSSuffix string
}

// partitions are the partitions that AWS publishes with its endpoint rules. The first is
// the default for unknown regions. All support FIPS and dual-stack.
var partitions = [...]partition{
	{"aws", []string{"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"}, "aws-global", "amazonaws.com", "api.aws"},
	{"aws-cn", []string{"cn"}, "aws-cn-global", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"aws-us-gov", []string{"us-gov"}, "aws-us-gov-global", "amazonaws.com", "api.aws"},
	{"aws-eusc", []string{"eusc-de"}, "", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"aws-iso", []string{"us-iso"}, "aws-iso-global", "c2s.ic.gov", "api.aws.ic.gov"},
	{"aws-iso-b", []string{"us-isob"}, "aws-iso-b-global", "sc2s.sgov.gov", "api.aws.scloud"},
	{"aws-iso-e", []string{"eu-isoe"}, "aws-iso-e-global", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"aws-iso-f", []string{"us-isof"}, "aws-iso-f-global", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
}

// partitionOf returns the partition of a region.
func partitionOf(region string) *partition {
	for i := range partitions {
		p := &partitions[i]
		if p.matches(region) || region != "" && region == p.globalRegion {
			return p
		}
	}
	return &partitions[0]
}

// matches reports whether region matches the partition's pattern. AWS's pattern also allows
// underscores, which are not valid in host names.
func (p *partition) matches(region string) bool {
	for _, prefix := range p.regionPrefixes {
		rest, ok := strings.CutPrefix(region, prefix+"-")
		if !ok {
			continue
		}
		word, number, ok := strings.Cut(rest, "-")
		if ok && isAll(word, isWordByte) && isAll(number, isDigit) {
			return true
		}
	}
	return false
}

// isAll reports whether s is not empty and is returns true for all of its bytes.
func isAll(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(b byte) bool    { return '0' <= b && b <= '9' }
func isWordByte(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' }
func isHostByte(b byte) bool { return isWordByte(b) || b == '-' }
