package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the part of the declared language about public DNS.

// PublicZone is a public DNS zone. A declared zone below it is delegated to by
// itself.
type PublicZone struct {
	// Addresses by record name, @ for the zone itself; or one of: something that has a public address, a Traffic Manager profile, a front door (an alias record, which follows it), another DNS name (a CNAME). {region} makes one record for every region.
	Records Map[Texts] `yaml:"records"`
	// Name servers of a name below, which others serve.
	Delegate Map[Texts] `yaml:"delegate"`
	// Time to live of the records in seconds; default 300.
	TTL Int       `yaml:"ttl" jsonschema:"minimum=1,maximum=2147483647"`
	Pos model.Pos `yaml:"-"`
}
