package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the part of the declared language about Traffic Manager.

// TrafficManager is a Traffic Manager profile: a DNS name that leads to one of
// several endpoints.
type TrafficManager struct {
	// Name of the profile.
	Name Text `yaml:"name" jsonschema:"required"`
	// First label of the DNS name, NAME.trafficmanager.net; default the profile's name.
	DNS Text `yaml:"dns"`
	// How an endpoint is chosen.
	Method Text `yaml:"method" jsonschema:"required,enum=performance,enum=weighted,enum=priority,enum=geographic,enum=multivalue,enum=subnet"`
	// Seconds that resolvers keep an answer; default 60.
	TTL Int `yaml:"ttl" jsonschema:"minimum=0"`
	// Addresses that multivalue answers with, at most; default 2.
	MaxReturn Int `yaml:"max-return" jsonschema:"minimum=1,maximum=10"`
	// Whether the name resolves; default true.
	Enabled Bool `yaml:"enabled"`
	// How endpoints are asked whether they are well.
	Probe *ManagerProbe `yaml:"probe"`
	// Where the name may lead, by name.
	Endpoints Map[ManagerEndpoint] `yaml:"endpoints" jsonschema:"required"`
	Pos       model.Pos            `yaml:"-"`
}

// ManagerProbe asks the endpoints of a Traffic Manager profile whether they are
// well.
type ManagerProbe struct {
	// Default http.
	Protocol Text `yaml:"protocol" jsonschema:"enum=tcp,enum=http,enum=https"`
	// Port it asks; default 443 of https, else 80.
	Port Int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Path of an http or https probe; default /.
	Path Text `yaml:"path"`
	// Seconds between two questions: 30 (the default) or 10.
	Interval Int `yaml:"interval"`
	// Seconds that an answer may take: 5 to 10, with an interval of 10 to 9; default the most.
	Timeout Int `yaml:"timeout" jsonschema:"minimum=5,maximum=10"`
	// Failures in a row that do not matter; default 3.
	Tolerated Int `yaml:"tolerated" jsonschema:"minimum=0,maximum=9"`
	// Statuses that are well, such as 200 or 200-299; default 200.
	Expect Texts `yaml:"expect"`
	// Headers of the question.
	Headers Map[Text] `yaml:"headers"`
	Pos     model.Pos `yaml:"-"`
}

// ManagerEndpoint is one place that the name of a Traffic Manager profile may
// lead to: something of the network, an address or DNS name elsewhere, or
// another profile.
type ManagerEndpoint struct {
	// Host, load balancer, application gateway or firewall with a public address.
	Target Text `yaml:"target"`
	// DNS name or address of something else.
	Address Text `yaml:"address"`
	// Another profile.
	Profile Text `yaml:"profile"`
	// Where it is, for performance: an Azure region; needed with address and profile only.
	Region Text `yaml:"region"`
	// Its share, for weighted; default 1.
	Weight Int `yaml:"weight" jsonschema:"minimum=1,maximum=1000"`
	// Its place, for priority, the lowest first; default that in the list.
	Priority Int `yaml:"priority" jsonschema:"minimum=1,maximum=1000"`
	// Whose clients it serves, for geographic: WORLD, GEO-EU, DE, US-CA.
	Geo Texts `yaml:"geo"`
	// Whose clients it serves, for subnet: prefixes, or ranges such as 10.0.0.0-10.0.0.9; without any all others.
	Subnets Texts `yaml:"subnets"`
	// Endpoints of the other profile that must be well; default 1.
	MinChildren Int `yaml:"min-children" jsonschema:"minimum=1"`
	// Whether it takes part; default true.
	Enabled Bool `yaml:"enabled"`
	// Whether it is served without being asked; default false.
	AlwaysServe Bool      `yaml:"always-serve"`
	Pos         model.Pos `yaml:"-"`
}
