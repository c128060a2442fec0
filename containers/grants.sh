#!/bin/sh
# Grants each service's role what it needs, once the tables exist, as their owner.
set -eu
PGPASSWORD=$(cat /secrets/votestream)
export PGPASSWORD
exec psql --host=postgres --username=votestream --dbname=votestream --no-psqlrc --quiet \
    --set=ON_ERROR_STOP=1 --file=/roles.sql
