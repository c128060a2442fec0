#!/bin/sh
# Looks after the pod's two nodes for as long as the pod is there.
#  - A pod comes back with another address. When all do at once, nobody is where the others remember, and
#    no gossip helps: a node that misses any other meets all of them, by name.
#  - After a failover the first node takes its shard back: two masters on one machine would be lost together.
#  - When the pod is told to stop, what it leads goes to the replicas, which ends no connection unasked and
#    loses nothing; the nodes themselves wait meanwhile (preStop).
#   POD_IP              this pod
#   PEERS SERVICE       how many pods there are, and their headless service
set -eu
every=${EVERY_S:-5}

# ask ADDRESS PORT WORDS...    with the password as the file has it now
ask() {
    address=$1 port=$2
    shift 2
    REDISCLI_AUTH=$(cat "${SECRETS:-/secrets}/keeper-password") redis-cli --user keeper -h "$address" -p "$port" "$@" 2>/dev/null | tr -d '\r'
}

meet_all() {
    number=0
    while [ "$number" -lt "$PEERS" ]; do
        peer=$(getent hosts "redis-$number.$SERVICE" | cut -d' ' -f1)
        number=$((number + 1))
        for peer_port in 6379 6380; do
            [ -z "$peer" ] || [ "$peer:$peer_port" = "$POD_IP:$1" ] ||
                ask "$POD_IP" "$1" cluster meet "$peer" "$peer_port" >/dev/null
        done
    done
}

# Nodes that are there, as this one sees them; a node that never met another has nobody to miss. Fails when it
# does not tell.
look_for_peers() {
    nodes=$(ask "$POD_IP" "$1" cluster nodes)
    case $nodes in
        *myself*) ;;
        *LOADING*) return 0 ;;
        *) return 1 ;;
    esac
    [ "$(printf '%s\n' "$nodes" | wc -l)" -gt 1 ] || return 0
    there=$(printf '%s\n' "$nodes" | grep -v -e fail -e handshake -e noaddr | grep -c ' connected') || true
    if [ "$there" -lt $((PEERS * 2)) ]; then
        echo "$1 sees $there nodes: meeting all by name"
        meet_all "$1"
    fi
}

# The master waits until this node has everything, and stops taking writes meanwhile: a try that comes to
# nothing is not repeated at once.
take_back() {
    case $(ask "$POD_IP" 6379 info replication) in
        *role:slave*master_link_status:up*) ;;
        *) return 1 ;;
    esac
    ask "$POD_IP" 6379 cluster info | grep -q '^cluster_state:ok' || return 1
    echo "taking the shard back: $(ask "$POD_IP" 6379 cluster failover)"
}

hand_over() {
    for port in 6379 6380; do
        replica=$(ask "$POD_IP" "$port" info replication |
            sed -n 's/^slave[0-9]*:ip=\([^,]*\),port=\([0-9]*\),state=online.*/\1 \2/p' | head -n 1)
        if [ -n "$replica" ]; then
            # shellcheck disable=SC2086 # two words
            echo "$port hands over to $replica: $(ask $replica cluster failover)"
        fi
    done
    exit 0
}
trap hand_over TERM

resting=0
while :; do
    # Whom neither node tells anything looks after nobody, and its probes say so.
    heard=yes
    for port in 6379 6380; do look_for_peers "$port" || heard=; done
    [ -z "$heard" ] || : >"${RUN:-/run/redis}/kept"
    if [ "$resting" -gt 0 ]; then
        resting=$((resting - 1))
    elif take_back; then
        resting=12
    fi
    sleep "$every" &
    wait $! || true
done
