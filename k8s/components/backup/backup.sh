#!/bin/sh
# Dumps the database, proves that the dump can be read, and keeps the newest ones.
#   PG*           where and as whom (a role that reads everything)
#   FOLDER        where dumps are kept
#   KEEP          how many
#   WAIT_S        how long to wait for Postgres, in seconds: 60 unless set
set -eu
: "${FOLDER:=/backups}" "${KEEP:=14}"

sh "$(dirname "$0")/wait-for-postgres.sh"

name=votestream-$(date -u +%Y%m%dT%H%M%SZ).dump
# Never half a dump under a dump's name.
trap 'rm -f "$FOLDER/.$name"' EXIT
pg_dump --format=custom --no-owner --no-privileges --file "$FOLDER/.$name"
pg_restore --list "$FOLDER/.$name" | grep -q ' TABLE DATA public votes '
sync "$FOLDER/.$name"
mv "$FOLDER/.$name" "$FOLDER/$name"

# Names sort by time; a glob gives them sorted.
set -- "$FOLDER"/votestream-*.dump
while [ $# -gt "$KEEP" ]; do
    rm -f "$1"
    shift
done
echo "kept $name, $(wc -c <"$FOLDER/$name") bytes; $# dumps"
