"""The migration of the incident: fill transmissions.last_seen from observations, while ingest and readers go on.

`last_seen` is INTEGER epoch seconds; 0 means "never computed" and stays for a transmission without observations.
"""

import inchworm

tx_last_seen = inchworm.Backfill(
    name="tx_last_seen_backfill_v1",
    table="transmissions",
    compute="""
        select transmission_id as id, max(timestamp) as last_seen
        from observations where transmission_id between :first and :last group by 1
    """,
    apply="update transmissions set last_seen = :last_seen where id = :id and last_seen < :last_seen",
    verify="""
        select t.id from transmissions t
        where t.id between :first and :last
          and t.last_seen < (select max(o.timestamp) from observations o where o.transmission_id = t.id)
    """,
)
