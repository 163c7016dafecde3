-- Records that could not be used.

-- name: counts
select s.name, c.reason, c.count, c.last_at from reject_counts c join sources s on s.id = c.source_id
order by c.last_at desc, s.name, c.reason

-- name: newest
-- records of every reason, newest first
select q.at, s.name, q.reason, q.detail, q.topic, q.record from quarantine q join sources s on s.id = q.source_id
order by q.id desc limit :limit

-- name: of_reason
select q.at, s.name, q.reason, q.detail, q.topic, q.record
from quarantine q indexed by quarantine_by_reason cross join sources s on s.id = q.source_id
where q.reason = :reason order by q.id desc limit :limit
