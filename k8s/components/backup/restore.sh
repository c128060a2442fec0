#!/bin/sh
# Restores a dump into an empty database, all or nothing. Afterwards the Job runs `votectl migrate`, which grants the services'
# roles their rights again, and `votectl resync`, which settles a Redis that was kept.
#   PG*           the server, and the owner of the database as the user
#   FOLDER        the folder with the dumps
#   DUMP          the name of the dump; the newest one if empty
#   WAIT_S        how long to wait for Postgres, in seconds: 60 unless set
set -eu
: "${FOLDER:=/backups}" "${DUMP:=}"

if [ -z "$DUMP" ]; then
    for file in "$FOLDER"/votestream-*.dump; do DUMP=${file##*/}; done
fi
[ -f "$FOLDER/$DUMP" ] || { echo "there is no dump $FOLDER/$DUMP" >&2; exit 1; }

sh "$(dirname "$0")/wait-for-postgres.sh"
ask() { psql --no-psqlrc -At --set ON_ERROR_STOP=1 --command "$1"; }
tables=$(ask "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
if [ "$tables" -ne 0 ]; then
    echo "database $PGDATABASE is not empty: $tables tables; restore into an empty one" >&2
    exit 1
fi
# The schema `public` is left out: it exists already, and the owner of the database may not own it.
list=$(mktemp)
trap 'rm -f "$list"' EXIT
pg_restore --list "$FOLDER/$DUMP" | grep -v ' SCHEMA - public ' >"$list"
pg_restore --single-transaction --exit-on-error --no-owner --no-privileges --use-list "$list" \
    --dbname "$PGDATABASE" "$FOLDER/$DUMP"
# A Redis that was kept is of another time now. The new epoch says so, and no ballot is taken until `votectl resync`.
ask "DO \$\$ BEGIN UPDATE deployment SET epoch = gen_random_uuid();
     EXCEPTION WHEN undefined_column THEN NULL; END \$\$" >/dev/null
echo "restored $DUMP: $(ask 'SELECT count(*) FROM votes') votes in $(ask 'SELECT count(*) FROM polls') polls"
