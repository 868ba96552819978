// The tracks: one depth axis for all, moved by wheel, pinch, drag and keys.

const state = { hole: null, low: 0, high: 1, selected: null, nSelected: 0, row: -1, printing: null };
const panels = document.getElementById('panels');
const figure = document.getElementById('figure');
let views = []; // the panels: one on the screen, as many as needed on paper
let look = {};
const listeners = { view: [], row: [], selection: [], hole: [] };
const tell = (what) => listeners[what].forEach((call) => call());

const calm = matchMedia('(prefers-reduced-motion: reduce)');

// Looks -------------------------------------------------------------------------------------------------------------

/** Read the colours of the theme, as the style sheet gives them. */
function readLook() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(`--${name}`).trim();
  const byCode = new Uint32Array(LOG.classes.length + 1).fill(packed([128, 128, 128]));
  const shownByCode = [], shownByName = new Map();
  for (const one of LOG.shown) {
    shownByName.set(one.name, one);
    if (one.code >= 0) {
      shownByCode[one.code] = one;
      byCode[one.code] = packed(colourOf(one.colour));
    }
  }
  look = {
    ratio: state.printing ? 3 : Math.max(1, Math.min(3, devicePixelRatio || 1)),
    isDark: get('dark') === '1',
    ...Object.fromEntries(['ink', 'soft', 'faint', 'grid', 'edge', 'panel', 'hatch', 'alert', 'bar', 'novel', 'accent', 'select']
      .map((name) => [name, get(name)])),
    curves: Array.from({ length: 6 }, (_, i) => get(`curve-${i}`)),
    flags: LOG.flags.map((_, i) => get(`flag-${i}`)),
    font: style.getPropertyValue('--font'),
    byCode, shownByCode, shownByName,
  };
  look.diverging = diverging(look.isDark);
}

// Layout ------------------------------------------------------------------------------------------------------------

/** Finish the tracks: the colours of curves, and how far embeddings reach. */
function makeTracks() {
  let colour = 0;
  for (const track of LOG.tracks) {
    if (track.kind === 'curve') {
      track.colour = track.axis ? colour++ : 0;
    }
    if (track.kind === 'embedding') {
      const { values } = ARRAYS.embeddings, step = Math.max(1, Math.floor(values.length / 20000)), sizes = [];
      for (let i = 0; i < values.length; i += step) if (values[i] === values[i]) sizes.push(Math.abs(values[i]));
      sizes.sort((a, b) => a - b);
      track.reach = Number((sizes[Math.floor(0.98 * sizes.length)] || 1).toPrecision(2));
    }
  }
}

function headOf(track) {
  const head = make('div', { class: 'head' }, make('span', { class: 'label', title: track.label }, foreign(track.label)));
  if (track.unit) head.append(make('span', { class: 'unit' }, track.unit));
  const scale = make('span', { class: 'scale', 'aria-hidden': 'true' });
  for (const [at, label] of track.ticks) {
    const tick = make('span', {}, label);
    tick.style.left = `calc(3px + (100% - 6px) * ${at})`;
    if (at < 0.12) tick.classList.add('first');
    if (at > 0.88) tick.classList.add('last');
    scale.append(tick);
  }
  if (track.kind === 'embedding') {
    scale.classList.add('bar');
    const [low, middle, high] = look.isDark ? [SKY, INK, AMBER] : [BLUES, WHITE, REDS];
    scale.style.setProperty('--ramp', `linear-gradient(90deg, ${[low, middle, high].map(cssOf).join()})`);
    scale.append(make('span', { class: 'first' }, minus(`-${track.reach}`)), make('span', { class: 'last' }, `+${track.reach}`));
  }
  if (track.kind === 'flags') {
    LOG.flags.forEach((name, i) => {
      const tick = make('span', { title: name.replaceAll('_', ' ') }, name[0].toUpperCase());
      tick.style.left = `${(100 * (i + 0.5)) / LOG.flags.length}%`;
      tick.style.color = look.flags[i];
      scale.append(tick);
    });
  }
  head.append(scale);
  if (LOG.warning && ['lithology', 'rows', 'probability'].includes(track.kind) && track.width > 0.5) {
    head.prepend(make('span', { class: 'mark', title: LOG.warning, role: 'img', 'aria-label': `Warning: ${LOG.warning}` }, '⚠'));
  }
  return head;
}

