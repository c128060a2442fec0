"""The checks catch a planted mistake of each kind."""

import json
import shutil
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

import yaml

from source import check, check_dashboards, generate
from source.check_rules import read

ROOT = Path(__file__).parent.parent
PANEL = 3  # one with all matchers and a rate: "Refused" of the overview


class Planted(unittest.TestCase):
    """One mistake a test, in a copy of the folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "grafana"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns("source"))

    def expect(self, finding: str) -> None:
        found = check.findings(self.root)
        self.assertTrue(any(finding in line for line in found), f"{finding!r} is not in {found}")

    def board(self, change: Callable[[dict], object], file: str = "overview") -> None:
        path = self.root / f"dashboards/{file}.json"
        board = json.loads(path.read_text())
        change(board)
        path.write_text(json.dumps(board))

    def panel(self, change: Callable[[dict], object]) -> None:
        self.board(lambda board: change(board["panels"][PANEL]))

    def expr(self, change: Callable[[str], str]) -> None:
        def edit(panel: dict) -> None:
            before = panel["targets"][0]["expr"]
            panel["targets"][0]["expr"] = change(before)
            self.assertNotEqual(before, panel["targets"][0]["expr"], "nothing was planted")

        self.panel(edit)

    def text(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        before = path.read_text()
        self.assertIn(old, before, "nothing was planted")
        path.write_text(before.replace(old, new, 1))

    def test_nothing_planted_nothing_found(self) -> None:
        self.assertEqual(check.findings(self.root), [])

    def test_panel_without_title(self) -> None:
        self.panel(lambda panel: panel.pop("title"))
        self.expect("no title")

    def test_panel_without_description(self) -> None:
        self.panel(lambda panel: panel.update(description=""))
        self.expect("no description")

    def test_panel_without_unit(self) -> None:
        self.panel(lambda panel: panel["fieldConfig"]["defaults"].pop("unit"))
        self.expect("no unit")

    def test_panel_without_query(self) -> None:
        self.panel(lambda panel: panel.update(targets=[]))
        self.expect("no query")

    def test_panel_with_a_data_source_of_its_own(self) -> None:
        self.panel(lambda panel: panel["targets"][0]["datasource"].update(uid="prometheus"))
        self.expect("its data source is not")

    def test_rate_over_a_fixed_window(self) -> None:
        self.expr(lambda expr: expr.replace("$__rate_interval", "5m", 1))
        self.expect("a window of 5m")

    def test_selector_without_job(self) -> None:
        self.expr(lambda expr: expr.replace('job=~"$job", ', "", 1))
        self.expect("is not matched by job")

    def test_selector_without_deployment(self) -> None:
        self.expr(lambda expr: expr.replace('deployment=~"$deployment", ', "", 1))
        self.expect("is not matched by deployment")

    def test_alerts_of_everybody(self) -> None:
        def edit(panel: dict) -> None:
            expr = panel["targets"][0]["expr"]
            panel["targets"][0]["expr"] = expr.replace('service="votestream", ', "")
            self.assertNotEqual(expr, panel["targets"][0]["expr"], "nothing was planted")

        self.board(lambda board: edit(board["panels"][0]))
        self.expect("ALERTS are not ours alone")

    def test_number_of_the_past(self) -> None:
        self.panel(lambda panel: panel["targets"][0].update(instant=False))
        self.expect("its query is not instant")

    def test_number_that_stays_green_when_all_is_dead(self) -> None:
        self.expr(lambda expr: expr.removesuffix(" or on () vector(NaN)"))
        self.expect("it is not red while its series are silent")

    def test_selector_without_instance(self) -> None:
        self.expr(lambda expr: expr.replace(', instance=~"$instance"', "", 1))
        self.expect("is not matched by instance")

    def test_selector_without_braces(self) -> None:
        self.expr(lambda expr: expr + " * up")
        self.expect("up is not matched by job")

    def test_expression_that_does_not_parse(self) -> None:
        self.expr(lambda expr: expr + ")")
        self.expect("not PromQL")

    def test_setting_that_grafana_does_not_know(self) -> None:
        self.panel(lambda panel: panel["options"].update(colour="red"))
        self.expect("Grafana's model does not know")

    def test_setting_that_grafana_13_has_no_more(self) -> None:
        def edit(board: dict) -> None:
            [table] = [panel for panel in board["panels"] if panel["type"] == "table"]
            # The SDK for 11.6 knows it.
            table["options"]["footer"] = {"show": False, "reducer": [], "countRows": False}

        self.board(edit)
        self.expect("grafana-12.4.11 refuses it")
        self.expect("grafana-13.2.3 refuses it")

    def test_value_that_grafana_does_not_know(self) -> None:
        self.panel(lambda panel: panel["options"].update(graphMode="pie"))
        self.expect("grafana-13.2.3 refuses it")

    def test_line_that_grafana_cannot_draw(self) -> None:
        def edit(board: dict) -> None:
            lines = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
            lines["fieldConfig"]["defaults"]["custom"]["showPoints"] = "sometimes"

        self.board(edit)
        self.expect("grafana-12.4.11 refuses it")

    def test_panel_of_a_plugin(self) -> None:
        self.panel(lambda panel: panel.update(type="grafana-clock-panel"))
        self.expect("only with a plugin")

    def test_panels_that_overlap(self) -> None:
        self.panel(lambda panel: panel["gridPos"].update(x=panel["gridPos"]["x"] - 1))
        self.expect("overlaps")

    def test_panel_off_the_grid(self) -> None:
        self.panel(lambda panel: panel["gridPos"].update(x=23))
        self.expect("off the grid")

    def test_overview_that_needs_scrolling(self) -> None:
        self.board(lambda board: board["panels"][-1]["gridPos"].update(h=12))
        self.expect("is higher than a screen")

    def test_two_dashboards_of_one_uid(self) -> None:
        self.board(lambda board: board.update(uid="votestream-slo"))
        self.expect("dashboard uid votestream-slo is there twice")

    def test_two_panels_of_one_id(self) -> None:
        self.panel(lambda panel: panel.update(id=1))
        self.expect("panel id 1 is there twice")

    def test_deployments_not_marked(self) -> None:
        self.board(lambda board: board["annotations"].update(list=[]))
        self.expect("deployments are not marked")

    def test_variable_that_nobody_defined(self) -> None:
        self.expr(lambda expr: expr.replace("$job", "$service_job"))
        self.expect("variable service_job is not defined")

    def test_panel_that_the_document_leaves_out(self) -> None:
        self.text("dashboards/overview.md", "**Turnout.**", "Turnout")
        self.expect("does not say what panel Turnout answers")

    def test_generated_file_edited_by_hand(self) -> None:
        path = ROOT / "dashboards/overview.json"
        self.assertNotEqual(generate.render()[path], path.read_text().replace("Turnout", "Votes", 1))
        self.assertEqual(generate.render()[path], path.read_text())

    def test_alert_without_severity(self) -> None:
        self.text("prometheus/rules/alerts.yml", "severity: critical", "severity: red")
        self.expect("no severity")

    def test_alert_without_the_name_of_the_project(self) -> None:
        self.text("prometheus/rules/alerts.yml", "service: votestream", "service: others")
        self.expect("no label service")

    def test_alert_that_mixes_deployments(self) -> None:
        self.text(
            "prometheus/rules/alerts.yml", "max by (cluster, namespace, deployment, job) (votes", "max by (job) (votes"
        )
        self.expect("has max by (job), which mixes deployments")

    def test_alert_that_mixes_everything(self) -> None:
        self.text("prometheus/rules/alerts.yml", "max by (cluster, namespace, deployment, job) (votes", "max(votes")
        self.expect("has max, which mixes deployments")

    def test_alert_without_its_value(self) -> None:
        self.text("prometheus/rules/alerts.yml", "None of {{ $value }} producers has", "No producer has")
        self.expect("NoProducer (critical): no description with the value")

    def test_alert_that_leads_to_another_runbook(self) -> None:
        self.text("prometheus/rules/alerts.yml", "/TallyDrift.md'", "/Drift.md'")
        self.expect("TallyDrift (critical): runbook_url is not")

    def test_alert_without_runbook(self) -> None:
        (self.root / "runbooks/DeadLetters.md").unlink()
        self.expect("alert DeadLetters has no runbook")

    def test_alert_that_leads_to_no_dashboard(self) -> None:
        self.text("prometheus/rules/alerts.yml", "/d/votestream-overview", "/d/overview")
        self.expect("dashboard_url is not")

    def test_panel_that_leads_to_no_runbook(self) -> None:
        self.panel(lambda panel: panel["links"][0].update(url="${runbooks}/Old.md"))
        self.expect("a panel leads to the runbook Old.md")

    def test_runbook_without_alert(self) -> None:
        (self.root / "runbooks/Old.md").write_text("# Old\n")
        self.expect("runbook Old has no alert")

    def test_runbook_without_what_to_do(self) -> None:
        self.text("runbooks/DeadLetters.md", "## Do this", "## Then")
        self.expect("runbook DeadLetters has not the headings")

    def test_runbook_that_names_a_panel_of_old(self) -> None:
        self.text("runbooks/ViewersNearBound.md", "*File handles*", "*Open files*")
        self.expect("names a panel Open files")

    def test_runbook_that_leads_nowhere(self) -> None:
        self.text("runbooks/AuditOverdue.md", "(TallyDrift.md)", "(Drift.md)")
        self.expect("leads to Drift")

    def test_recorded_sum_of_another_name(self) -> None:
        self.text("prometheus/rules/recording.yml", "job:votestream_entries_done:rate1m", "votestream_entries_done")
        self.expect("votestream_entries_done is not named level:metric:operation")

    def test_recorded_sum_that_nobody_uses(self) -> None:
        for use in ("unless job:votestream_entries_done:rate1m > 0", "job:votestream_entries_done:rate1m == 0"):
            self.text("prometheus/rules/alerts.yml", use, "unless up" if "unless" in use else "up")
        self.expect("job:votestream_entries_done:rate1m is recorded, and used by nobody")

    def test_recorded_sum_that_is_not_there(self) -> None:
        self.text(
            "prometheus/rules/alerts.yml", "deriv(job:votestream_stream_entries:sum", "deriv(job:votestream_stream:sum"
        )
        self.expect("BacklogNotDraining uses job:votestream_stream:sum")

    def test_objective_without_a_burn_rate(self) -> None:
        self.text("prometheus/rules/slo.yml", "> 14.4 * 0.001", "> 10 * 0.001")
        self.expect("objective accepting has no critical at 14.4 within 1h and 5m")

    def cases(self, alert: str, keep: Callable[[dict], bool]) -> None:
        """Leaves those of an alert's cases that are to be kept."""
        for path in (self.root / "prometheus/tests").glob("*.yml"):
            tests = read(path)
            for test in tests["tests"]:
                test["alert_rule_test"] = [
                    case for case in test.get("alert_rule_test", []) if case["alertname"] != alert or keep(case)
                ]
            path.write_text(yaml.safe_dump(tests))

    def test_alert_that_no_test_sees_firing(self) -> None:
        self.cases("ViewersNearBound", lambda case: not case["exp_alerts"])
        self.expect("ViewersNearBound (warning): no test in which it fires")

    def test_alert_that_no_test_sees_silent(self) -> None:
        self.cases("ViewersNearBound", lambda case: bool(case["exp_alerts"]))
        self.expect("ViewersNearBound (warning): no test in which it is fed and does not fire")

    def test_alert_that_is_silent_for_want_of_its_metric(self) -> None:
        self.cases("ViewersNearBound", lambda case: bool(case["exp_alerts"]))
        tests = read(self.root / "prometheus/tests/showing.yml")
        case = {"eval_time": "1m", "alertname": "ViewersNearBound", "exp_alerts": []}
        tests["tests"].append({"input_series": [{"series": "other", "values": "0"}], "alert_rule_test": [case]})
        (self.root / "prometheus/tests/showing.yml").write_text(yaml.safe_dump(tests))
        self.expect("ViewersNearBound (warning): no test in which it is fed and does not fire")


class Selectors(unittest.TestCase):
    """How metrics are found in expressions."""

    def test_names_that_are_no_metrics_are_left_out(self) -> None:
        expr = 'sum by (le) (rate(a_bucket{x=~"(b|c)"}[5m])) / on (d) group_left () (e:f:g > 0) or 2 * h'
        self.assertEqual([metric for metric, _ in check_dashboards.selectors(expr)], ["a_bucket", "e:f:g", "h"])


if __name__ == "__main__":
    unittest.main()
