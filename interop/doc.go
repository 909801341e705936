// Package interop proves the library against code that is not ours.
//
// Programs, mocks and instrumentation that were written for the AWS SDK for Go v2 work with
// the client: after one sed, in every place of the middleware stack where they work with a
// client of the SDK, and with otelaws, X-Ray, httpmock, gock and gomock.
//
// cognitosynctest is proved against clients that are not ours: the
// AWS SDK for Go v1 and the AWS CLI. They call the fake over loopback, find the
// answers and errors they expect of Amazon Cognito Sync, and have their
// signatures accepted, and refused once something was changed on the way. It also
// has our client call HTTP/2 servers that do what no decent server does.
//
// It holds tests only, and is a module of its own so that users of the library
// inherit nothing of it.
package interop
