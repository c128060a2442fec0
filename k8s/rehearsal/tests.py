"""Tests without a cluster: ballots, gaps, comparison by name, table, exit codes, images, definitions, the command
line. Run by k8s/check; alone: `cd k8s; python3 -m unittest rehearsal.tests`."""

import contextlib
import io
import json
import tempfile
import unittest

from . import load, postgres, settings, stage, tree, voter_keys
from .ballots import Ballot, Journal, compare, parse, window
from .clock import Slow, eventually
from .definitions import CRDS, definition, structural
from .kubectl import Failed, run
from .result import EXIT_BROKEN, EXIT_KEPT, Bound, Row, exit_code, report, table
from .screen import Answers, longest_pause, new_figure, voters_of
from .steps import ALWAYS, STEPS, Step, chosen


def ballot(number, at, outcome="acknowledged", voter=None, choices=1):
    return Ballot(number, at, voter or f"voter{number}", outcome, choices)


def line(number, outcome="acknowledged", voter="ab", choices=1):
    return json.dumps({"number": number, "at_ms": 1_700_000_000_000 + number, "voter": voter, "outcome": outcome,
                       "choices": choices}, separators=(",", ":"))


class Screens(unittest.TestCase):
    def test_a_frame_tells_its_voters_and_other_lines_tell_none(self):
        self.assertEqual(voters_of(b'data: {"voters": 3}\n'), 3)
        for line in (b": alive\n", b"retry: 2000\n", b"data: {\n", b"\n"):
            self.assertIsNone(voters_of(line))

    def test_a_new_figure_has_more_voters_than_any_before(self):
        frames = [(1.0, 5), (2.0, 7), (4.0, 7), (5.0, 8), (6.0, 9)]
        self.assertEqual(new_figure(frames, 3.0), 5.0)
        self.assertIsNone(new_figure(frames, 7.0))
        self.assertIsNone(new_figure(frames, 0.5))

    def test_counting_pauses_while_no_frame_has_more_voters(self):
        frames = [(1.0, 5), (2.0, 7), (4.0, 7), (5.0, 8), (6.0, 9)]
        self.assertEqual(longest_pause(frames, 1.5, 6.5), 3.0)
        self.assertEqual(longest_pause(frames, 1.5, 20.0), 14.0)
        self.assertEqual(longest_pause([], 1.0, 3.0), 2.0)

    def test_a_server_answers_since_the_question_that_ended_its_absence(self):
        told = iter([True, False, False, True])
        with Answers(lambda: next(told)) as answers:
            eventually("it answers", lambda: answers.since, 5, every=0.01)
        self.assertEqual(list(told), [])


class Lines(unittest.TestCase):
    def test_a_line_of_the_journal_is_a_ballot(self):
        self.assertEqual(parse(line(2)), Ballot(2, 1_700_000_000.002, "ab", "acknowledged", 1))
        self.assertFalse(parse(line(1, "unavailable")).accepted)

    def test_what_else_is_printed_is_none(self):
        for text in ("", "ending the load", '{"schema_version":1}', line(3)[:40]):
            self.assertIsNone(parse(text), text)

    def test_lines_that_come_twice_are_taken_once_and_a_missing_one_is_noticed(self):
        journal = Journal()
        for number in (1, 2, 2, 4, 1):
            self.assertTrue(journal.add(line(number)))
        self.assertEqual([b.number for b in journal.ballots()], [1, 2, 4])
        self.assertEqual(journal.missing(), 1)
        journal.add(line(3))
        self.assertEqual(journal.missing(), 0)


class Windows(unittest.TestCase):
    def test_the_gap_counts_accepted_ballots_only_and_from_edge_to_edge(self):
        told = [ballot(1, 10), ballot(2, 11), ballot(3, 12, "unavailable"), ballot(4, 14), ballot(5, 99)]
        met = window(told, 9, 15)
        self.assertEqual((met.votes, met.refused, met.longest_gap_s), (3, 1, 3))
        self.assertEqual(met.outcomes, {"acknowledged": 3, "unavailable": 1})
        self.assertEqual(window(told, 9, 20).longest_gap_s, 6, "to the end")
        self.assertEqual(window(told, 4, 14).longest_gap_s, 6, "from the beginning")

    def test_without_a_vote_the_whole_step_is_a_gap(self):
        self.assertEqual(window([], 5, 12), window([ballot(1, 3)], 5, 12))
        self.assertEqual(window([], 5, 12).longest_gap_s, 7)

    def test_ballots_need_not_come_in_order(self):
        self.assertEqual(window([ballot(2, 11), ballot(1, 10)], 10, 11).longest_gap_s, 1)


