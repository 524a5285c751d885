package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var secretName = regexp.MustCompile(`(?i)pass|secret|token|credential|api_?key|private_?key|basicauth|digestauth|(^|_)(key|auth|dsn|pw|pwd)$`)

// SoundsSecret says whether a variable or label of that name is likely to hold
// a secret, so that its value is better not shown.
func SoundsSecret(name string) bool { return secretName.MatchString(name) }

// What sounds secret and is about one: where it is, how long it lives.
var aboutSecret = regexp.MustCompile(`(?i)bypass|compass|passive|passenger|passthrough|` +
	`(public|partition|primary|foreign|sort|cache|routing)_?key|` +
	`_(file|path|dir|url|uri|host|port|name|id|user|username|length|len|size|min|max|count|limit|ttl|expiry|expires|expires_in|expiration|lifetime|timeout|` +
	`interval|days|hours|minutes|seconds|type|alg|algorithm|issuer|audience|enabled|disabled|policy|header|prefix|claim|scope)$`)

// A value that is certainly no secret.
var plainValue = regexp.MustCompile(`(?i)^(|true|false|yes|no|on|off|none|null|/.*)$`)

// An address with a password in it.
var urlPassword = regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^/\s:@]*:([^@\s/]+)@`)

// literals reports secrets that stand in the files themselves. It looks at
// what is written, not at what became of it.
func (t linter) literals() {
	for _, d := range t.l.index.docs {
		for _, root := range d.roots {
			_, services := child(root, "services")
			if services == nil || services.Kind != yaml.MappingNode {
				continue
			}
			for _, e := range entries(services) {
				t.literalVariables(d, e)
				for _, at := range [][]string{{"command"}, {"entrypoint"}, {"healthcheck", "test"}} {
					t.literalWords(d, e, at)
				}
			}
		}
	}
}

const literalRemedy = "take it from a secret, mounted as a file; everybody who may inspect the service or read the repository sees it here"

func (t linter) literal(d *document, n *yaml.Node, message string, path ...string) {
	t.report.warn("secret-literal", d.at(n), dotted(path), message, literalRemedy)
}

func (t linter) literalVariables(d *document, service entry) {
	_, env := child(service.value, "environment")
	if env == nil {
		return
	}
	look := func(n *yaml.Node, name, value string) {
		path := []string{"services", service.key.Value, "environment", name}
		switch {
		case SoundsSecret(name) && !aboutSecret.MatchString(name) && isLiteral(value):
			t.literal(d, n, "the value of a variable that sounds secret stands in the file", path...)
		case hasURLPassword(value):
			t.literal(d, n, "a password stands in the address", path...)
		}
	}
	switch env.Kind {
	case yaml.MappingNode:
		for _, e := range entries(env) {
			if e.value.Kind == yaml.ScalarNode && e.value.Tag != "!!null" {
				look(e.key, e.key.Value, e.value.Value)
			}
		}
	case yaml.SequenceNode:
		for _, item := range env.Content {
			if item = deref(item); item != nil {
				if name, value, ok := strings.Cut(item.Value, "="); ok {
					look(item, name, value)
				}
			}
		}
	}
}

// isLiteral reports a value that is all there: no variable, no template of
// Swarm's, no path.
func isLiteral(value string) bool {
	return !plainValue.MatchString(value) && !strings.Contains(value, "{{") &&
		!strings.Contains(strings.ReplaceAll(value, "$$", ""), "$")
}

// HideURLPasswords puts (sensitive) where addresses in a text have a password.
func HideURLPasswords(text string) (hidden string, found bool) {
	var out strings.Builder
	end := 0
	for _, at := range urlPassword.FindAllStringSubmatchIndex(text, -1) {
		if strings.Contains(text[at[2]:at[3]], "{{") { // Swarm's, which fills it in
			continue
		}
		out.WriteString(text[end:at[2]] + sensitiveText)
		end, found = at[3], true
	}
	return out.String() + text[end:], found
}

func hasURLPassword(value string) bool {
	m := urlPassword.FindStringSubmatch(value)
	return m != nil && !strings.Contains(m[1], "$") && !strings.Contains(m[1], "{{")
}

// secretOption is an option whose value is a secret, with or without it.
var secretOption = regexp.MustCompile(`^--?(requirepass|masterauth|password|pass|[a-z_-]*[_-](?:password|passwd|secret|token|api-?key))(?:=(.+))?$`)

// secretSwitch is an option that looks like one with a value, and has none.
var secretSwitch = regexp.MustCompile(`^--?(no|skip|without|disable|enable|ask|prompt)[_-]`)

func (t linter) literalWords(d *document, service entry, at []string) {
	n := service.value
	for _, step := range at {
		if _, n = child(n, step); n == nil {
			return
		}
	}
	path := append([]string{"services", service.key.Value}, at...)
	if n.Kind == yaml.ScalarNode {
		t.literalOptions(d, words{split(n), nil, n}, path)
		return
	}
	if n.Kind != yaml.SequenceNode {
		return
	}
	all := words{}
	for _, item := range n.Content {
		if item = deref(item); item == nil || item.Kind != yaml.ScalarNode {
			continue
		}
		if strings.ContainsAny(item.Value, " \n") {
			t.literalOptions(d, words{split(item), nil, item}, path)
		}
		all.text, all.nodes = append(all.text, item.Value), append(all.nodes, item)
	}
	t.literalOptions(d, all, path)
}

// words are those of a command, with the node of each, or one for all.
type words struct {
	text  []string
	nodes []*yaml.Node
	whole *yaml.Node
}

func (w words) node(i int) *yaml.Node {
	if w.nodes == nil {
		return w.whole
	}
	return w.nodes[i]
}

func split(n *yaml.Node) []string {
	text, err := splitWords(n.Value)
	if err != nil {
		return strings.Fields(n.Value)
	}
	return text
}

func (t linter) literalOptions(d *document, w words, at []string) {
	cli := false
	for i, word := range w.text {
		cli = cli || redisCLI.MatchString(path.Base(word)) && !strings.ContainsAny(word, " \n")
		value, next := "", cli && word == "-a"
		if m := secretOption.FindStringSubmatch(word); m != nil && !secretSwitch.MatchString(word) {
			value, next = m[2], m[2] == ""
		}
		if next && i+1 < len(w.text) && !strings.HasPrefix(w.text[i+1], "-") {
			value = w.text[i+1]
		}
		switch {
		case value != "" && isLiteral(value) && !strings.ContainsAny(value, "$`"):
			t.literal(d, w.node(i), "a password, key or token stands in the command, and in every process list", at...)
		case hasURLPassword(word) && !strings.ContainsAny(word, " \n"):
			t.literal(d, w.node(i), "a password stands in an address in the command, and in every process list", at...)
		}
	}
}

