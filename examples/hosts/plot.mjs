/** Draw features, embeddings and the most likely lithologies against depth on a canvas. */
import { STRIPS } from './colour.mjs';
import { isAnyMissing } from './litho.mjs';
import { shortNames } from './quantities.mjs';
import { length } from './table.mjs';

const MAX_MARKS = 200_000; // more rows than the canvas has lines; longer scans are drawn every k-th row
const TOP = 30, BOTTOM = 24, LEFT = 62, RIGHT = 12, GAP = 8, GUTTER = 7, LITHOLOGY = 150, DOT = 2.5;
const UNIT = 16, STRIP = 44, LEAST_TRACK = 84, MOST_TRACK = 300; // features
const LITHOLOGY_COLOURS = ['#56b4e9', '#009e73', '#e3cf2f', '#0072b2', '#cc79a7', '#7a5c99', '#8c6d46'];
const OTHER = '#9a9a9a';

/** The state of a row: 'measured', 'imputed' (in part) or 'none' (no embedding). */
export function stateOf(row, { embeddings, missing }, description) {
  if (Number.isNaN(embeddings[row * description.latent_dim])) return 'none';
  return isAnyMissing(row, missing, description) ? 'imputed' : 'measured';
}

/** Colours of the most frequent lithologies; the others are grey. */
export function lithologyColours({ lithology, probability }) {
  const counts = new Map();
  lithology?.forEach((k, row) => {
    if (!Number.isNaN(probability[row])) counts.set(k, (counts.get(k) ?? 0) + 1);
  });
  const ranked = [...counts].sort((a, b) => b[1] - a[1]);
  const colours = new Map(ranked.slice(0, LITHOLOGY_COLOURS.length).map(([k], i) => [k, LITHOLOGY_COLOURS[i]]));
  return { colours, nOther: ranked.length - colours.size, of: (k) => colours.get(k) ?? OTHER, other: OTHER };
}

/**
 * Draw embeddings and the most likely lithologies.
 * @returns {{drawn: number, rowAt: (y: number) => number | undefined}} Number of rows drawn, and the row at a height.
 */
export function drawCore(canvas, { table, result, description }, colours) {
  const latent = description.latent_dim, frame = openFrame(canvas, table, latent, TOP);
  const { pen, colour, width, height, rows, thick, yOf } = frame;
  const [low, high] = extent(result.embeddings);
  const lithologies = result.lithology ? LITHOLOGY + GAP : 0;
  const track = (width - LEFT - GUTTER - RIGHT - lithologies) / latent - GAP;
  const left = (k) => LEFT + GUTTER + GAP + k * (track + GAP);
  const x = (k, value) => left(k) + 3 + (value - low) / (high - low || 1) * (track - 6);

  for (let k = 0; k < latent; k++) {
    border(frame, left(k), track, `z${k}`);
    if (low < 0 && high > 0) line(pen, x(k, 0), TOP, x(k, 0), height - BOTTOM);
  }
  pen.fillStyle = colour('faint');
  pen.fillText(`each ${short(low)} to ${short(high)}`, left(0) + (latent * (track + GAP) - GAP) / 2, height - 8);

  for (const row of rows) {
    const state = stateOf(row, result, description), at = yOf(row);
    if (state !== 'measured') {
      pen.fillStyle = colour(state);
      pen.fillRect(LEFT + 2, at - thick / 2, GUTTER, Math.max(thick, 1));
    }
    if (state === 'none') continue;
    pen.fillStyle = colour(state);
    const [w, h] = state === 'imputed' ? [7, 1.5] : [DOT, DOT];
    for (let k = 0; k < latent; k++) pen.fillRect(x(k, result.embeddings[row * latent + k]) - w / 2, at - h / 2, w, h);
    if (lithologies) {
      const bar = [left(latent), at - thick / 2, result.probability[row] * LITHOLOGY, thick > 3 ? thick - 0.5 : thick];
      pen.fillStyle = colours.of(result.lithology[row]);
      pen.globalAlpha = state === 'imputed' ? 0.4 : 1;
      pen.fillRect(...bar);
      pen.globalAlpha = 1;
      pen.fillStyle = colour(state);
      if (state === 'imputed') pen.fillRect(bar[0] + bar[2], bar[1], 3, bar[3]);
    }
  }
  if (lithologies) {
    border(frame, left(latent), LITHOLOGY, 'most likely lithology');
    pen.fillStyle = colour('faint');
    for (const p of [0, 0.5, 1]) pen.fillText(p, left(latent) + p * (LITHOLOGY - 8) + 4, height - 8);
  }
  return { drawn: rows.length, rowAt: frame.rowAt };
}

/**
 * Draw the features, each in its own unit; those that are colour together as a strip, too.
 * @returns {{drawn: number, titles: string[], rowAt: (y: number) => number | undefined}} Number of rows drawn, the
 *   titles of the tracks, and the row at a height.
 */
