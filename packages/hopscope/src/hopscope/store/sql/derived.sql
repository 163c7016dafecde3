-- Values derived from imported receptions, as the engine's compute, apply and verify. {source} is the import's source id.
-- Live ingest keeps the same values right for what it stores itself, so what is added here counts imported rows only.

-- name: last_seen_compute
select o.transmission_id as id, max(o.heard_at) as last_seen
  from imported_transmissions i join observations o on o.transmission_id = i.transmission_id
 where i.source_id = {source} and i.transmission_id between :first and :last group by 1

-- name: last_seen_apply
update transmissions set last_seen = :last_seen where id = :id and last_seen < :last_seen

-- name: last_seen_verify
select t.id from imported_transmissions i join transmissions t on t.id = i.transmission_id
 where i.source_id = {source} and i.transmission_id between :first and :last and t.last_seen = 0
   and exists (select 1 from observations o where o.transmission_id = t.id)

-- name: observation_count_compute
select o.transmission_id as id, count(*) as added
  from imported_transmissions i join observations o on o.transmission_id = i.transmission_id
 where i.source_id = {source} and o.source_id = {source} and i.transmission_id between :first and :last group by 1

-- name: observation_count_apply
update transmissions set observation_count = observation_count + :added where id = :id

-- name: observation_count_verify
select t.id from imported_transmissions i join transmissions t on t.id = i.transmission_id
 where i.source_id = {source} and i.transmission_id between :first and :last
   and t.observation_count <> (select count(*) from observations o where o.transmission_id = t.id)

-- name: shown_compute
-- the longest path, then the first reception; a TRACE's path holds SNR bytes, one per hop
select id, shown_id, shown_hops, heard_at from (
    select o.transmission_id as id, o.id as shown_id, iif(t.type = 9, length(o.path), o.path_len & 63) as shown_hops,
           o.heard_at, row_number() over (
               partition by o.transmission_id
               order by iif(t.type = 9, length(o.path), o.path_len & 63) desc, o.heard_at, o.id
           ) as place
      from imported_transmissions i
      join transmissions t on t.id = i.transmission_id
      join observations o on o.transmission_id = t.id
     where i.source_id = {source} and i.transmission_id between :first and :last
) where place = 1

-- name: shown_apply
update transmissions set shown_id = :shown_id, shown_hops = :shown_hops
 where id = :id and (shown_hops < :shown_hops or shown_hops = :shown_hops
                     and (select o.heard_at from observations o where o.id = shown_id) > :heard_at)

-- name: shown_verify
select t.id from imported_transmissions i join transmissions t on t.id = i.transmission_id
 where i.source_id = {source} and i.transmission_id between :first and :last and t.shown_id is null
   and exists (select 1 from observations o where o.transmission_id = t.id)

-- name: observer_totals_compute
select o.observer_id as id, count(*) as added, min(o.heard_at) as oldest, max(o.heard_at) as newest
  from observations o
 where o.observer_id between :first and :last and o.source_id = {source} group by 1

-- name: observer_totals_apply
update observers set observation_count = observation_count + :added,
       last_packet_at = max(coalesce(last_packet_at, 0), :newest), last_seen = max(last_seen, :newest),
       first_seen = min(first_seen, :oldest)
 where id = :id

-- name: traffic_compute
select max(o.id) as id, o.heard_at - o.heard_at % 3600000 as hour, coalesce(o.observer_id, 0) as observer_id, t.type,
       count(*) as added
  from observations o cross join transmissions t on t.id = o.transmission_id
 where o.id between :first and :last and o.source_id = {source} group by 2, 3, 4

-- name: traffic_apply
insert into traffic_hourly (hour, observer_id, type, observations) values (:hour, :observer_id, :type, :added)
on conflict (hour, observer_id, type) do update set observations = observations + excluded.observations

