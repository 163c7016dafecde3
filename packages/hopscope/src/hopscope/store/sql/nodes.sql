-- The node list and single nodes.

-- name: columns
n.id, n.pubkey, n.name, n.role, n.lat_e6, n.lon_e6, n.first_seen, n.last_seen, n.advert_at, n.advert_count, n.verified,
n.hash_sizes, n.hash_size, n.battery_mv, n.temperature_c

-- name: filters
-- a null parameter does not filter; a node is in a region when an observer of that region heard its newest advert
n.pubkey not in (select unhex(value) from json_each(:hidden))
and (:role is null or n.role = :role)
and (:heard_since is null or n.last_seen >= :heard_since)
and (:known_before is null or n.first_seen <= :known_before)
and (:search is null or instr(lower(n.name), :search) or instr(lower(hex(n.pubkey)), :search) = 1)
and (:observers is null or exists (
    select 1 from transmissions t cross join observations o on o.transmission_id = t.id
    where t.hash = n.advert_hash and o.observer_id in (select value from json_each(:observers))
))

-- name: newest
-- the node list: newest heard first, after the cursor
select
-- include: columns
from nodes n indexed by nodes_by_last_seen
where n.last_seen <= :before_at and (n.last_seen, n.id) < (:before_at, :before_id) and
-- include: filters
order by n.last_seen desc, n.id desc limit :limit offset :offset

-- name: sorted
-- the node list in another order; thousands of rows at most, sorted as a whole
select
-- include: columns
from nodes n
where
-- include: filters
order by
    case when :order = 'name' then n.name is null end,
    case when :order = 'name' then lower(n.name) end,
    case when :order = 'advert_count' then n.advert_count end desc,
    case when :order = 'first_seen' then n.first_seen end desc,
    n.id
limit :limit offset :offset

-- name: total
select count(*) from nodes n where
-- include: filters

-- name: between
-- nodes whose key begins with some digits: keys from :first to :last
select
-- include: columns
from nodes n where n.pubkey between :first and :last limit :limit

-- name: named
-- nodes whose name holds one of the hide markers
select n.pubkey, n.name from nodes n
where exists (select 1 from json_each(:markers) marker where instr(n.name, marker.value))

-- name: by_ids
select
-- include: columns
from json_each(:ids) wanted cross join nodes n on n.id = wanted.value

-- name: by_pubkeys
select
-- include: columns
from json_each(:pubkeys) wanted cross join nodes n on n.pubkey = unhex(wanted.value)

-- name: reach
-- who heard the adverts of a node, from its newest adverts
select o.observer_id, count(*), avg(o.snr), avg(o.rssi), max(o.heard_at), avg(case when t.type <> 9 then o.path_len & 63 end)
from (select id, type from transmissions where node_id = :node order by first_seen desc limit :adverts) t
cross join observations o on o.transmission_id = t.id
group by o.observer_id order by count(*) desc, o.observer_id

-- name: adverts_since
select count(*) from transmissions t where t.node_id = :node and t.first_seen >= :since

-- name: named_exactly
select
-- include: columns
from nodes n where n.name = :name limit :limit

-- name: middle
select avg(n.lat_e6), avg(n.lon_e6) from nodes n where n.lat_e6 is not null

-- name: candidates
-- nodes whose key lies in one of some intervals
select wanted.key,
-- include: columns
from json_each(:wanted) wanted
cross join nodes n on n.pubkey between unhex(wanted.value ->> 0) and unhex(wanted.value ->> 1)
