package cognitosync

import (
	"context"
	"time"
)

// SetSleep has a client wait between attempts by calling sleep. It must be called
// before the client is used.
func SetSleep(client *Client, sleep func(context.Context, time.Duration) error) {
	client.sleep = sleep
}
