#!/bin/sh
# Keeps the pod's two nodes in the cluster as long as the pod runs.
#  - A pod that restarts has another address. If all pods restart at once, no node is at the address that the others remember,
#    and gossip cannot repair this. So a node that misses any other node meets all of them again, by name.
#  - A replica that learned its master's new address from the gossip of a third node still connects to the old address
#    (redis/redis#14633). So the keeper repeats CLUSTER REPLICATE on a replica that uses an old address.
#  - After a failover the first node takes its shard back, because two masters on one machine would be lost together.
#  - When the pod gets SIGTERM, the replicas take over the shards that it leads. No data are lost, and no connection is cut.
#    The nodes themselves wait meanwhile (preStop).
#   POD_IP              the address of this pod
#   PEERS SERVICE       the number of pods, and their headless service
set -eu
every=${EVERY_S:-5}

# ask ADDRESS PORT WORDS...    sends a command to a node, with the password that is in the file now
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

# Counts the nodes that this node can reach, and meets all nodes again if one is missing. A node that never met another misses
# none. Fails if the node does not answer.
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
    follow_master "$1"
}

# Compares the address at which the node looks for its master with the address in its table of nodes.
follow_master() {
    master=$(printf '%s\n' "$nodes" | sed -n 's/^[^ ]* [^ ]* [^ ]*myself[^ ]* \([0-9a-f]\{40\}\) .*/\1/p')
    [ -n "$master" ] || return 0
    lives_at=$(printf '%s\n' "$nodes" | sed -n "s/^$master \([^@ ]*\)@.*/\1/p")
    looked_for_at=$(ask "$POD_IP" "$1" info replication | sed -n 's/^master_host://p; s/^master_port://p' | paste -s -d : -)
    case $lives_at in
        "$looked_for_at" | '' | :*) ;;
        *) echo "$1 looks for its master at $looked_for_at instead of $lives_at: $(ask "$POD_IP" "$1" cluster replicate "$master")" ;;
    esac
}

# During this failover the master accepts no writes until this node has all data, so a failed attempt is not repeated at once.
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
    # The probes look at the age of the file `kept`, which is written only when both nodes have answered.
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
