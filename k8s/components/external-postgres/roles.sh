#!/bin/sh
# Makes the roles and the database, or sets the roles' passwords again if they are there. Postgres runs it when its volume is
# empty, as its superuser; the component external-postgres runs it against a managed server.
#   PASSWORDS   a folder with the files owner, consumer, dashboard, host, backup
#   ROLES_SQL   schema/access/roles.sql; database.sql lies beside it
set -eu
: "${PASSWORDS:=/passwords}" "${ROLES_SQL:=/roles/roles.sql}"

# The image's entry point calls the superuser POSTGRES_USER.
PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}}
export PGUSER

# Passwords become psql variables on standard input, because the arguments of a process can be seen.
for name in owner consumer dashboard host backup; do
    quoted=$(sed "s/\\\\/\\\\\\\\/g; s/'/''/g" "$PASSWORDS/$name")
    printf '%s%s_password '"'%s'"'\n' '\set ' "$name" "$quoted"
done | cat - "$ROLES_SQL" | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres >/dev/null

if [ -z "$(psql --no-psqlrc -At --dbname postgres --command "SELECT 1 FROM pg_database WHERE datname = 'votestream'")" ]; then
    # A managed service's administrator may give a database only to a role it is in.
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres \
        --command 'GRANT votestream TO CURRENT_USER' \
        --command 'CREATE DATABASE votestream OWNER votestream'
fi
for database in votestream postgres; do
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$database" --file "${ROLES_SQL%/*}/database.sql"
done
echo 'roles and database are there'
