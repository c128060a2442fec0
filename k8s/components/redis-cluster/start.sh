#!/bin/sh
# Starts one of the pod's two nodes, in this shell's place: it is the one that is told to stop.
#   PORT                6379 or 6380
#   POD_IP POD_NAME     where and under what name the others find it
#   SERVICE             the pods' headless service
# Folders, where they are not the manifests': CONFIG, SECRETS, DATA, RUN.
set -eu
: "${CONFIG:=/config}" "${SECRETS:=/secrets}" "${DATA:=/data}" "${RUN:=/run/redis}"
umask 077
mkdir -p "$DATA/$PORT"
# The replicas' password goes from file to file: an argument could be seen.
{
    cat "$CONFIG/redis.conf"
    echo "port $PORT"
    echo "dir $DATA/$PORT"
    echo "masterauth $(cat "$SECRETS/replica-password")"
    echo "cluster-announce-ip $POD_IP"
    echo "cluster-announce-hostname $POD_NAME.$SERVICE"
} >"$RUN/$PORT.conf"
exec redis-server "$RUN/$PORT.conf"
