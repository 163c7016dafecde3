-- The schema of a hopscope database, created whole in one transaction.
-- Every time is an INTEGER of milliseconds since 1970-01-01 UTC. Server receive time unless the column says otherwise.
-- Frames, hashes and node keys are BLOBs; what can be decoded from a frame is decoded when it is read, not stored.

-- Facts about this file: schema_version, database_id (random; prefixes live event ids), created_at, and as
-- "subscribed:CLIENT@BROKER" the topics (JSON) that a broker's session of ours may hold.
create table meta (
    key   text primary key,
    value text not null
) strict, without rowid;

-- Totals kept in the commit that changes them, so that no page counts a big table: transmissions, observations.
create table counters (
    name  text primary key,
    value integer not null
) strict, without rowid;

-- Where records come from: one row per configured broker and per import. Live state is written by the writer at most
-- every two seconds, so that readers and the System page can show it.
create table sources (
    id              integer primary key,
    name            text    not null unique,    -- as configured
    kind            text    not null check (kind in ('mqtt', 'import', 'demo')),
    address         text,                       -- scheme://host:port without credentials; null: not a network source
    connected       integer not null default 0, -- 1 while the writer holds a connection
    connected_at    integer,                    -- null: never connected
    disconnected_at integer,                    -- null: never lost
    last_record_at  integer,                    -- null: nothing received yet
    connects        integer not null default 0,
    disconnects     integer not null default 0,
    records         integer not null default 0, -- records received, usable or not
    last_error      text                        -- null: none since the last connection
) strict;

-- One row per publisher of receptions.
create table observers (
    id               integer primary key,
    ident            text    not null unique, -- its public key as 64 upper-case hex digits, or the word a bridge without a key uses
    name             text,                    -- display name it gave itself (untrusted text); null: never said
    name_at          integer,                 -- receive time of the record the name comes from; null: as name
    iata             text,                    -- upper-case region code; null: its feed has none
    iata_at          integer,                 -- receive time of the record the region comes from; null: as iata
    first_seen       integer not null,
    last_seen        integer not null,        -- newest record of any kind
    last_packet_at   integer,                 -- null: never sent a packet
    observation_count integer not null default 0, -- receptions stored ever; retention does not lower it
    status           text,                    -- online | offline, as last said; null: never said
    status_at        integer,                 -- receive time of the record that said so; null: as status
    model            text,                    -- null: the newest description has none (as the three below)
    firmware         text,
    client_version   text,
    radio            text,                    -- "MHz,kHz,SF,CR"
    info_at          integer,                 -- receive time of the newest description (the four above); null: none
    battery_mv       integer,                 -- null: the newest measurement has none (as the two below)
    uptime_s         integer,
    noise_floor      real,                    -- dBm
    stats_at         integer,                 -- receive time of the newest measurement (the three above); null: none
    clock_skew_ms    integer,                 -- publisher's clock minus ours in its newest timestamped record; null: none
    clock_at         integer,                 -- receive time of that record; null: none
    clock_naive_at   integer                  -- newest record whose timestamp had no zone; null: never
) strict;

-- Samples of what observers report about themselves, at most one per observer and five minutes.
create table observer_metrics (
    observer_id   integer not null references observers (id),
    at            integer not null, -- receive time, rounded down to five minutes
    noise_floor   real,             -- dBm; null: not reported (as all below)
    battery_mv    integer,
    tx_air_s      integer,          -- cumulative since its boot, as the rest
    rx_air_s      integer,
    recv_errors   integer,
    packets_sent  integer,
    packets_received integer,
    primary key (observer_id, at)
) strict, without rowid;

-- Nodes are made by adverts whose signature verifies (or by an import, then marked unverified).
create table nodes (
    id            integer primary key,
    pubkey        blob    not null unique,     -- 32 bytes
    name          text,                        -- cleaned for display, still untrusted text; null: the advert had none
    role          integer not null default 0,  -- 0 none 1 companion 2 repeater 3 room 4 sensor, 5-15 as sent
    lat_e6        integer,                     -- 1e-6 degree; null: no (plausible) location
    lon_e6        integer,
    first_seen    integer not null,            -- receive time of its first advert
    last_seen     integer not null,            -- receive time of its newest valid advert, repeats included
    advert_at     integer,                     -- the newest accepted advert's own clock, ms; null: imported without an advert
    advert_hash   blob,                        -- packet hash of that advert (breaks ties of advert_at); null: as advert_at
    advert_heard_at integer,                   -- newest reception of that advert: tells a clock that runs ahead; null: as advert_at
    advert_count  integer not null default 0,  -- distinct adverts (transmissions)
    verified      integer not null default 1,  -- 0: imported, no advert with a valid signature seen yet
    hash_sizes    integer not null default 0,  -- bit n set: adverts seen with path hashes of n bytes (n = 1..3)
    hash_size     integer,                     -- path hash size of the newest accepted advert; null: unknown
    battery_mv    integer,                     -- only from an import; null: unknown
    temperature_c real                         -- only from an import; null: unknown
) strict;
-- serves the node list (newest heard first) and "heard since" filters
create index nodes_by_last_seen on nodes (last_seen desc, id desc);

