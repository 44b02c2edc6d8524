// Package compile turns Azure resources into a fabric image.
//
// [Compile] is a pure function. It works in passes, one file each, in this
// order:
//
//  1. decode: documents become typed views, indexed by ID; what is not
//     modelled becomes a note (unmodelled.go);
//  2. networks: virtual networks become spaces, subnets become segments;
//  3. groups: the network managers are expanded (package avnm);
//  4. connectivity: which virtual network reaches which, and why;
//  5. addresses: interfaces, firewalls, load balancers, application gateways
//     (appgateways.go), private endpoints,
//     platform services and unassigned addresses become ports; the members of
//     pools are found;
//  6. public: public addresses and ways out;
//  7. routes: effective route tables;
//  8. filters: security groups and admin rules;
//  9. redirects: the listeners of application gateways (appgateway_rules.go)
//     and the rules of load balancers, with the health of their
//     members as probes find it; services: what storage accounts, SQL servers
//     and key vaults let in;
//  10. names: private and public DNS zones and the public names of services become views;
//  11. firewalls: NAT rules become redirects (firewall_nat.go), policies and
//     rules inside firewalls become filters (firewall_rules.go); appliances:
//     hosts that forward;
//  12. labels and image: labels, regions, delays, the internet's port.
//
// [Follow] compiles and then follows edits (update.go): rules of security groups
// (update_rules.go) and route tables (update_routes.go) in place, everything
// else by the passes with what memory.go remembers.
//
// Equal sets, filters and tables are stored once. What Azure's documents leave
// open is a named constant in assumptions.go; docs/azure-semantics.md lists the
// rules with their documents.
package compile
