//go:build !linux

package gateway

import "time"

// lot lets connections wait without a goroutine on Linux only: elsewhere they keep
// theirs.
type lot struct{}

func newLot(time.Duration, func(visitor)) *lot { return nil }

func (*lot) park(visitor) bool { return false }

func (*lot) close() {}
