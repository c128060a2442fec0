#!/bin/sh
# Joins the pods of the StatefulSet to a Redis Cluster; does nothing when they are one already.
#   PEERS     how many pods
#   SERVICE   their headless service
#   PORT      6379 unless said otherwise
# The operator's password is a file: /secrets/operator-password, or $PASSWORD_FILE.
set -eu
: "${PEERS:?}" "${SERVICE:?}"
port=${PORT:-6379}
REDISCLI_AUTH=$(cat "${PASSWORD_FILE:-/secrets/operator-password}")
export REDISCLI_AUTH

ask() {
    host=$1
    shift
    redis-cli --user operator -h "$host" -p "$port" "$@"
}
# An address of this moment: CLUSTER MEET takes no names.
address() { getent hosts "$1" | { read -r ip _ && printf '%s' "$ip"; }; }

pods=
number=0
while [ "$number" -lt "$PEERS" ]; do
    pod=redis-$number.$SERVICE
    until [ "$(ask "$pod" ping 2>/dev/null)" = PONG ]; do
        echo "waiting for $pod"
        sleep 1
    done
    pods="$pods $(address "$pod"):$port"
    number=$((number + 1))
done
if ask "redis-0.$SERVICE" cluster info | grep -q '^cluster_slots_assigned:16384'; then
    echo 'the cluster has been formed before'
    exit 0
fi
# shellcheck disable=SC2086 # several words
redis-cli --user operator --cluster create $pods --cluster-replicas 1 --cluster-yes
