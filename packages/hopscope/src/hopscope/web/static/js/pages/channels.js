// The Channels page: the channels heard, and one of them read like a chat. Who speaks is what the message claims.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../ui.js";
import { request, withQuery } from "../api.js";
import { onPackets, onResync } from "../live.js";
import { query, setQuery } from "../router.js";
import { useResource } from "../resource.js";
import { narrow } from "../screen.js";
import { absolute, count, day, shortClock, toMs } from "../format.js";
import { AirText, Ago } from "../parts/words.js";
import { Await, Empty, Failure, Loading } from "../parts/states.js";
import { Icon } from "../parts/icons.js";
import { typeOf } from "../parts/kind.js";
import { channelOf } from "../packets/filters.js";
import { saidText } from "../packets/summary.js";

const PAGE = 100;
const REST_MS = 800; // a burst of receptions of one message asks for it once

/** @param {{name?: string}} props the channel that is open */
export function ChannelsPage({ name }) {
  const encrypted = query.value.encrypted === "1";
  const of = useResource(withQuery("/api/channels", { includeEncrypted: encrypted }));
  useChannelActivity(null, of.reload);
  const channels = of.state.value.data?.channels ?? [];
  const open = name ?? (narrow.value ? undefined : idOf(channels[0]));
  return html`<div class=${`page channels ${name ? "reading" : ""}`}>
    <div class="channel-list">
      <header class="page-head">
        <h1 tabindex="-1">Channels</h1>
        <div class="tools">
          <button type="button" class="button small" aria-pressed=${encrypted} onClick=${() => setQuery({ encrypted: encrypted ? null : "1" })}><${Icon} name="lock" />Encrypted</button>
        </div>
      </header>
      <${Await} of=${of} what="channels">${() =>
        channels.length
          ? html`<ul>${channels.map((channel) => html`<${Item} key=${idOf(channel)} channel=${channel} open=${idOf(channel) === open} />`)}</ul>`
          : html`<${Empty} title="No channel heard yet"><p>Channels appear with the first message that one of the configured keys opens.</p><//>`}<//>
    </div>
    ${open !== undefined && html`<${Chat} key=${open} id=${open} channel=${channels.find((channel) => idOf(channel) === open)} />`}
  </div>`;
}

const idOf = (channel) => channel && (channel.hash ?? channel.name);
const isLocked = (id) => /^enc_/.test(id ?? "");

function Item({ channel, open }) {
  const locked = channel.encrypted ?? isLocked(idOf(channel));
  return html`<li>
    <a class="channel" href=${`/channels/${encodeURIComponent(idOf(channel))}${location.search}`} aria-current=${open ? "true" : undefined}>
      <span class="channel-name">${locked && html`<${Icon} name="lock" />`}<${AirText} text=${locked ? lockedName(channel) : channel.name} cap=${28} class="strong" /></span>
      <span class="channel-when dim"><${Ago} at=${channel.lastActivity} none="" /></span>
      <span class="channel-last clip">${!locked && channel.lastMessage ? html`${channel.lastSender && html`<${AirText} text=${channel.lastSender} cap=${20} />: `}<${AirText} text=${saidText({ sender: channel.lastSender, text: channel.lastMessage })} cap=${80} />` : html`<span class="dim">${locked ? "no key" : ""}</span>`}</span>
      <span class="channel-count num dim">${count(channel.messageCount)}</span>
    </a>
  </li>`;
}

const lockedName = (channel) => `Channel ${String(idOf(channel)).replace(/^enc_/, "")}`;

/** Call `changed` a moment after a message of this channel (any: null) was heard. */
function useChannelActivity(id, changed) {
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    let timer = 0;
    let missed = false;
    const tell = () => {
      timer = 0;
      missed = document.hidden; // asked for when somebody looks again
      if (!missed) latest.current();
    };
    const back = () => document.hidden || !missed || tell();
    document.addEventListener("visibilitychange", back);
    const stop = onPackets((packets) => {
      if (timer || missed || !packets.some((p) => typeOf(p.payload_type).name === "GRP_TXT" && (id === null || channelOf(p.decoded?.payload ?? {}) === id))) return;
      timer = setTimeout(tell, REST_MS);
    });
    const stopResync = onResync(() => latest.current());
    return () => (stop(), stopResync(), clearTimeout(timer), document.removeEventListener("visibilitychange", back));
  }, [id]);
}

function Chat({ id, channel }) {
  const locked = isLocked(id);
  const chat = useMessages(id);
  const box = useRef(null);
  const stick = useRef(true); // the reader is at the newest message
  useLayoutEffect(() => {
    if (stick.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [chat.messages]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    stick.current = scrollHeight - scrollTop - clientHeight < 60;
  };
  const days = useMemo(() => byDay(chat.messages), [chat.messages]);
  return html`<section class="chat" aria-label=${`Messages of ${locked ? lockedName({ hash: id }) : id}`}>
    <header class="chat-head">
      <a class="button quiet back" href="/channels"><${Icon} name="back" /><span class="visually-hidden">Channels</span></a>
      <${narrow.value ? "h1" : "h2"} class="chat-title"><${AirText} text=${locked ? lockedName({ hash: id }) : (channel?.name ?? id)} cap=${40} /><//>
      <span class="dim num">${chat.total === null ? "" : `${count(chat.total)} messages`}</span>
    </header>
    <p class="chat-note">Sender names are claims: anyone with the channel's key can write under any name.</p>
    <div class="chat-scroll" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-label="Messages, oldest first">
      ${chat.error && html`<${Failure} small=${chat.messages.length > 0} error=${chat.error} what="Messages" retry=${chat.reload} />`}
      ${!chat.ready && !chat.error && html`<${Loading} what="messages" rows=${8} />`}
      ${chat.ready && !chat.messages.length && html`<${Empty} title=${locked ? "These messages cannot be read" : "No messages stored"}>
        ${locked && html`<p>No configured key opens this channel.</p><p><a href=${`/packets?channel=${encodeURIComponent(id)}`}>Its packets</a></p>`}<//>`}
      ${chat.cursor && html`<button type="button" class="button older" disabled=${chat.busy} onClick=${() => ((stick.current = false), chat.older())}>Older messages</button>`}
      ${days.map(([title, messages]) => html`<section key=${title} class="chat-day"><${narrow.value ? "h2" : "h3"} class="chat-date">${title}<//>${messages.map((message, i) => html`<${Message} key=${message.packetHash ?? i} message=${message} follows=${follows(messages, i)} />`)}</section>`)}
    </div>
  </section>`;
}

/** Whether a message continues the one before: same claimed sender, within five minutes. */
const follows = (messages, i) => i > 0 && messages[i].sender === messages[i - 1].sender && toMs(messages[i].timestamp) - toMs(messages[i - 1].timestamp) < 300_000;

function byDay(messages) {
  const days = new Map();
  for (const message of messages) {
    const title = day(toMs(message.timestamp) ?? 0);
    days.has(title) ? days.get(title).push(message) : days.set(title, [message]);
  }
  return [...days];
}

function Message({ message, follows: again }) {
  const at = toMs(message.timestamp);
  const heard = `heard ${count(message.repeats ?? 1)}×${message.hops ? `, ${message.hops} hops` : ""}`;
  return html`<article class=${`message ${again ? "again" : ""}`}>
    ${!again && html`<span class="message-from" style=${{ "--hue": hue(message.sender) }}><${AirText} text=${message.sender} cap=${32} none="no name" class="strong" /></span>`}
    <span class="message-meta dim"><time title=${at ? absolute(at) : ""}>${at ? shortClock(at) : ""}</time>${message.packetHash ? html`<a class="plain" href=${`/packets/${message.packetHash}`}>${heard}</a>` : html`<span>${heard}</span>`}</span>
    <p class="message-text">${message.hidden ? html`<span class="dim">not shown: its sender asks not to be</span>` : html`<${AirText} text=${saidText(message)} cap=${500} none="(empty)" />`}</p>
  </article>`;
}

/** A steady place on the colour circle for a claimed name. */
function hue(name) {
  let sum = 7;
  for (const character of String(name ?? "")) sum = (sum * 31 + character.codePointAt(0)) % 3600;
  return String(sum % 360);
}

/** Messages oldest first; the newest page is loaded again when one was heard. */
function useMessages(id) {
  const [state, setState] = useState({ messages: [], total: null, cursor: null, ready: false, error: null, busy: false });
  const path = (cursor) => withQuery(`/api/channels/${encodeURIComponent(id)}/messages`, { limit: PAGE, cursor });
  const load = (abort) =>
    request(path(null), { signal: abort?.signal }).then(
      // a later load brings newer messages; the way to the older ones stays as it was
      (page) => setState((old) => ({ ...old, messages: joined(old.messages, page.messages), total: page.total, cursor: old.ready ? old.cursor : page.next_cursor, ready: true, error: null })),
      (error) => error.name === "AbortError" || setState((old) => ({ ...old, error })),
    );
  useEffect(() => {
    const abort = new AbortController();
    load(abort);
    return () => abort.abort();
  }, [id]);
  useChannelActivity(id, () => load());
  const older = async () => {
    setState((old) => ({ ...old, busy: true }));
    try {
      const page = await request(path(state.cursor));
      setState((old) => ({ ...old, messages: joined(old.messages, page.messages), total: page.total, cursor: page.next_cursor, busy: false, error: null }));
    } catch (error) {
      setState((old) => ({ ...old, error, busy: false }));
    }
  };
  return { ...state, older, reload: () => load() };
}

/** Both lists, each packet once, in order of time. */
function joined(old, page) {
  const byPacket = new Map(old.map((message) => [message.packetHash ?? message.packetId, message]));
  for (const message of page) byPacket.set(message.packetHash ?? message.packetId, message);
  return [...byPacket.values()].sort((a, b) => toMs(a.timestamp) - toMs(b.timestamp));
}
