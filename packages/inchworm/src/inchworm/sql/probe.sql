-- What plan and doctor ask of a SQLite database. {braces} are filled with quoted identifiers, never with values.

-- name: columns
select name, type, pk from pragma_table_info(:table, :schema)

-- name: indexes
select name from pragma_index_list(:table, :schema)

-- name: index_columns
select lower(name) from pragma_index_info(:index) where name is not null

-- name: triggers
select name, sql from sqlite_master where type = 'trigger' and lower(tbl_name) = lower(:table)

-- name: children
-- tables whose foreign keys point at this one, with the column that they point at
select m.name, lower(coalesce(f."to", '')) from sqlite_master m, pragma_foreign_key_list(m.name) f
where m.type = 'table' and lower(f."table") = lower(:table)

-- name: parents
-- columns of this table that are foreign keys, with the table that each points at
select lower("from"), "table" from pragma_foreign_key_list(:table, :schema)

-- name: foreign_keys
-- whether a connection checks them; off unless it was told otherwise (https://www.sqlite.org/foreignkeys.html 2)
pragma foreign_keys

-- name: count
-- under a short limit
select count(*) from {table}

-- name: rowid_span
select max(rowid) - min(rowid) + 1 from {table}

-- name: row_bytes
-- once per plan, over a sampled slice
select avg({lengths}) from {table} where {conditions}

-- name: schema
-- tables before what needs them; SQLite's own are made by SQLite
select sql from sqlite_master where sql is not null and name not like 'sqlite~_%' escape '~'
order by type = 'trigger', type = 'view', type = 'index'

-- name: has_statistics
select 1 from sqlite_master where name = 'sqlite_stat1'

-- name: statistics
select tbl, idx, stat from sqlite_stat1

-- name: put_statistics
insert into sqlite_stat1 (tbl, idx, stat) values (?, ?, ?)

-- name: main_file
select file from pragma_database_list where name = 'main'

-- name: journal_mode
pragma journal_mode

-- name: page_size
pragma page_size

-- name: page_count
pragma page_count

-- name: freelist_count
pragma freelist_count

-- name: mmap_size
pragma mmap_size

-- name: busy_timeout
pragma busy_timeout
