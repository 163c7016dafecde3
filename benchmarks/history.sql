-- The tables and indexes of a CoreScope database as its operators have it after all of its migrations: the same
-- names, types and affinities, written from a description of them. Times are TEXT or epoch seconds as there.

-- name: tables
create table transmissions (
    id integer primary key autoincrement,
    raw_hex text not null,                      -- frame of the first observation, case as received
    hash text not null unique,                  -- 16 lowercase hex digits
    first_seen text not null,                   -- RFC 3339 UTC; older rows with milliseconds
    route_type integer,
    payload_type integer,
    payload_version integer,
    decoded_json text,
    created_at text default (datetime('now')),
    channel_hash text default null,
    from_pubkey text,
    scope_name text default null,
    last_seen integer not null default 0        -- epoch seconds of the newest observation; 0: not yet computed
);
create table observations (
    id integer primary key autoincrement,
    transmission_id integer not null references transmissions (id),
    observer_idx integer,                       -- observers.rowid; null: observer not yet known
    direction text,
    snr real,
    rssi real,
    score integer,
    path_json text,                             -- array of uppercase hex; '[]': no hops; null: old rows
    timestamp integer not null,                 -- epoch seconds
    raw_hex text,                               -- this observer's frame
    resolved_path text                          -- array of full keys, null where unknown
);
create table observers (
    id text primary key, name text, iata text, last_seen text, first_seen text, packet_count integer default 0,
    model text, firmware text, client_version text, radio text, battery_mv integer, uptime_secs integer,
    noise_floor real, inactive integer default 0, last_packet_at text, clock_skew_seconds integer,
    clock_skew_count_24h integer, clock_last_naive_at text, can_relay integer default 1,
    can_relay_seen integer default 0
);
create table nodes (
    public_key text primary key, name text, role text, lat real, lon real, last_seen text, first_seen text,
    advert_count integer default 0, battery_mv integer, temperature_c real, foreign_advert integer default 0,
    default_scope text, multibyte_sup integer not null default 0, multibyte_evidence text
);
create table inactive_nodes (
    public_key text primary key, name text, role text, lat real, lon real, last_seen text, first_seen text,
    advert_count integer default 0, battery_mv integer, temperature_c real, foreign_advert integer default 0,
    default_scope text, multibyte_sup integer not null default 0, multibyte_evidence text
);
create table neighbor_edges (
    node_a text not null, node_b text not null, count integer default 1, last_seen text, primary key (node_a, node_b)
);
create table observer_metrics (
    observer_id text not null, timestamp text not null, noise_floor real, tx_air_secs integer, rx_air_secs integer,
    recv_errors integer, battery_mv integer, packets_sent integer, packets_recv integer,
    primary key (observer_id, timestamp)
);
create table dropped_packets (
    id integer primary key autoincrement, hash text, raw_hex text, reason text not null, observer_id text,
    observer_name text, node_pubkey text, node_name text, dropped_at datetime default current_timestamp
);
create table _migrations (name text primary key);
create table _async_migrations (
    name text primary key, status text not null, started_at text default (datetime('now')), ended_at text, error text
);
insert into _async_migrations (name, status, started_at, ended_at)
values ('obs_observer_ts_idx_v1', 'done', '2026-05-01 00:00:00', '2026-05-01 00:00:02');

-- name: transmission
insert into transmissions (id, raw_hex, hash, first_seen, route_type, payload_type, payload_version, decoded_json,
                           created_at, channel_hash, from_pubkey, scope_name)
values (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?);

-- name: observation
insert into observations (transmission_id, observer_idx, direction, snr, rssi, score, path_json, timestamp, raw_hex,
                          resolved_path)
values (?, ?, 'rx', ?, ?, ?, ?, ?, ?, ?);

-- name: observer
insert into observers (rowid, id, name, iata, last_seen, first_seen, packet_count, model, firmware, radio)
values (?, ?, ?, ?, ?, ?, ?, 'Heltec V3', 'v1.9.1', '869.618,62.5,8,8');

-- name: node
insert into nodes (public_key, name, role, lat, lon, last_seen, first_seen, advert_count)
values (?, ?, ?, ?, ?, ?, ?, ?);

-- name: indexes
create index idx_transmissions_hash on transmissions (hash);
create index idx_transmissions_first_seen on transmissions (first_seen);
create index idx_transmissions_payload_type on transmissions (payload_type);
create index idx_transmissions_from_pubkey on transmissions (from_pubkey);
create index idx_tx_channel_hash on transmissions (channel_hash) where payload_type = 5;
create index idx_tx_scope_name on transmissions (scope_name) where scope_name is not null;
create index idx_tx_last_seen_zero on transmissions (id) where last_seen = 0;
create index idx_observations_transmission_id on observations (transmission_id);
create index idx_observations_observer_idx on observations (observer_idx);
create index idx_observations_timestamp on observations (timestamp);
create index idx_observations_observer_ts on observations (observer_idx, timestamp);
create unique index idx_observations_dedup on observations (transmission_id, observer_idx, coalesce(path_json, ''));

-- name: composite_index
create index idx_observations_tx_ts on observations (transmission_id, timestamp);
