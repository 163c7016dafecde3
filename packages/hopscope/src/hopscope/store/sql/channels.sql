-- Channels: at most 256 without a key and as many as keys are configured.

-- name: all
select c.id, c.name, c.hash, c.encrypted, c.message_count, c.last_message_id, c.last_seen
from channels c order by c.last_seen desc, c.id

-- name: heard_in
-- channels with a message that these observers heard
select c.id from channels c
where exists (
    select 1 from transmissions t cross join observations o on o.transmission_id = t.id
    where t.channel_id = c.id and o.observer_id in (select value from json_each(:observers))
    limit 1
)
