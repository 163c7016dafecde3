"""The wire form of nodes, and how rows become it behind the veil."""

from msgspec import UNSET, Struct, UnsetType

from hopscope.api.corescope_json import role_name
from hopscope.api.times import iso, iso_or_none
from hopscope.api.veil import E6, Veil
from hopscope.store.nodes import NodeRow


class NodeOut(Struct):
    """A node. Positions in degrees, of companions rounded unless configured otherwise; times are receive times."""

    public_key: str
    name: str | None
    role: str
    lat: float | None
    lon: float | None
    last_seen: str
    first_seen: str
    advert_count: int
    battery_mv: int | None
    temperature_c: float | None
    foreign: bool
    default_scope: str | None
    hash_size: int | None
    hash_size_inconsistent: bool
    last_heard: str
    verified: bool
    advert_timestamp: str | None
    hash_sizes_seen: list[int] | UnsetType = UNSET


def node_out(row: NodeRow, veil: Veil) -> NodeOut:
    """The wire form of a node that is not hidden."""
    position = veil.position(row.role, row.lat_e6, row.lon_e6)
    sizes = [size for size in (1, 2, 3) if row.hash_sizes >> size & 1]
    return NodeOut(
        public_key=row.pubkey.hex(),
        name=row.name,
        role=role_name(row.role),
        lat=None if position is None else position[0] / 10**E6,
        lon=None if position is None else position[1] / 10**E6,
        last_seen=iso(row.last_seen),
        first_seen=iso(row.first_seen),
        advert_count=row.advert_count,
        battery_mv=row.battery_mv,
        temperature_c=row.temperature_c,
        foreign=False,
        default_scope=None,
        hash_size=row.hash_size,
        hash_size_inconsistent=len(sizes) > 1,
        last_heard=iso(row.last_seen),
        verified=bool(row.verified),
        advert_timestamp=iso_or_none(row.advert_at),
        hash_sizes_seen=sizes if len(sizes) > 1 else UNSET,
    )
