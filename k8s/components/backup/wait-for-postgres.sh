#!/bin/sh
# Waits until Postgres accepts connections. A pod that has just started may not reach anything yet, because
# its network policies take effect only after a second or more; and the server may be restarting.
#   PG*           where Postgres is
#   WAIT_S        how long to wait at most, in seconds: 60 unless set
set -eu
: "${WAIT_S:=60}"
server="Postgres at ${PGHOST:-the local socket}, port ${PGPORT:-5432}"
started=$(date +%s)
waiting=

until pg_isready --quiet --timeout=3; do
    waited=$(($(date +%s) - started))
    if [ "$waited" -ge "$WAIT_S" ]; then
        # pg_isready does not say why a server cannot be reached; a connection does.
        if why=$(PGCONNECT_TIMEOUT=3 psql --no-psqlrc -At --command 'SELECT 1' 2>&1); then break; fi
        echo "gave up after waiting $waited s for $server: $why" >&2
        exit 1
    fi
    [ -n "$waiting" ] || echo "waiting for $server, $WAIT_S s at most" >&2
    waiting=yes
    sleep 1
done
