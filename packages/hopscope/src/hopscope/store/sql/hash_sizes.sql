-- Path hash sizes, from their rollups.

-- name: hourly
-- receptions per hour and size, oldest first
select h.hour, h.hash_size, h.observations from hash_sizes_hourly h where h.hour >= :since order by h.hour, h.hash_size

-- name: sums
select h.hash_size, sum(h.observations) from hash_sizes_hourly h group by h.hash_size

-- name: top_hops
select h.hash_size, h.hop, h.observations from hops h order by h.observations desc, h.hash_size, h.hop limit :limit

-- name: multi_byte_nodes
-- nodes whose adverts came with hashes of two or three bytes
select n.id from nodes n where n.hash_sizes & 12 order by n.last_seen desc, n.id desc limit :limit
