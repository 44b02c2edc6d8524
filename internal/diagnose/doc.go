// Package diagnose answers the questions of Azure's network diagnostics from a
// compiled image, in the shapes of Azure's API (Microsoft.Network). Field names
// are the API's; what a client sends and how an answer is polled is not its
// affair.
//
// In the order of a packet's way:
//
//  1. [PortOf] finds the port of an interface, and a [Box] holds the traffic in
//     question (box.go).
//  2. [Judge] tells what the filters of a port do to it, [VerifyFlow] and
//     [Evaluate] say so as ipFlowVerify and networkConfigurationDiagnostic do
//     (filters.go, evaluate.go), [EffectiveGroups] lists the rules (groups.go).
//  3. [NextHop] and [EffectiveRoutes] show the routes of a port (routes.go).
//  4. [Connect] follows a connection to its end, hop by hop
//     (connectivity.go); [Analyze] writes such a way as Azure's network verifier
//     does (reachability.go).
package diagnose
