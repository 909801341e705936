// Package types has aliases for the types that the AWS SDK for Go v2 keeps in its package
// types. Code written for the SDK only has to change its import paths. New code can use
// package cognitosync alone.
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
