#!/bin/sh
# Makes every password of the pipeline on first use, and gives each service those that it needs, in a volume of its own,
# as files that no other user can read. To change a secret, delete its file in /vault and start again.
# schema/access/ defines the rights of the users.
set -eu
umask 077

# secret NAME: prints a secret of 32 bytes, and makes it first if it does not exist.
secret() {
    if [ ! -s "/vault/$1" ]; then
        head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' >"/vault/$1.new"
        mv "/vault/$1.new" "/vault/$1"
    fi
    cat "/vault/$1"
}

# give READER OWNER FILE: writes standard input to the reader's file, completely or not at all.
give() {
    cat >"/secrets/$1/$3.new"
    chmod 400 "/secrets/$1/$3.new"
    chown "$2:$2" "/secrets/$1/$3.new"
    mv "/secrets/$1/$3.new" "/secrets/$1/$3"
}

# A Redis before 7.2 has no WAITAOF, so producers read its settings. This script runs in the image of Redis.
is_redis_before_7_2() {
    case $(redis-server --version) in
        'Redis server v=7.'[01].*) return 0 ;;
        *) return 1 ;;
    esac
}

# user NAME: prints the user's line of Redis' access list, with the hash of its password.
user() {
    rules=$(sed -n "s/^user $1 //p" /redis-users.acl)
    [ -n "$rules" ] || { echo "redis-users.acl has no user $1" >&2; exit 1; }
    if [ "$1" = producer ] && is_redis_before_7_2; then rules="$rules +config|get"; fi
    hash=$(printf %s "$(secret "redis-$1")" | sha256sum | cut -d ' ' -f 1)
    echo "user $1 on #$hash $rules"
}
redis_url() { echo "redis://$1:$(secret "redis-$1")@redis:6379"; }
postgres_url() { echo "postgres://$1:$(secret "postgres-$1")@postgres:5432/votestream"; }

ours=65532 # the user in our images
server=999 # the user in the official images of Redis and Postgres

# The line of the default user is copied unchanged: that user is off, and has no password.
acl=$(grep '^user default off ' /redis-users.acl && user operator && user producer && user consumer && user host)
echo "$acl" | give redis $server users.acl
secret redis-operator | give redis $server password

secret postgres-superuser | give postgres $server password
echo "*:*:*:postgres:$(secret postgres-superuser)" | give postgres $server pgpass
secret postgres-votestream | give postgres $server owner
for role in consumer dashboard host backup; do
    secret "postgres-votestream_$role" | give postgres $server "$role"
done

redis_url producer | give producer $ours redis-url
secret cookie-keys | give producer $ours cookie-keys
# The name stands in receipts and logs for ever.
for reader in producer consumer; do
    echo "votestream.localhost $(secret signing-keys)" | give $reader $ours signing-keys
done
redis_url consumer | give consumer $ours redis-url
postgres_url votestream_consumer | give consumer $ours database-url
postgres_url votestream_dashboard | give dashboard $ours database-url
redis_url host | give host $ours redis-url
postgres_url votestream_host | give host $ours database-url
redis_url operator | give operator $ours redis-url
postgres_url votestream | give operator $ours database-url
secret grafana-admin | give grafana 472 admin-password
