-- The ledger's tables in SQLite. A fresh database gets them whole; an older _async_migrations gets what it lacks.

-- name: create_ledger
create table if not exists _async_ledger (
  version    integer not null,  -- of this schema; a newer one than ours is refused
  written_at text not null      -- RFC 3339 UTC
)

-- name: create_migrations
create table if not exists _async_migrations (
  name text primary key,
  status text not null,
  {definitions}
)

-- name: tables
select name from sqlite_master where type = 'table' and name in ('_async_migrations', '_async_ledger')

-- name: columns
select name from pragma_table_info('_async_migrations')

-- name: add_column
alter table _async_migrations add column {definition}

-- name: definitions
started_at text                          -- RFC 3339 UTC; null: no runner took it yet
ended_at text                            -- null: it has not ended
error text                               -- null: it has not failed
rows_processed integer not null default 0
rows_total integer                       -- null: unknown
last_update_at text                      -- null: written before there was a heartbeat
rows_total_estimated integer not null default 0
rows_changed integer not null default 0
rows_unchanged integer not null default 0
rows_skipped integer not null default 0
rows_quarantined integer not null default 0
slices integer not null default 0
cursor text                              -- JSON array of key values; null: before the first slice
bound text                               -- JSON, lowest and highest key; null: not begun, or an empty table
fingerprint text                         -- null: written by something that had none
reason text                              -- why it does not work just now; null: it works or has ended
holder text                              -- the runner that has the lease; null: nobody
epoch integer not null default 0         -- fencing number: raised by every claim
lease_until real                         -- Unix seconds; null: nobody holds it
active_s real not null default 0
throttled text not null default '{}'     -- JSON, seconds by reason
attempt_rows integer not null default 0  -- rows examined since the last claim, for the rate
attempt_active_s real not null default 0
attempts integer not null default 0
acknowledged_at text                     -- null: nobody acknowledged a failure
acknowledged_by text                     -- null: as above
kind text not null default 'backfill'
stage text not null default 'apply'      -- apply or verify: what a retry has to do again
forecast text                            -- JSON written by plan; null: no plan was made

-- name: create_history
create table if not exists _async_history (
  id integer primary key, name text not null, at text not null, from_status text, to_status text not null,
  reason text, by_whom text, epoch integer not null, rows_processed integer not null
)

-- name: create_requests
create table if not exists _async_requests (
  id integer primary key, name text not null, verb text not null, by_whom text, requested_at text not null,
  answered_at text,  -- null: no runner has seen it yet
  answer text        -- null: as above
)

-- name: create_quarantine
create table if not exists _async_quarantine (
  name text not null, row_key text not null, error text not null, at text not null, primary key (name, row_key)
)

-- name: explain
explain query plan

-- name: in_order_of_index
-- once, when a migration begins: the plan shows a sort when the index compares otherwise than the column
explain query plan select 1 from {table} indexed by {index} order by {order}

-- name: made_by
-- once, when a migration walks by rowid
select type, sql from {schema}.sqlite_master where lower(name) = lower(:name)
