package cognitosync

import "time"

// IdentityPoolUsage is the usage that Amazon Cognito Sync reports for an identity pool.
//
// A nil member means that the service omitted it or sent null, which is not the same
// as zero. AWS's sample response has a null SyncSessionsCount and a DataStorage of 0.
//
// See https://docs.aws.amazon.com/cognitosync/latest/APIReference/API_IdentityPoolUsage.html.
type IdentityPoolUsage struct {
	// DataStorage is "Data storage information for the identity pool" (AWS). AWS
	// documents no unit for it. Dataset.DataStorage of the same API is in bytes; that
	// this member is in bytes too is only an inference.
	DataStorage *int64

	// IdentityPoolId is the pool's ID as the service spells it, for example
	// "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE".
	IdentityPoolId *string

	// LastModifiedDate is the "Date on which the identity pool was last modified"
	// (AWS), in UTC with millisecond precision. AWS does not document what that means
	// for the data in the pool.
	LastModifiedDate *time.Time

	// SyncSessionsCount is the "Number of sync sessions for the identity pool" (AWS).
	SyncSessionsCount *int64
}
