package serve

import (
	"maps"
	"slices"
	"time"

	"github.com/swarmward/swarmward/reconcile"
)

// table begins one; rows and its end follow.
func (p *sheet) table(caption string, columns ...string) {
	p.put("<table><caption>%v</caption>\n<tr>", caption)
	for _, c := range columns {
		p.put("<th>%v</th>", c)
	}
	p.put("</tr>\n")
}

func (p *sheet) conditions(list []reconcile.Condition) {
	if len(list) == 0 {
		return
	}
	p.table("Conditions", "condition", "status", "reason", "since", "")
	for _, c := range list {
		p.put("<tr><td>%v</td><td>%v</td><td>%v</td><td>%v</td><td>%v", c.Type, c.Status, c.Reason, p.ago(c.Since), c.Message)
		if c.Remedy != "" {
			p.put("<div class=\"dim\">%v</div>", c.Remedy)
		}
		p.put("</td></tr>\n")
	}
	p.put("</table>\n")
}

func (p *sheet) drift(changes []reconcile.Change) {
	if len(changes) == 0 {
		return
	}
	p.table("Differs from the spec", "object", "", "why", "what")
	for _, c := range changes {
		p.put("<tr><td>%v %v</td><td>%v</td><td>%v</td><td>", c.Kind, c.Name, c.Action, c.Cause)
		for _, f := range c.Fields {
			p.put("<div><code>%v</code></div>", f)
		}
		for _, r := range c.Remedy {
			p.put("<div class=\"dim\">%v</div>", r)
		}
		p.put("</td></tr>\n")
	}
	p.put("</table>\n")
}

func (p *sheet) services(verdicts map[string]reconcile.Verdict) {
	if len(verdicts) == 0 {
		return
	}
	p.table("Services", "service", "state", "")
	for _, key := range slices.Sorted(maps.Keys(verdicts)) {
		v := verdicts[key]
		p.put("<tr><td>%v</td><td><span class=\"%v\">%v</span></td><td>%v</td></tr>\n", key, class(string(v.State)), v.State, v.Message)
	}
	p.put("</table>\n")
}

func (p *sheet) checks(e entry) {
	if len(e.checks) == 0 {
		return
	}
	p.table("Checks", "check", "status", "since", "flaps", "latency", "")
	for _, c := range e.stack.Settings.Checks {
		if r, ok := e.checks[c.Name]; ok {
			p.check(r)
		}
	}
	p.put("</table>\n")
}

func (p *sheet) check(r reconcile.CheckResult) {
	p.put("<tr><td>%v <small>%v</small></td><td><span class=\"%v\">%v</span> %v</td>", r.Name, r.Kind, class(string(r.Status)), r.Status, r.Reason)
	if s := r.State; s != nil {
		p.put("<td>%v</td><td>%v</td>", p.ago(s.Since), s.Flaps)
	} else {
		p.put("<td></td><td></td>")
	}
	p.put("<td>%v</td><td>%v", r.Latency.Round(100*time.Microsecond), r.Message)
	if r.Via != "" {
		p.put(" <span class=\"dim\">via %v</span>", r.Via)
	}
	if r.Remedy != "" {
		p.put("<div class=\"dim\">%v</div>", r.Remedy)
	}
	if r.Diagnosis != nil {
		p.put("<details><summary>look</summary>")
		for _, c := range r.Diagnosis.Commands {
			p.put("<div><code>%v</code></div>", c)
		}
		p.put("</details>")
	}
	p.put("</td></tr>\n")
}

func (p *sheet) passes(passes []PassNote) {
	p.table("Last passes", "started", "took", "result", "written", "differing", "revision")
	for _, n := range passes {
		took := time.Duration(n.TookSeconds * float64(time.Second)).Round(time.Millisecond)
		p.put("<tr><td>%v</td><td>%v</td><td><span class=\"%v\">%v</span></td><td>%v</td><td>%v</td><td>%v</td></tr>\n",
			p.ago(n.Started), took, class(n.Result), n.Result, n.Written, n.Differing, n.Revision)
	}
	p.put("</table>\n")
}
