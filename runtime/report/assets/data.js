'use strict';
// The log's values, and the rows of its holes.

const LOG = JSON.parse(document.getElementById('log').textContent);
const ARRAYS = {};

/** Decode the arrays: base64, deflate, and the bytes of each array plane by plane. */
async function unpack() {
  const element = document.getElementById('data');
  const text = atob(element.textContent);
  element.textContent = '';
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let from = 0;
  for (const { name, type, width } of LOG.arrays) {
    const Type = globalThis[type], size = Type.BYTES_PER_ELEMENT, n = width * LOG.n;
    const values = new Uint8Array(n * size);
    for (let part = 0; part < size; part++) {
      for (let i = 0, to = part; i < n; i++, to += size) values[to] = bytes[from++];
    }
    ARRAYS[name] = { values: new Type(values.buffer), width };
  }
}

/** The values of one column of an array; undefined if the log has no such array. */
const column = (name, i = 0) => ARRAYS[name]?.values.subarray(i * LOG.n, (i + 1) * LOG.n);

const bits = new Map();
/** Whether the bit of a feature is set in each row; null if it is in none. */
function bitsOf(name, feature) {
  const key = `${name} ${feature}`;
  if (!bits.has(key)) {
    const octets = column(name, feature >> 3), place = feature & 7, found = octets.map((one) => (one >> place) & 1);
    bits.set(key, found.includes(1) ? found : null);
  }
  return bits.get(key);
}

/** Give each hole the depths at which the cells of its rows begin and end: half-way, or half a step beside a gap. */
function makeHoles() {
  const depth = column('depth');
  const top = new Float64Array(LOG.n), base = new Float64Array(LOG.n);
  for (const hole of LOG.holes) {
    const { start, stop, step, gap } = hole;
    for (let i = start; i < stop; i++) {
      const before = i > start ? depth[i] - depth[i - 1] : Infinity;
      const after = i + 1 < stop ? depth[i + 1] - depth[i] : Infinity;
      top[i] = depth[i] - (before <= gap ? before : step) / 2;
      base[i] = depth[i] + (after <= gap ? after : step) / 2;
    }
    Object.assign(hole, { top, base, depth, low: top[start], high: base[stop - 1] });
    hole.intervals = LOG.intervals.filter((one) => one.hole === hole.name || LOG.holes.length === 1);
    for (const one of hole.intervals) {
      hole.low = Math.min(hole.low, one.top);
      hole.high = Math.max(hole.high, one.base);
    }
  }
}

/** The first row of a hole from some depth on. */
function firstRow(hole, depth) {
  let low = hole.start, high = hole.stop;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hole.depth[middle] < depth) low = middle + 1; else high = middle;
  }
  return low;
}

/** The row nearest to a depth; -1 if the hole has none. */
function nearestRow(hole, depth) {
  const after = firstRow(hole, depth);
  if (after >= hole.stop) return hole.stop - 1;
  if (after === hole.start) return after;
  return hole.depth[after] - depth < depth - hole.depth[after - 1] ? after : after - 1;
}

// Texts -----------------------------------------------------------------------------------------------------------

const minus = (text) => (/^-[0.]*$/.test(text) ? text.slice(1) : text.replace('-', '−')); // no -0.0
const digits = (value, n = 4) => (Number.isFinite(value) ? minus(String(Number(value.toPrecision(n)))) : '–');
const fixed = (value, n = 2) => (Number.isFinite(value) ? minus(value.toFixed(n)) : '–');
const counted = (n) => n.toLocaleString('en');
/** Decimals that tell one row from the next, or the edge of a cell from its middle. */
const placesOf = (step) => Math.min(5, Math.max(2, Math.ceil(-Math.log10(step) - 1e-9)));
const places = (share = 1) => (LOG.holes.length ? Math.max(...LOG.holes.map((hole) => placesOf(hole.step * share))) : 2);
const depthText = (depth) => (LOG.hasDepth ? `${fixed(depth, places())} m` : `row ${counted(Math.round(depth))}`);
const rangeText = (low, high) => (LOG.hasDepth
  ? `${fixed(low, places())}–${fixed(high, places())} m`
  : `rows ${counted(Math.max(0, Math.ceil(low)))}–${counted(Math.max(0, Math.floor(high)))}`);

/** An element with texts or elements in it; a name that starts with `on` is a listener, `class` and others attributes. */
function make(tag, given = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}
/** A text from outside: its direction does not turn what stands beside it. */
const foreign = (text) => make('bdi', {}, text);
