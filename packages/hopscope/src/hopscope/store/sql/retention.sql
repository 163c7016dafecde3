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
-- The message that a channel shows is the one first heard last; an older one that is still heard may outlive it.
update channels set message_count = message_count - 1,
    last_seen = iif(last_message_id = :transmission,
        coalesce((select max(t.first_seen) from transmissions t where t.channel_id = :channel), 0), last_seen),
    last_message_id = iif(last_message_id = :transmission,
        (select t.id from transmissions t where t.channel_id = :channel order by t.first_seen desc, t.id desc limit 1),
        last_message_id)
where id = :channel;