class Comparisons(unittest.TestCase):
    told = [ballot(1, 1), ballot(2, 2, choices=2), ballot(3, 3, "unavailable"),
            Ballot(4, 4, None, "timed_out", 1), ballot(5, 5, "no_page", choices=None)]
    rows = [("voter1", 1), ("voter2", 2)]

    def test_every_accepted_ballot_has_one_row(self):
        self.assertTrue(compare(self.told, self.rows, complete=True).holds)

    def test_the_lost_are_named(self):
        found = compare(self.told, self.rows[:1])
        self.assertEqual(found.lost, ["voter2"])
        self.assertIn("1 lost (voter2)", str(found))
        self.assertFalse(found.holds)

    def test_a_voter_with_two_rows_and_one_with_another_choice_are_named(self):
        found = compare(self.told, [*self.rows, ("voter1", 2)])
        self.assertEqual((found.twice, found.changed), (["voter1"], ["voter1"]))

    def test_rows_that_tell_no_choice_are_compared_by_name_alone(self):
        self.assertTrue(compare(self.told, [("voter1", None), ("voter2", None)]).holds)

    def test_an_unanswered_ballot_may_be_counted_and_a_stranger_may_not(self):
        unanswered = [*self.rows, ("voter3", 1), ("nobody", 1)]
        self.assertTrue(compare(self.told, unanswered, complete=True).holds, "one voter never learnt their name")
        found = compare(self.told, [*unanswered, ("stranger", 1)], complete=True)
        self.assertEqual(len(found.invented), 1)
        self.assertTrue(compare(self.told, [*unanswered, ("stranger", 1)]).holds, "more ballots may be under way")
        self.assertEqual(compare(self.told[:3], [*self.rows, ("voter5", 1)], complete=True).invented, ["voter5"])

    def test_who_sent_nothing_may_not_be_counted(self):
        self.assertEqual(compare(self.told[4:], [("voter5", 1)], complete=True).invented, ["voter5"])


class Postgreses(unittest.TestCase):
    def test_a_row_has_the_id_of_its_voter(self):
        made = postgres.Postgres.__new__(postgres.Postgres)
        made.kind, made.poll, made.keys = "component postgres", "lunch", {}
        # The key is the one that `schema/src/poll/voter_key.rs` expects.
        voter, key = "0190c42ab6f87abc8def0123456789ab", "0190c42a804c8d0cbc30ef6b9386d2c2"
        answers = {"secret": [["0b" * 32]], "votes": [[key, "1"], ["cd" * 16, "2"]]}
        made.sql = lambda text, database="": answers["secret" if "poll_secrets" in text else "votes"]
        self.assertEqual(made.rows([ballot(1, 1.0, voter=voter)]), [(voter, 1), ("cd" * 16, 2)])

    def test_a_code_has_no_time_in_its_key(self):
        key = voter_keys.key_of(b"\x0b" * 32, "0190c42ab6f88abc8def0123456789ab")
        self.assertEqual(key, "cf72efd1e5a08088afdce90c6f37258a")


