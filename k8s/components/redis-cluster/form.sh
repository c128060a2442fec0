#!/bin/sh
# Joins the pods of the StatefulSet to a Redis Cluster; does nothing when they are one already.
#   PEERS SERVICE    how many pods, and their headless service
#   NODES            or their addresses: host:port, or host:port@bus-port
# The operator's password is a file: /secrets/operator-password, or $PASSWORD_FILE.
set -eu
REDISCLI_AUTH=$(cat "${PASSWORD_FILE:-/secrets/operator-password}")
export REDISCLI_AUTH

# ask HOST:PORT[@BUS] WORDS...
ask() {
    address=${1%@*}
    shift
    redis-cli --user operator -h "${address%:*}" -p "${address##*:}" "$@"
}
wait_for() {
    until [ "$(ask "$1" ping 2>/dev/null)" = PONG ]; do
        echo "waiting for $1"
        sleep 1
    done
}

nodes=${NODES:-}
if [ -z "$nodes" ]; then
    number=0
    while [ "$number" -lt "$PEERS" ]; do
        wait_for "redis-$number.$SERVICE:6379"
        # CLUSTER MEET takes addresses only; from then on the nodes keep track of each other by themselves.
        address=$(getent hosts "redis-$number.$SERVICE" | { read -r ip _ && printf %s "$ip"; })
        nodes="$nodes $address:6379"
        number=$((number + 1))
    done
fi
for node in $nodes; do wait_for "$node"; done

first=${nodes# }
if ask "${first%% *}" cluster info | grep -q '^cluster_slots_assigned:16384'; then
    echo 'the cluster has been formed before'
    exit 0
fi
# shellcheck disable=SC2086 # several words
redis-cli --user operator --cluster create $nodes --cluster-replicas 1 --cluster-yes
