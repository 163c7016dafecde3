-- Statements on the ledger, in SQL that SQLite and PostgreSQL share. DDL is in sqlite.sql and postgres.sql.

-- name: version
-- before anything else: which inchworm wrote this ledger
select version from _async_ledger

-- name: set_version
-- in the transaction that created or extended the tables
insert into _async_ledger (version, written_at) values (:version, :now)

-- name: forget_versions
-- before set_version
delete from _async_ledger

-- name: entry
-- each look of the runner at one migration
select * from _async_migrations where name = :name

-- name: entries
-- each look at all of them, and every status answer
select * from _async_migrations order by started_at, name

-- name: register
-- once per migration: the first time a runner meets its name
insert into _async_migrations (name, status, kind, fingerprint, started_at, last_update_at)
values (:name, 'pending', :kind, :fingerprint, null, :now)

-- name: set_forecast
-- once, by plan, before a migration begins
update _async_migrations set forecast = :forecast where name = :name

-- name: claim
-- a runner takes the lease; the epoch fences every other one out
update _async_migrations set status = :status, holder = :holder, epoch = :epoch, lease_until = :lease_until,
  fingerprint = :fingerprint, started_at = coalesce(started_at, :now), ended_at = null, error = null, reason = null,
  throttled = :throttled, attempts = coalesce(attempts, 0) + 1, attempt_rows = 0, attempt_active_s = 0,
  stage = :stage, last_update_at = :now
where name = :name and coalesce(epoch, 0) = :was_epoch

-- name: begin
-- once per migration, after the bound is known
update _async_migrations set bound = :bound, rows_total = :rows_total, rows_total_estimated = :estimated
where name = :name and epoch = :epoch

-- name: advance
-- each turn, in the transaction of its work: cursor, counters, time and lease in one statement; the number of slices
-- fences out a slice whose commit succeeded although its answer was lost
update _async_migrations set "cursor" = :cursor, rows_processed = :examined, rows_changed = :changed,
  rows_unchanged = :unchanged, rows_skipped = :skipped, rows_quarantined = :quarantined, slices = :slices,
  attempt_rows = :attempt_rows, attempt_active_s = :attempt_active_s, active_s = :active_s, throttled = :throttled,
  reason = null, last_update_at = :now, lease_until = :lease_until
where name = :name and epoch = :epoch and coalesce(slices, 0) = :slices - 1

-- name: heartbeat
-- while waiting, a few times per lease, and once when a wait gets long: the reason for not working
update _async_migrations set reason = :reason, throttled = :throttled, active_s = :active_s, last_update_at = :now,
  lease_until = :lease_until
where name = :name and epoch = :epoch

-- name: move
-- each change of status by the holder of the lease; the old status fences out a second one after a lost answer
update _async_migrations set status = :status, reason = :reason, error = :error, ended_at = :ended_at, stage = :stage,
  holder = :holder, lease_until = :lease_until, active_s = :active_s, throttled = :throttled, last_update_at = :now
where name = :name and epoch = :epoch and status = :was_status

-- name: move_unheld
-- a change of status of a migration that nobody holds: by an operator's request, or a definition that is refused
update _async_migrations set status = :status, reason = :reason, error = :error, ended_at = :ended_at,
  stage = :stage, epoch = coalesce(epoch, 0) + 1, lease_until = null, holder = null, throttled = :throttled,
  last_update_at = :now
where name = :name and coalesce(epoch, 0) = :was_epoch

-- name: rewind
-- an operator's retry that starts over: counters describe the new walk only
update _async_migrations set "cursor" = null, bound = null, rows_processed = 0, rows_changed = 0, rows_unchanged = 0,
  rows_skipped = 0, rows_quarantined = 0, slices = 0, attempt_rows = 0, attempt_active_s = 0, active_s = 0,
  throttled = '{}', stage = 'apply', fingerprint = :fingerprint, acknowledged_at = null, acknowledged_by = null
where name = :name

-- name: clear_acknowledged
-- an operator's retry: a later failure needs its own acknowledgement
update _async_migrations set acknowledged_at = null, acknowledged_by = null where name = :name

-- name: acknowledge
-- an operator has seen the failure
update _async_migrations set acknowledged_at = :now, acknowledged_by = :by where name = :name

-- name: remember
-- each transition, in the transaction that makes it
insert into _async_history (name, at, from_status, to_status, reason, by_whom, epoch, rows_processed)
values (:name, :now, :from_status, :to_status, :reason, :by, :epoch, :rows_processed)

-- name: history
-- status pages and tests
select name, at, from_status, to_status, reason, by_whom, epoch, rows_processed from _async_history
where name = :name order by id

-- name: request
-- one short turn of the CLI, the API or code: what an operator wants
insert into _async_requests (name, verb, by_whom, requested_at) values (:name, :verb, :by, :now)

-- name: open_requests
-- at least once a second, by the runner
select id, name, verb, by_whom, requested_at from _async_requests where answered_at is null order by id

-- name: answer
-- in the transaction that carries the request out, or refuses it
update _async_requests set answered_at = :now, answer = :answer where id = :id and answered_at is null

-- name: quarantine
-- in the transaction that moves the cursor past a row that cannot be changed
insert into _async_quarantine (name, row_key, error, at) values (:name, :key, :error, :now)

-- name: quarantined
-- reports, verification (they are known to be wrong), and the keys that a retry tries again
select row_key, error, at from _async_quarantine where name = :name order by row_key limit :most

-- name: release
-- a retried row could be changed after all
delete from _async_quarantine where name = :name and row_key = :key

-- name: release_all
-- a retry that starts over
delete from _async_quarantine where name = :name
