package sql

import (
	"strconv"
	"strings"
)

// act is what a statement does.
type act byte

const (
	actSelect act = iota
	actWrite
	actDefine
	actNothing
	actBegin
	actCommit
	actRollback
	actSave
	actRestore // roll back to a savepoint
	actUse
	actPrint
)

// statement is one of a batch, in the dialect of SQLite.
type statement struct {
	act  act
	text string
	name string // of a savepoint or database; what is printed
	line int32
	rows bool // a change that answers rows
}

// environment is what a session's expressions may ask for.
type environment struct {
	server, database, user, edition, version string
	updateable                               bool
	session                                  int
	rows, identity                           int64
	hasIdentity                              bool
	transactions                             int
}

// now is the present as SQLite says it, in the form of datetime2(7).
const now = "(strftime('%Y-%m-%d %H:%M:%f','now')||'0000')"

// settings that change nothing here may be set.
var settings = []string{
	"NOCOUNT", "XACT_ABORT", "ANSI_NULLS", "ANSI_PADDING", "ANSI_WARNINGS", "ANSI_NULL_DFLT_ON", "ARITHABORT", "CONCAT_NULL_YIELDS_NULL", "CURSOR_CLOSE_ON_COMMIT",
	"IMPLICIT_TRANSACTIONS", "LANGUAGE", "LOCK_TIMEOUT", "NUMERIC_ROUNDABORT", "QUOTED_IDENTIFIER", "TEXTSIZE", "DATEFORMAT", "DATEFIRST", "DEADLOCK_PRIORITY",
	"TRANSACTION", "ROWCOUNT", "FMTONLY", "STATISTICS",
}

// split returns the statements of a batch: they stand between semicolons.
func split(batch string) ([][]token, *problem) {
	tokens, p := lex(batch)
	if p != nil {
		return nil, p
	}
	var out [][]token
	var one []token
	depth := 0
	for _, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is(";") && depth <= 0:
			if len(one) > 0 {
				out = append(out, one)
			}
			one = nil
			continue
		}
		one = append(one, t)
		// SET stands alone without a semicolon, as clients write it.
		if len(one) == 3 && one[0].is("SET") && !one[1].is("TRANSACTION", "STATISTICS") && one[1].kind == tokenWord {
			out, one = append(out, one), nil
		}
	}
	if len(one) > 0 {
		out = append(out, one)
	}
	return out, nil
}

