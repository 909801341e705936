// Package interop proves cognitosynctest against clients that are not ours: the
// AWS SDK for Go v1 and the AWS CLI. They call the fake over loopback, find the
// answers and errors they expect of Amazon Cognito Sync, and have their
// signatures accepted, and refused once something was changed on the way. It also
// has our client call HTTP/2 servers that do what no decent server does.
//
// It holds tests only, and is a module of its own so that users of the library
// inherit nothing of it.
package interop
