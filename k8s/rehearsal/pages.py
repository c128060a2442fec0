"""Checks the pages of every pod that serves them."""

import http.client
import re

from .screen import Screen

SERVES = {"producer": 8080, "dashboard": 8081}


class Pages:
    """Reads the pages of producer and dashboard through forwarded ports, so that each pod must answer."""

    def __init__(self, kubectl, poll):
        self.kubectl, self.poll = kubectl, poll

    def are_up(self):
        """Returns whether each service with pages has a pod that is ready."""
        return all(self.kubectl.ready(name) for name in SERVES)

    def problems(self):
        """Returns the faults of the pages, for each pod."""
        for name, port in SERVES.items():
            pods = self.kubectl.ready(name)
            if not pods:
                yield f"no {name} is ready"
            for pod in pods:
                told = self._ask(pod["metadata"]["name"], port, "/")
                if told[0] != 200 or "<html" not in told[1].lower():
                    yield f"{pod['metadata']['name']} answers / with {told[0]}: {told[1][:200]}"

    def tally(self):
        """Returns the poll's state from a dashboard."""
        pod = self.kubectl.ready("dashboard")[0]["metadata"]["name"]
        return self._ask(pod, SERVES["dashboard"], f"/api/polls/{self.poll}/tally")

    def screen(self, not_on=None):
        """Returns a screen of the poll's results, at a dashboard that is not on the node `not_on`."""
        pods = [pod for pod in self.kubectl.ready("dashboard") if pod["spec"]["nodeName"] != not_on]
        if not pods:
            raise LookupError("no dashboard is ready" + (f" except on {not_on}" if not_on else ""))
        return Screen(self.kubectl, pods[0]["metadata"]["name"], SERVES["dashboard"], self.poll)

    def _ask(self, pod, port, path):
        """Returns status and body; the status is None if there is no answer."""
        forward = self.kubectl.start("port-forward", f"pod/{pod}", f":{port}")
        try:
            first = forward.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", first)
            if not found:
                return None, first
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return None, str(error)
        finally:
            forward.terminate()
            forward.wait()
            forward.stdout.close()