// translate turns one statement into the dialect of SQLite, as a session of an
// environment means it.
func translate(t []token, env *environment) (statement, *problem) {
	s := statement{line: t[0].line}
	for _, x := range t {
		if x.is(";", "`") { // within parentheses, or SQLite's quotes: neither is Transact-SQL
			return s, syntax(x.line, "Incorrect syntax near '%s'.", x.text)
		}
	}
	second := token{}
	if len(t) > 1 {
		second = t[1]
	}
	switch {
	case t[0].is("SELECT", "WITH", "VALUES"):
		s.act = actSelect
		for _, x := range t {
			if t[0].is("WITH") && x.is("INSERT", "UPDATE", "DELETE") {
				s.act = actWrite
			}
			if t[0].is("SELECT") && x.is("INTO") {
				return s, unsupported(s.line, "SELECT INTO", "Create the table, and write INSERT INTO … SELECT.")
			}
		}
	case t[0].is("INSERT", "UPDATE", "DELETE"):
		s.act = actWrite
		if p := explicit(&t); p != nil {
			return s, p
		}
		s.rows = output(&t)
	case t[0].is("TRUNCATE") && second.is("TABLE"):
		s.act = actWrite
		t = append([]token{{tokenWord, "DELETE", s.line, true}, {tokenWord, "FROM", s.line, true}}, t[2:]...)
	case t[0].is("CREATE", "ALTER", "DROP"):
		s.act = actDefine
		i := 1
		if second.is("UNIQUE", "CLUSTERED", "NONCLUSTERED") {
			i++
		}
		if len(t) <= i || !t[i].is("TABLE", "INDEX", "VIEW", "CLUSTERED", "NONCLUSTERED") {
			what := t[0].text
			if len(t) > i {
				what += " " + t[i].text
			}
			return s, unsupported(s.line, strings.ToUpper(what), "Tables, indexes and views can be defined; databases are resources of their server.")
		}
		if p := define(&t); p != nil {
			return s, p
		}
	case t[0].is("SET"):
		if len(t) < 3 || !second.is(settings...) {
			return s, unsupported(s.line, "SET "+clip(second.text), "Send the value as a parameter.")
		}
		s.act = actNothing
		return s, nil
	case t[0].is("BEGIN") && second.is("TRAN", "TRANSACTION"):
		s.act = actBegin
		return s, nil
	case t[0].is("COMMIT"):
		s.act = actCommit
		return s, nil
	case t[0].is("ROLLBACK") && len(t) > 2:
		s.act, s.name = actRestore, t[2].name()
		return s, nil
	case t[0].is("ROLLBACK"):
		s.act = actRollback
		return s, nil
	case t[0].is("SAVE") && len(t) > 2:
		s.act, s.name = actSave, t[2].name()
		return s, nil
	case t[0].is("USE") && len(t) > 1:
		s.act, s.name = actUse, second.name()
		return s, nil
	case t[0].is("PRINT") && len(t) == 2 && second.kind == tokenText:
		s.act, s.name = actPrint, strings.ReplaceAll(strings.Trim(second.text, "'"), "''", "'")
		return s, nil
	case t[0].is("EXEC", "EXECUTE"):
		return s, newProblem(numberNoProcedure, 16, s.line, "Could not find stored procedure '%s'. This server has none.", clip(second.text))
	case t[0].is("DECLARE", "IF", "WHILE", "MERGE", "BULK", "GRANT", "DENY", "REVOKE", "WAITFOR", "RAISERROR", "THROW", "BEGIN", "GO", "DBCC", "BACKUP", "RESTORE", "KILL"):
		return s, unsupported(s.line, strings.ToUpper(t[0].text), "Decide in the client, and send SELECT, INSERT, UPDATE, DELETE, or CREATE, ALTER and DROP of tables, indexes and views, each ended by a semicolon.")
	default:
		return s, syntax(s.line, "Incorrect syntax near '%s'.", clip(t[0].text))
	}
	var p *problem
	s.text, p = express(t, env)
	return s, p
}

// explicit adds the words that Transact-SQL may leave out: INSERT [INTO], DELETE
// [FROM].
func explicit(t *[]token) *problem {
	for word, needs := range map[string]string{"INSERT": "INTO", "DELETE": "FROM"} {
		if x := *t; x[0].is(word) && len(x) > 1 && !x[1].is(needs) {
			if x[1].is("TOP") {
				return unsupported(x[0].line, word+" TOP", "Say which rows by WHERE.")
			}
			*t = append([]token{x[0], {tokenWord, needs, x[0].line, true}}, x[1:]...)
		}
	}
	return nil
}

// output turns OUTPUT INSERTED.x into RETURNING x, at the end.
func output(t *[]token) bool {
	x := *t
	depth := 0
	for i := range x {
		switch {
		case x[i].is("("):
			depth++
		case x[i].is(")"):
			depth--
		}
		if depth != 0 || !x[i].is("OUTPUT") {
			continue
		}
		end := i + 1
		for end < len(x) && !x[end].is("VALUES", "SELECT", "DEFAULT", "WHERE", "FROM") {
			end++
		}
		returning := []token{{tokenWord, "RETURNING", x[i].line, true}}
		for j := i + 1; j < end; j++ {
			if x[j].is("INSERTED", "DELETED") && j+1 < end && x[j+1].is(".") {
				j++ // what it is of: the row
				continue
			}
			y := x[j]
			y.gap = !y.is(",")
			returning = append(returning, y)
		}
		*t = append(append(append([]token{}, x[:i]...), x[end:]...), returning...)
		return true
	}
	return false
}

