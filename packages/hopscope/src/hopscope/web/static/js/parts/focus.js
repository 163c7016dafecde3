// Where the focus goes when the page changes: to the new page's heading, also when its modules come later.

let waiting = false;

/** Focus the first element of this kind without scrolling to it. @param {string} selector @returns {boolean} whether there is one */
export function focusOn(selector) {
  const found = /** @type {HTMLElement | null} */ (document.querySelector(selector));
  found?.focus({ preventScroll: true });
  return found !== null;
}

/** Focus the page's heading, or remember to. */
export function focusHeading() {
  waiting = !focusOn("main h1");
}

/** The page has come: do what was remembered. */
export function headingCame() {
  if (waiting) focusHeading();
}
