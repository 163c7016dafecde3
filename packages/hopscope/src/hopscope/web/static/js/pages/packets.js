// The Packets page: the live list, its filters, and the packet that is open beside it.

import { html, useEffect, useMemo, useRef, useSignal, useState } from "../ui.js";
import { mayPass, request, RETRY_MS, withQuery } from "../api.js";
import { client } from "../client.js";
import { onPackets, onResync, liveState } from "../live.js";
import { navigate, query } from "../router.js";
import { useResource } from "../resource.js";
import { count, decibel, receptions } from "../format.js";
import { narrow } from "../screen.js";
import { Ago, AirText } from "../parts/words.js";
import { Empty, Failure, Loading } from "../parts/states.js";
import { Grid } from "../parts/grid.js";
import { Hops } from "../parts/hops.js";
import { focusOn } from "../parts/focus.js";
import { Icon } from "../parts/icons.js";
import { TypeBadge, typeOf } from "../parts/kind.js";
import { Book } from "../packets/book.js";
import { PacketDetail } from "../packets/detail.js";
import { FilterBar } from "../packets/filterbar.js";
import { asRequest, endsInPast, filtersOf, passes } from "../packets/filters.js";
import { Scope } from "../packets/scope.js";
import { Summary } from "../packets/summary.js";
import { Welcome } from "./welcome.js";

const PAGE = 100;
const CHOICES_MS = 60_000; // what filters offer is loaded anew so often
const HELD = 2000; // live receptions kept back while paused or in the background; past it the list is loaded anew

const COLUMNS = [
  { name: "time", label: "Heard" },
  { name: "type", label: "Type" },
  { name: "says", label: "Content" },
  { name: "path", label: "Path" },
  { name: "heard", label: "Receptions", class: "right" },
  { name: "snr", label: "SNR", class: "right" },
  { name: "observer", label: "Observer" },
  { name: "hash", label: "Hash" },
];

/** @param {{hash?: string}} props the packet that is open */
export function PacketsPage({ hash }) {
  const filters = filtersOf(query.value);
  const filterKey = JSON.stringify(filters);
  const observers = useResource("/api/observers", { everyMs: CHOICES_MS }).state.value.data?.observers ?? [];
  const channels = useResource("/api/channels?includeEncrypted=true", { everyMs: CHOICES_MS }).state.value.data?.channels ?? [];
  const list = usePacketList(filters, filterKey, observers);
  const [openFilters, setOpenFilters] = useState(false);
  const filtered = Object.keys(filters).length;
  const open = (row) => navigate(`/packets/${row.hash}${location.search}`);
  const close = () => {
    navigate(`/packets${location.search}`);
    requestAnimationFrame(() => focusOn(".packet-grid")); // back to the list
  };

  if (client.value && !client.value.hasSources && list.ready && !list.rows.length && !filtered) return html`<${Welcome} />`;
  return html`<div class=${`page packets ${hash ? "with-detail" : ""}`}>
    <div class="packets-list">
      <header class="page-head">
        <h1 tabindex="-1">Packets</h1>
        <div class="tools">
          ${narrow.value && html`<button type="button" class="button" aria-expanded=${openFilters} onClick=${() => setOpenFilters(!openFilters)}><${Icon} name="filter" />Filters${filtered ? ` (${filtered})` : ""}</button>`}
          <button type="button" class="button" aria-pressed=${list.paused} onClick=${list.togglePause}>
            <${Icon} name=${list.paused ? "play" : "pause"} />${list.paused ? "Resume" : "Pause"}
          </button>
        </div>
      </header>
      <${Scope} seed=${list.rows} />
      ${(!narrow.value || openFilters) && html`<${FilterBar} observers=${observers} channels=${channels} />`}
      <${List} list=${list} filtered=${filtered} selected=${hash} onOpen=${open} />
    </div>
    ${hash && html`<${PacketDetail} hash=${hash.toLowerCase()} onClose=${close} />`}
  </div>`;
}

function List({ list, filtered, selected, onOpen }) {
  if (list.error && !list.rows.length) return html`<${Failure} error=${list.error} what="Packets" retry=${list.reload} />`;
  if (!list.ready) return html`<${Loading} what="packets" rows=${14} />`;
  if (!list.rows.length) {
    return filtered
      ? html`<${Empty} title="No packet matches these filters">${liveState.value === "live" && html`<p>New ones appear here as they are heard.</p>`}<//>`
      : html`<${Empty} title="No packets yet"><p>They appear here as soon as an observer reports one.</p><p><a href="/system">System</a> shows whether the sources are connected.</p><//>`;
  }
  return html`<div class="grid-frame">
    ${list.held > 0 && html`<button type="button" class="held" onClick=${list.release}><${Icon} name="up" />${heldWords(list.held)}</button>`}
    ${list.error && html`<${Failure} small error=${list.error} what=${list.failed} retry=${list.failed === "Older packets" ? list.more : list.reload} />`}
    <${Grid} id="packet" label="Packets, newest first" columns=${COLUMNS} rows=${list.rows} rowHeight=${narrow.value ? 62 : 36}
      keyOf=${(row) => row.hash} cells=${cells} selected=${selected} onOpen=${onOpen} onNearEnd=${list.more} onAway=${list.setAway} top=${list.top}
      rowClass=${(row) => (row.bumpedAt && Date.now() - row.bumpedAt < 1500 ? "fresh" : "")} />
  </div>`;
}

