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
