// What kind of screen this is, as signals.

import { signal } from "./ui.js";

/** @param {string} media */
function matching(media) {
  const list = matchMedia(media);
  const matches = signal(list.matches);
  list.addEventListener("change", (event) => (matches.value = event.matches));
  return matches;
}

/** A phone: one column, bottom navigation. The same width as in shell.css. */
export const narrow = matching("(max-width: 700px)");
/** Too narrow for a list and a packet beside each other. The same width as in packets.css. */
export const single = matching("(max-width: 1000px)");
/** The reader asked for less movement. */
export const calm = matching("(prefers-reduced-motion: reduce)");
