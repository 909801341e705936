module github.com/cognitosync/cognitosync-go/ci

go 1.25.0

require (
	github.com/stretchr/testify v1.12.1
	github.com/yuin/goldmark v1.8.7
	golang.org/x/mod v0.35.0
	golang.org/x/tools v0.44.0
)

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0 // indirect
	github.com/aws/smithy-go v1.28.9 // indirect
)

require (
	github.com/cognitosync/cognitosync-go v0.0.0
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.20.0 // indirect
)

replace github.com/cognitosync/cognitosync-go => ../
