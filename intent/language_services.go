package intent

import "github.com/ceruleannet/cerulean/model"

// PublicHost is somebody on the internet: it has names and addresses, and may be
// reached, and dial in, like any host.
type PublicHost struct {
	// Public addresses that are none of the network's own.
	Address Texts `yaml:"address" jsonschema:"required"`
	// Further DNS names; the key is the first.
	Names Texts `yaml:"names"`
	// Azure region that is nearest to it, by which it reaches the edge of a front door.
	Region Text `yaml:"region"`
	// What it listens on, as hosts do; default whoami/80, which answers with the address that a request comes from.
	Serves Texts     `yaml:"serves"`
	Pos    model.Pos `yaml:"-"`
}
