// Package avnm expands Azure Virtual Network Manager: from managers, network
// groups, configurations and commits to what they mean for each virtual
// network.
//
// The data flows in this order, one file each:
//
//  1. read: the documents of the managers, their groups, policies and commits;
//  2. group: which virtual networks and subnets are members of which group;
//  3. commit: which configurations are in force in which region;
//  4. connect: peerings and connected groups;
//  5. admin: security admin rules per virtual network;
//  6. routing: routing rules per virtual network and subnet.
//
// A virtual network takes what is committed for its own region. Nothing that is
// only declared and not committed has any effect.
//
// [Expand] is a pure function; it does not change its input.
package avnm
