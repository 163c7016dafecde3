-- name: all
select
    w.component, w.at, w.turns, w.rows, w.failures, w.wait_p50, w.wait_p95, w.wait_max, w.hold_p50, w.hold_p95,
    w.hold_max
from writer_stats w order by w.component
