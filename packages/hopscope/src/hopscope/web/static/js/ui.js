// The one door to the view library: Preact components, htm templates, signals.

import { h, render, Fragment, createRef } from "../vendor/preact/preact.js";
import { useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useId } from "../vendor/preact/hooks.js";
import { signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect } from "../vendor/signals/signals.js";
import htm from "../vendor/htm/htm.js";

const html = htm.bind(h);

export {
  h, html, render, Fragment, createRef,
  useState, useEffect, useLayoutEffect, useMemo, useRef, useCallback, useId,
  signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect,
};
