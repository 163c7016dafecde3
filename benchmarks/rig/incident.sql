-- What the live application and the migrations of the benchmark send to the database.

-- name: newest_transmissions
select id from transmissions order by id desc limit :n;

-- name: insert_transmission
insert into transmissions (raw_hex, hash, first_seen, route_type, payload_type, payload_version, decoded_json, last_seen)
values (:raw_hex, :hash, :first_seen, 1, 2, 0, :decoded_json, :timestamp);

-- name: insert_observation
insert into observations (transmission_id, observer_idx, direction, snr, rssi, path_json, timestamp, raw_hex,
                          resolved_path)
values (:transmission_id, :observer_idx, 'rx', -3.25, -101.0, :path_json, :timestamp, :raw_hex, :resolved_path);

-- name: refresh_last_seen
update transmissions set last_seen = max(last_seen, :timestamp) where id = :transmission_id;

-- name: packet_list
select t.id, t.hash, t.first_seen, t.payload_type, t.decoded_json, count(o.id), count(distinct o.observer_idx)
from (select * from transmissions order by first_seen desc limit 50) t
left join observations o on o.transmission_id = t.id
group by t.id order by t.first_seen desc;

-- name: packet_detail
select o.id, o.observer_idx, o.snr, o.rssi, o.path_json, o.timestamp, t.hash, t.raw_hex
from transmissions t join observations o on o.transmission_id = t.id
where t.id = :id order by o.id limit 100;

-- name: observer_activity
select observer_idx, count(*), avg(snr) from observations where timestamp >= :since group by +observer_idx;

-- name: one_statement
update transmissions
set last_seen = coalesce((select max(o.timestamp) from observations o where o.transmission_id = transmissions.id), 0)
where last_seen = 0;

-- name: chunk
update transmissions
set last_seen = coalesce((select max(o.timestamp) from observations o where o.transmission_id = transmissions.id), 0)
where id > :after and id <= :upto and last_seen = 0;

-- name: chunk_end
select max(id) from (select id from transmissions where id > :after and id <= :bound order by id limit :rows);

-- name: bound
select coalesce(max(id), 0) from transmissions;

-- name: compute
select transmission_id as id, max(timestamp) as last_seen
from observations where transmission_id between :first and :last group by 1;

-- name: apply
update transmissions set last_seen = :last_seen where id = :id and last_seen < :last_seen;

-- name: every_observation
select transmission_id, timestamp from observations not indexed;

-- name: every_transmission
select id, last_seen from transmissions not indexed;

-- name: create_index
create index idx_incident on observations (transmission_id, timestamp, snr);