export function drawFeatures(canvas, { table, result, description: { features } }) {
  const names = features.map(({ name }) => name), tracks = shortNames(features), n = features.length;
  const strips = STRIPS.filter(({ of }) => of.every((name) => names.includes(name)));
  const start = LEFT + GAP + strips.length * (STRIP + GAP);
  canvas.style.minWidth = `${start + n * (LEAST_TRACK + GAP) + RIGHT}px`;
  const frame = openFrame(canvas, table, n, TOP + UNIT), { pen, colour, width, height, rows, thick, yOf } = frame;
  const share = (width - RIGHT - start) / n - GAP, track = Math.min(share, MOST_TRACK);

  strips.forEach(({ title, of, unit, rgb }, k) => {
    const left = LEFT + GAP + k * (STRIP + GAP), at = of.map((name) => names.indexOf(name));
    border(frame, left, STRIP, title, unit);
    for (const row of rows) {
      if (at.some((i) => result.missing[row * n + i])) continue;
      pen.fillStyle = `rgb(${rgb(...at.map((i) => table.rows[row * n + i])).join()})`;
      pen.fillRect(left, yOf(row) - thick / 2, STRIP, Math.max(thick, 1));
    }
  });
  features.forEach((feature, i) => {
    const left = start + i * (track + GAP), [lowest, highest] = feature.plausible;
    const measured = rows.filter((row) => !result.missing[row * n + i]).map((row) => table.rows[row * n + i]);
    const plausible = measured.filter((value) => value >= lowest && value <= highest);
    const [low, high] = extent(plausible.length ? plausible : measured);
    const x = (value) => left + 4 + (high > low ? (value - low) / (high - low) : 0.5) * (track - 8);
    pen.fillStyle = colour('note-panel');
    for (const row of rows) {
      if (result.missing[row * n + i]) pen.fillRect(left, yOf(row) - thick / 2, track, Math.max(thick, 1));
    }
    for (const row of rows) {
      const value = table.rows[row * n + i];
      if (result.missing[row * n + i]) continue;
      const isOutside = value < low || value > high, [w, h] = isOutside ? [5, 3] : [DOT, DOT];
      pen.fillStyle = colour(isOutside ? 'none' : 'measured');
      pen.fillRect(x(Math.min(high, Math.max(low, value))) - w / 2, yOf(row) - h / 2, w, h);
    }
    border(frame, left, track, tracks[i], feature.unit);
    pen.fillStyle = colour('faint');
    const ends = high > low ? `${short(low)} to ${short(high)}` : short(low);
    pen.fillText(measured.length ? ends : 'none', left + track / 2, height - 8, track);
  });
  const titles = [...strips.map(({ title, unit }) => `${title} (${unit})`), ...tracks];
  return { drawn: rows.length, titles, rowAt: frame.rowAt };
}

/**
 * Size the canvas, draw its axis, and choose the rows to draw.
 * @param {number} tracks Number of marks in a row: with many, fewer rows are drawn.
 * @param {number} top Height of the titles.
 */
function openFrame(canvas, table, tracks, top) {
  const style = getComputedStyle(canvas), colour = (name) => style.getPropertyValue(`--${name}`);
  const { width, height } = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  pen.font = '12px system-ui, "Liberation Sans", sans-serif';

  const n = length(table), step = Math.ceil(n * tracks / MAX_MARKS), rows = [];
  const place = table.depth ? (row) => table.depth.values[row] : (row) => row + 1;
  for (let row = 0; row < n; row += step) if (Number.isFinite(place(row))) rows.push(row);
  const [shallow, deep] = extent(rows.map(place));
  const thick = Math.max(1, Math.min(24, spacing(rows.map(place)) / (deep - shallow || 1) * (height - top - BOTTOM)));
  const y = (value) => top + thick / 2 + (value - shallow) / (deep - shallow || 1) * (height - top - BOTTOM - thick);
  const yOf = (row) => y(place(row));
  axis(pen, { shallow, deep, y, width, top, colour, title: axisTitle(table) });
  pen.textAlign = 'center';
  const rowAt = (at) => rows.reduce((best, row) => {
    const off = Math.abs(yOf(row) - at);
    return off < best.off ? { row, off } : best;
  }, { off: 12 }).row;
  return { pen, colour, width, height, top, rows, thick, yOf, rowAt };
}

/** Draw a track's border and its title, with a unit below. */
function border({ pen, colour, height, top }, left, track, title, unit) {
  pen.strokeStyle = colour('line');
  pen.strokeRect(left + 0.5, top + 0.5, track - 1, height - top - BOTTOM - 1);
  pen.fillStyle = colour('ink');
  pen.fillText(title, left + track / 2, TOP - 10, track);
  if (!unit) return;
  pen.fillStyle = colour('faint');
  pen.fillText(unit, left + track / 2, TOP + UNIT - 10, track);
}

function axisTitle({ depth }) {
  if (!depth) return 'row';
  return depth.unit ? `${depth.name} (${depth.unit})` : depth.name;
}

function axis(pen, { shallow, deep, y, width, top, colour, title }) {
  const step = niceStep((deep - shallow) / 8 || 1);
  pen.strokeStyle = colour('line');
  pen.fillStyle = colour('faint');
  pen.textAlign = 'right';
  for (let value = Math.ceil(shallow / step) * step; value <= deep; value += step) {
    line(pen, LEFT, y(value), width - RIGHT, y(value));
    pen.fillText(short(value), LEFT - 6, y(value) + 4);
  }
  pen.save();
  pen.translate(14, top + 4);
  pen.rotate(-Math.PI / 2);
  pen.fillStyle = colour('ink');
  pen.fillText(title, 0, 0);
  pen.restore();
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [0, 1] : [low, high];
}

/** Median distance between neighbours in depth. */
function spacing(places) {
  const sorted = Float64Array.from(places).sort();
  const steps = sorted.subarray(1).map((value, i) => value - sorted[i]).filter((step) => step > 0).sort();
  return steps.length ? steps[steps.length >> 1] : 1;
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

const short = (value) => String(Number(value.toPrecision(3)));
