-- Statements of an import's write turns, and of what is asked about imports. :now is ms UTC.

-- name: known_transmissions
-- which packets of a slice are stored already; :hashes is a JSON array of hex
select unhex(j.value), t.id, t.first_seen
  from json_each(:hashes) j join transmissions t on t.hash = unhex(j.value)

-- name: first_observer
-- who heard a transmission first, as the rollup counted it; 0: unknown
select coalesce(observer_id, 0) from observations where transmission_id = :id order by heard_at, id limit 1

-- name: newest_ids
-- both tables never use an id again, so ids are given out here and rows inserted in one go
select coalesce((select seq from sqlite_sequence where name = 'transmissions'), 0),
       coalesce((select seq from sqlite_sequence where name = 'observations'), 0)

-- name: insert_transmission
-- last_seen 0, no observation counted or shown: the backfills compute what follows from receptions
insert into transmissions (id, hash, first_seen, type, route, version, frame, payload_at, region)
values (:id, :hash, :first_seen, :type, :route, :version, :frame, :payload_at, :region)

-- name: lower_first_seen
update transmissions set first_seen = :first_seen where id = :id and first_seen > :first_seen

-- name: raise_last_seen
-- 0 stays 0: not computed yet, and safe from retention
update transmissions set last_seen = :last_seen where id = :id and last_seen > 0 and last_seen < :last_seen

-- name: take_first_frame
-- the source heard this packet before we did: its frame is the first reception's
update transmissions set first_seen = :first_seen, route = :route, frame = :frame, payload_at = :payload_at,
       region = coalesce(nullif(:region, ''), region)
 where id = :id and first_seen > :first_seen

-- name: created_transmission
insert into imported_transmissions (source_id, transmission_id, created) values (:source_id, :transmission_id, 1)

-- name: touched_transmission
insert into imported_transmissions (source_id, transmission_id, first_seen_before, observer_before)
values (:source_id, :transmission_id, :first_seen_before, :observer_before)
on conflict (source_id, transmission_id) do update
   set first_seen_before = excluded.first_seen_before, observer_before = excluded.observer_before
 where created = 0 and first_seen_before is null and excluded.first_seen_before is not null

-- name: match_packets
-- the transmissions of a slice, and whether this import has touched them; :hashes is a JSON array of hex
select t.hash, t.id, t.first_seen, t.last_seen, i.transmission_id
  from json_each(:hashes) j join transmissions t on t.hash = unhex(j.value)
  left join imported_transmissions i on i.source_id = :source_id and i.transmission_id = t.id

-- name: match_observers
-- :idents is a JSON array
select b.ident, b.id from json_each(:idents) j join observers b on b.ident = j.value

-- name: match_copies
-- per row of a slice: each stored reception it may be a copy of; :rows is a JSON array of [transmission, observer or null,
-- heard_at], :window in ms. Three arms, so that each is found by time in an index, however often the packet was heard: by
-- transmission where there is no publisher's timestamp (imported), by observer where there is one, and at the very moment
-- where the observer is not known.
with slice as materialized (
    select j.value ->> 0 as transmission_id, j.value ->> 1 as observer_id, j.value ->> 2 as heard_at from json_each(:rows) j
)
select o.transmission_id, o.observer_id, o.id, o.published_at, o.heard_at, o.head, o.path_len, o.path, o.snr, o.rssi
  from slice s cross join observations o indexed by observations_by_transmission
    on o.transmission_id = s.transmission_id and o.observer_id = s.observer_id and o.published_at is null
       and o.heard_at between s.heard_at - :window and s.heard_at + :window
union all
select o.transmission_id, o.observer_id, o.id, o.published_at, o.heard_at, o.head, o.path_len, o.path, o.snr, o.rssi
  from slice s cross join observations o indexed by observations_by_observer
    on o.observer_id = s.observer_id and o.heard_at between s.heard_at - :window and s.heard_at + :window
       and o.transmission_id = s.transmission_id and o.published_at is not null
