-- An index table of SQLite, its triggers, and the statements that fill and check it. Templates: {braces} are filled
-- with quoted identifiers and lists of them by indextable.py, never with values.

-- name: columns
select name, type, [notnull], pk, hidden from pragma_table_xinfo(:table)

-- name: unique_indexes
select l.name, m.sql from pragma_index_list(:table) l left join sqlite_master m on m.name = l.name
where l.[unique] = 1 order by l.seq

-- name: unique_columns
select name, coll from pragma_index_xinfo(:index) where [key] = 1 order by seqno

-- name: objects
select type, name, tbl_name, sql from sqlite_master

-- name: create_by_rowid
-- the key is the rowid: one tree by key, which the triggers and the check need, and one in the order asked for
create table {entries} ({definitions})

-- name: create_by_key
create table {entries} ({definitions}, primary key ({keys})) without rowid

-- name: create_order
-- built while the table is empty; an ordinary index, so NULLs are in it, and it ends in the key of its table
create index {order} on {entries} ({columns})

-- name: create_replaced
-- keys whose rows a statement in progress may be about to replace; empty between statements but for harmless leftovers
create table {replaced} ({definitions})

-- name: refresh
-- whatever happened to a row, in whatever order triggers ran: its entry is what the row is now. Without a conflict
-- clause on purpose: the one of the statement that fired the trigger would override it
delete from {entries} where {is_key}; insert into {entries} ({names}) select {names} from {table} where {is_key};

-- name: create_inserted
create trigger {inserted} after insert on {table} begin {refresh_new} end

-- name: create_deleted
create trigger {deleted} after delete on {table} begin {refresh_old} end

-- name: create_changed
create trigger {changed} after update {of_columns} on {table} begin {refresh_new} end

-- name: create_moved
-- without a list of columns: `update … set rowid` would not fire one that names the key
create trigger {moved} after update on {table} when {key_differs} begin {refresh_old} {refresh_new} end

-- name: create_replaces_by_insert
-- REPLACE fires no delete trigger (unless recursive_triggers is on), so rows that share a unique value are noted before
create trigger {replaces_by_insert} before insert on {table} begin {note_rivals} end

-- name: create_replaces_by_update
create trigger {replaces_by_update} before update on {table} when {rivalry_differs} begin {note_rivals} end

-- name: create_replaced_by_insert
create trigger {replaced_by_insert} after insert on {table} when exists (select 1 from {replaced}) begin {settle} end

-- name: create_replaced_by_update
create trigger {replaced_by_update} after update on {table} when exists (select 1 from {replaced}) begin {settle} end

-- name: note_rival
insert into {replaced} ({keys}) select {keys} from {table} where {same_values};

-- name: value_of_new
-- an expression of an index, over the row that is about to be written
(select {term} from (select {given}))

-- name: settle
delete from {entries} where {key_of_entry} in (select {keys} from {replaced}) and not exists ({row_of_entry}); delete from {replaced};

-- name: row_of_entry
select 1 from {table} where {joined}

-- name: warm
-- outside the lock: bring the rows that the turn will read into the cache
select {counted} from {table} where {inside}

-- name: mend
-- inside the turn: entries that are not those of their rows; on a first walk there are none
delete from {entries} where {inside} and not exists (select 1 from {table} where {joined} and {equal})

-- name: fill
-- inside the turn, from the rows as they are now; what a trigger has entered is current already
insert or ignore into {entries} ({names}) select {names} from {table} where {inside}

-- name: check_rows
-- must select nothing: rows without their entry
select {keys} from {table} where {inside} and not exists (select 1 from {entries} where {joined} and {equal})

-- name: check_entries
-- must select nothing: entries without their row
select {keys} from {entries} where {inside} and not exists (select 1 from {table} where {joined})

-- name: sweep
-- inside the turn, once per key that check_entries selected
delete from {entries} where {is_given} and not exists (select 1 from {table} where {joined})
