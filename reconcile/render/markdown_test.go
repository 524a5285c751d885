package render

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swarmward/swarmward/reconcile"
)

func markdown(t rapid.TB, p *reconcile.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := PlanMarkdown(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// fences lets goldens be raw strings.
func fences(s string) string { return strings.ReplaceAll(s, "´", "`") }

func TestPlanMarkdown(t *testing.T) {
	for _, c := range []struct {
		name string
		plan *reconcile.Plan
		want string
	}{
		{"every kind and action", plan(), `<!-- swarmward:plan:whatrack -->
### ´whatrack´ at ´4f2c1ab´: 3 to create, 1 to change, 1 to adopt, 1 to remove, 1 blocked, 3 unchanged

| | object | impact | why |
|---|---|---|---|
| ´+´ | network ´redeinterna´ | create |  |
| ´!´ | volume ´redis_data´ | blocked: data would be lost | a volume cannot be changed |
| ´+´ | secret ´key´ (´whatrack_key.r2´) | create | its content changed |
| ´+´ | config ´conf´ (´whatrack_conf.r2´) | create | its content changed |
| ´~´ | service ´centrifugo´ | adopt, no restart | not under swarmward yet |
| ´-´ | service ´old´ | remove: 2 tasks stop | no longer in the spec |
| ´~´ | service ´redis´ | rolling: 1 task restarts | the spec changed |
| ´·´ | service ´web´ | no change |  |

#### volume ´redis_data´

´´´diff
@@ driver_opts.type @@
-nfs
+none
´´´

To do:

´´´
first this
then that
´´´

#### secret ´key´ (´whatrack_key.r2´)

´´´diff
@@ content @@
!(sensitive, changed)
´´´

#### config ´conf´ (´whatrack_conf.r2´)

´´´diff
@@ content @@
@@ -1,3 +1,3 @@
 one
-two
+2
 three
´´´

#### service ´redis´

´´´diff
@@ image @@
-redis:7.2
+redis:7.4
@@ environment.LOG_LEVEL @@
+debug
´´´

#### service ´web´

- Note: adopted later

- Warning: x-swarmward.ignore: "a" matches nothing in this stack

**Plan: 3 to create, 1 to change, 1 to adopt, 1 to remove, 1 blocked, 3 unchanged; 1 task restarts, 2 tasks stop.**
`},
		{"nothing to do", &reconcile.Plan{Stack: "whatrack", Unchanged: 11}, `<!-- swarmward:plan:whatrack -->
### ´whatrack´: nothing to do, 11 objects are as the spec says
`},
		{"values that would be markup", &reconcile.Plan{Stack: "app", Changes: []reconcile.Change{{
			Kind: reconcile.KindService, Name: "web", Object: "app_web", Action: reconcile.ActionUpdate,
			Cause: "so says @octocat in #1 | *now*\n# and `then`",
			Fields: []reconcile.FieldChange{
				{Path: `services.web.labels."a|b"`, Old: new("</details><script>"), New: new("@octocat `x` | y")},
				{Path: "services.web.environment.DOC", New: new("one\n```\n<b>@octocat</b>\n````\n")}},
			Notes: []string{"see https://example.com <img src=x>"},
		}}}, `<!-- swarmward:plan:app -->
### ´app´: 1 to change

| | object | impact | why |
|---|---|---|---|
| ´~´ | service ´web´ | no restart | so says <code>&#64;</code>octocat in <code>&#35;</code>1 &#124; &#42;now&#42; <code>&#35;</code> and &#96;then&#96; |

#### service ´web´

´´´´´diff
@@ labels."a|b" @@
-</details><script>
+@octocat ´x´ | y
@@ environment.DOC @@
@@ -0,0 +1,4 @@
+one
+´´´
+<b>@octocat</b>
+´´´´
´´´´´

- Note: see https&#58;//example.com &#60;img src=x&#62;

**Plan: 1 to change; no task restarts.**
`},
		{"a long one is folded away", &reconcile.Plan{Stack: "app", Changes: []reconcile.Change{{
			Kind: reconcile.KindConfig, Name: "c", Object: "app_c", Action: reconcile.ActionCreate,
			Fields: []reconcile.FieldChange{{Path: "configs.c.content", New: new(strings.Repeat("x\n", 41))}}}}}, `<!-- swarmward:plan:app -->
### ´app´: 1 to create

| | object | impact | why |
|---|---|---|---|
| ´+´ | config ´c´ | create |  |

<details><summary>config <code>c</code>: 43 lines</summary>

´´´diff
@@ content @@
@@ -0,0 +1,41 @@
` + strings.Repeat("+x\n", 41) + `´´´

</details>

**Plan: 1 to create.**
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(fences(c.want), markdown(t, c.plan)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// hostile is a plan with a text in every place that somebody else may fill.
func hostile(s string) *reconcile.Plan {
	return &reconcile.Plan{Stack: "app", Revision: s, Unchanged: 1, Warnings: []string{s}, Changes: []reconcile.Change{
		{Kind: reconcile.KindService, Name: s, Object: s, Action: reconcile.ActionUpdate, Cause: s,
			Fields: []reconcile.FieldChange{{Path: "services." + s + "." + s, Old: new(s), New: new(s + "x")}, {Path: s, New: new(s + "\n" + s)}},
			Notes:  []string{s}, Remedy: []string{s}},
		{Kind: reconcile.KindSecret, Name: "n", Object: s, Action: reconcile.ActionBlocked, Cause: s, Remedy: []string{s, s}},
		{Kind: reconcile.KindService, Name: "web", Object: "web", Action: reconcile.ActionRemove, Cause: s},
	}}
}

var nasty = []string{"`", "```", "````", "\n", "\n\n", "|", "@octocat", "@", "#1", "<!-- -->", "</details>", "<img src=x>", "*", "_", "[a](b)", "![a](b)",
	"\\", "$$", "~~~", "https://example.com", "www.example.com", "&lt;", "\x1b[31m", "\x07", "\u009b", "\u202e", "\xff", "\r", "\t", " ", "a", "-", "(", ")", "+", "1.", "<!-- swarmward:plan:app -->"}

func nastyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(nasty), 0, 6).Draw(t, "parts"), "")
	})
}

// Whatever the texts are, only our own markup is outside of the code blocks,
// and nothing gets out of one.
func TestMarkdownIsOnlyOurs(t *testing.T) {
	// What a line outside of a code block may have in it, our markup taken out.
	ours := regexp.MustCompile("^(### |#### |- Note: |- Warning: )|</?code>|<details><summary>|</summary>|^</details>$|^<!-- swarmward:plan:app -->$|&#[0-9]+;|`[A-Za-z0-9 ._/:+~!·-]+`|^\\| \\| object.*|^\\|[-|]+\\|$|\\*\\*Plan: [a-z0-9 ,;]+\\.\\*\\*")
	rapid.Check(t, func(t *rapid.T) {
		text := markdown(t, hostile(nastyText().Draw(t, "text")))
		fence, blocks := "", 0
		for i, l := range strings.Split(text, "\n") {
			if fence != "" {
				if l == fence {
					fence = ""
				} else if strings.HasPrefix(strings.TrimLeft(l, " "), fence) {
					t.Fatalf("line %d ends the block early: %q", i, l)
				}
				continue
			}
			if m := regexp.MustCompile("^(`{3,})(diff)?$").FindStringSubmatch(l); m != nil {
				fence = m[1]
				blocks++
				continue
			}
			rest := ours.ReplaceAllString(l, "")
			cells := strings.Count(rest, "|")
			if strings.ContainsAny(rest, "`<>*[]\\$@#!~_&\x1b\r\x07") || cells != 0 && cells != 5 || strings.Contains(rest, "://") || strings.Contains(rest, "www.") {
				t.Fatalf("line %d: %q\nleaves %q\n%s", i, l, rest, text)
			}
		}
		if fence != "" || blocks != 3 {
			t.Fatalf("%d code blocks, the last one open: %t\n%s", blocks, fence != "", text)
		}
	})
}

