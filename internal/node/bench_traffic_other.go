//go:build !linux

package node

import (
	"context"
	"errors"
)

// BenchTraffic measures gateways; it needs Linux.
func BenchTraffic(context.Context, int, func(*Bench) error) error {
	return errors.New("bench traffic reads processor times of other programs, which needs Linux")
}
