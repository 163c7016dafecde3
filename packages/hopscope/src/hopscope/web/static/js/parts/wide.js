// A frame around what may be wider than the screen. It can be scrolled by keyboard, and is a tab stop only then.

import { html, useLayoutEffect, useRef, useState } from "../ui.js";

/** @param {{label: string, children: unknown}} props */
export function Wide({ label, children }) {
  const box = useRef(null);
  const [scrolls, setScrolls] = useState(false);
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => setScrolls(box.current.scrollWidth > box.current.clientWidth));
    watcher.observe(box.current);
    watcher.observe(box.current.firstElementChild);
    return () => watcher.disconnect();
  }, []);
  return html`<div class="table-frame" ref=${box} role=${scrolls ? "region" : undefined} aria-label=${scrolls ? label : undefined} tabindex=${scrolls ? "0" : undefined}>${children}</div>`;
}
