// Colours, text and time: what every picture shares. All text from a bus goes through textContent or fillText.

function make(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The theme as it is now: CSS variables of JupyterLab, Notebook or VS Code, resolved.
function inksOf(root) {
  const style = getComputedStyle(root);
  const inks = {};
  for (const name of ["paper", "ink", "faint", "line", "bid", "ask", "micro", "warn"])
    inks[name] = style.getPropertyValue(`--rb-${name}`).trim();
  inks.font = style.fontFamily;
  inks.isDark = luminance(inks.paper) < 0.5;
  return inks;
}

const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function rgb(colour) {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = "#000";
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1).data;
}

function luminance(colour) {
  const [r, g, b] = rgb(colour);
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}

function compact(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "–";
  if (size >= 1e4) {
    const unit = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([least]) => size >= least);
    return trimmed(value / unit[0], size / unit[0] >= 100 ? 0 : 1) + unit[1];
  }
  return size === 0 || size >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function trimmed(value, digits) {
  const text = value.toFixed(digits);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function micros(ns) {
  const us = ns / 1e3;
  return us >= 1e6 ? `${trimmed(us / 1e6, 2)} s` : us >= 1e4 ? `${trimmed(us / 1e3, 1)} ms` : `${us.toFixed(us < 100 ? 1 : 0)} µs`;
}

function priceText(value, digits, more = 0) {
  return value === null || !Number.isFinite(value) ? "–" : value.toFixed(Math.min(digits + more, 20));
}

function clockText(ms) {
  return new Date(ms).toLocaleTimeString([], { hour12: false });
}