// define translates the types and options of a definition.
func define(t *[]token) *problem {
	var out []token
	x := *t
	table := len(x) > 1 && x[1].is("TABLE")
	plain := func(text string, like token) token { return token{tokenWord, text, like.line, true} }
	for i := 0; i < len(x); i++ {
		after := func(n int) token {
			if i+n < len(x) {
				return x[i+n]
			}
			return token{}
		}
		switch {
		case x[i].is("CLUSTERED", "NONCLUSTERED"):
			continue // there is one way to keep rows
		case table && x[i].is("NVARCHAR", "VARCHAR", "NCHAR", "CHAR", "TEXT", "NTEXT", "SYSNAME") && after(-1).kind != tokenSign:
			out = append(out, x[i])
			if after(1).is("(") {
				out = append(out, x[i+1])
				if after(2).is("MAX") {
					out = out[:len(out)-1]
				} else {
					out = append(out, after(2), after(3))
				}
				i += 3
			}
			// Azure SQL compares without regard to case.
			out = append(out, plain("COLLATE", x[min(i, len(x)-1)]), plain("NOCASE", x[min(i, len(x)-1)]))
		case table && x[i].is("(") && after(1).is("MAX") && after(2).is(")"):
			i += 2
		case table && x[i].is("IDENTITY"):
			if after(1).is("(") {
				for i+1 < len(x) && !x[i].is(")") {
					i++
				}
			}
			if p := number(&out, x, &i); p != nil {
				return p
			}
		default:
			out = append(out, x[i])
		}
	}
	*t = out
	return nil
}

// number makes a column with IDENTITY one that SQLite numbers: INTEGER PRIMARY
// KEY AUTOINCREMENT. i is at the end of IDENTITY.
func number(out *[]token, x []token, i *int) *problem {
	o := *out
	line := x[min(*i, len(x)-1)].line
	from := len(o)
	for from > 0 && !o[from-1].is("INT", "BIGINT", "SMALLINT", "TINYINT", "INTEGER") {
		from--
	}
	if from == 0 {
		return syntax(line, "Incorrect syntax near 'IDENTITY'.")
	}
	key := false
	for _, t := range o[from:] {
		key = key || t.is("KEY")
	}
	j := *i + 1
	for ; j < len(x) && x[j].is("NOT", "NULL", "PRIMARY", "KEY", "CLUSTERED", "CONSTRAINT") || j < len(x) && j > *i+1 && x[j-1].is("CONSTRAINT"); j++ {
		key = key || x[j].is("KEY")
	}
	if !key {
		return unsupported(line, "IDENTITY of a column that is not the PRIMARY KEY", "Write INT IDENTITY PRIMARY KEY.")
	}
	*i = j - 1
	o = o[:from-1]
	for _, w := range []string{"INTEGER", "PRIMARY", "KEY", "AUTOINCREMENT"} {
		o = append(o, token{tokenWord, w, line, true})
	}
	*out = o
	return nil
}

