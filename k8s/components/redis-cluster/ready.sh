#!/bin/sh
# Succeeds when the cluster works and this node has all that its master has: an update that goes on to the
# next pod must leave a whole copy of every shard behind.
#   PORT POD_IP         the node
set -eu
REDISCLI_AUTH=$(cat "${SECRETS:-/secrets}/keeper-password")
export REDISCLI_AUTH
ask() { redis-cli --user keeper -h "$POD_IP" -p "$PORT" "$@"; }
ask cluster info | grep -q '^cluster_state:ok'
# A master without slots is one whose volume was lost, and which nobody has taken in yet.
ask cluster nodes | grep -q 'myself.* connected [0-9]' || ask info replication | grep -q '^master_link_status:up'
