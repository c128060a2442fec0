SELECT t.id, floor(extract(epoch FROM t.at) * 1000)::bigint AS at_ms, t.actor, t.db_role, t.action, p.slug,
       t.before::text AS before, t.after::text AS after
FROM audit_trail t
LEFT JOIN polls p ON p.id = t.poll_id
WHERE $1::integer IS NULL OR t.poll_id = $1
ORDER BY t.id DESC
LIMIT $2