// quote writes a text constant.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// express writes tokens as SQLite takes them.
func express(t []token, env *environment) (string, *problem) {
	var b strings.Builder
	put := func(s string, gap bool) {
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s)
	}
	type level struct{ limit string }
	levels := []level{{}}
	for i := 0; i < len(t); i++ {
		x := t[i]
		after := func(n int) token {
			if i+n < len(t) && i+n >= 0 {
				return t[i+n]
			}
			return token{}
		}
		switch {
		case x.is("("):
			levels = append(levels, level{})
		case x.is(")") && len(levels) > 1:
			if l := levels[len(levels)-1].limit; l != "" {
				put("LIMIT "+l, true)
			}
			levels = levels[:len(levels)-1]
		case x.is("TOP") && after(-1).is("SELECT", "DISTINCT"):
			limit, n, p := top(t[i:])
			if p != nil {
				return "", p
			}
			levels[len(levels)-1].limit = limit
			i += n
			continue
		case x.is("UNION", "EXCEPT", "INTERSECT") && levels[len(levels)-1].limit != "":
			return "", unsupported(x.line, "TOP beside "+strings.ToUpper(x.text), "Put the SELECT with TOP into parentheses in FROM.")
		case x.is("OFFSET") && after(2).is("ROW", "ROWS"):
			limit := "-1"
			n := 2
			if after(3).is("FETCH") && after(6).is("ROW", "ROWS") && after(7).is("ONLY") {
				limit, n = after(5).text, 7
			}
			put("LIMIT "+limit+" OFFSET "+after(1).text, true)
			i += n
			continue
		case strings.EqualFold(x.name(), "dbo") && after(1).is("."):
			i++ // the one schema
			if i+1 < len(t) {
				t[i+1].gap = x.gap
			}
			continue
		case x.is("WITH") && after(1).is("(") && after(2).is("NOLOCK", "ROWLOCK", "UPDLOCK", "HOLDLOCK", "READPAST", "TABLOCK", "XLOCK", "READCOMMITTED", "SERIALIZABLE", "READUNCOMMITTED"):
			for i+1 < len(t) && !t[i].is(")") {
				i++
			}
			continue
		case x.kind == tokenVariable && strings.HasPrefix(x.text, "@@"):
			v, ok := env.variable(x.text)
			if !ok {
				return "", unsupported(x.line, x.text, "@@SERVERNAME, @@VERSION, @@SPID, @@ROWCOUNT, @@TRANCOUNT and @@IDENTITY are known.")
			}
			put(v, x.gap)
			continue
		case x.is("CURRENT_TIMESTAMP"):
			put(now, x.gap)
			continue
		case x.kind == tokenNumber && strings.HasPrefix(strings.ToLower(x.text), "0x"):
			digits := x.text[2:]
			if len(digits)%2 == 1 {
				digits = "0" + digits
			}
			put("x'"+digits+"'", x.gap)
			continue
		case x.is("+") && (after(-1).kind == tokenText && i > 0 || after(1).kind == tokenText && i+1 < len(t)):
			put("||", x.gap) // texts are joined
			continue
		case x.kind == tokenWord && after(1).is("("):
			v, n, p := env.call(t[i:])
			if p != nil {
				return "", p
			}
			if n > 0 {
				put(v, x.gap)
				i += n - 1
				continue
			}
			if v != "" {
				x.text = v
			}
		case x.kind == tokenWord && strings.HasPrefix(x.text, "#"):
			return "", unsupported(x.line, "The temporary table "+clip(x.text), "Use a table, and drop it.")
		case x.kind == tokenName && x.text[0] == '[':
			x.text = `"` + strings.ReplaceAll(x.name(), `"`, `""`) + `"`
		}
		put(x.text, x.gap)
	}
	if l := levels[0].limit; l != "" {
		put("LIMIT "+l, true)
	}
	return b.String(), nil
}

// top reads TOP n or TOP (n) at the beginning of t: the number, and how many
// tokens follow TOP.
func top(t []token) (limit string, n int, p *problem) {
	is := func(i int) bool {
		return i < len(t) && (t[i].kind == tokenNumber || t[i].kind == tokenVariable)
	}
	switch {
	case is(1):
		limit, n = t[1].text, 1
	case len(t) > 3 && t[1].is("(") && is(2) && t[3].is(")"):
		limit, n = t[2].text, 3
	default:
		return "", 0, unsupported(t[0].line, "TOP of an expression", "Write TOP (n) with a number or a parameter.")
	}
	if n+1 < len(t) && t[n+1].is("PERCENT", "WITH") {
		return "", 0, unsupported(t[0].line, "TOP … "+strings.ToUpper(t[n+1].text), "Write a number of rows.")
	}
	return limit, n, nil
}

