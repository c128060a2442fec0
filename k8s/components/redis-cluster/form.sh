#!/bin/sh
# Joins the pods' nodes to a Redis Cluster. It skips steps that are done already, so it may run again; then it also adds
# a node whose volume was lost.
#   PEERS SERVICE       how many pods, and their headless service
#   WAIT_S              how long each step may wait for all nodes, in seconds: 60 unless set
# The master of shard i is redis-i:6379. Its replica is redis-(i-1):6380, in another pod and so on another machine.
set -eu
: "${WAIT_S:=60}"
REDISCLI_AUTH=$(cat "${SECRETS:-/secrets}/operator-password")
export REDISCLI_AUTH

# CLUSTER MEET takes addresses only.
address() { getent hosts "redis-$1.$SERVICE" | cut -d' ' -f1; }
# ask POD PORT WORDS...
ask() {
    host=$(address "$1") port=$2
    shift 2
    redis-cli --user operator -h "$host" -p "$port" "$@" 2>/dev/null | tr -d '\r'
}
pods=$(seq 0 $((PEERS - 1)))
# each FUNCTION: calls it for every node; fails at the first node for which it fails.
each() {
    for pod in $pods; do
        for port in 6379 6380; do "$1" "$pod" "$port" || return 1; done
    done
}
# wait_until FUNCTION WORDS: waits until it succeeds for every node; WORDS describe the condition.
wait_until() {
    echo "waiting until $2, $WAIT_S s at most"
    started=$(date +%s)
    until each "$1"; do
        if [ $(($(date +%s) - started)) -ge "$WAIT_S" ]; then
            echo "gave up after $WAIT_S s: redis-$pod.$SERVICE:$port is the first node that does not" >&2
            exit 1
        fi
        sleep 1
    done
}

answers() { [ "$(ask "$1" "$2" ping)" = PONG ]; }
knows_no_cluster() { ! knows "$1" "$2" cluster_slots_assigned:16384; }
knows() { ask "$1" "$2" cluster info | grep -q "^$3"; }
leads() { ask "$1" "$2" cluster nodes | grep -q 'myself.* connected [0-9]'; }
follow() { ask "$1" "$2" cluster replicate "$(ask "$3" "$4" cluster myid)"; }
introduce() {
    [ "$1:$2" = 0:6379 ] || ask 0 6379 cluster meet "$(address "$1")" "$2"
}
knows_all() {
    # The others still list the old identity of a node whose volume was lost; do not count it.
    there=$(ask "$1" "$2" cluster nodes | grep -v -e fail -e handshake -e noaddr | grep -c ' connected')
    [ "$there" -ge $((PEERS * 2)) ] && knows "$1" "$2" cluster_slots_assigned:16384
}
settled() {
    knows "$1" "$2" cluster_state:ok &&
        ask "$1" "$2" info replication | grep -q -e '^connected_slaves:1' -e '^master_link_status:up'
}

wait_until answers 'every node answers'
if each knows_no_cluster; then
    for pod in $pods; do
        # Redis refuses this if an earlier run has done it.
        ask "$pod" 6379 cluster addslotsrange $((16384 * pod / PEERS)) $((16384 * (pod + 1) / PEERS - 1))
        ask "$pod" 6379 cluster set-config-epoch $((pod + 1))
    done
else
    echo 'the cluster has been formed before'
fi
each introduce
wait_until knows_all 'every node knows all others and where each slot is'
for pod in $pods; do
    before=$(((pod + PEERS - 1) % PEERS))
    if leads "$pod" 6379; then
        leads "$before" 6380 || follow "$before" 6380 "$pod" 6379
    else
        leads "$before" 6380 && follow "$pod" 6379 "$before" 6380
    fi
done
wait_until settled 'every node works and every replica has a whole copy'
echo 'the cluster is formed'
