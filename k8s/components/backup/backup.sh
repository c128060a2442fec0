#!/bin/sh
# Dumps the database, proves that the dump can be read, and keeps the newest ones.
#   PG*           the server, and as the user a role that may read everything
#   FOLDER        the folder with the dumps
#   KEEP          how many dumps to keep
#   WAIT_S        how long to wait for Postgres, in seconds: 60 unless set
set -eu
: "${FOLDER:=/backups}" "${KEEP:=14}"

sh "$(dirname "$0")/wait-for-postgres.sh"

name=votestream-$(date -u +%Y%m%dT%H%M%SZ).dump
# A dump gets its final name only when it is complete.
trap 'rm -f "$FOLDER/.$name"' EXIT
pg_dump --format=custom --no-owner --no-privileges --file "$FOLDER/.$name"
pg_restore --list "$FOLDER/.$name" | grep -q ' TABLE DATA public votes '
sync "$FOLDER/.$name"
mv "$FOLDER/.$name" "$FOLDER/$name"

# A glob sorts names, and the names begin with the time, so the oldest dump comes first.
set -- "$FOLDER"/votestream-*.dump
while [ $# -gt "$KEEP" ]; do
    rm -f "$1"
    shift
done
echo "kept $name, $(wc -c <"$FOLDER/$name") bytes; $# dumps"
