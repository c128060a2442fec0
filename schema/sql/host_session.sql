SELECT o.id, o.name, o.role, o.polls,
       floor(extract(epoch FROM now() - s.confirmed_at))::bigint AS confirmed_age_s
FROM host_sessions s
JOIN organisers o ON o.id = s.organiser_id
WHERE s.hash = $1 AND s.expires_at > now() AND o.revoked_at IS NULL
