-- Pages of transmissions. Each page statement yields (at, id) of one driving index in one direction, between two
-- exclusive bounds: the page's cursor, `since` and `until` are all such bounds. `by_ids` then reads what is shown.

-- name: filters
-- What the driving index does not answer; a null parameter does not filter.
and (:type is null or t.type = :type)
and (:route is null or t.route = :route)
and (:channel is null or t.channel_id = :channel)
and (:nodes is null or t.node_id in (select value from json_each(:nodes)))
and (:observers is null or exists (
    select 1 from observations o
    where o.transmission_id = t.id and o.observer_id in (select value from json_each(:observers))
))

-- name: by_first_seen_desc
-- the packet list
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_first_seen
where (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen desc, t.id desc limit :limit offset :offset

-- name: by_first_seen_asc
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_first_seen
where (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen, t.id limit :limit offset :offset

-- name: by_latest_desc
-- the grouped list; the scalar bounds are for the index on the expression, the pair decides ties
select max(t.first_seen, t.last_seen) as at, t.id from transmissions t indexed by transmissions_by_latest
where max(t.first_seen, t.last_seen) between :after_at and :before_at
and (max(t.first_seen, t.last_seen), t.id) < (:before_at, :before_id)
and (max(t.first_seen, t.last_seen), t.id) > (:after_at, :after_id)
-- include: filters
order by max(t.first_seen, t.last_seen) desc, t.id desc limit :limit offset :offset

-- name: by_latest_asc
select max(t.first_seen, t.last_seen) as at, t.id from transmissions t indexed by transmissions_by_latest
where max(t.first_seen, t.last_seen) between :after_at and :before_at
and (max(t.first_seen, t.last_seen), t.id) < (:before_at, :before_id)
and (max(t.first_seen, t.last_seen), t.id) > (:after_at, :after_id)
-- include: filters
order by max(t.first_seen, t.last_seen), t.id limit :limit offset :offset

-- name: by_type_desc
-- the packet list of one payload type
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_type
where t.type = :type
and (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen desc, t.id desc limit :limit offset :offset

-- name: by_type_asc
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_type
where t.type = :type
and (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen, t.id limit :limit offset :offset

-- name: by_channel_desc
-- a channel's messages
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_channel
where t.channel_id = :channel
and (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen desc, t.id desc limit :limit offset :offset

-- name: by_channel_asc
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_channel
where t.channel_id = :channel
and (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen, t.id limit :limit offset :offset

-- name: by_node_desc
-- a node's adverts
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_node
where t.node_id = :node
and (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen desc, t.id desc limit :limit offset :offset

-- name: by_node_asc
select t.first_seen as at, t.id from transmissions t indexed by transmissions_by_node
where t.node_id = :node
and (t.first_seen, t.id) < (:before_at, :before_id) and (t.first_seen, t.id) > (:after_at, :after_id)
-- include: filters
order by t.first_seen, t.id limit :limit offset :offset

-- name: by_ids
-- what lists show of transmissions, in the order of the ids
select
    t.id, t.hash, t.first_seen, t.last_seen, t.observation_count, t.type, t.route, t.version, t.frame, t.payload_at,
    t.node_id, t.channel_id, t.region,
    o.observer_id, o.snr, o.rssi, o.score, o.direction, o.path_len, o.path
from json_each(:ids) wanted
cross join transmissions t on t.id = wanted.value
left join observations o on o.id = t.shown_id

-- name: id_by_hash
select t.id from transmissions t where t.hash = :hash

-- name: ids_by_hashes
select t.id from json_each(:hashes) wanted cross join transmissions t on t.hash = unhex(wanted.value)

-- name: observers_of
-- who heard each transmission of a page: one row each, because every row that is handed out costs a lock
select wanted.value, (
    select json_group_array(distinct o.observer_id) from observations o
    where o.transmission_id = wanted.value and o.observer_id is not null
)
from json_each(:ids) wanted

-- name: counted
select count(*) from (
-- include: page
)

-- name: observations
-- every reception of some transmissions, oldest first (a table client shows them in this order)
select
    o.id, o.transmission_id, o.observer_id, o.heard_at, o.published_at, o.head, o.path_len, o.path, o.snr, o.rssi,
    o.score, o.direction
from json_each(:ids) wanted
cross join observations o on o.transmission_id = wanted.value
order by wanted.key, o.heard_at, o.id limit :limit

-- name: receptions_of
-- how many receptions some observers have, from their counters
select sum(ob.observation_count) from observers ob where ob.id in (select value from json_each(:observers))

-- name: packets_heard_by
-- the transmissions behind few receptions
select distinct o.transmission_id from observations o
where o.observer_id in (select value from json_each(:observers)) limit :limit

-- name: among
-- few known transmissions that pass the other filters, newest first
select case when :latest then max(t.first_seen, t.last_seen) else t.first_seen end as at, t.id
from json_each(:ids) wanted cross join transmissions t on t.id = wanted.value
where at between :since and :until
-- include: filters
order by at desc, t.id desc

-- name: times
-- a timeline's sparkline
select t.first_seen from transmissions t indexed by transmissions_by_first_seen
where t.first_seen >= :since order by t.first_seen desc limit :limit