union all
select o.transmission_id, o.observer_id, o.id, o.published_at, o.heard_at, o.head, o.path_len, o.path, o.snr, o.rssi
  from slice s cross join observations o indexed by observations_by_transmission
    on o.transmission_id = s.transmission_id and o.observer_id is null and o.published_at is null
       and o.heard_at = s.heard_at
 where s.observer_id is null

-- name: insert_observer
insert into observers (ident, first_seen, last_seen) values (:ident, :at, :at) on conflict (ident) do nothing

-- name: observer_id
select id from observers where ident = :ident

-- name: insert_observation
insert into observations (id, transmission_id, observer_id, source_id, heard_at, head, path_len, path, snr, rssi, score,
                          direction)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: complete_observation
-- a copy knows what the stored reception lacks
update observations set head = coalesce(head, :head), snr = coalesce(snr, :snr), rssi = coalesce(rssi, :rssi),
       score = coalesce(score, :score)
 where id = :id and (head is null or snr is null or rssi is null or score is null)

-- name: upsert_node
-- what a signed advert said stays; an unsigned description is replaced by a newer one
insert into nodes (pubkey, name, role, lat_e6, lon_e6, first_seen, last_seen, verified, battery_mv, temperature_c)
values (:pubkey, :name, :role, :lat_e6, :lon_e6, :first_seen, :last_seen, 0, :battery_mv, :temperature_c)
on conflict (pubkey) do update set
       name = iif(advert_at is null and excluded.last_seen >= last_seen, excluded.name, name),
       role = iif(advert_at is null and excluded.last_seen >= last_seen, excluded.role, role),
       lat_e6 = iif(advert_at is null and excluded.last_seen >= last_seen, excluded.lat_e6, lat_e6),
       lon_e6 = iif(advert_at is null and excluded.last_seen >= last_seen, excluded.lon_e6, lon_e6),
       battery_mv = iif(excluded.last_seen >= last_seen, coalesce(excluded.battery_mv, battery_mv),
                        coalesce(battery_mv, excluded.battery_mv)),
       temperature_c = iif(excluded.last_seen >= last_seen, coalesce(excluded.temperature_c, temperature_c),
                           coalesce(temperature_c, excluded.temperature_c)),
       first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)

-- name: known_nodes
select count(*) from json_each(:keys) j join nodes n on n.pubkey = unhex(j.value)

-- name: upsert_observer
-- each group of columns is replaced whole by a newer one, as ingest does
insert into observers (ident, first_seen, last_seen, name, name_at, iata, iata_at, last_packet_at, model, firmware,
                       client_version, radio, info_at, battery_mv, uptime_s, noise_floor, stats_at, clock_skew_ms,
                       clock_at, clock_naive_at)
values (:ident, :first_seen, :last_seen, :name, :name_at, :iata, :iata_at, :last_packet_at, :model, :firmware,
        :client_version, :radio, :info_at, :battery_mv, :uptime_s, :noise_floor, :stats_at, :clock_skew_ms, :clock_at,
        :clock_naive_at)
