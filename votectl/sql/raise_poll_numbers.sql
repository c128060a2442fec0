-- Lets the next poll have a number above $1, and above all that this database has given out. Returns the highest so far.
SELECT setval(
    pg_get_serial_sequence('polls', 'id'),
    greatest($1, (SELECT coalesce(max(id), 0) FROM polls), (SELECT last_value FROM pg_sequences
        WHERE format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('polls', 'id')), 1)
)::int4