class Results(unittest.TestCase):
    def test_bounds(self):
        bound = Bound(longest_gap_s=3, refused_share=0.01)
        self.assertEqual(list(bound.passed_by(Row("update", votes=99, refused=1, longest_gap_s=3))), [])
        self.assertEqual(len(list(bound.passed_by(Row("update", votes=98, refused=2, longest_gap_s=3.1)))), 2)
        answered = Bound(longest_gap_s=60, unavailable_share=0.1)
        for unavailable, problems in ((10, 0), (11, 1)):
            row = Row("names", votes=60, refused=40, outcomes={"unavailable": unavailable, "no_page": 40 - unavailable})
            self.assertEqual(len(list(answered.passed_by(row))), problems)
        self.assertEqual(list(Bound(longest_gap_s=30).passed_by(Row("redis", refused=900, longest_gap_s=29))), [])
        self.assertEqual(list(Bound(longest_gap_s=0).passed_by(Row("apply", longest_gap_s=70))), [])

    def test_exit_codes(self):
        good, bad, skipped = Row("a"), Row("b", problems=["no"]), Row("c", skipped="one node")
        self.assertEqual(exit_code([good, skipped]), EXIT_KEPT)
        self.assertEqual(exit_code([good, bad]), EXIT_BROKEN)
        self.assertEqual(exit_code([skipped]), EXIT_BROKEN, "nothing was proved")

    def test_the_table_is_markdown_and_names_what_failed(self):
        rows = [Row("vote", 15, 750, 0, 0.04, notes=["first"]), Row("waiting", 20, 50, lost=50, problems=["holds 0"]),
                Row("drain", skipped="there is one node")]
        text = table(rows)
        lines = text.splitlines()
        self.assertEqual(len({len(line) for line in lines[:5]}), 1, text)
        self.assertEqual([cell.strip() for cell in lines[2].split("|")], ["", "vote", "15", "750", "0", "0.0", "0", "first", ""])
        self.assertIn("FAILED", lines[3])
        self.assertIn("not done: there is one node", lines[4])
        self.assertEqual(lines[5], "waiting: holds 0")

    def test_the_json_tells_the_same(self):
        told = json.loads(json.dumps(report("minikube", {"nodes": 1}, [Row("vote", votes=3)])))
        self.assertEqual((told["kept"], told["nodes"], told["steps"][0]["votes"]), (True, 1, 3))
        self.assertFalse(report("minikube", {}, [Row("vote", problems=["x"])])["kept"])


class Waiting(unittest.TestCase):
    def test_what_does_not_come_true_is_slow(self):
        answers = iter([0, None, 7])
        self.assertEqual(eventually("seven", lambda: next(answers), 5, every=0), 7)
        with self.assertRaises(Slow):
            eventually("never", lambda: False, 0, every=0)

    def test_a_command_that_fails_says_what_it_said(self):
        with self.assertRaisesRegex(Failed, "exit code 3: why"):
            run("sh", "-c", "echo why >&2; exit 3")


class Steps(unittest.TestCase):
    def test_the_short_form_has_what_ci_proves(self):
        self.assertEqual([step.name for step in chosen([], short=True)],
                         ["apply", "vote", "update", "redis", "postgres", "waiting", "votectl", "backup", "end"])
        self.assertEqual(chosen([], short=False), STEPS)
        self.assertEqual([step.name for step in chosen(["scale"], short=False)], ["apply", "vote", "scale", "end"])

    def test_every_step_says_what_it_does(self):
        for step in STEPS:
            self.assertTrue(step.act.__doc__, step.name)
        self.assertLess(set(ALWAYS), {step.name for step in STEPS})


class CommandLine(unittest.TestCase):
    def refused(self, *words):
        with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(io.StringIO()) as said:
            settings.parse(words)
        self.assertEqual(ended.exception.code, 2)
        return said.getvalue()

    def test_what_cannot_be_is_refused(self):
        self.assertIn("invalid choice", self.refused("nowhere"))
        self.assertIn("there is no step dance", self.refused("minikube", "--steps", "dance"))
        self.assertIn("go together", self.refused("minikube", "--cut", "x"))
        self.assertIn("above 0", self.refused("minikube", "--rate", "0"))
        self.assertIn("kustomization.yaml", self.refused("minikube", "--component", "/nowhere"))

    def test_every_overlay_can_be_named(self):
        told = settings.parse(["minikube", "--steps", "update,redis", "--rate", "9"])
        self.assertEqual((told.overlay, told.steps, told.rate), ("minikube", ["update", "redis"], 9))


class Images(unittest.TestCase):
    def test_names_ports_tags_and_digests(self):
        for reference, wanted in {
            "votestream/loadtest:dev": ("votestream/loadtest", 'newTag: "dev"'),
            "registry:5000/team/loadtest": ("registry:5000/team/loadtest", 'newTag: "latest"'),
            "registry:5000/loadtest:1": ("registry:5000/loadtest", 'newTag: "1"'),
            "r/loadtest@sha256:12": ("r/loadtest", "digest: sha256:12"),
        }.items():
            self.assertEqual(tree.image(reference), wanted)


