#!/bin/sh
# Succeeds when the cluster works and this node has all data of its master. Before an update continues with the next pod,
# every shard must have a complete copy.
#   PORT POD_IP         the node
set -eu
REDISCLI_AUTH=$(cat "${SECRETS:-/secrets}/keeper-password")
export REDISCLI_AUTH
ask() { redis-cli --user keeper -h "$POD_IP" -p "$PORT" "$@"; }
ask cluster info | grep -q '^cluster_state:ok'
# A master without slots has lost its volume and was not added to the cluster again yet.
ask cluster nodes | grep -q 'myself.* connected [0-9]' || ask info replication | grep -q '^master_link_status:up'
