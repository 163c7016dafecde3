// Text from the air made fit to show: control and direction characters removed, stacks of marks cut, length capped.
// It stays text: every caller puts it into a text node.

// C0/C1 controls, zero-width and direction controls, byte order marks, interlinear and tag characters
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
// more than two combining marks in a row pile up over the neighbouring lines
const STACKED = /(\p{M}{2})\p{M}+/gu;

/**
 * @param {unknown} text as it came
 * @param {number} cap longest result in characters, the ellipsis included
 */
export function fit(text, cap = 64) {
  const clean = String(text ?? "").replace(UNSEEN, " ").replace(STACKED, "$1").replace(/\s+/gu, " ").trim();
  if (clean.length <= cap) return clean;
  const characters = Array.from(clean); // never cut a pair of surrogates
  return characters.length <= cap ? clean : `${characters.slice(0, cap - 1).join("")}…`;
}