/** Build the tracks of one panel; each draws itself when asked. */
function makePanel(tracks, hasOverview) {
  const view = { items: [], lines: null, element: make('div', { class: 'panel' }) };
  const add = (parent, spec, className, head) => {
    const canvas = make('canvas', { role: 'img' }), element = make('div', { class: `track ${className}` }, head, canvas);
    parent.append(element);
    view.items.push({ track: spec, canvas, element, g: canvas.getContext('2d') });
    return element;
  };
  const fixed = make('div', { class: 'fixed' });
  view.element.append(fixed);
  if (hasOverview) add(fixed, { kind: 'overview' }, 'overview', make('div', { class: 'head' }));
  const axis = make('div', { class: 'head' }, make('span', { class: 'label' }, LOG.hasDepth ? 'Depth' : 'Row'),
    make('span', { class: 'unit' }, LOG.hasDepth ? 'm' : 'no depth'), make('span', { class: 'scale' }));
  add(fixed, { kind: 'axis' }, 'axis', axis);
  for (const track of tracks) {
    const isSlim = track.kind === 'curve' && !track.axis;
    const element = add(view.element, track, `${track.kind}${isSlim ? ' slim' : ''}`, headOf(track));
    element.style.flexGrow = track.width;
    element.style.setProperty('--share', track.width);
    if (isSlim) element.append(make('span', { class: 'none' }, 'not measured'));
  }
  view.cross = make('div', { class: 'cross', hidden: '' });
  view.box = make('div', { class: 'box', hidden: '' });
  view.element.append(view.cross, view.box);
  return view;
}

/** Lay the tracks out: in one panel that scrolls sideways, or on paper in as many as needed. */
function layOut() {
  readLook();
  const lists = [];
  if (state.printing) {
    let room = 0;
    for (const track of LOG.tracks) {
      if (!lists.length || room < track.width) {
        lists.push([]);
        room = 11.5;
      }
      lists.at(-1).push(track);
      room -= track.width;
    }
  }
  views = (lists.length ? lists : [LOG.tracks]).map((tracks, i) => makePanel(tracks, i === 0));
  panels.replaceChildren(...views.map((view) => view.element));
  describe();
  measure();
}

function measure() {
  for (const view of views) {
    for (const item of view.items) {
      item.width = item.canvas.clientWidth;
      item.height = item.canvas.clientHeight;
      item.left = item.element.offsetLeft;
      item.isFixed = item.element.parentNode !== view.element;
    }
  }
  refresh();
}

let describing = 0;

/** Describe each track to a screen reader, after the first paint. */
function describe() {
  clearTimeout(describing);
  describing = setTimeout(() => {
    const { hole } = state;
    for (const view of views) {
      for (const { track, canvas } of view.items) canvas.setAttribute('aria-label', summaryOf(track, hole));
    }
  }, 50);
}

