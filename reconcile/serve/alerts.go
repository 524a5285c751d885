package serve

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"gopkg.in/yaml.v3"
)

// alertRule is one rule of Prometheus.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// What an alert is for: critical is for now, warning for working hours.
const (
	critical = "critical"
	warning  = "warning"
)

func rule(name, expr, lasting, severity, summary, description string) alertRule {
	return alertRule{name, expr, lasting, map[string]string{"severity": severity},
		map[string]string{"summary": summary, "description": description}}
}

// alertRules follow from the metrics. A stack that had no pass for longer than
// overdue is not reconciled. Only the holder of a lease tells of stacks.
func alertRules(overdue time.Duration) []alertRule {
	return append(stackRules(overdue), controllerRules(max(time.Hour, overdue))...)
}

func stackRules(overdue time.Duration) []alertRule {
	return []alertRule{
		rule("SwarmwardNotReconciling", fmt.Sprintf(`time() - max by (job, stack) (swarmward_last_pass_timestamp_seconds) > %d`, int(overdue.Seconds())), "5m", critical,
			`Stack {{ $labels.stack }} is not reconciled`,
			`No pass has ended for {{ $value | humanizeDuration }}. See swarmward's log, and whether a pass hangs: docker service logs swarmward_controller.`),
		rule("SwarmwardPassesFail", `swarmward_last_pass_exit_code == 1`, "15m", critical,
			`Passes over stack {{ $labels.stack }} end in an error`,
			`The Engine or the input makes every pass fail. GET /api/v1/status says with what; swarmward plan shows the same at a shell.`),
		rule("SwarmwardSpecUnusable", `swarmward_spec_unusable == 1`, "15m", warning,
			`The spec of {{ $labels.stack }} cannot be used`,
			`The last good one is kept, so what was committed since is not deployed. swarmward validate says what is wrong.`),
		rule("SwarmwardDrift", `swarmward_drift - swarmward_blocked > 0 unless on (job, instance, stack) swarmward_window_closed == 1`, "30m", warning,
			`Stack {{ $labels.stack }} stays different from its spec`,
			`Objects that differ and are not repaired: {{ $value }}. The stack is suspended or held, run has --dry-run, or writing fails. swarmward plan shows them.`),
		rule("SwarmwardBlocked", `swarmward_blocked > 0`, "1h", warning,
			`A person has to act on stack {{ $labels.stack }}`,
			`Differences that cannot be removed without loss: {{ $value }}. swarmward plan shows them, with the commands for it.`),
		rule("SwarmwardNotConverged", `swarmward_services_not_converged > 0`, "15m", critical,
			`Services of stack {{ $labels.stack }} do not run as they should`,
			`Services that have not converged: {{ $value }}. swarmward status or GET /api/v1/status gives the reason of each.`),
		rule("SwarmwardCheckFailing", `swarmward_check_result{result="failed"} == 1 unless on (job, instance, stack, check) swarmward_check_reason{reason="certificate_expiring"}`, "5m", critical,
			`Check {{ $labels.check }} of stack {{ $labels.stack }} fails`,
			`The service does not do what it is for, whatever Swarm says of its tasks. swarmward check {{ $labels.check }} says why and what to do.`),
		rule("SwarmwardCheckUnknown", `swarmward_check_result{result="unknown"} == 1`, "30m", warning,
			`Check {{ $labels.check }} of stack {{ $labels.stack }} cannot be tried`,
			`Nobody knows whether it works. swarmward check {{ $labels.check }} says what is missing: most often a network that swarmward is not on.`),
		rule("SwarmwardCheckFlapping", `swarmward_check_flaps >= 6`, "10m", warning,
			`Check {{ $labels.check }} of stack {{ $labels.stack }} comes and goes`,
			`It turned {{ $value }} times in the last hour. See the service's log at those times, its memory limit, and its neighbours on the node.`),
		rule("SwarmwardCertificateExpiring", `swarmward_check_reason{reason="certificate_expiring"} == 1`, "1h", warning,
			`A certificate of stack {{ $labels.stack }} is not renewed`,
			`Check {{ $labels.check }} finds a certificate that ends within the days that it asks for. See in Traefik's log why its resolver does not renew it.`),
		rule("SwarmwardHeld", `swarmward_held == 1`, "1m", critical,
			`A revision of stack {{ $labels.stack }} is held`,
			`It did not prove itself and is not tried again. Correct the spec, or let it be tried again with swarmward resume {{ $labels.stack }}.`),
		rule("SwarmwardSuspendedLong", `time() - swarmward_suspended_timestamp_seconds > 86400`, "5m", warning,
			`Stack {{ $labels.stack }} has been suspended for more than a day`,
			`Nothing is deployed or repaired for {{ $value | humanizeDuration }}. swarmward resume {{ $labels.stack }} ends it.`),
		rule("SwarmwardFighting", `sum by (job, stack) (increase(swarmward_changes_total{action="update"}[1h])) > 20`, "10m", warning,
			`Somebody else changes what swarmward keeps of stack {{ $labels.stack }}`,
			`Repairs in an hour: {{ $value | humanize }}. A person, an autoscaler or a second deployer works against the spec. Give fields that are theirs to x-swarmward.ignore.`),
	}
}

