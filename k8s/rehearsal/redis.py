"""What waits in Redis to be counted, asked in its pods as the operator."""

# The password goes in by standard input: what is an argument can be seen. The component tls leaves its mark.
# Partitions lie on several masters of a Redis Cluster; -c goes where each is.
ASK = """
read -r REDISCLI_AUTH || true
export REDISCLI_AUTH
tls=; [ ! -e /tls/ca.crt ] || tls="--tls --cacert /tls/ca.crt --sni redis"
ask() { redis-cli -c $tls -h "${POD_IP:-127.0.0.1}" -p 6379 --user operator --no-auth-warning "$@"; }
partitions=$(ask HGET votes:meta partitions)
for partition in $(seq 0 $((${partitions:-4} - 1))); do ask XLEN "{votes:$partition}:stream"; done
"""


class Redis:
    """The deployment's Redis, where it runs in the cluster."""

    def __init__(self, kubectl, secrets):
        self.kubectl, self.secrets = kubectl, secrets
        self.is_here = bool(kubectl.find("statefulset", "redis"))
        found = kubectl.find("statefulset", "redis") or {"spec": {}}
        self.replicas = found["spec"].get("replicas", 0)

    def pods(self):
        return [f"redis-{number}" for number in range(self.replicas)]

    def waiting(self):
        """Entries in all streams: ballots that are stored and not yet counted."""
        password = (self.secrets / "redis-server/operator-password").read_text()
        told = self.kubectl.ask(
            "exec", "--stdin", "redis-0", "--container", "redis", "--", "sh", "-c", ASK, input=password + "\n")
        return sum(int(line) for line in told.split())
