// Where the focus goes when the page changes: to the new page's heading, also when its modules come later.

let waiting = false;

const heading = () => document.querySelector("main h1");

/** Focus the page's heading, or remember to. */
export function focusHeading() {
  waiting = !heading();
  heading()?.focus({ preventScroll: true });
}

/** The page has come: do what was remembered. */
export function headingCame() {
  if (waiting) focusHeading();
}
