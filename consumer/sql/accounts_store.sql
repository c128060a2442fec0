-- Stores what became of the ballots of each poll. $1 when; then an array per column.
INSERT INTO accounts AS a (poll_id, taken_at_ms, accepted, counted, replaced, out_of_time, no_such_code, dead, dropped,
    waiting, differs_since_ms)
SELECT poll_id, $1, accepted, counted, replaced, out_of_time, no_such_code, dead, dropped, waiting,
    CASE WHEN accepted <> counted + replaced + out_of_time + no_such_code + dead + dropped + waiting THEN $1 END
FROM unnest($2::int4[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[])
    AS i (poll_id, accepted, counted, replaced, out_of_time, no_such_code, dead, dropped, waiting)
ON CONFLICT (poll_id) DO UPDATE SET
    taken_at_ms = excluded.taken_at_ms, accepted = excluded.accepted, counted = excluded.counted,
    replaced = excluded.replaced, out_of_time = excluded.out_of_time, no_such_code = excluded.no_such_code,
    dead = excluded.dead, dropped = excluded.dropped, waiting = excluded.waiting,
    differs_since_ms = CASE WHEN excluded.differs_since_ms IS NOT NULL
        THEN coalesce(a.differs_since_ms, excluded.differs_since_ms) END
