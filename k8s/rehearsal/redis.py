"""Reads from Redis how many ballots wait to be counted, in its pods and as the operator."""

# The password is passed on standard input, because arguments can be seen. With the component tls there is a certificate.
LOG_IN = """
read -r REDISCLI_AUTH || true
export REDISCLI_AUTH
tls=; [ ! -e /tls/ca.crt ] || tls="--tls --cacert /tls/ca.crt --sni redis"
"""
# Partitions lie on several masters of a Redis Cluster; with -c, redis-cli follows redirections.
ASK = LOG_IN + """
ask() { redis-cli -c $tls -h "${POD_IP:-127.0.0.1}" -p 6379 --user operator --no-auth-warning "$@"; }
partitions=$(ask HGET votes:meta partitions)
for partition in $(seq 0 $((${partitions:-4} - 1))); do ask XLEN "{votes:$partition}:stream"; done
"""

# Ends the services' connections. Some versions of Redis do so on ACL LOAD, and others keep the connections.
END = LOG_IN + """
for port in 6379 ${PORT:+6380}; do
    for user in producer consumer; do redis-cli $tls -p "$port" --user operator CLIENT KILL USER "$user"; done
done
"""


class Redis:
    """The deployment's Redis, if it runs in the cluster."""

    def __init__(self, kubectl, secrets):
        self.kubectl, self.secrets = kubectl, secrets
        self.is_here = bool(kubectl.find("statefulset", "redis"))
        found = kubectl.find("statefulset", "redis") or {"spec": {}}
        self.replicas = found["spec"].get("replicas", 0)

    def pods(self):
        return [f"redis-{number}" for number in range(self.replicas)]

    def waiting(self):
        """Returns the number of entries in all streams: ballots that are stored and not counted yet."""
        return sum(int(line) for line in self._as_operator("redis-0", ASK).split())

    def end_connections(self):
        """Ends the connections of all services."""
        for pod in self.pods():
            self._as_operator(pod, END)

    def _as_operator(self, pod, script):
        password = (self.secrets / "redis-server/operator-password").read_text()
        return self.kubectl.ask(
            "exec", "--stdin", pod, "--container", "redis", "--", "sh", "-c", script, input=password + "\n")