function summaryOf(track, hole) {
  const inside = (values) => values.subarray(hole.start, hole.stop).filter((x) => x === x).sort();
  const n = hole ? hole.stop - hole.start : 0;
  if (!n) return `${track.label ?? track.kind}: no rows`;
  const ranged = (what, values, unit = '') => (values.length
    ? `${what}: ${digits(values[0])} to ${digits(values.at(-1))}${unit && ` ${unit}`}, median ${digits(values[values.length >> 1])}, in ${counted(values.length)} of ${counted(n)} rows`
    : `${what}: no values`);
  switch (track.kind) {
    case 'overview': return `The whole hole, ${rangeText(hole.low, hole.high)}`;
    case 'axis': return LOG.hasDepth ? 'Depth in metres, downwards' : 'Number of the row, downwards';
    case 'curve': return ranged(LOG.features[track.features[0]].name, inside(column('values', track.features[0])), track.unit);
    case 'probability': return ranged('Probability of the likeliest lithology', inside(column('probabilities')));
    case 'novelty': return ranged('Novelty, as a p-value', inside(column('novelty_p')));
    case 'lithology': return `Lithology: ${counted(hole.intervals.length)} intervals, listed below. ${LOG.warning}`;
    case 'rows': {
      const counts = new Map(), codes = column('lithologies');
      for (let i = hole.start; i < hole.stop; i++) counts.set(codes[i], (counts.get(codes[i]) ?? 0) + 1);
      counts.delete(-1);
      const first = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
      return `Likeliest lithology by row: ${first.map(([code, m]) => `${LOG.classes[code]} ${Math.round((100 * m) / n)}%`).join(', ') || 'none'}. ${LOG.warning}`;
    }
    case 'flags': return LOG.flags.map((name, bit) => {
      let m = 0;
      for (let i = hole.start; i < hole.stop; i++) m += (column('flags')[i] >> bit) & 1;
      return `${name.replaceAll('_', ' ')}: ${counted(m)} rows`;
    }).join('; ');
    default: return `${track.label}, ${track.unit}`;
  }
}

// Drawing -----------------------------------------------------------------------------------------------------------

let asked = 0;
function refresh() {
  asked ||= requestAnimationFrame(render);
}

function render() {
  asked = 0;
  const { hole } = state;
  for (const view of views) {
    const shown = panels.clientWidth, from = panels.scrollLeft;
    for (const item of view.items) {
      const away = item.left + item.width < from || item.left > from + shown;
      if (away && !item.isFixed && !state.printing) continue;
      const width = Math.round(item.width * look.ratio), height = Math.round(item.height * look.ratio);
      if (!width || !height) continue;
      if (item.canvas.width !== width || item.canvas.height !== height) Object.assign(item.canvas, { width, height });
      const { g } = item;
      g.setTransform(1, 0, 0, 1, 0, 0);
      g.clearRect(0, 0, width, height);
      if (!hole) continue;
      if (view.lines?.height !== height || !isLinesOf(view.lines)) {
        view.lines = linesOf(hole, state.low, state.high, height, view.lines);
      }
      if (item.track.kind === 'overview') drawOverview(item, width, height);
      else if (item.track.kind === 'axis') drawAxis(g, view.lines, width);
      else {
        DRAW[item.track.kind](g, item.track, view.lines, width, look);
        if (IMAGES.includes(item.track.kind)) {
          drawSelection(g, view.lines, 3 * look.ratio, look.accent); // a tint would change its colours
        } else {
          g.globalCompositeOperation = 'destination-over'; // a painted track has replaced all pixels
          drawGrid(g, item.track, view.lines, width);
          drawSelection(g, view.lines, width);
          g.globalCompositeOperation = 'source-over';
        }
      }
      if (state.printing) flatten(item.canvas, g);
    }
    placeCross(view);
  }
  figure.dataset.low = state.low;
  figure.dataset.high = state.high;
}

/** Keep only the pixels of a canvas: Chromium prints drawn lines anew, at a size of its own, and pixels as they are. */
function flatten(canvas, g) {
  const { width, height } = canvas, image = g.getImageData(0, 0, width, height);
  canvas.width = width;
  g.putImageData(image, 0, 0);
}

const isLinesOf = ({ hole, low, high }) => hole === state.hole && low === state.low && high === state.high;