func TestMarkdownFitsInAComment(t *testing.T) {
	for _, c := range []struct {
		name, has string
		plan      *reconcile.Plan
	}{
		{"one huge value", "+a line of text\n", &reconcile.Plan{Stack: "app", Changes: []reconcile.Change{{Kind: reconcile.KindConfig, Name: "c", Action: reconcile.ActionCreate,
			Fields: []reconcile.FieldChange{{Path: "configs.c.content", New: new(strings.Repeat("a line of text\n", 60_000))}}}}}},
		{"one huge line", "@@ content @@\n!", &reconcile.Plan{Stack: "app", Changes: []reconcile.Change{{Kind: reconcile.KindConfig, Name: "c", Action: reconcile.ActionCreate,
			Fields: []reconcile.FieldChange{{Path: "configs.c.content", New: new(strings.Repeat("x", 900_000))}}}}}},
		{"many objects", "| service `service-9` |", many(3000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := markdown(t, c.plan)
			if n := len([]rune(text)); n > 65_536 {
				t.Errorf("%d characters", n)
			}
			if !strings.Contains(text, "swarmward plan") || !strings.Contains(text, "**Plan: ") || !strings.Contains(text, c.has) {
				t.Errorf("it does not say that there is more, and how much:\n%s", text[max(0, len(text)-500):])
			}
		})
	}
}

func many(n int) *reconcile.Plan {
	p := &reconcile.Plan{Stack: "app"}
	for i := range n {
		name := fmt.Sprint("service-", i)
		p.Changes = append(p.Changes, reconcile.Change{Kind: reconcile.KindService, Name: name, Object: "app_" + name, Action: reconcile.ActionUpdate,
			Fields: []reconcile.FieldChange{{Path: "services." + name + ".image", Old: new("a:1"), New: new("a:2")}}})
	}
	return p
}