on conflict (ident) do update set
       name = iif(excluded.name_at > coalesce(name_at, 0), excluded.name, name),
       name_at = nullif(max(coalesce(name_at, 0), coalesce(excluded.name_at, 0)), 0),
       iata = iif(excluded.iata_at > coalesce(iata_at, 0), excluded.iata, iata),
       iata_at = nullif(max(coalesce(iata_at, 0), coalesce(excluded.iata_at, 0)), 0),
       model = iif(excluded.info_at > coalesce(info_at, 0), excluded.model, model),
       firmware = iif(excluded.info_at > coalesce(info_at, 0), excluded.firmware, firmware),
       client_version = iif(excluded.info_at > coalesce(info_at, 0), excluded.client_version, client_version),
       radio = iif(excluded.info_at > coalesce(info_at, 0), excluded.radio, radio),
       info_at = nullif(max(coalesce(info_at, 0), coalesce(excluded.info_at, 0)), 0),
       battery_mv = iif(excluded.stats_at > coalesce(stats_at, 0), excluded.battery_mv, battery_mv),
       uptime_s = iif(excluded.stats_at > coalesce(stats_at, 0), excluded.uptime_s, uptime_s),
       noise_floor = iif(excluded.stats_at > coalesce(stats_at, 0), excluded.noise_floor, noise_floor),
       stats_at = nullif(max(coalesce(stats_at, 0), coalesce(excluded.stats_at, 0)), 0),
       clock_skew_ms = iif(excluded.clock_at > coalesce(clock_at, 0), excluded.clock_skew_ms, clock_skew_ms),
       clock_at = nullif(max(coalesce(clock_at, 0), coalesce(excluded.clock_at, 0)), 0),
       clock_naive_at = nullif(max(coalesce(clock_naive_at, 0), coalesce(excluded.clock_naive_at, 0)), 0),
       last_packet_at = nullif(max(coalesce(last_packet_at, 0), coalesce(excluded.last_packet_at, 0)), 0),
       first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)

-- name: known_observers
select count(*) from json_each(:idents) j join observers b on b.ident = j.value

-- name: known_metrics
-- :rows is a JSON array of [observer, at]
select count(*) from json_each(:rows) j join observers b on b.ident = j.value ->> 0
  join observer_metrics m on m.observer_id = b.id and m.at = j.value ->> 1

-- name: upsert_metric
insert into observer_metrics (observer_id, at, noise_floor, battery_mv, tx_air_s, rx_air_s, recv_errors, packets_sent,
                              packets_received)
values ((select id from observers where ident = :observer), :at, :noise_floor, :battery_mv, :tx_air_s, :rx_air_s,
        :recv_errors, :packets_sent, :packets_received)
on conflict (observer_id, at) do update set
       noise_floor = coalesce(noise_floor, excluded.noise_floor),
       battery_mv = coalesce(battery_mv, excluded.battery_mv),
       tx_air_s = coalesce(tx_air_s, excluded.tx_air_s),
       rx_air_s = coalesce(rx_air_s, excluded.rx_air_s),
       recv_errors = coalesce(recv_errors, excluded.recv_errors),
       packets_sent = coalesce(packets_sent, excluded.packets_sent),
       packets_received = coalesce(packets_received, excluded.packets_received)

-- name: known_edges
-- :rows is a JSON array of [node_a, node_b] in hex
select count(*) from json_each(:rows) j
  join neighbor_edges e on e.node_a = unhex(j.value ->> 0) and e.node_b = unhex(j.value ->> 1)

-- name: upsert_edge
-- the greater count, not the sum: importing a file again must not count its edges twice
insert into neighbor_edges (node_a, node_b, count, last_seen) values (:node_a, :node_b, :count, :last_seen)
on conflict (node_a, node_b) do update set
       count = max(count, excluded.count), last_seen = max(last_seen, excluded.last_seen)

-- name: add_counter
update counters set value = value + :count where name = :name

-- name: count_rows
update import_tables set imported = imported + :imported, merged = merged + :merged,
       quarantined = quarantined + :quarantined
 where import_id = :import_id and name = :name

-- name: rejects
-- how often this import has refused rows so far, by reason
select reason, count from reject_counts where source_id = :source_id

-- name: insert_quarantine
insert into quarantine (at, source_id, reason, detail, topic, record)
values (:now, :source_id, :reason, :detail, :topic, :record)

-- name: prune_quarantine
delete from quarantine where reason = :reason
   and id <= (select id from quarantine where reason = :reason order by id desc limit 1 offset :kept)

-- name: add_rejects
insert into reject_counts (source_id, reason, count, last_at) values (:source_id, :reason, :count, :now)
on conflict (source_id, reason) do update set
       count = count + excluded.count, last_at = max(last_at, excluded.last_at)