// variable is the value of a variable of the server's.
func (e *environment) variable(name string) (string, bool) {
	switch strings.ToUpper(name) {
	case "@@SERVERNAME":
		return quote(e.server), true
	case "@@VERSION":
		return quote(e.version), true
	case "@@SPID":
		return strconv.Itoa(e.session), true
	case "@@ROWCOUNT":
		return strconv.FormatInt(e.rows, 10), true
	case "@@TRANCOUNT":
		return strconv.Itoa(e.transactions), true
	case "@@IDENTITY":
		return e.last(), true
	}
	return "", false
}

func (e *environment) last() string {
	if !e.hasIdentity {
		return "NULL"
	}
	return strconv.FormatInt(e.identity, 10)
}

// renamed are functions that SQLite has under another name.
var renamed = map[string]string{"ISNULL": "IFNULL", "LEN": "LENGTH", "SUBSTRING": "SUBSTR", "CEILING": "CEIL", "NCHAR": "CHAR"}

// call is what a function's call at the beginning of t means: its value and the
// number of its tokens, or with none the name that SQLite knows it by.
func (e *environment) call(t []token) (string, int, *problem) {
	name := strings.ToUpper(t[0].text)
	empty := len(t) > 2 && t[2].is(")")
	argument := ""
	if len(t) > 3 && t[2].kind == tokenText && t[3].is(")") {
		argument = strings.ToUpper(strings.Trim(t[2].text, "'"))
	}
	switch name {
	case "GETUTCDATE", "GETDATE", "SYSUTCDATETIME", "SYSDATETIME":
		if empty {
			return now, 3, nil
		}
	case "NEWID":
		if empty {
			return "(upper(hex(randomblob(4))||'-'||hex(randomblob(2))||'-4'||substr(hex(randomblob(2)),2)||'-A'||substr(hex(randomblob(2)),2)||'-'||hex(randomblob(6))))", 3, nil
		}
	case "DB_NAME":
		if empty {
			return quote(e.database), 3, nil
		}
	case "SUSER_SNAME", "ORIGINAL_LOGIN", "USER_NAME", "SUSER_NAME":
		if empty {
			return quote(e.user), 3, nil
		}
	case "SCOPE_IDENTITY":
		if empty {
			return e.last(), 3, nil
		}
	case "SERVERPROPERTY":
		values := map[string]string{"EDITION": e.edition, "SERVERNAME": e.server, "PRODUCTVERSION": productVersion, "ENGINEEDITION": "5", "COLLATION": "SQL_Latin1_General_CP1_CI_AS"}
		if v, ok := values[argument]; ok {
			return quote(v), 4, nil
		}
		return "", 0, unsupported(t[0].line, "SERVERPROPERTY of "+argument, "Edition, EngineEdition, ServerName, ProductVersion and Collation are known.")
	case "DATABASEPROPERTYEX":
		return e.property(t)
	case "CONVERT", "FORMAT", "DATEADD", "DATEDIFF", "DATEPART", "STUFF", "CHARINDEX", "OBJECT_ID", "TRY_CAST", "TRY_CONVERT":
		return "", 0, unsupported(t[0].line, "The function "+name, "Compute it in the client, or write CAST, substr, instr, strftime or group_concat, which this server has.")
	}
	return renamed[name], 0, nil
}

// property is DATABASEPROPERTYEX(DB_NAME() or 'NAME', 'PROPERTY').
func (e *environment) property(t []token) (string, int, *problem) {
	end := 1
	for depth := 0; end < len(t); end++ {
		if t[end].is("(") {
			depth++
		}
		if t[end].is(")") {
			if depth--; depth == 0 {
				break
			}
		}
	}
	if end < len(t) && t[end-1].kind == tokenText {
		switch strings.ToUpper(strings.Trim(t[end-1].text, "'")) {
		case "UPDATEABILITY":
			return quote(map[bool]string{true: "READ_WRITE", false: "READ_ONLY"}[e.updateable]), end + 1, nil
		case "STATUS":
			return quote("ONLINE"), end + 1, nil
		case "COLLATION":
			return quote("SQL_Latin1_General_CP1_CI_AS"), end + 1, nil
		}
	}
	return "", 0, unsupported(t[0].line, "This property of a database", "Updateability, Status and Collation are known.")
}
