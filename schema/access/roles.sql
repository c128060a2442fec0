-- The Postgres roles: the owner of the tables for votectl, one role for each service that can do exactly its
-- work, and one that reads everything for backups. Run this as a superuser, or as a managed service's
-- administrator, and then database.sql. Running it again sets the passwords and changes nothing else.
-- `votectl migrate` grants the rights of consumer, dashboard and host, once there are tables.
-- The passwords are psql variables; the one-machine supervisor puts them in itself.
--
-- The last number of a role is its connection limit, so that no role can use up all sessions; -1 is no limit.
-- A dashboard has at most 4 sessions, and 48 are enough for twice the 6 replicas of its autoscaler, because old
-- replicas end while new ones start. A consumer has 5 sessions, or 8 on a Redis Cluster with 4 partitions; 96
-- are enough for twice its 8 replicas, or for 12 on a cluster. k8s/check compares these numbers with the
-- autoscalers and with max_connections. The host's service has at most 12 sessions: 36 are enough for two replicas while
-- they are replaced. For more replicas: ALTER ROLE votestream_dashboard CONNECTION LIMIT 80.
-- A limit that is set already is kept.
SELECT set_config('votestream.owner', :'owner_password', false) IS NOT NULL
   AND set_config('votestream.consumer', :'consumer_password', false) IS NOT NULL
   AND set_config('votestream.dashboard', :'dashboard_password', false) IS NOT NULL
   AND set_config('votestream.host', :'host_password', false) IS NOT NULL
   AND set_config('votestream.backup', :'backup_password', false) IS NOT NULL AS passwords_given;
DO $$
DECLARE
    role text;
    password text;
    sessions integer;
BEGIN
    FOR role, password, sessions IN VALUES
        ('votestream', current_setting('votestream.owner'), -1),
        ('votestream_consumer', current_setting('votestream.consumer'), 96),
        ('votestream_dashboard', current_setting('votestream.dashboard'), 48),
        ('votestream_host', current_setting('votestream.host'), 36),
        ('votestream_backup', current_setting('votestream.backup'), 8)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, password);
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role AND rolconnlimit = -1) THEN
            EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', role, sessions);
        END IF;
    END LOOP;
END $$;
ALTER ROLE votestream_dashboard SET default_transaction_read_only = on;
ALTER ROLE votestream_backup SET default_transaction_read_only = on;
GRANT pg_read_all_data TO votestream_backup;
