-- name: expired
-- The longest unheard transmissions. Walks transmissions_by_latest from its start; one whose last_seen is not computed
-- yet may have been heard later than it says, so it stays.
select id, channel_id from transmissions
where max(first_seen, last_seen) < :before and last_seen > 0
order by max(first_seen, last_seen), id limit :limit;

-- name: delete_observations
delete from observations where transmission_id = ?;

-- name: delete_transmission
delete from transmissions where id = ?;

-- name: count_down
update counters set value = value - :by where name = :name;

-- name: one_message_less
-- The message that a channel shows is its newest; when that one goes, no other is left.
update channels set message_count = message_count - 1,
    last_seen = case when last_message_id = :transmission then 0 else last_seen end,
    last_message_id = nullif(last_message_id, :transmission)
where id = :channel;
