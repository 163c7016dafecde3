-- What plan and doctor ask of a PostgreSQL server. {braces} are filled with quoted identifiers, never with values.

-- name: track_counts
select setting from pg_settings where name = 'track_counts'

-- name: alone
-- in a sampled transaction: parallel workers would count for themselves
select set_config('max_parallel_workers_per_gather', '0', true)

-- name: prefer_indexes
select set_config('enable_seqscan', 'off', true)

-- name: work
-- rows returned and pages looked at in this session, as far as its statistics were not sent off; differences count
select coalesce(sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint, 0
from pg_class
where relkind in ('r', 'm', 't', 'i')
  and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)

-- name: written
-- the same inside a turn, with the end of the log
select coalesce(sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint,
  pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
from pg_class
where relkind in ('r', 'm', 't', 'i')
  and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)

-- name: explain
explain (format json)

-- name: partitions
select c.relname, r.relname from pg_class as c join pg_class as r on r.oid = pg_partition_root(c.oid)
where c.relispartition and c.relkind in ('r', 'f') and pg_table_is_visible(c.oid)

-- name: table
select
  (select json_agg(attname order by attnum)::text from pg_attribute
    where attrelid = c.oid and attnum > 0 and not attisdropped),
  coalesce((
    select json_agg(json_build_array(x.relname, (
      select coalesce(json_agg(a.attname order by k.at), '[]') from unnest(i.indkey::int2[]) with ordinality as k (n, at)
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.n)))
    from pg_index as i join pg_class as x on x.oid = i.indexrelid where i.indrelid = c.oid and i.indisvalid
  ), '[]')::text,
  coalesce((
    select json_agg(json_build_array(tgname, pg_get_triggerdef(oid))) from pg_trigger
    where tgrelid = c.oid and not tgisinternal and tgtype & 1 = 1 and tgenabled <> 'D'
  ), '[]')::text,
  coalesce((
    select json_agg(json_build_array(f.conrelid::regclass::text, a.attname))
    from pg_constraint as f join pg_attribute as a on a.attrelid = f.confrelid and a.attnum = any (f.confkey)
    where f.contype = 'f' and f.confrelid = c.oid
  ), '[]')::text
from pg_class as c where c.oid = to_regclass(:relation)

-- name: count
-- under a short limit
select count(*) from {table}

-- name: row_bytes
-- once per plan, over a sampled slice
select avg(pg_column_size(each.*)) from (select * from {table} where {conditions}) as each

-- name: is_table
select 1 from pg_class where oid = to_regclass(:relation) and relkind in ('r', 'p')

-- name: copy
-- the schema that holds temporary tables is looked up before all others
create temporary table {table} (like {table} including indexes) on commit drop

-- name: server
select current_setting('server_version_num')::bigint, current_setting('server_version'), pg_is_in_recovery(),
  current_setting('max_connections')::bigint,
  (select count(*) from pg_stat_activity where backend_type = 'client backend'),
  (select age(datfrozenxid)::bigint from pg_database where datname = current_database()),
  pg_has_role(current_user, 'pg_read_all_stats', 'usage')

-- name: settings
-- as this role's new sessions have them, not as this transaction has set them
select name, reset_val from pg_settings
where name in ('fsync', 'full_page_writes', 'autovacuum', 'track_counts', 'lock_timeout',
  'idle_in_transaction_session_timeout')

-- name: sessions
-- open transactions of this database; one that works in another does not keep rows from vacuum here
select pid, coalesce(nullif(application_name, ''), backend_type), coalesce(usename, ''), coalesce(state, ''),
  extract(epoch from clock_timestamp() - xact_start)::float8,
  extract(epoch from clock_timestamp() - state_change)::float8,
  greatest(age(backend_xmin), age(backend_xid))::bigint
from pg_stat_activity
where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
  and backend_type <> 'autovacuum worker'
order by xact_start

-- name: waits
-- who waits for a lock, since when at most, and for whom
select w.pid, coalesce(nullif(w.application_name, ''), w.backend_type),
  extract(epoch from clock_timestamp() - w.query_start)::float8, b.pid,
  coalesce(nullif(b.application_name, ''), b.backend_type)
from pg_stat_activity as w
  cross join lateral unnest(pg_blocking_pids(w.pid)) as blocker (pid)
  join pg_stat_activity as b on b.pid = blocker.pid
where w.wait_event_type = 'Lock' and w.datname = current_database()
order by 3 desc limit 20

-- name: table_locks
-- locks that keep writers of a table away
select l.pid, coalesce(nullif(a.application_name, ''), a.backend_type), l.mode
from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'relation' and l.relation = to_regclass(:relation) and l.granted and l.pid <> pg_backend_pid()
  and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')

-- name: prepared
select gid, extract(epoch from clock_timestamp() - prepared)::float8, age(transaction)::bigint
from pg_prepared_xacts where database = current_database()

-- name: slots
select slot_name, active, coalesce(wal_status, ''),
  pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
    restart_lsn)::bigint,
  greatest(age(xmin), age(catalog_xmin))::bigint
from pg_replication_slots

-- name: replicas
-- none on a standby, nor without the right to see them
select coalesce(nullif(application_name, ''), 'a replica'),
  case when pg_is_in_recovery() then null else pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint end
from pg_stat_replication where state in ('streaming', 'catchup')

-- name: busiest
-- without migrations: the tables with most dead rows
select format('%I.%I', schemaname, relname) from pg_stat_user_tables
where n_live_tup + n_dead_tup > 10000 and has_schema_privilege(schemaname, 'usage') order by n_dead_tup desc limit 20

-- name: health
select c.relname, c.reltuples::float8, c.relpersistence = 'u', coalesce('autovacuum_enabled=false' = any (c.reloptions), false),
  coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
  coalesce((
    select json_agg(x.relname) from pg_index as i join pg_class as x on x.oid = i.indexrelid
    where i.indrelid = c.oid and not i.indisvalid
      and not exists (select from pg_stat_progress_create_index as p where p.index_relid = i.indexrelid)
  ), '[]')::text
from pg_class as c left join pg_stat_user_tables as s on s.relid = c.oid
where c.oid = to_regclass(:relation) and c.relkind = 'r'
