-- The link is used up, whether it is still valid or not.
WITH used AS (
    DELETE FROM host_links WHERE hash = $1 RETURNING organiser_id, expires_at
)
SELECT o.id, o.name, o.role, o.polls
FROM used
JOIN organisers o ON o.id = used.organiser_id
WHERE used.expires_at > now() AND o.revoked_at IS NULL
