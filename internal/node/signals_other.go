//go:build !unix

package node

import "os"

// forwarded and keys: no program of this system runs on a host.
var forwarded, keys = []os.Signal{os.Interrupt}, []os.Signal{os.Interrupt}
