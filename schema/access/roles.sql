-- The Postgres roles: the owner of the tables for votectl, one role for each service that can do exactly its
-- work, and one that reads everything for backups. Run this as a superuser, or as a managed service's
-- administrator. Running it again sets the passwords and changes nothing else. `votectl migrate` grants the
-- rights of consumer and dashboard, once there are tables.
-- The passwords are psql variables; the one-machine supervisor puts them in itself.
SELECT set_config('votestream.owner', :'owner_password', false) IS NOT NULL
   AND set_config('votestream.consumer', :'consumer_password', false) IS NOT NULL
   AND set_config('votestream.dashboard', :'dashboard_password', false) IS NOT NULL
   AND set_config('votestream.backup', :'backup_password', false) IS NOT NULL AS passwords_given;
DO $$
DECLARE
    role text;
    password text;
BEGIN
    FOR role, password IN VALUES
        ('votestream', current_setting('votestream.owner')),
        ('votestream_consumer', current_setting('votestream.consumer')),
        ('votestream_dashboard', current_setting('votestream.dashboard')),
        ('votestream_backup', current_setting('votestream.backup'))
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, password);
    END LOOP;
END $$;
ALTER ROLE votestream_dashboard SET default_transaction_read_only = on;
ALTER ROLE votestream_backup SET default_transaction_read_only = on;
GRANT pg_read_all_data TO votestream_backup;
