-- Reading a CoreScope database. {…} stands for the wanted columns of a table; one the file lacks is read as null.
-- :first and :last are the bounds of a slice, {after} and {bound} those of the whole import.

-- name: tables
select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite_%' order by name

-- name: meta_keys
-- of a hopscope database
select key from meta

-- name: columns
select name from pragma_table_info(?)

-- name: indexed
-- whether the observations of one transmission can be found without reading all of them
select count(*) from pragma_index_list('observations') l join pragma_index_info(l.name) i
 where i.seqno = 0 and i.name = 'transmission_id'

-- name: keys
select max(rowid) from {table}

-- name: count
select count(*) from {table} where rowid > :after and rowid <= :last

-- name: size
select count(*) from {table}

-- name: intact
-- the first damage, or ok; reads every page
pragma quick_check(1)

-- name: witness_transmissions
select id, raw_hex from transmissions where id = ?

-- name: witness_observations
select id, transmission_id, timestamp from observations where id = ?

-- name: transmissions
select t.id, {columns}, {first_heard} as first_heard, {forgotten} as forgotten
  from transmissions t where t.id between max(:first, {after} + 1) and min(:last, {bound})

-- name: first_heard
-- only for a transmission that has no time of its own
case when coalesce(t.first_seen, '') not glob '[12]*'
     then (select min(o.timestamp) from observations o where o.transmission_id = t.id) end

-- name: forgotten
-- whether nobody heard it since {keep_from} (seconds); one without observations is never dropped. Numbers sort before
-- text, so that a newest time which is a number comes from one seek; milliseconds are greater than any second, and such
-- a packet comes along.
coalesce((
    select iif(typeof(l.newest) <> 'text', l.newest, (
               select max(iif(typeof(o.timestamp) = 'text', unixepoch(o.timestamp), o.timestamp))
                 from observations o where o.transmission_id = t.id)) < {keep_from}
      from (select max(o.timestamp) as newest from observations o where o.transmission_id = t.id) l), 0)

-- name: first_id
select min(id) from transmissions where id > :after

-- name: count_forgotten
-- how many packets between two ids nobody heard since, and how many of their receptions would be read
select count(*), coalesce(sum((
           select count(*) from observations o
            where o.transmission_id = t.id and o.id > :after_observations and o.id <= :last_observations)), 0)
  from transmissions t where t.id between :first and :last and {forgotten}

-- name: newer
-- the keys of an import that begins behind an earlier one: a walk over the whole table would read and count the old ones
create temp table {walked} (id integer primary key)

-- name: fill_newer
insert into temp.{walked} select id from {table} where id > :after and id <= :last

-- name: observations
select o.id, o.transmission_id, {columns}, t.id as known_transmission, t.raw_hex as packet_hex, {scope} as packet_scope,
       {observer} as observer
  from observations o left join transmissions t on t.id = o.transmission_id {join_observer}
 where o.id between max(:first, {after} + 1) and min(:last, {bound})

-- name: join_observer
-- observer_idx is the implicit rowid of a table whose primary key is text
left join observers b on b.rowid = o.observer_idx

-- name: observers
select b.rowid as rowid, cast(b.id as blob) as ident, {columns}
  from observers b where b.rowid between max(:first, {after} + 1) and min(:last, {bound})

-- name: nodes
select n.rowid as rowid, {columns}
  from nodes n where n.rowid between max(:first, {after} + 1) and min(:last, {bound})

-- name: inactive_nodes
select n.rowid as rowid, {columns}
  from inactive_nodes n where n.rowid between max(:first, {after} + 1) and min(:last, {bound})

-- name: observer_metrics
select m.rowid as rowid, {columns}
  from observer_metrics m where m.rowid between max(:first, {after} + 1) and min(:last, {bound})

-- name: neighbor_edges
select e.rowid as rowid, {columns}
  from neighbor_edges e where e.rowid between max(:first, {after} + 1) and min(:last, {bound})
