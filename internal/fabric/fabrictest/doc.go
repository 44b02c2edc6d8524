// Package fabrictest makes random images and packets, and small images by
// hand, so that every interpreter of an image can be tested against the
// reference evaluator.
//
// Random images live in a tiny universe (three spaces, a handful of ports,
// few distinct sets) so that rules, routes and translations meet often.
package fabrictest
