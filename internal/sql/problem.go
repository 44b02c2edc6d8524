package sql

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
)

// problem is an error in SQL Server's form.
type problem = tds.Problem

// Numbers of errors ("Database Engine events and errors").
const (
	numberSyntax        = 102
	numberNoColumn      = 207
	numberNoObject      = 208
	numberNull          = 515
	numberConstraint    = 547
	numberDuplicate     = 2627
	numberThere         = 2714
	numberNoProcedure   = 2812
	numberNoTransaction = 3902
	numberNoRollback    = 3903
	numberReadOnly      = 3906
	numberNoDatabase    = 4060
	numberLogin         = 18456
	numberLockTimeout   = 1222
	numberFirewall      = 40615
	numberUse           = 40508
	numberUnsupported   = 40517
	numberQuota         = 40544
	numberUnavailable   = 40613
	numberNoPublic      = 47073
	numberOther         = 50000
)

func newProblem(number int32, class byte, line int32, format string, args ...any) *problem {
	return &problem{Number: number, State: 1, Class: class, Line: line, Text: fmt.Sprintf(format, args...)}
}

func syntax(line int32, format string, args ...any) *problem {
	return newProblem(numberSyntax, 15, line, format, args...)
}

// unsupported is the answer to what SQL Server knows and this server does not,
// with what to do instead.
func unsupported(line int32, what, instead string) *problem {
	return newProblem(numberUnsupported, 16, line, "%s is not supported by this server. %s", what, instead)
}

func loginFailed(user string) *problem {
	return newProblem(numberLogin, 14, 1, "Login failed for user '%s'.", user)
}

func noDatabase(name string) *problem {
	return newProblem(numberNoDatabase, 11, 1, `Cannot open database "%s" requested by the login. The login failed.`, name)
}

// refusedBy is the answer of a server whose firewall does not let an address in,
// as clients of Azure see it.
func refusedBy(server, addr string) *problem {
	return newProblem(numberFirewall, 14, 1, "Cannot open server '%s' requested by the login. Client with IP address '%s' is not allowed to access the server. To enable access, add a firewall rule for the address to the server, or a private endpoint. It may take up to five minutes for this change to take effect.", server, addr)
}

func noPublicAccess() *problem {
	return newProblem(numberNoPublic, 14, 1, "An instance-specific error occurred while establishing a connection to SQL Server. The public network interface on this server is not accessible. To connect to this server, use the Private Endpoint from inside your virtual network.")
}

func readOnly(database string) *problem {
	return newProblem(numberReadOnly, 16, 1, `Failed to update database "%s" because the database is read-only.`, database)
}

func unavailable(database, server string) *problem {
	return newProblem(numberUnavailable, 20, 1, "Database '%s' on server '%s' is not currently available. Please retry the connection later.", database, server)
}
