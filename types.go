package cognitosync

import "time"

// IdentityPoolUsage says how much Amazon Cognito Sync keeps for one identity pool.
//
// Every member is a pointer, and nil is an answer of its own: the service left
// the member out or sent null, which is not the same as zero. AWS's own sample
// answer has a null SyncSessionsCount beside a DataStorage of 0.
//
// See https://docs.aws.amazon.com/cognitosync/latest/APIReference/API_IdentityPoolUsage.html.
type IdentityPoolUsage struct {
	// DataStorage is how much data the pool's datasets hold. AWS documents no
	// unit for it, so none is promised here.
	DataStorage *int64

	// IdentityPoolId is the pool's id as the service spells it, for example
	// "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE".
	IdentityPoolId *string

	// LastModifiedDate is when the pool's data was last changed, in UTC and
	// exact to the millisecond.
	LastModifiedDate *time.Time

	// SyncSessionsCount is the number of sync sessions of the pool.
	SyncSessionsCount *int64
}
