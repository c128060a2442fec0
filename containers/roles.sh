#!/bin/sh
# Makes database and roles where they are missing, and sets the roles' passwords to what the secrets
# say: an owner for votectl, and a role for each service (standalone/src/supervisor/database.rs).
set -eu

PGPASSWORD=$(cat /secrets/password)
PGPASSFILE=/dev/null
export PGPASSWORD PGPASSFILE
ask() { psql --host=postgres --username=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1; }

for role in votestream votestream_consumer votestream_dashboard; do
    # Of hexadecimal digits: nothing to escape. By standard input, so that no list of processes shows it.
    ask <<SQL
SELECT 'CREATE ROLE $role' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') \\gexec
ALTER ROLE $role LOGIN PASSWORD '$(cat "/secrets/$role")';
SQL
done
ask <<'SQL'
ALTER ROLE votestream_dashboard SET default_transaction_read_only = on;
SELECT 'CREATE DATABASE votestream OWNER votestream'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'votestream') \gexec
SQL
