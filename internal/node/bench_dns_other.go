//go:build !linux

package node

import (
	"context"
	"errors"
)

// BenchDNS pins processes to cores and reads their times as Linux has them.
func BenchDNS(context.Context, int) (*Bench, error) {
	return nil, errors.New("the DNS benchmark needs Linux")
}
