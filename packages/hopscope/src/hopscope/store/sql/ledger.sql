-- The engine's ledger of data migrations. Its owner adds columns, so all are read by name.

-- name: exists
select count(*) from sqlite_schema where type = 'table' and name = '_async_migrations'

-- name: all
select * from _async_migrations order by started_at, name
