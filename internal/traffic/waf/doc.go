// Package waf is the web application firewall of a gateway: policies as Azure's
// (mode, custom rules, managed rules with overrides and exclusions, limits of
// bodies), decided by Coraza over the OWASP Core Rule Set.
//
// A request's way:
//
//  1. policy.go says what was declared; check.go finds everything wrong with it.
//  2. ruleset.go reads the managed rules: their directives, groups and levels.
//  3. compile.go writes the directives of one policy: overrides and exclusions are
//     in the text of the rules, so they cost nothing at run time.
//  4. body.go holds the part of a request's body that is inspected, and lets the
//     member have all of it.
//  5. custom.go and rate.go try the custom rules by priority; transform.go and
//     variable.go say what they compare. Allow ends the inspection, Block the
//     request, Log goes on.
//  6. inspect.go gives what is left to the managed rules. Those add to a score;
//     a request whose score is 5 or more is blocked, or in detection mode noted.
//  7. entry.go writes what matched with the columns of AGWFirewallLogs.
//
// It has no clock and no socket: it takes the request and the time.
package waf