/** Depths of the ticks in view, and how many decimals they need. */
function depthTicks(low, high, height) {
  const rough = ((high - low) * 64 * look.ratio) / height, size = 10 ** Math.floor(Math.log10(rough));
  let step = size * [1, 2, 5, 10].find((factor) => size * factor >= rough);
  if (!LOG.hasDepth) step = Math.max(1, Math.round(step));
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high && ticks.length < 200; i++) ticks.push(i * step);
  return { ticks, step, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

const IMAGES = ['rows', 'colour', 'lithology', 'embedding'];

function drawAxis(g, lines, width) {
  const { ratio } = look, { ticks, step, decimals } = depthTicks(lines.low, lines.high, lines.height);
  g.font = `${11.5 * ratio}px ${look.font}`;
  g.textAlign = 'right';
  g.textBaseline = 'middle';
  g.strokeStyle = look.soft;
  g.lineWidth = Math.max(1, ratio * 0.8);
  g.beginPath();
  const minor = step / (String(step).includes('2') ? 4 : 5);
  for (let i = Math.ceil(lines.low / minor); i * minor <= lines.high; i++) {
    const y = Math.round(lines.y(i * minor)) + 0.5;
    g.moveTo(width - 3.5 * ratio, y);
    g.lineTo(width, y);
  }
  for (const at of ticks) {
    const y = Math.round(lines.y(at)) + 0.5;
    g.moveTo(width - 7 * ratio, y);
    g.lineTo(width, y);
  }
  g.stroke();
  g.fillStyle = look.ink;
  for (const at of ticks) {
    const y = lines.y(at);
    if (y > 5 * ratio && y < lines.height - 5 * ratio) g.fillText(minus(at.toFixed(decimals)), width - 10 * ratio, y);
  }
  drawSelection(g, lines, width);
}

function drawGrid(g, track, lines, width) {
  const { ratio } = look, pad = track.kind === 'curve' ? 3 * ratio : 0;
  g.strokeStyle = look.grid;
  g.lineWidth = Math.max(1, 0.6 * ratio);
  g.beginPath();
  for (const at of depthTicks(lines.low, lines.high, lines.height).ticks) {
    const y = Math.round(lines.y(at)) + 0.5;
    g.moveTo(0, y);
    g.lineTo(width, y);
  }
  for (const [at] of track.ticks) {
    const x = Math.round(pad + at * (width - 2 * pad)) + 0.5;
    g.moveTo(x, 0);
    g.lineTo(x, lines.height);
  }
  g.stroke();
}

function drawSelection(g, lines, width, colour = look.select) {
  const { selected } = state;
  if (!selected) return;
  const is = (y) => some(lines, y, (i) => selected[i]);
  g.fillStyle = colour;
  runs(lines.height, is, (y0, y1) => g.fillRect(0, y0, width, Math.max(y1 - y0, look.ratio)));
}

/** The whole hole, small, with the range in view. */
function drawOverview(item, width, height) {
  const { g } = item, { hole } = state, { ratio } = look;
  const [low, high] = hole.full;
  const key = [hole.name, width, height, look.isDark, ratio].join();
  if (item.key !== key) {
    item.key = key;
    item.lines = linesOf(hole, low, high, height);
    item.base = document.createElement('canvas');
    Object.assign(item.base, { width, height });
    const base = item.base.getContext('2d'), shown = LOG.tracks.map((track) => track.kind);
    const kind = ['rows', 'colour', 'lithology', 'curve', 'embedding'].find((one) => shown.includes(one) && (one !== 'curve' || LOG.tracks.some((track) => track.kind === 'curve' && track.axis)));
    const track = LOG.tracks.find((one) => one.kind === kind && (kind !== 'curve' || one.axis));
    if (track) DRAW[kind](base, { ...track, width: 0.4 }, item.lines, width, look);
  }
  g.drawImage(item.base, 0, 0);
  drawSelection(g, item.lines, 3 * ratio, look.accent);
  const y0 = Math.round(item.lines.y(state.low)), y1 = Math.round(item.lines.y(state.high));
  g.fillStyle = look.isDark ? 'rgba(12,14,17,.62)' : 'rgba(252,252,250,.68)';
  g.fillRect(0, 0, width, y0);
  g.fillRect(0, y1, width, height - y1);
  const thick = Math.round(1.5 * ratio);
  g.strokeStyle = look.accent;
  g.lineWidth = thick;
  g.strokeRect(thick / 2, Math.max(y0, 0) + thick / 2, width - thick, Math.max(Math.min(y1, height) - Math.max(y0, 0) - thick, thick));
}

function placeCross(view) {
  const { row, hole } = state;
  const depth = row >= 0 ? hole.depth[row] : NaN, { height } = view.items[0];
  const isOut = !(depth >= state.low && depth <= state.high) || state.printing;
  view.cross.hidden = isOut;
  if (!isOut) view.cross.style.top = `${view.items[0].canvas.offsetTop + ((depth - state.low) / (state.high - state.low)) * height}px`;
}

// View --------------------------------------------------------------------------------------------------------------

let flight = 0;

/** Show a range of depth; it is kept inside the hole and above a few rows. */
function show(low, high) {
  const { hole } = state;
  if (!hole) return;
  const [least, most] = hole.full, size = Math.min(Math.max(high - low, 4 * hole.step, 1e-9), most - least);
  const middle = (low + high) / 2;
  low = Math.min(Math.max(middle - size / 2, least), most - size);
  Object.assign(state, { low, high: low + size });
  refresh();
  tell('view');
}

/** Move to a range in a few frames, for the eye to follow. */
function flyTo(low, high) {
  cancelAnimationFrame(flight);
  const from = [state.low, state.high], begin = performance.now();
  if (calm.matches) return show(low, high);
  const step = (now) => {
    const at = Math.min(1, Math.max(0, (now - begin) / 220)), eased = 1 - (1 - at) ** 3;
    show(from[0] + (low - from[0]) * eased, from[1] + (high - from[1]) * eased);
    if (at < 1) flight = requestAnimationFrame(step);
  };
  flight = requestAnimationFrame(step);
}

/** Zoom by a factor around a depth, which stays where it is. */
function zoom(factor, around = (state.low + state.high) / 2, move = show) {
  const least = 4 * state.hole.step, size = state.high - state.low;
  const by = Math.max(factor, least / size);
  move(around - (around - state.low) * by, around + (state.high - around) * by);
}

const isWhole = () => !state.hole || state.high - state.low >= (state.hole.full[1] - state.hole.full[0]) * 0.9999;

function choose(hole) {
  state.hole = hole;
  state.row = -1;
  if (hole) {
    const margin = Math.max((hole.high - hole.low) * 0.006, hole.step / 2);
    hole.full = [hole.low - margin, hole.high + margin];
    show(...hole.full);
    describe();
  }
  tell('hole');
}

/** Select the rows for which a function holds; none without a function. */
function select(is) {
  state.selected = null;
  state.nSelected = 0;
  if (is) {
    const selected = new Uint8Array(LOG.n);
    for (const hole of [state.hole]) for (let i = hole.start; i < hole.stop; i++) if (is(i)) state.nSelected += selected[i] = 1;
    if (state.nSelected) state.selected = selected;
  }
  figure.dataset.selected = state.nSelected;
  refresh();
  tell('selection');
}
const selectRange = (low, high) => select((i) => state.hole.base[i] > low && state.hole.top[i] < high);

function pointAt(row) {
  if (row === state.row) return;
  state.row = row;
  views.forEach(placeCross);
  tell('row');
}

// Pointer -----------------------------------------------------------------------------------------------------------

const pointers = new Map();
let drag = null;

const depthAt = (event) => {
  const box = views[0].items[0].canvas.getBoundingClientRect();
  return state.low + ((event.clientY - box.top) / box.height) * (state.high - state.low);
};
const isOverview = (event) => event.target === views[0]?.items[0].canvas && views[0].items[0].track.kind === 'overview';

panels.addEventListener('wheel', (event) => {
  if (!state.hole || event.target.tagName !== 'CANVAS' || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
  const size = state.high - state.low, unit = [1, 16, 400][event.deltaMode];
  if (event.shiftKey) {
    event.preventDefault();
    return show(state.low + (event.deltaY * unit * size) / 800, state.high + (event.deltaY * unit * size) / 800);
  }
  if (event.deltaY > 0 && isWhole()) return; // the page scrolls on
  event.preventDefault();
  const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0022))));
  zoom(factor, isOverview(event) ? undefined : depthAt(event));
}, { passive: false });

