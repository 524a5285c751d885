package serve

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/swarmward/swarmward/reconcile/check"
)

// written are the rules as a program reads them from the file.
func written(t *testing.T, overdue time.Duration) []alertRule {
	t.Helper()
	var b bytes.Buffer
	if err := Alerts(&b, overdue); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []alertRule
		}
	}
	d := yaml.NewDecoder(&b)
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil || len(file.Groups) != 1 || file.Groups[0].Name != "swarmward" {
		t.Fatalf("%v: %+v", err, file)
	}
	return file.Groups[0].Rules
}

var (
	promName  = regexp.MustCompile(`\b(?:swarmward|process|go)_[a-z_]+\b`)
	promLabel = regexp.MustCompile(`\{([a-z]+)="([^"]*)"\}`)
	promGroup = regexp.MustCompile(`(?:by|on) \(([a-z, ]+)\)`)
	textLabel = regexp.MustCompile(`\$labels\.([a-z]+)`)
)

// Every metric, label and reason that an alert speaks of is one there is.
func TestAlertsFollowFromTheMetrics(t *testing.T) {
	m := everything()
	labels := map[string][]string{}
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		names := []string{"job", "instance"} // the scrape's own
		for _, l := range f.GetMetric()[0].GetLabel() {
			names = append(names, l.GetName())
		}
		labels[f.GetName()] = names
	}
	seen := map[string]bool{}
	for _, r := range written(t, time.Hour) {
		if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Swarmward") {
			t.Errorf("%q is a second one, or not ours", r.Alert)
		}
		seen[r.Alert] = true
		if s := r.Labels["severity"]; s != critical && s != warning {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if d, err := time.ParseDuration(r.For); err != nil || d <= 0 {
			t.Errorf("%s: for %q", r.Alert, r.For)
		}
		names := promName.FindAllString(r.Expr, -1)
		if len(names) == 0 {
			t.Errorf("%s is about nothing: %s", r.Alert, r.Expr)
			continue
		}
		for _, name := range names {
			if labels[name] == nil {
				t.Errorf("%s: there is no metric %s", r.Alert, name)
			}
		}
		has := func(label string) {
			t.Helper()
			if !slices.Contains(labels[names[0]], label) {
				t.Errorf("%s: %s has no label %s", r.Alert, names[0], label)
			}
		}
		for _, x := range promLabel.FindAllStringSubmatch(r.Expr, -1) {
			if x[1] == "reason" {
				if x[2] != string(check.ReasonCertificateExpiring) {
					t.Errorf("%s: no check gives the reason %s", r.Alert, x[2])
				}
				continue
			}
			has(x[1])
		}
		grouped := promGroup.FindStringSubmatch(r.Expr)
		if grouped != nil {
			for _, label := range strings.Split(grouped[1], ", ") {
				has(label)
			}
		}
		for _, text := range []string{r.Annotations["summary"], r.Annotations["description"]} {
			if text == "" {
				t.Errorf("%s says nothing", r.Alert)
			}
			for _, x := range textLabel.FindAllStringSubmatch(text, -1) {
				has(x[1])
				if by := strings.HasPrefix(r.Expr, "sum by") || strings.Contains(r.Expr, "max by") || strings.Contains(r.Expr, "min by"); by && !strings.Contains(grouped[1], x[1]) {
					t.Errorf("%s: the sum has no label %s", r.Alert, x[1])
				}
			}
		}
	}
}

// What is overdue depends on how often passes are made.
func TestAlertsKnowTheSchedule(t *testing.T) {
	for _, r := range written(t, 3*time.Hour) {
		if r.Alert == "SwarmwardNotReconciling" {
			if !strings.HasSuffix(r.Expr, " > 10800") {
				t.Errorf("%s", r.Expr)
			}
			return
		}
	}
	t.Error("there is no such alert")
}

// The README lists every alert.
func TestReadmeAlerts(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range written(t, time.Hour) {
		want = append(want, r.Alert)
	}
	got := regexp.MustCompile("`(Swarmward[A-Z]\\w+)`").FindAllStringSubmatch(string(text), -1)
	var listed []string
	for _, g := range got {
		listed = append(listed, g[1])
	}
	slices.Sort(want)
	slices.Sort(listed)
	if listed = slices.Compact(listed); !slices.Equal(want, listed) {
		t.Errorf("the README lists\n%s\nand there are\n%s", strings.Join(listed, " "), strings.Join(want, " "))
	}
}
