"""Reads from Redis how many ballots wait to be counted, in its pods and as the operator."""

# The password is passed on standard input, because arguments can be seen. With the component tls there is a certificate.
# In a Redis Cluster the partitions are on several masters; -c follows the redirections.
ASK = """
read -r REDISCLI_AUTH || true
export REDISCLI_AUTH
tls=; [ ! -e /tls/ca.crt ] || tls="--tls --cacert /tls/ca.crt --sni redis"
ask() { redis-cli -c $tls -h "${POD_IP:-127.0.0.1}" -p 6379 --user operator --no-auth-warning "$@"; }
partitions=$(ask HGET votes:meta partitions)
for partition in $(seq 0 $((${partitions:-4} - 1))); do ask XLEN "{votes:$partition}:stream"; done
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
        password = (self.secrets / "redis-server/operator-password").read_text()
        told = self.kubectl.ask(
            "exec", "--stdin", "redis-0", "--container", "redis", "--", "sh", "-c", ASK, input=password + "\n")
        return sum(int(line) for line in told.split())
