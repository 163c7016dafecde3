-- Totals. Big tables are counted in `counters` and the rollups; what is counted here is small or bounded by an index.

-- name: counter
select value from counters where name = ?

-- name: counters
select name, value from counters

-- name: meta
select value from meta where key = ?

-- name: node_roles
-- how many nodes of each role, ever and heard since then; a node list has thousands of rows, not millions
select n.role, count(*), sum(n.last_seen >= :since) from nodes n group by n.role

-- name: observer_total
select count(*) from observers

-- name: receptions_in_hours
-- from the rollup: whole hours from :first on
select coalesce(sum(h.observations), 0) from traffic_hourly h where h.hour >= :first

-- name: receptions_between
-- exact, by observer: [:first, :last)
select ob.id, (
    select count(*) from observations o
    where o.observer_id = ob.id and o.heard_at >= :first and o.heard_at < :last
)
from observers ob where ob.last_packet_at >= :first

-- name: page_facts
select p.page_count, p.page_size, f.freelist_count
from (select page_count, page_size from pragma_page_count, pragma_page_size) p, pragma_freelist_count f