panels.addEventListener('pointerdown', (event) => {
  if (!state.hole || event.target.tagName !== 'CANVAS' || event.button !== 0) return;
  cancelAnimationFrame(flight);
  pointers.set(event.pointerId, event);
  event.target.setPointerCapture(event.pointerId);
  if (pointers.size === 2) {
    drag = { kind: 'pinch', low: state.low, high: state.high, from: [...pointers.values()].map(depthAt) };
    return;
  }
  const mode = document.querySelector('input[name=drag]:checked').value;
  if (isOverview(event)) {
    const { hole: { full } } = state, at = overviewDepth(event), edge = (6 * (full[1] - full[0])) / event.target.clientHeight;
    const near = (end) => Math.abs(at - end) < edge && !isWhole();
    const inside = at > state.low && at < state.high && !isWhole();
    drag = { kind: near(state.low) ? 'low' : near(state.high) ? 'high' : inside ? 'window' : 'overview', at, low: state.low, high: state.high };
  } else drag = { kind: event.shiftKey || (mode === 'pan' && isWhole()) ? 'zoom' : mode, at: depthAt(event), low: state.low, high: state.high, y: event.clientY };
});

const overviewDepth = (event) => {
  const box = views[0].items[0].canvas.getBoundingClientRect(), [low, high] = state.hole.full;
  return low + ((event.clientY - box.top) / box.height) * (high - low);
};