// controllerRules: files are looked for as often as passes are made, so their
// source is old when it was not seen for longer than stale.
func controllerRules(stale time.Duration) []alertRule {
	return []alertRule{
		rule("SwarmwardDown", `absent(swarmward_build_info)`, "5m", critical,
			`No swarmward is there`,
			`Prometheus scrapes none. See docker service ps of its service, and the scrape's target and token.`),
		rule("SwarmwardRestarting", `changes(process_start_time_seconds[30m]) > 3 and on (job, instance) swarmward_build_info`, "5m", warning,
			`swarmward starts again and again`,
			`Starts in 30 minutes: {{ $value }}. See its log for the last words, and its memory limit: docker service ps --no-trunc.`),
		rule("SwarmwardNoLeaseHolder", `sum by (job, stack) (swarmward_lease_holder) == 0`, "5m", critical,
			`No swarmward leads stack {{ $labels.stack }}`,
			`All stand by, and it is not reconciled. See the log of each: a manager without a quorum cannot give the lease.`),
		rule("SwarmwardSeveralLeaseHolders", `sum by (job, stack) (swarmward_lease_holder) > 1`, "2m", critical,
			`Several swarmwards lead stack {{ $labels.stack }}`,
			`So many say that they do: {{ $value }}. See whether they talk to one Swarm, and their clocks.`),
		rule("SwarmwardSourceStale", fmt.Sprintf(`min by (job, source) (swarmward_source_age_seconds) > %d`, int(stale.Seconds())), "5m", warning,
			`The specs of {{ $labels.source }} are old`,
			`It has not said for {{ $value | humanizeDuration }} what it holds; the last good revision is kept. See the log for the reason: network, credentials, signature.`),
		rule("SwarmwardSourceFails", `min by (job, source) (swarmward_source_failing) == 1`, "15m", warning,
			`The specs of {{ $labels.source }} cannot be had`,
			`The last good revision is kept. The status and the log say why: no answer, refused credentials, a vanished branch, a commit that is not signed as it has to be.`),
		rule("SwarmwardEngineErrors", `sum by (job, operation) (rate(swarmward_engine_request_errors_total[5m])) > 0.02`, "10m", warning,
			`The Engine fails at {{ $labels.operation }}`,
			`More than one call a minute gets no answer or an error. See docker node ls for managers that are down, and dockerd's log.`),
	}
}

// Alerts writes the rules as a file for Prometheus. A stack is overdue when no
// pass has ended for so long.
func Alerts(w io.Writer, overdue time.Duration) error {
	type group struct {
		Name  string      `yaml:"name"`
		Rules []alertRule `yaml:"rules"`
	}
	out := struct {
		Groups []group `yaml:"groups"`
	}{[]group{{"swarmward", alertRules(overdue)}}}
	var b bytes.Buffer
	b.WriteString("# Alerts for what swarmward says at /metrics: rule_files in prometheus.yml.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