// The SHA-256 of the secrets that the setup guide shows as examples.
var published256 = map[string]bool{
	"2332513457aa5033ea6ca8f47ff3656d671784895016b9964518263dae581b5d": true,
	"2a1bd69c1483ccc40fadbcf2e70b60ea8a25f17e4675faeb0c61a1f6a9008165": true,
	"74faec1036a35a74729a59c3598bbe3fbd1c83e082d7ee5d2e203fa20c531602": true,
	"f559529bdcc77d49c17610f18b940fb6ddc2cdfd6876fdd51b93035dc9fb0189": true,
}

// examples reports published secrets, wherever they come from.
func (t linter) examples() {
	for _, d := range t.l.index.docs {
		for _, root := range d.roots {
			t.exampleValues(d, root, nil)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(t.l.contents)) {
		kind, key, _ := strings.Cut(at, ".")
		for _, source := range []string{"environment", "file"} {
			if t.l.index.has(kind, key, source) && holdsExample(string(t.l.contents[at])) >= 0 {
				t.warn("secret-example", exampleMessage, exampleRemedy, kind, key, source)
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.project.Services)) {
		for _, key := range slices.Sorted(maps.Keys(t.project.Services[name].Environment)) {
			value := t.project.Services[name].Environment[key]
			if value != nil && holdsExample(*value) >= 0 && !t.l.index.has("services", name, "environment", key) {
				t.warn("secret-example", exampleMessage, exampleRemedy, t.environmentPath(name, key)...)
			}
		}
	}
}

const (
	exampleMessage = "this is a secret that the setup guide publishes as an example: everybody knows it"
	exampleRemedy  = "make one of your own with openssl rand -hex 32"
)

// exampleValues looks at every text of the file, its variables filled in.
func (t linter) exampleValues(d *document, n *yaml.Node, at []string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			t.exampleValues(d, n.Content[i+1], append(at[:len(at):len(at)], n.Content[i].Value))
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			t.exampleValues(d, item, append(at[:len(at):len(at)], strconv.Itoa(i)))
		}
	case yaml.ScalarNode:
		text, interpolated := d.text(n)
		offset := holdsExample(text)
		if offset < 0 {
			return
		}
		p := d.at(n)
		if !interpolated {
			p = d.within(n, offset)
		}
		t.report.warn("secret-example", p, dotted(at), exampleMessage, exampleRemedy)
	}
}

// holdsExample is where a published secret begins in a text; -1 when there is
// none.
func holdsExample(text string) int {
	begin := -1
	for i := 0; i <= len(text); i++ {
		if i < len(text) && isWordByte(text[i]) {
			if begin < 0 {
				begin = i
			}
			continue
		}
		// The guide's are of these lengths.
		if n := i - begin; begin >= 0 && (n == 16 || n == 32) {
			sum := sha256.Sum256([]byte(text[begin:i]))
			if published256[hex.EncodeToString(sum[:])] {
				return begin
			}
		}
		begin = -1
	}
	return -1
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
