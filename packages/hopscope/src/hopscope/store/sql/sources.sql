-- name: all
select
    s.id, s.name, s.kind, s.address, s.connected, s.connected_at, s.disconnected_at, s.last_record_at, s.connects,
    s.disconnects, s.records, s.last_error
from sources s order by s.id