panels.addEventListener('pointermove', (event) => {
  if (!state.hole || event.target.tagName !== 'CANVAS') return;
  if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event);
  if (!drag) {
    if (!isOverview(event)) pointAt(nearestInView(depthAt(event)));
    return;
  }
  if (drag.kind === 'pinch') return pinch();
  if (drag.kind === 'pan') {
    const box = views[0].items[0].canvas.getBoundingClientRect();
    const by = ((drag.y - event.clientY) / box.height) * (drag.high - drag.low);
    return show(drag.low + by, drag.high + by);
  }
  if (['low', 'high', 'window', 'overview'].includes(drag.kind)) {
    const at = overviewDepth(event), by = at - drag.at;
    if (drag.kind === 'window') show(drag.low + by, drag.high + by);
    else if (drag.kind === 'low') show(Math.min(at, drag.high), drag.high);
    else if (drag.kind === 'high') show(drag.low, Math.max(at, drag.low));
    else show(Math.min(at, drag.at), Math.max(at, drag.at));
    return;
  }
  const at = depthAt(event), box = views[0].box, canvas = views[0].items[0].canvas;
  const y = (depth) => canvas.offsetTop + ((depth - state.low) / (state.high - state.low)) * canvas.clientHeight;
  const ends = [Math.max(Math.min(at, drag.at), state.low), Math.min(Math.max(at, drag.at), state.high)];
  drag.to = at;
  box.hidden = false;
  box.style.top = `${y(ends[0])}px`;
  box.style.height = `${y(ends[1]) - y(ends[0])}px`;
  if (drag.kind === 'select') selectRange(...ends);
});

