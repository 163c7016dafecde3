-- Imports as requests, plans and reports. Each writing statement runs in one short turn.

-- name: request
insert into imports (path, requested_at, requested_by) values (:path, :now, :by)

-- name: open
-- requested or begun, and not at its end: oldest first
select id from imports where state in ('requested', 'running') order by id

-- name: open_of
-- an import of this file that is asked for or under way
select id from imports where path = :path and state in ('requested', 'running') order by id limit 1

-- name: unfinished_of
-- an import of this file that failed and can be continued
select id from imports where path = :path and state = 'failed' and source_id is not null order by id desc limit 1

-- name: failed
-- one that failed after it had begun stands in the way of others: its values are not all derived
select id from imports where state = 'failed' and source_id is not null order by id

-- name: one
select id, path, requested_at, requested_by, state, started_at, ended_at, error, source_id from imports where id = :id

-- name: ids
select id from imports order by id

-- name: tables
select name, left_out, key_after, key_last, total, imported, merged, quarantined, walked_by, reading
  from import_tables where import_id = :id order by name

-- name: witnesses
-- how far finished imports came, newest first; one that ended with an error did not read all of its rows
select t.import_id, t.name, t.key_last, t.witness from import_tables t join imports i on i.id = t.import_id
 where i.state = 'done' and i.error is null and t.witness is not null order by t.import_id desc

-- name: reasons
select reason, count from reject_counts where source_id = :source_id order by reason

-- name: make_source
insert into sources (name, kind) values (:name, 'import')

-- name: begin
update imports set state = 'running', started_at = :now, source_id = :source_id where id = :id

-- name: add_table
insert into import_tables (import_id, name, left_out, key_after, key_last, witness, total, walked_by, reading)
values (:id, :name, :left_out, :key_after, :key_last, :witness, :total, :walked_by, :reading)

-- name: end
update imports set state = :state, ended_at = :now, error = :error where id = :id

-- name: continue
update imports set state = 'running', ended_at = null, error = null where id = :id

-- name: paths
select distinct path from imports
