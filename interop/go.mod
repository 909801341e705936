module github.com/cognitosync/cognitosync-go/interop

go 1.24

require (
	github.com/aws/aws-sdk-go v1.55.8
	github.com/aws/aws-sdk-go-v2 v1.48.0
	github.com/aws/smithy-go v1.28.9
	github.com/cognitosync/cognitosync-go v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/net v0.43.0
)

require (
	github.com/jmespath/go-jmespath v0.4.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.28.0 // indirect
)

replace github.com/cognitosync/cognitosync-go => ../