class Trees(unittest.TestCase):
    def test_the_overlay_that_is_rehearsed_renders(self):
        for overlay in ("minikube", "on-prem"):
            with self.subTest(overlay=overlay), tempfile.TemporaryDirectory() as folder:
                k8s = tree.copy(folder)
                made = tree.Tree(k8s, settings.parse([overlay]), "registry/loadtest:7")
                text = run("kubectl", "kustomize", made.overlay).stdout
                self.assertIn("image: registry/loadtest:7", text)
                self.assertIn("suspend: true", text)
                self.assertIn("NEW_VOTERS_EXEMPT", text)
                self.assertNotIn("maxReplicas: 4", text)
                url = (made.secrets / "consumer/database-url").read_text()
                self.assertIn("verify-full" if overlay == "on-prem" else "disable", url)


class Definitions(unittest.TestCase):
    def test_every_schema_becomes_a_definition(self):
        files = sorted(CRDS.glob("*.json"))
        self.assertGreater(len(files), 10)
        for file in files:
            made = definition(json.loads(file.read_text()))
            self.assertEqual(made["metadata"]["name"].split(".", 1)[1], made["spec"]["group"])
            self.check(made["spec"]["versions"][0]["schema"]["openAPIV3Schema"], file.name)

    def check(self, node, path):
        """Checks the rules of the API server for a structural schema."""
        self.assertIsInstance(node, dict, path)
        opaque = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-int-or-string")
        self.assertTrue(node.get("type") or opaque, path)
        self.assertFalse("properties" in node and "additionalProperties" in node, path)
        if node.get("type") == "array":
            self.assertIn("items", node, path)
        for name, part in node.get("properties", {}).items():
            self.check(part, f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if key in node:
                self.check(node[key], f"{path}.{key}")

    def test_what_is_false_is_open_and_closed_objects_stay_closed(self):
        self.assertEqual(structural(False), {"x-kubernetes-preserve-unknown-fields": True})
        made = structural({"additionalProperties": False, "properties": {"a": {"type": ["integer", "string"]}}})
        self.assertEqual(made, {"type": "object", "properties": {"a": {"x-kubernetes-int-or-string": True}}})


class FakeKubectl:
    """A fake cluster in which a load's pod prints these lines, and then ends."""

    def __init__(self, logs):
        self.logs, self.made = list(logs), []

    def create(self, obj):
        self.made.append(obj)

    def do(self, *words, **_):
        return ""

    def get(self, *words):
        if words[0] == "job":
            labels = {"app.kubernetes.io/name": "loadtest", "batch.kubernetes.io/job-name": "loadtest"}
            return {"spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "loadtest"}]}}}}
        return {"spec": {"clusterIP": "10.96.0.7"} if words[0] == "service" else {"nodeName": "n1"}}

    def find(self, *words):
        return {"status": {"phase": "Succeeded"}}

    def start(self, *words):
        class Log:
            stdout, returncode = iter(self.logs.pop(0)), 0

            def wait(self):
                return 0
        return Log()


class Loads(unittest.TestCase):
    def setUp(self):
        self.slept, load.time.sleep = load.time.sleep, lambda seconds: None

    def tearDown(self):
        load.time.sleep = self.slept

    def test_the_journal_is_read_and_the_report_at_its_end(self):
        kubectl = FakeKubectl([[line(1) + "\n", line(2, "unavailable") + "\n", "{\n", ' "viewers": {"gaps": 0}\n', "}\n"]])
        done = load.some(kubectl, "lunch", "voters", 2).wait(5)
        self.assertEqual([b.outcome for b in done.ballots()], ["acknowledged", "unavailable"])
        self.assertEqual((done.report, done.node), ({"viewers": {"gaps": 0}}, "n1"))
        labels = kubectl.made[0]["metadata"]["labels"]
        self.assertEqual(labels, {"app.kubernetes.io/name": "loadtest"}, "the Job would take the pod for its own")
        arguments = kubectl.made[0]["spec"]["containers"][0]["args"]
        self.assertIn("--poll=lunch", arguments)
        self.assertIn("--target=http://10.96.0.7", arguments, "the load goes on when DNS is down")

    def test_a_load_that_could_not_begin_is_started_again(self):
        kubectl = FakeKubectl([["connection refused\n"], [line(1) + "\n"]])
        self.assertEqual(len(load.some(kubectl, "lunch", "voters", 1).ballots()), 1)
        self.assertEqual([pod["metadata"]["name"] for pod in kubectl.made], ["voters-0", "voters-1"])

    def test_a_line_that_is_missing_is_no_quiet_loss(self):
        with self.assertRaisesRegex(load.LoadFailed, "1 lines"):
            load.some(FakeKubectl([[line(1) + "\n", line(3) + "\n"]]), "lunch", "voters", 3).wait(5)


class FakePostgres:
    """A fake Postgres that returns these sets of rows one after the other, and the last one for ever."""

    def __init__(self, *rows):
        self.sets = list(rows)

    def rows(self, ballots=()):
        return self.sets.pop(0) if len(self.sets) > 1 else self.sets[0]


class FakePages:
    """Fake pages that have no ready pod until they were asked so many times."""

    def __init__(self, up_after=0):
        self.down = up_after

    def are_up(self):
        self.down -= 1
        return self.down < 0

    def problems(self):
        return iter(() if self.down < 0 else ["no dashboard is ready"])


class Stages(unittest.TestCase):
    def stage(self, *rows, act=lambda stage, row: None, pages=FakePages()):
        """Runs a step of a rehearsal in which one ballot was accepted a moment ago."""
        made = stage.Stage.__new__(stage.Stage)
        made.postgres = FakePostgres(*rows)
        made.pages = pages
        journal = Journal()
        moment = int(stage.time.time() * 1000)
        journal.add(line(1).replace(str(1_700_000_000_001), str(moment)))
        made.load, made.lost = None, set()
        made.loads = [type("Load", (), {"ballots": lambda self: journal.ballots(), "behind_s": 0,
                                        "here": lambda self, moment: moment})()]
        with contextlib.redirect_stderr(io.StringIO()):
            return made.play(Step("step", act, Bound(longest_gap_s=0, counted_s=0)))

    def test_a_ballot_that_is_a_row_is_no_problem(self):
        row = self.stage([("ab", 1)])
        self.assertEqual((row.lost, row.problems), (0, []))

    def test_a_ballot_without_a_row_is_lost_by_name(self):
        row = self.stage([])
        self.assertEqual((row.lost, row.problems), (1, ["1 lost (ab)"]))

    def test_a_broken_promise_does_not_hide_the_lost(self):
        def act(_, row):
            raise stage.Broken("the streams hold 0")
        row = self.stage([], act=act)
        self.assertEqual(row.problems, ["the streams hold 0", "1 lost (ab)"])

    def test_a_step_is_over_when_each_page_has_a_ready_pod(self):
        row = self.stage([("ab", 1)], pages=FakePages(up_after=2))
        self.assertEqual(row.problems, [])

    def is_calm(self, *ballots, rate=50):
        """Returns whether a stage is calm after ballots at these times before now, in seconds, with these outcomes."""
        made = stage.Stage.__new__(stage.Stage)
        made.settings = type("Settings", (), {"rate": rate})
        now = stage.time.time()
        cast = [ballot(number, now - before, outcome) for number, (before, outcome) in enumerate(ballots)]
        made.loads = [type("Load", (), {"ballots": lambda self: cast, "behind_s": 0,
                                        "here": lambda self, moment: moment})()]
        return made.is_calm()

    def test_a_step_is_over_when_votes_flow_and_none_is_refused(self):
        steady = [(tenth / 10, "acknowledged") for tenth in range(40)]
        self.assertTrue(self.is_calm(*steady))
        self.assertFalse(self.is_calm(*steady, (1.0, "unavailable")))
        self.assertTrue(self.is_calm(*steady, (3.5, "unavailable")))

    def test_a_step_is_not_over_while_ballots_wait_for_their_answers(self):
        before_the_gap = [(2.5 + tenth / 10, "acknowledged") for tenth in range(11)]
        self.assertFalse(self.is_calm(*before_the_gap))
        self.assertFalse(self.is_calm())

    def test_with_few_voters_a_gap_is_as_long_as_some_of_them(self):
        self.assertTrue(self.is_calm(*[(2.0 * n, "acknowledged") for n in range(16)], rate=0.5))
        self.assertFalse(self.is_calm(*[(11 + 2.0 * n, "acknowledged") for n in range(16)], rate=0.5))


if __name__ == "__main__":
    unittest.main()