/** @param {number} held Infinity: more than were counted */
const heldWords = (held) => (held === Infinity ? "New packets" : `${count(held)} new ${held === 1 ? "packet" : "packets"}`);

function cells(row) {
  const trace = typeOf(row.type).name === "TRACE";
  const unread = !row.heard && !row.hops.length; // of an import that has not come to its receptions yet
  return [
    html`<${Ago} at=${row.latest} />`,
    html`<${TypeBadge} value=${row.type} />`,
    html`<${Summary} type=${row.type} payload=${row.payload} />`,
    trace || unread ? html`<span class="dim">–</span>` : html`<${Hops} hops=${row.hops} room=${164} direct=${row.route >= 2} />`,
    html`<span class=${`times num ${row.heard ? "" : "uncounted"}`}>${receptions(row.heard)}<span class="visually-hidden"> receptions</span></span>`,
    html`<span class="num">${decibel(row.snr, "")}</span>`,
    html`<${AirText} text=${row.observer} cap=${28} none="–" />`,
    html`<a class="mono" href=${`/packets/${row.hash}`} tabindex="-1">${row.hash.slice(0, 8)}</a>`,
  ];
}

/** The list with its live feed; pauses by itself while the reader has scrolled away from the top. */
function usePacketList(filters, filterKey, observers) {
  const book = useMemo(() => new Book(), []);
  const view = useSignal({ ready: false, error: null, failed: "", cursor: null, round: 0 });
  const [paused, setPaused] = useState(false);
  const [away, setAway] = useState(false);
  const state = useRef({ held: [], overflow: false, busy: false, stopped: false });
  const top = useRef(null);
  const heldCount = useSignal(0);
  const show = (changes = {}) => (view.value = { ...view.value, ...changes, round: view.value.round + 1 });
  const iata = useMemo(() => new Map(observers.map((o) => [o.id, o.iata])), [observers]);

  const load = (abort) =>
    request(withQuery("/api/packets", { ...asRequest(filters, Date.now()), limit: PAGE }), { signal: abort?.signal }).then(
      (page) => {
        book.load(page.packets);
        state.current.held = [];
        state.current.overflow = false;
        heldCount.value = 0;
        show({ ready: true, error: null, cursor: page.next_cursor ?? null });
      },
      (error) => error.name === "AbortError" || show({ error, failed: "Newer packets" }),
    );
  useEffect(() => {
    const abort = new AbortController();
    show({ ready: false, error: null, cursor: null });
    load(abort);
    return () => abort.abort();
  }, [filterKey]);
  useEffect(() => {
    if (view.value.ready || !mayPass(view.value.error)) return undefined;
    const again = setTimeout(() => load(), RETRY_MS);
    return () => clearTimeout(again);
  }, [view.value.error]);
  useEffect(() => onResync(() => (state.current.stopped ? miss() : load())), [filterKey]);

  state.current.stopped = paused || away;
  useEffect(() => {
    const back = () => document.hidden || state.current.stopped || drain();
    document.addEventListener("visibilitychange", back);
    return () => document.removeEventListener("visibilitychange", back);
  }, [filterKey]);
  useEffect(() => {
    let frame = 0;
    const waiting = [];
    const flush = () => {
      frame = 0;
      book.hear(waiting.splice(0), Date.now());
      show();
    };
    const stop = onPackets((packets) => {
      if (endsInPast(filters)) return;
      const mine = packets.filter((packet) => passes(packet, filters, (id) => iata.get(id)));
      if (!mine.length) return;
      if (state.current.stopped || document.hidden) return hold(mine); // a hidden tab draws no frames
      waiting.push(...mine);
      frame ||= requestAnimationFrame(flush);
    });
    return () => (stop(), cancelAnimationFrame(frame));
  }, [filterKey, iata]);

  const hold = (packets) => {
    const { current } = state;
    current.held.push(...packets);
    if (current.held.length > HELD) miss();
    if (!current.stopped || current.overflow) return;
    heldCount.value = new Set(current.held.map((packet) => packet.hash).filter((hash) => !book.byHash.has(hash))).size;
  };
  /** More came than is kept: the list is loaded anew when the reader comes back to it, and not before. */
  const miss = () => {
    Object.assign(state.current, { overflow: true, held: [] });
    if (state.current.stopped) heldCount.value = Infinity;
  };
  const release = () => {
    setPaused(false);
    setAway(false);
    top.current?.();
    drain();
  };
  const drain = () => {
    const { current } = state;
    if (current.overflow) return void load();
    if (!current.held.length) return;
    book.hear(current.held.splice(0), Date.now());
    heldCount.value = 0;
    show();
  };
  useEffect(() => {
    if (!paused && !away) drain();
  }, [paused, away]);

  const more = async () => {
    const { cursor } = view.value;
    if (!cursor || state.current.busy) return;
    state.current.busy = true;
    try {
      const page = await request(withQuery("/api/packets", { ...asRequest(filters, Date.now()), limit: PAGE, cursor }));
      book.append(page.packets);
      show({ cursor: page.next_cursor ?? null, error: null });
    } catch (error) {
      show({ error, failed: "Older packets" });
    } finally {
      state.current.busy = false;
    }
  };
  return {
    ...view.value, rows: book.rows, paused, held: heldCount.value, release, more, setAway, top,
    reload: () => load(), togglePause: () => setPaused(!paused),
  };
}
