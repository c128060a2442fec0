-- Takes away rights that Postgres gives to every role in every database: temporary tables, large objects, and
-- before release 15 tables in the schema `public`. Nothing of ours needs them, and all of them fill the disk.
-- Run this as a superuser in the database `votestream`, and in `postgres`, which every role may enter as well.
-- An administrator who is no superuser, and `votectl migrate`, which runs this too, may lack the right for a
-- statement; that statement then changes nothing and prints a notice. The owner of the database keeps its rights.
DO $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()),
        'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
        'REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC'
    ] LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'without effect: %; as a superuser, run it in database %', statement, current_database();
        END;
    END LOOP;
END $$;
