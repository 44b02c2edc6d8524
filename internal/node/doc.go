// Package node is the composition root: it joins the rooms into one running
// system and is the only package that knows them all.
//
// In the order of the main job:
//
//   - [Open] declares and compiles a network into a [Design].
//   - [Design.Check] proves its expectations.
//   - [OpenCloud] starts (or finds) the embedded cloud, and [Cloud.Plan] and
//     [Cloud.Apply] bring it to what is declared, through its API.
//   - [Up] runs the network and probes it: the five stages in one call.
package node
