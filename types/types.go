// Package types has the service's types under the import path that the AWS SDK for Go v2
// gives them: code written for the SDK keeps both of its imports, with another module.
// Each name is an alias of the one in package cognitosync, which is all that new code needs.
package types

import "github.com/cognitosync/cognitosync-go"

// IdentityPoolUsage is [cognitosync.IdentityPoolUsage].
type IdentityPoolUsage = cognitosync.IdentityPoolUsage

// InternalErrorException is [cognitosync.InternalErrorException].
type InternalErrorException = cognitosync.InternalErrorException

// InvalidParameterException is [cognitosync.InvalidParameterException].
type InvalidParameterException = cognitosync.InvalidParameterException

// NotAuthorizedException is [cognitosync.NotAuthorizedException].
type NotAuthorizedException = cognitosync.NotAuthorizedException

// ResourceNotFoundException is [cognitosync.ResourceNotFoundException].
type ResourceNotFoundException = cognitosync.ResourceNotFoundException

// TooManyRequestsException is [cognitosync.TooManyRequestsException].
type TooManyRequestsException = cognitosync.TooManyRequestsException
