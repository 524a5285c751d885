package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/swarmward/swarmward/spec"
)

// denial is what an ACL forbids.
type denial struct {
	commands []string
	key      bool
}

func (d *denial) Error() string { return "NOPERM " + strings.Join(d.commands, " ") }

// redisCommands are all that the probe runs; a command that an error reply
// names is quoted only if it is one of them.
var redisCommands = []string{"multi", "exec", "select", "set", "get", "del", "info", "cluster", "cluster|info", "sentinel", "sentinel|get-master-addr-by-name"}

var deniedCommand = regexp.MustCompile(`'([a-zA-Z|-]+)' command`)

// denied collects what the errors say is forbidden; nil when none says so.
func denied(errs ...error) *denial {
	d := &denial{}
	for _, err := range errs {
		if known, ok := err.(*denial); ok {
			return known
		}
		if err == nil {
			continue
		}
		name := ""
		if m := deniedCommand.FindStringSubmatch(err.Error()); m != nil {
			name = strings.ToLower(m[1])
		}
		// Of EXEC alone Redis says with another code why it may not be run.
		if !redis.IsPermissionError(err) && (name != "exec" || !strings.HasPrefix(err.Error(), "EXECABORT ")) {
			continue
		}
		switch {
		case !slices.Contains(redisCommands, name):
			d.key = true
		case !slices.Contains(d.commands, name):
			d.commands = append(d.commands, name)
		}
	}
	if len(d.commands) == 0 && !d.key {
		return nil
	}
	return d
}

// notAllowed names what an ACL must allow.
func (t *try) notAllowed(c spec.RedisCheck, d *denial) finding {
	user := c.Username
	if user == "" {
		user = "default"
	}
	var what, rules []string
	if d.key {
		what, rules = append(what, "use the key "+redisKey(c)), append(rules, "~"+redisKey(c))
	}
	if len(d.commands) > 0 {
		var names []string
		for _, name := range d.commands {
			names, rules = append(names, strings.ToUpper(strings.ReplaceAll(name, "|", " "))), append(rules, "+"+name)
		}
		what = append(what, "run "+strings.Join(names, ", "))
	}
	return failed(ReasonPermission,
		fmt.Sprintf("Redis at %s lets user %s log in, but not %s.", t.way.Address, user, strings.Join(what, " or ")),
		fmt.Sprintf("Allow it: ACL SETUSER %s %s", user, strings.Join(rules, " ")))
}
