"""Turn a delivered message into a record: read its envelope, decode its frame. Touches no database and no clock."""

from collections.abc import Mapping

from hopscope import log
from hopscope.ingest import envelope
from hopscope.model import Heard, Message, PacketFacts, Reason, Reception, Record
from hopscope.store.facts import facts_of
from meshwire import Advert, DecodeError, KeyRing, Packet, decode

VERDICTS_KEPT = 4096  # adverts whose signature is not checked again: each is heard many times, a check takes 0.1 ms


class Decoder:
    """Turns messages into records, with the keys and feeds of the configuration. Used by one thread."""

    def __init__(self, feeds: Mapping[str, envelope.Feed], keys: KeyRing) -> None:
        self._feeds, self._keys = dict(feeds), keys
        self._verdicts: dict[bytes, bool] = {}

    def record_of(self, message: Message) -> Record:
        """What the message says. Never raises: a record that cannot be used says why."""
        feed = self._feeds.get(message.source) or envelope.Feed(message.source)
        try:
            outcome = envelope.read(message, feed)
            if not isinstance(outcome, Reception):
                return outcome
            return Heard(outcome, self._facts(outcome.frame))
        except DecodeError as exc:
            return envelope.rejected(message, Reason.BAD_FRAME, str(exc))
        except Exception as exc:  # noqa: BLE001  (a defect met by one record must not stop the others)
            log.exception("ingest.defect", source=message.source, topic=message.topic)
            return envelope.rejected(message, Reason.UNEXPECTED, f"a defect of hopscope: {type(exc).__name__}")

    def _facts(self, frame: bytes) -> PacketFacts:
        packet = decode(frame, keys=self._keys, verify=False)
        return facts_of(packet, verified=isinstance(packet.payload, Advert) and self._verdict(packet))

    def _verdict(self, packet: Packet) -> bool:
        """Whether the advert's signature is valid. Kept by the whole payload, so that no other bytes can borrow it."""
        verdict = self._verdicts.get(packet.payload_raw)
        if verdict is None:
            payload = decode(packet.frame, keys=self._keys, verify=True).payload
            verdict = isinstance(payload, Advert) and payload.signature_valid is True
            if len(self._verdicts) >= VERDICTS_KEPT:
                del self._verdicts[next(iter(self._verdicts))]
            self._verdicts[packet.payload_raw] = verdict
        return verdict
