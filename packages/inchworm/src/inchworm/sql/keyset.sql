-- Templates; {braces} are filled with quoted identifiers by keyset.py, never with values. Every column is qualified
-- with its table: SQLite reads a lone quoted name that is no column as a string, and would walk by that; and what the
-- database says of a column that does not exist then names the user's table.

-- name: lowest
-- once, when a migration begins: the low end of its bound
select {keys} from {table} order by {ascending} limit 1

-- name: highest
-- once, when a migration begins: the high end of its bound
select {keys} from {table} order by {descending} limit 1

-- name: next_keys
-- each slice: the next keys inside the bound, in the direction of travel
select {keys} from {table} where {conditions} order by {order} limit :slice_rows

-- name: count
-- once, when a migration begins, under a short limit: the rows between the bounds
select count(*) from {table} where {conditions}

-- name: touch
-- each slice, outside the lock: bring the pages of the rows to be changed into the cache; also the values before
select {keys}, {columns} from {table} where {conditions}

-- name: null_key
-- once, when a migration begins: whether a row has no place in the walk
select 1 from {table} where {column} is null limit 1
