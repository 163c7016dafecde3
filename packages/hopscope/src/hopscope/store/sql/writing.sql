-- Statements of the writer's ingest transaction. Parameters are positional where a statement runs once per row.

-- name: source_id
select id from sources where name = ?

-- name: register_source
insert into sources (name, kind, address) values (:name, :kind, :address)
on conflict (name) do update set kind = excluded.kind, address = excluded.address

-- name: count_source_records
update sources set records = records + ?2, last_record_at = max(coalesce(last_record_at, ?3), ?3) where id = ?1

-- name: save_source_state
update sources set connected = :connected, connected_at = coalesce(:connected_at, connected_at),
       disconnected_at = coalesce(:disconnected_at, disconnected_at), last_error = :last_error,
       connects = connects + :connects, disconnects = disconnects + :disconnects
 where name = :name

-- name: forget_connections
-- a writer that died left sources marked as connected
update sources set connected = 0 where connected

-- name: observer
select id, first_seen, last_seen, last_packet_at, observation_count, name, name_at, iata, iata_at, status, status_at,
       model, firmware, client_version, radio, info_at, battery_mv, uptime_s, noise_floor, stats_at,
       clock_skew_ms, clock_at, clock_naive_at
  from observers where ident = ?

-- name: insert_observer
insert into observers (ident, first_seen, last_seen) values (?1, ?2, ?2)

-- name: update_observer
update observers set first_seen = :first_seen, last_seen = :last_seen, last_packet_at = :last_packet_at,
       observation_count = :observation_count, name = :name, name_at = :name_at, iata = :iata, iata_at = :iata_at,
       status = :status, status_at = :status_at, model = :model, firmware = :firmware,
       client_version = :client_version, radio = :radio, info_at = :info_at, battery_mv = :battery_mv,
       uptime_s = :uptime_s, noise_floor = :noise_floor, stats_at = :stats_at, clock_skew_ms = :clock_skew_ms,
       clock_at = :clock_at, clock_naive_at = :clock_naive_at
 where id = :id

-- name: insert_metrics
-- the first sample of five minutes stays, a later one fills what it lacks
insert into observer_metrics (observer_id, at, noise_floor, battery_mv, tx_air_s, rx_air_s, recv_errors, packets_sent,
                              packets_received)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (observer_id, at) do update set
       noise_floor = coalesce(noise_floor, excluded.noise_floor),
       battery_mv = coalesce(battery_mv, excluded.battery_mv),
       tx_air_s = coalesce(tx_air_s, excluded.tx_air_s),
       rx_air_s = coalesce(rx_air_s, excluded.rx_air_s),
       recv_errors = coalesce(recv_errors, excluded.recv_errors),
       packets_sent = coalesce(packets_sent, excluded.packets_sent),
       packets_received = coalesce(packets_received, excluded.packets_received)

-- name: node
select id, pubkey, first_seen, last_seen, name, role, lat_e6, lon_e6, advert_at, advert_hash, advert_heard_at,
       advert_count, verified, hash_sizes, hash_size
  from nodes where pubkey = ?

-- name: insert_node
insert into nodes (pubkey, first_seen, last_seen) values (?1, ?2, ?2)

-- name: update_node
update nodes set first_seen = :first_seen, last_seen = :last_seen, name = :name, role = :role, lat_e6 = :lat_e6,
       lon_e6 = :lon_e6, advert_at = :advert_at, advert_hash = :advert_hash, advert_heard_at = :advert_heard_at,
       advert_count = :advert_count, verified = :verified, hash_sizes = :hash_sizes, hash_size = :hash_size
 where id = :id

-- name: channel
select id, message_count, last_message_id, last_seen from channels where name = ?

-- name: insert_channel
insert into channels (name, hash, encrypted) values (?, ?, ?)

-- name: update_channel
update channels set message_count = :message_count, last_message_id = :last_message_id, last_seen = :last_seen
 where id = :id

-- name: transmission
select id, type, first_seen, last_seen, observation_count, shown_id, shown_hops from transmissions where hash = ?

-- name: first_observer
-- who heard a transmission first, as the rollup counted it
select observer_id from observations where transmission_id = ? order by heard_at, id limit 1

-- name: newest_ids
-- both tables never use an id again, so the writer gives out ids itself and inserts in one go
select coalesce((select seq from sqlite_sequence where name = 'transmissions'), 0),
       coalesce((select seq from sqlite_sequence where name = 'observations'), 0)

