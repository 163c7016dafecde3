-- What was committed since the live feed last looked.

-- name: newest_id
select coalesce(max(o.id), 0) from observations o

-- name: after
-- receptions of live sources, oldest first; an import's receptions are history, not news
select
    o.id, o.transmission_id, o.observer_id, o.heard_at, o.published_at, o.head, o.path_len, o.path, o.snr, o.rssi,
    o.score, o.direction
from observations o cross join sources s on s.id = o.source_id
where o.id > :after and o.id <= :last and s.kind in ('mqtt', 'demo')
order by o.id limit :limit
