// A table that draws only the rows in view, so that ten thousand stay as smooth as ten. Keyboard: arrows, page keys,
// Home, End, Enter. The active row is told to screen readers by aria-activedescendant, because rows come and go.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../ui.js";

const OVERSCAN = 8;

/**
 * @typedef {{name: string, label: string, class?: string, sort?: string}} Column
 */

/**
 * @param {{
 *   id: string, label: string, columns: Column[], rows: any[], total?: number, rowHeight: number,
 *   keyOf: (row: any) => string, cells: (row: any) => unknown[], rowClass?: (row: any) => string, selected?: string,
 *   onOpen?: (row: any) => void, onNearEnd?: () => void, onAway?: (away: boolean) => void, sort?: {by: string, change: (by: string) => void},
 *   footer?: unknown, top?: {current: (() => void) | null},
 * }} props `cells` gives one cell per column; `onAway` tells whether the reader has scrolled away from the top
 */
export function Grid(props) {
  const { id, label, columns, rows, rowHeight, keyOf, cells, rowClass, selected, onOpen, onNearEnd, onAway, sort, footer, top } = props;
  const box = useRef(null);
  const [view, setView] = useState({ at: 0, height: 800 });
  const [active, setActive] = useState(0);
  const away = useRef(false);

  useLayoutEffect(() => {
    const measure = () => setView((old) => ({ ...old, height: box.current.clientHeight }));
    const watcher = new ResizeObserver(measure);
    watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (top) top.current = () => box.current?.scrollTo({ top: 0 });
  }, [top]);

  const scrolled = () => {
    const at = box.current.scrollTop;
    setView((old) => ({ ...old, at }));
    const isAway = at > rowHeight;
    if (isAway !== away.current) onAway?.((away.current = isAway));
    if (at + view.height > box.current.scrollHeight - 12 * rowHeight) onNearEnd?.();
  };
  const move = (index) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    setActive(next);
    const from = next * rowHeight;
    const head = box.current.querySelector(".grid-head")?.offsetHeight ?? 0;
    if (from < box.current.scrollTop) box.current.scrollTop = from;
    else if (from + rowHeight + head > box.current.scrollTop + view.height) box.current.scrollTop = from + rowHeight + head - view.height;
  };
  const pressed = (event) => {
    if (event.target !== box.current) return; // a link or button inside has its own keys
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 2);
    const steps = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length - 1 };
    if (event.key in steps) move(steps[event.key]);
    else if ((event.key === "Enter" || event.key === " ") && rows[active]) onOpen?.(rows[active]);
    else return;
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(view.at / rowHeight) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.at + view.height) / rowHeight) + OVERSCAN);
  const shown = Math.min(active, rows.length - 1);
  return html`<div
    class=${`grid ${id}-grid`}
    role="grid"
    aria-label=${label}
    aria-rowcount=${rows.length + 1}
    aria-colcount=${columns.length}
    aria-activedescendant=${shown >= first && shown < last ? `${id}-${shown}` : undefined}
    tabindex="0"
    ref=${box}
    onScroll=${scrolled}
    onKeyDown=${pressed}
  >
    <div class="grid-head" role="row" aria-rowindex="1">${columns.map((column) => html`<${Head} column=${column} sort=${sort} />`)}</div>
    <div class="grid-body" role="rowgroup" style=${{ height: `${rows.length * rowHeight}px` }}>
      ${rows.slice(first, last).map((row, i) => {
        const index = first + i;
        const key = keyOf(row);
        return html`<div
          key=${key}
          id=${`${id}-${index}`}
          role="row"
          class=${`grid-row ${rowClass?.(row) ?? ""} ${index === shown ? "active" : ""}`}
          aria-rowindex=${index + 2}
          aria-selected=${key === selected}
          style=${{ height: `${rowHeight}px`, transform: `translateY(${index * rowHeight}px)` }}
          onClick=${(event) => {
            if (event.target.closest("a, button")) return;
            setActive(index);
            onOpen?.(row);
          }}
        >
          ${cells(row).map((cell, c) => html`<div role="gridcell" class=${`cell ${columns[c].class ?? ""} c-${columns[c].name}`}>${cell}</div>`)}
        </div>`;
      })}
    </div>
    ${footer && html`<div class="grid-foot">${footer}</div>`}
  </div>`;
}

/** @param {{column: Column, sort?: {by: string, descending?: boolean, change: (by: string) => void}}} props */
function Head({ column, sort }) {
  const words = `cell ${column.class ?? ""} c-${column.name}`;
  if (!sort || !column.sort) return html`<div role="columnheader" class=${words}>${column.label}</div>`;
  const mine = sort.by === column.sort;
  const direction = mine ? (sort.descending ? "descending" : "ascending") : "none";
  return html`<div role="columnheader" class=${words} aria-sort=${direction}>
    <button type="button" class="sort" onClick=${() => sort.change(column.sort)}>
      ${column.label}<span aria-hidden="true">${mine ? (sort.descending ? " ↓" : " ↑") : ""}</span>
    </button>
  </div>`;
}
