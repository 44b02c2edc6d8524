package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the part of the declared language about databases.

// FailoverGroup is a failover group of SQL servers: databases that one server
// writes and others copy, under one name that moves with the writer.
type FailoverGroup struct {
	// Name of the group, unique in the world: clients connect to NAME.database.windows.net, readers to NAME.secondary.database.windows.net.
	Name Text `yaml:"name" jsonschema:"required"`
	// SQL servers in different regions; the first is the primary.
	Servers Texts `yaml:"servers" jsonschema:"required"`
	// Databases of the group; they are made at the primary.
	Databases Texts `yaml:"databases"`
	// Who fails over when the primary is away: automatic (the default), after the grace period, or manual.
	Policy Text `yaml:"policy" jsonschema:"enum=automatic,enum=manual"`
	// Minutes that an automatic failover waits for the primary before it gives up what was not copied; default 60.
	Grace Int       `yaml:"grace" jsonschema:"minimum=60"`
	Pos   model.Pos `yaml:"-"`
}