-- name: first_receptions_compute
-- a packet counts once, in the hour and for the observer of its first reception; 0: nobody's (it has no reception).
-- One that was counted before the import and turned out to be older moves.
with touched as (
    select i.transmission_id as id, i.created, i.first_seen_before, i.observer_before, t.first_seen, t.type,
           coalesce((select coalesce(o.observer_id, 0) from observations o where o.transmission_id = t.id
                      order by o.heard_at, o.id limit 1), 0) as observer_id
      from imported_transmissions i join transmissions t on t.id = i.transmission_id
     where i.source_id = {source} and i.transmission_id between :first and :last
       and (i.created = 1 or i.first_seen_before is not null)
)
select id, first_seen - first_seen % 3600000 as hour, observer_id, type, 1 as added from touched
union all
select id, first_seen_before - first_seen_before % 3600000, observer_before, type, -1 from touched where created = 0

-- name: first_receptions_apply
insert into traffic_hourly (hour, observer_id, type, transmissions) values (:hour, :observer_id, :type, :added)
on conflict (hour, observer_id, type) do update set transmissions = transmissions + excluded.transmissions

-- name: hash_sizes_compute
select max(o.id) as id, o.heard_at - o.heard_at % 3600000 as hour, (o.path_len >> 6) + 1 as hash_size,
       count(*) as added
  from observations o cross join transmissions t on t.id = o.transmission_id
 where o.id between :first and :last and o.source_id = {source} and t.type <> 9 group by 2, 3

-- name: hash_sizes_apply
insert into hash_sizes_hourly (hour, hash_size, observations) values (:hour, :hash_size, :added)
on conflict (hour, hash_size) do update set observations = observations + excluded.observations

-- name: hops_compute
-- a hop that stands twice in a path counts once
with recursive place (n) as (select 0 union all select n + 1 from place where n < 62)
select max(o.id) as id, (o.path_len >> 6) + 1 as hash_size,
       substr(o.path, 1 + p.n * ((o.path_len >> 6) + 1), (o.path_len >> 6) + 1) as hop,
       count(distinct o.id) as added, max(o.heard_at) as last_seen
  from observations o cross join transmissions t on t.id = o.transmission_id
  cross join place p on p.n < o.path_len & 63
 where o.id between :first and :last and o.source_id = {source} and t.type <> 9 group by 2, 3

-- name: hops_apply
insert into hops (hash_size, hop, observations, last_seen) values (:hash_size, :hop, :added, :last_seen)
on conflict (hash_size, hop) do update set
       observations = observations + excluded.observations, last_seen = max(last_seen, excluded.last_seen)

-- name: channel_index_compute
select t.id, t.frame, t.first_seen from imported_transmissions i join transmissions t on t.id = i.transmission_id
 where i.source_id = {source} and i.transmission_id between :first and :last and t.type = 5 and t.channel_id is null

-- name: channel_index_make
insert into channels (name, hash, encrypted) values (:channel, :hash, :encrypted) on conflict (name) do nothing

-- name: channel_index_count
update channels set message_count = message_count + 1,
       last_message_id = iif(:first_seen >= last_seen, :id, last_message_id), last_seen = max(last_seen, :first_seen)
 where name = :channel and exists (select 1 from transmissions t where t.id = :id and t.channel_id is null)

-- name: channel_index_apply
update transmissions set channel_id = (select c.id from channels c where c.name = :channel)
 where id = :id and channel_id is null

-- name: channel_index_verify
select t.id from imported_transmissions i join transmissions t on t.id = i.transmission_id
 where i.source_id = {source} and i.transmission_id between :first and :last and t.type = 5 and t.channel_id is null

-- name: channel_last_update
-- first_seen of a packet that ingest had stored may have become earlier; one index seek per channel, inside the turn
update channels set
       last_message_id = (select t.id from transmissions t where t.channel_id = channels.id
                           order by t.first_seen desc, t.id desc limit 1),
       last_seen = coalesce((select max(t.first_seen) from transmissions t where t.channel_id = channels.id), 0)
 where id between :first and :last

-- name: node_relations_compute
select t.id, t.frame, coalesce(min(o.heard_at), t.first_seen) as first_heard,
       coalesce(max(o.heard_at), t.first_seen) as last_heard
  from imported_transmissions i join transmissions t on t.id = i.transmission_id
  left join observations o on o.transmission_id = t.id
 where i.source_id = {source} and i.transmission_id between :first and :last and t.type = 4 group by t.id

-- name: node_relations_apply
update transmissions set node_id = :node_id where id = :id and node_id is null
