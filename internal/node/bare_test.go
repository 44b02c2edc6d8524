package node

import "testing"

// What a resource leaves out means to the compiler what the cloud fills in: a
// network runs only if the cloud's is the one that was proved.
func TestBareResources(t *testing.T) {
	upWith(t, "testdata/bare/network.yaml", UpOptions{NoProbe: true})
}
