-- The end of the statement that begins in `insert.sql`. Returns the rows written, and how many of them replaced another.
SELECT coalesce(sum(n), 0)::int8 AS counted,
    coalesce(sum(n) FILTER (WHERE prev_choices IS NOT NULL), 0)::int8 AS replaced
FROM alike
WHERE NOT of_itself
