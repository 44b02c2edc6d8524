//go:build !linux

package node

import (
	"context"

	"github.com/ceruleannet/cerulean/internal/datapath"
)

// benchNamespaces needs namespaces, which this system has not.
func benchNamespaces(context.Context, int, func(*Bench) error) error { return datapath.ErrUnsupported }
