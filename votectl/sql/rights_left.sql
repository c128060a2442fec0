-- The rights to make something that a role of a service still has.
SELECT
    has_database_privilege($1, current_database(), 'TEMPORARY') AS temporary_tables,
    has_schema_privilege($1, 'public', 'CREATE') AS tables,
    has_function_privilege($1, 'pg_catalog.lo_create(oid)', 'EXECUTE') AS large_objects