function pinch() {
  const { height, top } = views[0].items[0].canvas.getBoundingClientRect();
  const [a, b] = [...pointers.values()].map((event) => (event.clientY - top) / height).sort((p, q) => p - q);
  const [from, to] = [...drag.from].sort((p, q) => p - q);
  if (b - a < 0.02) return;
  const size = (to - from) / (b - a);
  show(from - a * size, from + (1 - a) * size);
}

for (const name of ['pointerup', 'pointercancel']) {
  panels.addEventListener(name, (event) => {
    if (!pointers.delete(event.pointerId) || !drag) return;
    const done = drag;
    drag = null;
    views[0].box.hidden = true;
    const moved = done.y !== undefined && Math.abs(event.clientY - done.y) > 4;
    if (name === 'pointercancel') return;
    if (done.kind === 'zoom' && moved) flyTo(Math.min(done.at, done.to), Math.max(done.at, done.to));
    else if (done.y !== undefined && !moved) clicked(event);
  });
}
panels.addEventListener('dblclick', (event) => event.target.tagName === 'CANVAS' && !isOverview(event) && zoom(0.4, depthAt(event), flyTo));
panels.addEventListener('scroll', refresh, { passive: true });

/** The row at a depth, if the line there is no gap. */
function nearestInView(depth) {
  const row = nearestRow(state.hole, depth), { top, base, gap } = state.hole;
  if (row < 0) return -1;
  const slack = Math.max(gap, (state.high - state.low) / 150); // a pixel or two
  return depth > top[row] - slack && depth < base[row] + slack ? row : -1;
}

function clicked(event) {
  const item = views[0].items.find((one) => one.canvas === event.target);
  if (item?.track.kind === 'lithology') {
    const at = depthAt(event), one = state.hole.intervals.find(({ top, base }) => at >= top && at < base);
    if (one) return figure.dispatchEvent(new CustomEvent('interval', { detail: one }));
  }
  pointAt(nearestInView(depthAt(event)));
}

// Keys --------------------------------------------------------------------------------------------------------------

const DO = {
  in: () => zoom(0.5, undefined, flyTo),
  out: () => zoom(2, undefined, flyTo),
  whole: () => flyTo(...state.hole.full),
  clear: () => select(null),
  print: () => globalThis.print(),
  'to-selection': () => {
    const { hole, selected } = state;
    let first = hole.start, last = hole.stop - 1;
    while (first < last && !selected[first]) first++;
    while (last > first && !selected[last]) last--;
    const margin = (hole.base[last] - hole.top[first]) * 0.1;
    flyTo(hole.top[first] - margin, hole.base[last] + margin);
  },
};

function stepRow(by) {
  const { hole } = state;
  const row = state.row < 0 ? nearestRow(hole, by > 0 ? state.low : state.high) : state.row + by;
  const now = Math.min(Math.max(row, hole.start), hole.stop - 1), depth = hole.depth[now];
  const size = state.high - state.low;
  if (depth < state.low || depth > state.high) show(depth - size / 2, depth + size / 2);
  pointAt(now);
  tell('said');
}
listeners.said = [];

panels.addEventListener('keydown', (event) => {
  if (!state.hole || event.ctrlKey || event.metaKey || event.altKey) return;
  const size = state.high - state.low, [least, most] = state.hole.full;
  const actions = {
    ArrowDown: () => stepRow(1),
    ArrowUp: () => stepRow(-1),
    ArrowRight: () => panels.scrollBy({ left: 120 }),
    ArrowLeft: () => panels.scrollBy({ left: -120 }),
    PageDown: () => flyTo(state.low + 0.8 * size, state.high + 0.8 * size),
    PageUp: () => flyTo(state.low - 0.8 * size, state.high - 0.8 * size),
    Home: () => flyTo(least, least + size),
    End: () => flyTo(most - size, most),
    '+': DO.in,
    '=': DO.in,
    '-': DO.out,
    0: DO.whole,
    s: () => selectRange(state.low, state.high),
    Escape: DO.clear,
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
