// The chosen theme (light, dark, system), stored in this browser and applied to <html data-theme>.

import { signal, effect } from "./ui.js";

const KEY = "hopscope.theme";
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

/** @returns {string} what was stored, or "system" */
function stored() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

/** "light", "dark" or "system" */
export const theme = signal(stored());
const systemIsDark = signal(darkSystem.matches);
/** What is shown: "light" or "dark". Canvas drawings read this to repaint. */
export const shownTheme = signal(document.documentElement.dataset.theme ?? "light");

darkSystem.addEventListener("change", (event) => (systemIsDark.value = event.matches));

effect(() => {
  const dark = theme.value === "dark" || (theme.value === "system" && systemIsDark.value);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  shownTheme.value = dark ? "dark" : "light";
  document.querySelector("meta[name=theme-color]")?.setAttribute("content", token("--paper"));
});

/** @param {string} choice "light", "dark" or "system" */
export function chooseTheme(choice) {
  theme.value = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // the choice then lasts as long as this page
  }
}

/**
 * The current value of a design token, for canvas drawings.
 * @param {string} name such as "--ink"
 */
export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
