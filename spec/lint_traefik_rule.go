package spec

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A rule of Traefik is an expression in Go's syntax, and is parsed as one.
type traefikExpr struct{ ast.Expr }

// matchers are the functions of a rule with the numbers of their parameters.
type matchers map[string][]int

var (
	httpMatchers = matchers{
		"ClientIP": {1}, "Method": {1}, "Host": {1}, "HostRegexp": {1}, "Path": {1}, "PathRegexp": {1}, "PathPrefix": {1},
		"Header": {2}, "HeaderRegexp": {2}, "Query": {1, 2}, "QueryRegexp": {1, 2},
	}
	tcpMatchers = matchers{"ClientIP": {1}, "HostSNI": {1}, "HostSNIRegexp": {1}, "ALPN": {1}}
)

// What version 2 had in their place.
var oldMatchers = map[string]string{
	"Headers": "Header", "HeadersRegexp": "HeaderRegexp", "HostHeader": "Host",
}

// {name} and {name:regexp} were variables in version 2.
var oldVariable = regexp.MustCompile(`\{[A-Za-z_][A-Za-z0-9_-]*(:[^}]*)?\}`)

// parseRule reads a rule. What is wrong with it comes as a message and what
// to write instead; a rule with a wrong call still has an expression.
func parseRule(rule string, known matchers) (e traefikExpr, message, remedy string) {
	parsed, err := parser.ParseExpr(strings.Join(strings.Fields(rule), " "))
	if err != nil {
		return traefikExpr{}, "the rule is not one that Traefik can read, and the router is disabled",
			"write matchers with their values in backticks, joined by && and ||, such as Host(`example.com`) && PathPrefix(`/api`)"
	}
	e = traefikExpr{parsed}
	message, remedy = known.check(parsed)
	return e, message, remedy
}

// check reports the first thing that Traefik 3 does not take.
func (known matchers) check(e ast.Expr) (message, remedy string) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return known.check(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			return known.check(e.X)
		}
	case *ast.BinaryExpr:
		if e.Op == token.LAND || e.Op == token.LOR {
			if message, remedy = known.check(e.X); message == "" {
				message, remedy = known.check(e.Y)
			}
			return message, remedy
		}
	case *ast.CallExpr:
		return known.call(e)
	}
	return "the rule is not one that Traefik can read, and the router is disabled", "write matchers joined by && and ||, each with its value in backticks"
}

func (known matchers) call(e *ast.CallExpr) (message, remedy string) {
	written, values := called(e)
	name := known.name(written)
	switch {
	case name == "" && oldMatchers[written] != "":
		return written + " is a matcher of Traefik 2, and version 3 disables the router", "write " + oldMatchers[written]
	case name == "":
		var names []string
		for n := range known {
			names = append(names, n)
		}
		slices.Sort(names)
		return "Traefik has no matcher " + strconv.Quote(written) + ", and disables the router", didYouMean(written, names, "the matchers are "+strings.Join(names, ", "))
	case values == nil:
		return "a value of " + name + " is not in backticks, and Traefik disables the router", "write " + name + "(`VALUE`)"
	case !slices.Contains(known[name], len(values)) && len(values) > 1 && known[name][0] == 1:
		return "several values in one " + name + "() are syntax of Traefik 2, and version 3 disables the router",
			"write " + name + "(`A`) || " + name + "(`B`)"
	case !slices.Contains(known[name], len(values)):
		return name + " has another number of values than Traefik wants, and the router is disabled", "see its documentation of rules"
	}
	for _, v := range values {
		switch {
		case v == "":
			return name + " has an empty value, and Traefik disables the router", "give it a value"
		case oldVariable.MatchString(v):
			return "the braces in " + name + " are syntax of Traefik 2; version 3 takes them as they are, and the router never matches",
				"write " + strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "Prefix"), "Regexp"), "SNI") + regexpSuffix(name) + "(`^…$`) with a regular expression"
		}
	}
	return "", ""
}

// regexpSuffix completes the name of the matcher that takes an expression.
func regexpSuffix(name string) string {
	if strings.HasPrefix(name, "HostSNI") {
		return "SNIRegexp"
	}
	return "Regexp"
}

// called is the name and the values of a call; the values are nil when one is
// no text.
func called(e *ast.CallExpr) (name string, values []string) {
	if id, ok := e.Fun.(*ast.Ident); ok {
		name = id.Name
	}
	values = []string{}
	for _, arg := range e.Args {
		lit, ok := arg.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return name, nil
		}
		v, err := strconv.Unquote(lit.Value)
		if err != nil {
			return name, nil
		}
		values = append(values, v)
	}
	return name, values
}

// name is that of a matcher; Traefik also takes it in lower and upper case.
func (known matchers) name(written string) string {
	for n := range known {
		if written == n || written == strings.ToLower(n) || written == strings.ToUpper(n) || written == n[:1]+strings.ToLower(n[1:]) {
			return n
		}
	}
	return ""
}

// admits reports whether a stranger's request for a path may match.
func (e traefikExpr) admits(path string) bool {
	yes, _ := admits(e.Expr, path)
	return yes
}

// admits says whether the expression can be true, and whether it can be
// false, for a request for that path with any host, method and header. An
// address that is asked for is not the stranger's.
func admits(e ast.Expr, path string) (yes, no bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return admits(e.X, path)
	case *ast.UnaryExpr:
		yes, no = admits(e.X, path)
		return no, yes
	case *ast.BinaryExpr:
		leftYes, leftNo := admits(e.X, path)
		rightYes, rightNo := admits(e.Y, path)
		if e.Op == token.LAND {
			return leftYes && rightYes, leftNo || rightNo
		}
		return leftYes || rightYes, leftNo && rightNo
	case *ast.CallExpr:
		name, values := called(e)
		if len(values) == 0 {
			return true, true
		}
		return pathMatches(strings.ToLower(name), values, path)
	}
	return true, true
}

// pathMatches is admits for a matcher and its values; several in one are any
// of them.
func pathMatches(matcher string, values []string, path string) (yes, no bool) {
	if matcher == "clientip" {
		return false, true
	}
	for _, v := range values {
		match := false
		switch matcher {
		case "path":
			match = path == v
		case "pathprefix":
			match = strings.HasPrefix(path, v)
		case "pathregexp":
			re, err := regexp.Compile(v)
			if err != nil {
				return true, true
			}
			match = re.MatchString(path)
		default:
			return true, true
		}
		if match {
			return true, false
		}
	}
	return false, true
}
