// Package interop tests the library together with software of others.
//
// Programs, mocks and instrumentation written for the AWS SDK for Go v2 must work with the
// client: programs after replacing their import paths, mocks at every position of the
// middleware stack where they work with a client of the SDK, and the packages otelaws, X-Ray,
// httpmock, gock and gomock.
//
// The AWS SDK for Go v1 and the AWS CLI call the fake of package cognitosynctest over
// loopback. They must find the responses and errors that they expect of Amazon Cognito Sync,
// and the fake must accept their signatures, and refuse them if a request is modified on its
// way.
//
// The client also calls HTTP/2 servers that violate the protocol.
//
// The package contains only tests. It is a separate module, so that users of the library do
// not get its dependencies.
package interop
