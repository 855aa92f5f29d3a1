// A small drawing for each type of device, in the colour of the text around it.

import { html } from "./vendor/preact.js";

const shapes = {
  light: "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.500 10.900V15h7v-1.100A6 6 0 0 0 12 3z",
  switch: "M8 7h8a5 5 0 0 1 0 10H8A5 5 0 0 1 8 7zM16 9.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5z",
  outlet: "M4 4h16v16H4zM9 9v3M15 9v3M10 16h4",
  sensor: "M12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM7 7a7 7 0 0 0 0 10M17 7a7 7 0 0 1 0 10M4.500 4.500a10.500 10.500 0 0 0 0 15M19.500 4.500a10.500 10.500 0 0 1 0 15",
  meter: "M4 15a8 8 0 0 1 16 0M12 15l4-5M3 19h18",
  cover: "M4 4h16M6 4v12M18 4v12M6 8h12M6 12h12M6 16h12M12 16v4",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3M12 14.500v2",
  thermostat: "M10 4a2 2 0 0 1 4 0v9a4.500 4.500 0 1 1-4 0zM12 9v8",
  fan: "M12 12c-4-1-4-8 0-8s2 5 0 8zM12 12c4-1 8 3 5 6s-5-2-5-6zM12 12c-2 4-9 4-8 0s6-2 8 0z",
  valve: "M3 15h18M5 12v6M19 12v6M12 15V8M8 6h8",
  button: "M5 5h14v14H5zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  siren: "M7 17v-5a5 5 0 0 1 10 0v5M5 20h14M12 2v2M4.500 5L6 6.500M19.500 5L18 6.500",
  coordinator: "M6 15h12v5H6zM12 15V9M9 9a3 3 0 0 1 6 0M6.500 8a5.500 5.500 0 0 1 11 0M9 17.500h.01",
  other: "M5 8l7-4 7 4v8l-7 4-7-4zM5 8l7 4 7-4M12 12v8",
};

/** The drawing of a device type. */
export function Icon({ type }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${shapes[type] || shapes.other}/></svg>`;
}