-- Channels seen on the air: named when a configured key opens them, else one row per channel hash byte.
create table channels (
    id             integer primary key,
    name           text    not null unique,    -- "Public", "#test", or "enc_11" for hash 0x11 without a key
    hash           integer not null,           -- the channel hash byte, 0-255
    encrypted      integer not null,           -- 1: no key opens it
    message_count  integer not null default 0, -- transmissions
    last_message_id integer,                   -- transmission shown as its last message; null: none stored any more
    last_seen      integer not null default 0  -- receive time of that message; 0: none
) strict;

-- One row per packet, however often and by whomever it was heard. Identity is the firmware's packet hash, recomputed.
create table transmissions (
    id                integer primary key autoincrement, -- never used again: live cursors rely on it
    hash              blob    not null unique,    -- 8 bytes
    first_seen        integer not null,           -- receive time of the first reception
    last_seen         integer not null default 0, -- receive time of the newest reception; 0: not computed yet (imported)
    observation_count integer not null default 0, -- receptions stored
    type              integer not null,           -- payload type, 0-15
    route             integer not null,           -- route of the first reception, 0-3
    version           integer not null default 0, -- payload version
    frame             blob    not null,           -- the first reception's frame
    payload_at        integer not null,           -- where the payload starts in frame
    shown_id          integer,                    -- the observation lists show: longest path, then first; null: none
    shown_hops        integer not null default -1,-- its number of hops; -1: no observation
    node_id           integer,                    -- sender of a valid advert; null: another type, or not verified
    channel_id        integer,                    -- channel of a GRP_TXT; null: another type
    region            text                        -- matched scope "#name"; '': scoped, region unknown; null: not scoped
) strict;
-- serves the packet list in order of arrival, `since`/`until`, and its keyset cursor
create index transmissions_by_first_seen on transmissions (first_seen, id);
-- serves the grouped list (`latest`) and retention; max() because last_seen 0 means "not computed", never "long ago"
create index transmissions_by_latest on transmissions (max(first_seen, last_seen), id);
-- serves the list filtered by type
create index transmissions_by_type on transmissions (type, first_seen, id);
-- serves a channel's messages
create index transmissions_by_channel on transmissions (channel_id, first_seen, id) where channel_id is not null;
-- serves a node's adverts
create index transmissions_by_node on transmissions (node_id, first_seen, id) where node_id is not null;

