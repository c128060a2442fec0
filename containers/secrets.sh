#!/bin/sh
# Makes every password of the pipeline on first use, and hands each reader its own: a volume each,
# files that nobody else can read. Deleting a file of /vault and starting again changes that secret.
# Whoever may do what in Redis is said in standalone/src/supervisor/redis_users.rs as well.
set -eu
umask 077

# A secret of 32 bytes, made if it is not there.
secret() {
    if [ ! -s "/vault/$1" ]; then
        head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' >"/vault/$1.new"
        mv "/vault/$1.new" "/vault/$1"
    fi
    cat "/vault/$1"
}

# give READER OWNER FILE: what is said on standard input, whole or not at all.
give() {
    cat >"/secrets/$1/$3.new"
    chmod 400 "/secrets/$1/$3.new"
    chown "$2:$2" "/secrets/$1/$3.new"
    mv "/secrets/$1/$3.new" "/secrets/$1/$3"
}

# user NAME RULES: a line of Redis' access list, which holds the hash alone.
user() {
    hash=$(printf %s "$(secret "redis-$1")" | sha256sum | cut -d ' ' -f 1)
    echo "user $1 on #$hash $2"
}
redis_url() { echo "redis://$1:$(secret "redis-$1")@redis:6379"; }
postgres_url() { echo "postgres://$1:$(secret "postgres-$1")@postgres:5432/votestream"; }

ours=65532 # the user of our images
server=999 # of the official images of Redis and Postgres

{
    user default '~* &* +@all'
    user producer '~votes:* ~{votes:* +@connection +@scripting +@transaction +@read +@hash +@blocking -xreadgroup +xadd +time -@admin -@dangerous +info +config|get'
    user consumer '~votes:* ~{votes:* +@connection +@scripting +@transaction +@read +@write +@blocking +time -@admin -@dangerous +info +config|get'
} | give redis $server users.acl
secret redis-default | give redis $server password

secret postgres-superuser | give postgres $server password
for role in votestream votestream_consumer votestream_dashboard; do
    secret "postgres-$role" | give postgres $server "$role"
done

redis_url producer | give producer $ours redis-url
secret cookie-keys | give producer $ours cookie-keys
redis_url consumer | give consumer $ours redis-url
postgres_url votestream_consumer | give consumer $ours database-url
postgres_url votestream_dashboard | give dashboard $ours database-url
redis_url default | give operator $ours redis-url
postgres_url votestream | give operator $ours database-url
