#!/bin/sh
# Starts one of the pod's two nodes. Redis replaces this shell, so it gets SIGTERM itself.
#   PORT                6379 or 6380
#   POD_IP POD_NAME     the address and the name under which the other nodes find it
#   SERVICE             the pods' headless service
# CONFIG, SECRETS, DATA and RUN replace the folders of the manifests, for tests.
set -eu
: "${CONFIG:=/config}" "${SECRETS:=/secrets}" "${DATA:=/data}" "${RUN:=/run/redis}"
umask 077
mkdir -p "$DATA/$PORT"
# The replicas' password is copied from file to file, because an argument could be seen.
{
    cat "$CONFIG/redis.conf"
    echo "port $PORT"
    echo "dir $DATA/$PORT"
    echo "masterauth $(cat "$SECRETS/replica-password")"
    echo "cluster-announce-ip $POD_IP"
    echo "cluster-announce-hostname $POD_NAME.$SERVICE"
} >"$RUN/$PORT.conf"
exec redis-server "$RUN/$PORT.conf"