-- One row per reception. The frame it heard is head || path_len || path || the payload of its transmission.
create table observations (
    id              integer primary key autoincrement, -- commit order; the live feed's cursor
    transmission_id integer not null references transmissions (id),
    observer_id     integer references observers (id), -- null: imported, its observer was never known
    source_id       integer not null references sources (id), -- the source that brought it first
    heard_at        integer not null,  -- server receive time
    published_at    integer,           -- the publisher's own timestamp as it wrote it, UTC assumed; null: none
    head            blob,              -- header byte and transport codes; null: imported without its frame
    path_len        integer not null,  -- the encoded path length byte
    path            blob    not null,  -- hop hashes (for TRACE: SNR bytes)
    snr             real,              -- dB; null: not reported
    rssi            integer,           -- dBm; null: not reported
    score           integer,           -- firmware score x1000; null: not reported
    direction       integer not null default 0 -- 0 heard (rx), 1 sent by the observer itself (tx)
) strict;
-- serves the receptions of a transmission, and recognising a reception that came twice (by its publisher's timestamp)
create index observations_by_transmission on observations (transmission_id, observer_id, published_at, heard_at);
-- serves an observer's page, receptions of the last hour, and recognising a reception without a publisher's timestamp
create index observations_by_observer on observations (observer_id, heard_at);

-- Records that could not be used, newest kept (bounded per reason), with what was received.
create table quarantine (
    id        integer primary key,
    at        integer not null,
    source_id integer not null references sources (id),
    reason    text    not null,   -- a word of ingest.envelope.Reason
    detail    text    not null,   -- one sentence
    topic     text    not null,
    record    blob    not null    -- as received, cut at 4096 bytes
) strict;
-- serves pruning and the list per reason
create index quarantine_by_reason on quarantine (reason, id);

-- How often each reason occurred, ever; the quarantine above holds only the newest of them.
create table reject_counts (
    source_id integer not null references sources (id),
    reason    text    not null,
    count     integer not null default 0,
    last_at   integer not null,
    primary key (source_id, reason)
) strict, without rowid;

-- Rollup: receptions per hour, observer and type. Kept right in the ingest commit; the past is filled by a migration.
create table traffic_hourly (
    hour          integer not null, -- start of the hour, ms
    observer_id   integer not null, -- 0: observer unknown
    type          integer not null, -- payload type
    observations  integer not null default 0,
    transmissions integer not null default 0, -- packets whose first reception this was
    primary key (hour, observer_id, type)
) strict, without rowid;

-- Rollup: receptions per hour and path hash size (TRACE excluded: its path holds no hashes).
create table hash_sizes_hourly (
    hour         integer not null,
    hash_size    integer not null, -- 1-3 bytes
    observations integer not null default 0,
    primary key (hour, hash_size)
) strict, without rowid;

-- Rollup: how often each hop stood in a path (TRACE excluded).
create table hops (
    hash_size    integer not null,
    hop          blob    not null, -- 1-3 bytes
    observations integer not null default 0,
    last_seen    integer not null, -- newest reception with it
    primary key (hash_size, hop)
) strict, without rowid;

-- How long the writer waited for its turns and held the database, one row per kind of work. Written by the writer at
-- most every two seconds; percentiles over its newest 1,000 turns, in ms.
create table writer_stats (
    component text    primary key, -- ingest | status | ...
    at        integer not null,    -- when this row was written
    turns     integer not null,    -- since the writer started
    rows      integer not null,    -- records handled since the writer started
    failures  integer not null,    -- turns that were rolled back since the writer started
    wait_p50  real    not null,
    wait_p95  real    not null,
    wait_max  real    not null,
    hold_p50  real    not null,
    hold_p95  real    not null,
    hold_max  real    not null
) strict, without rowid;

-- Imports of other databases, oldest first. A row is an operator's request; the writer looks once a second and takes
-- it up. Its progress is that of its migrations.
create table imports (
    id           integer primary key,
    path         text    not null, -- absolute
    requested_at integer not null,
    requested_by text    not null, -- cli | api
    state        text    not null default 'requested'
                 check (state in ('requested', 'running', 'done', 'failed', 'cancelled', 'refused')),
    started_at   integer,          -- when its bounds were taken; null: not yet
    ended_at     integer,          -- null: not yet
    error        text,             -- one sentence; null: none
    source_id    integer references sources (id) -- marks the observations it brought; null: not begun
) strict;

-- One row per table of an import's source; the counts change in the commit that changes the rows they count.
create table import_tables (
    import_id   integer not null references imports (id),
    name        text    not null, -- as in the source
    left_out    text,             -- why it does not come along; null: it does
    key_after   integer not null default 0, -- rows up to this key came with an earlier import
    key_last    integer not null default 0, -- bound taken at the start; later rows are left to the next import
    witness     blob,             -- digest of the row at key_last, tells whether a later file continues this one; null: none
    total       integer not null default 0, -- rows between the two keys at the start
    walked_by   text,             -- id or rowid; null: left out
    reading     text,             -- the statement that reads a slice, fixed at the start; null: left out
    imported    integer not null default 0, -- stored as rows of their own
    merged      integer not null default 0, -- known already (live, an earlier import, or a copy in the source)
    quarantined integer not null default 0, -- cannot be stored; reject_counts has the reasons
    primary key (import_id, name)
) strict, without rowid;

-- Transmissions an import touched: what its derived values are computed for.
create table imported_transmissions (
    source_id         integer not null references sources (id),
    transmission_id   integer not null,           -- retention may have dropped it since
    created           integer not null default 0, -- 1: the import stored it first
    first_seen_before integer,                    -- first_seen that traffic_hourly counts it by; null: not counted or not moved
    observer_before   integer,                    -- and the observer (0: unknown); null: as above
    primary key (source_id, transmission_id)
) strict, without rowid;

-- Who hears whom, as far as an import says.
create table neighbor_edges (
    node_a    blob    not null, -- 32 bytes, the smaller key
    node_b    blob    not null,
    count     integer not null,
    last_seen integer not null,
    primary key (node_a, node_b)
) strict, without rowid;
