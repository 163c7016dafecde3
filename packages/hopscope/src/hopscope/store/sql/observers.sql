-- Observers: at most some hundreds of rows, read as a whole.

-- name: all
select
    ob.id, ob.ident, ob.name, ob.iata, ob.first_seen, ob.last_seen, ob.last_packet_at, ob.observation_count, ob.status,
    ob.model, ob.firmware, ob.client_version, ob.radio, ob.battery_mv, ob.uptime_s, ob.noise_floor, ob.status_at,
    ob.clock_skew_ms, ob.clock_naive_at
from observers ob order by ob.last_seen desc, ob.id

-- name: metrics
-- one observer's samples, newest first
select m.at, m.noise_floor, m.battery_mv, m.tx_air_s, m.rx_air_s, m.recv_errors, m.packets_sent, m.packets_received
from observer_metrics m where m.observer_id = :observer and m.at between :since and :until
order by m.at desc limit :limit
