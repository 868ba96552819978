/** Draw embeddings and the most likely lithologies against depth on a canvas. */

const MAX_ROWS = 20_000; // more than the canvas has lines; longer scans are drawn every k-th row
const TOP = 30, BOTTOM = 24, LEFT = 62, RIGHT = 12, GAP = 8, GUTTER = 7, LITHOLOGY = 150;
const LITHOLOGY_COLOURS = ['#56b4e9', '#009e73', '#e3cf2f', '#0072b2', '#cc79a7', '#7a5c99', '#8c6d46'];
const OTHER = '#9a9a9a';

/** The state of a row: 'measured', 'imputed' (in part) or 'none' (no embedding). */
export function stateOf(row, { embeddings, missing }, latent) {
  if (Number.isNaN(embeddings[row * latent])) return 'none';
  return missing[row] ? 'imputed' : 'measured';
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
 * Draw a result.
 * @returns {{drawn: number, rowAt: (y: number) => number | undefined}} Number of rows drawn, and the row at a height.
 */
export function drawCore(canvas, { table, result, description }, colours) {
  const style = getComputedStyle(canvas), colour = (name) => style.getPropertyValue(`--${name}`);
  const { width, height } = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  pen.font = '12px system-ui, "Liberation Sans", sans-serif';

  const latent = description.latent_dim, n = result.missing.length;
  const place = table.depth ? (row) => table.depth.values[row] : (row) => row + 1;
  const rows = [], step = Math.ceil(n / MAX_ROWS);
  for (let row = 0; row < n; row += step) if (Number.isFinite(place(row))) rows.push(row);
  const [shallow, deep] = extent(rows.map(place));
  const [low, high] = extent(result.embeddings);
  const thick = Math.max(1, Math.min(24, spacing(rows.map(place)) / (deep - shallow || 1) * (height - TOP - BOTTOM)));
  const y = (value) => TOP + thick / 2 + (value - shallow) / (deep - shallow || 1) * (height - TOP - BOTTOM - thick);

  const lithologies = result.lithology ? LITHOLOGY + GAP : 0;
  const track = (width - LEFT - GUTTER - RIGHT - lithologies) / latent - GAP;
  const left = (k) => LEFT + GUTTER + GAP + k * (track + GAP);
  const x = (k, value) => left(k) + 3 + (value - low) / (high - low || 1) * (track - 6);

  axis(pen, { shallow, deep, y, width, colour, title: axisTitle(table) });
  pen.textAlign = 'center';
  for (let k = 0; k < latent; k++) {
    pen.strokeStyle = colour('line');
    pen.strokeRect(left(k) + 0.5, TOP + 0.5, track - 1, height - TOP - BOTTOM - 1);
    if (low < 0 && high > 0) line(pen, x(k, 0), TOP, x(k, 0), height - BOTTOM);
    pen.fillStyle = colour('ink');
    pen.fillText(`z${k}`, left(k) + track / 2, TOP - 10);
  }
  pen.fillStyle = colour('faint');
  pen.fillText(`each ${short(low)} to ${short(high)}`, left(0) + (latent * (track + GAP) - GAP) / 2, height - 8);

  for (const row of rows) {
    const state = stateOf(row, result, latent), at = y(place(row));
    if (state !== 'measured') {
      pen.fillStyle = colour(state);
      pen.fillRect(LEFT + 2, at - thick / 2, GUTTER, Math.max(thick, 1));
    }
    if (state === 'none') continue;
    pen.fillStyle = colour(state);
    const [w, h] = state === 'imputed' ? [7, 1.5] : [2.5, 2.5];
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
    pen.strokeStyle = colour('line');
    pen.strokeRect(left(latent) + 0.5, TOP + 0.5, LITHOLOGY - 1, height - TOP - BOTTOM - 1);
    pen.fillStyle = colour('ink');
    pen.fillText('most likely lithology', left(latent) + LITHOLOGY / 2, TOP - 10);
    pen.fillStyle = colour('faint');
    for (const p of [0, 0.5, 1]) pen.fillText(p, left(latent) + p * (LITHOLOGY - 8) + 4, height - 8);
  }
  const rowAt = (height) => rows.reduce((best, row) => {
    const off = Math.abs(y(place(row)) - height);
    return off < best.off ? { row, off } : best;
  }, { off: 12 }).row;
  return { drawn: rows.length, rowAt };
}

function axisTitle({ depth }) {
  if (!depth) return 'row';
  return depth.unit ? `${depth.name} (${depth.unit})` : depth.name;
}

function axis(pen, { shallow, deep, y, width, colour, title }) {
  const step = niceStep((deep - shallow) / 8 || 1);
  pen.strokeStyle = colour('line');
  pen.fillStyle = colour('faint');
  pen.textAlign = 'right';
  for (let value = Math.ceil(shallow / step) * step; value <= deep; value += step) {
    line(pen, LEFT, y(value), width - RIGHT, y(value));
    pen.fillText(short(value), LEFT - 6, y(value) + 4);
  }
  pen.save();
  pen.translate(14, TOP + 4);
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
