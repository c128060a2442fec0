"""Reads the votes from Postgres, in its own pod.

If Postgres runs outside the cluster, `k8s/votectl poll export` reads them, and `poll voter-keys` names their voters.
"""

import csv
import io
import subprocess

from .kubectl import Failed, run
from .voter_keys import key_of

# A database beside the production database.
SCRATCH = "votestream_scratch"
CLUSTERS = "clusters.postgresql.cnpg.io"
PRIMARY = "cnpg.io/cluster=postgres-cnpg,cnpg.io/instanceRole=primary"


class Postgres:
    """The deployment's Postgres."""

    def __init__(self, kubectl, votectl, poll):
        self.kubectl, self.votectl, self.poll = kubectl, votectl, poll
        # The keys of the voters seen so far, by id.
        self.keys = {}
        if kubectl.find("statefulset", "postgres"):
            self.kind = "component postgres"
        elif kubectl.find("crd", CLUSTERS) and kubectl.find(CLUSTERS, "postgres-cnpg"):
            self.kind = "CloudNativePG"
        else:
            self.kind = "outside"

    def pod(self):
        """Returns the pod of the primary, if there is one."""
        if self.kind == "CloudNativePG":
            return self.kubectl.get("pods", "--selector", PRIMARY)[0]["metadata"]["name"]
        return "postgres-0"

    def is_whole(self):
        """Returns whether every instance is ready. The component postgres has only one, so its pod's readiness is enough."""
        if self.kind != "CloudNativePG":
            return True
        cluster = self.kubectl.get(CLUSTERS, "postgres-cnpg")
        return cluster.get("status", {}).get("readyInstances") == cluster["spec"]["instances"]

    def sql(self, text, database="votestream", call=None):
        """Returns the rows of a statement that may be repeated, as lists of text. `call` replaces `kubectl.ask`, which
        repeats failed calls."""
        output = (call or self.kubectl.ask)(
            "exec", "--stdin", self.pod(), "--container", "postgres", "--", "psql", "--no-psqlrc",
            "--no-align", "--tuples-only", "--quiet", "--field-separator=,", "--set=ON_ERROR_STOP=1",
            "--username=postgres", f"--dbname={database}", input=text)
        return [line.split(",") for line in output.splitlines()]

    def takes_writes(self):
        """Whether it answers now, and as the server that takes writes."""
        try:
            return self.sql("SELECT pg_is_in_recovery()", "postgres", self.kubectl.do) == [["f"]]
        except (Failed, LookupError, subprocess.TimeoutExpired):
            return False

    def rows(self, ballots=(), database="votestream"):
        """Returns every vote: voter and choices. The voters of these ballots are named as in the ballots, by the ids in
        their cookies; all others by their keys."""
        ids = self._ids({ballot.voter for ballot in ballots if ballot.voter})
        return [(ids.get(voter, voter), choices) for voter, choices in self._stored(database)]

    def _ids(self, voters):
        """Returns the id of each of these voters, by key."""
        new = sorted(voters - self.keys.keys())
        if new and self.kind == "outside":
            told = run(self.votectl, "poll", "voter-keys", self.poll, input="\n".join(new)).stdout
            self.keys.update(zip(new, told.split(), strict=True))
        elif new:
            [[secret]] = self.sql(f"SELECT encode(s.secret, 'hex') FROM poll_secrets s JOIN polls ON id = poll_id "
                                  f"WHERE slug = '{self.poll}'")
            self.keys.update((voter, key_of(bytes.fromhex(secret), voter)) for voter in new)
        return {self.keys[voter]: voter for voter in voters}

    def _stored(self, database):
        if self.kind == "outside":
            return self._exported()
        text = (f"SELECT replace(voter::text, '-', ''), choices FROM votes JOIN polls ON polls.id = poll_id "
                f"WHERE slug = '{self.poll}'")
        return [(voter, int(choices)) for voter, choices in self.sql(text, database)]

    def _exported(self):
        said = run(self.votectl, "poll", "export", self.poll, "--votes", "--format", "csv").stdout
        # Only Postgres knows the bit of an option, so choices are not compared.
        return [(row["voter"], None) for row in csv.DictReader(io.StringIO(said))]