-- name: insert_transmission
insert into transmissions (id, hash, first_seen, last_seen, observation_count, type, route, version, frame, payload_at,
                           shown_id, shown_hops, node_id, channel_id, region)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_transmission
update transmissions set last_seen = ?2, observation_count = ?3, shown_id = ?4, shown_hops = ?5 where id = ?1

-- name: update_first_reception
-- a reception turned up that was earlier than the first one known
update transmissions set first_seen = ?2, route = ?3, frame = ?4, payload_at = ?5, region = ?6 where id = ?1

-- name: insert_observation
insert into observations (id, transmission_id, observer_id, source_id, heard_at, published_at, head, path_len, path,
                          snr, rssi, score, direction)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: copies_with_timestamp
-- receptions that a record with a publisher's timestamp may be a copy of
select id, published_at, heard_at, head, path_len, path from observations
 where transmission_id = :transmission_id and observer_id = :observer_id and published_at = :published_at
union all
select id, published_at, heard_at, head, path_len, path from observations
 where transmission_id = :transmission_id and observer_id = :observer_id and published_at is null
   and heard_at between :after and :before

-- name: copies_without_timestamp
-- the same for a record without one; `first` and `last` are wider when the broker says that it repeats itself
select id, published_at, heard_at, head, path_len, path from observations indexed by observations_by_transmission
 where transmission_id = :transmission_id and observer_id = :observer_id and published_at is null
   and heard_at between :first and :last
union all
select id, published_at, heard_at, head, path_len, path from observations indexed by observations_by_observer
 where observer_id = :observer_id and heard_at between :after and :before
   and transmission_id = :transmission_id and published_at is not null

-- name: complete_observation
-- a copy knows what the stored reception lacks
update observations set head = coalesce(head, ?2), published_at = coalesce(published_at, ?3), snr = coalesce(snr, ?4),
       rssi = coalesce(rssi, ?5), score = coalesce(score, ?6)
 where id = ?1

-- name: add_traffic
insert into traffic_hourly (hour, observer_id, type, observations, transmissions) values (?, ?, ?, ?, ?)
on conflict (hour, observer_id, type) do update set
       observations = observations + excluded.observations, transmissions = transmissions + excluded.transmissions

-- name: add_hash_sizes
insert into hash_sizes_hourly (hour, hash_size, observations) values (?, ?, ?)
on conflict (hour, hash_size) do update set observations = observations + excluded.observations

-- name: add_hops
insert into hops (hash_size, hop, observations, last_seen) values (?, ?, ?, ?)
on conflict (hash_size, hop) do update set
       observations = observations + excluded.observations, last_seen = max(last_seen, excluded.last_seen)

-- name: add_counter
update counters set value = value + ?2 where name = ?1

-- name: is_quarantined
-- a broker repeats a record that we refused, but did not acknowledge in time
select 1 from quarantine where reason = ?1 and source_id = ?2 and topic = ?3 and record = ?4 limit 1

-- name: insert_quarantine
insert into quarantine (at, source_id, reason, detail, topic, record) values (?, ?, ?, ?, ?, ?)

-- name: prune_quarantine
delete from quarantine where reason = ?1
   and id <= (select id from quarantine where reason = ?1 order by id desc limit 1 offset ?2)

-- name: add_rejects
insert into reject_counts (source_id, reason, count, last_at) values (?, ?, ?, ?)
on conflict (source_id, reason) do update set
       count = count + excluded.count, last_at = max(last_at, excluded.last_at)

-- name: save_turns
insert into writer_stats (component, at, turns, rows, failures, wait_p50, wait_p95, wait_max, hold_p50, hold_p95, hold_max)
values (:component, :at, :turns, :rows, :failures, :wait_p50, :wait_p95, :wait_max, :hold_p50, :hold_p95, :hold_max)
on conflict (component) do update set at = excluded.at, turns = excluded.turns, rows = excluded.rows,
       failures = excluded.failures, wait_p50 = excluded.wait_p50, wait_p95 = excluded.wait_p95,
       wait_max = excluded.wait_max, hold_p50 = excluded.hold_p50, hold_p95 = excluded.hold_p95,
       hold_max = excluded.hold_max

-- name: database_id
select value from meta where key = 'database_id'

-- name: subscribed
select value from meta where key = ?

-- name: save_subscribed
insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value
