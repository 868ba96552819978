// Everything around the tracks: readout, legend, tables, themes, print.

// Readout -----------------------------------------------------------------------------------------------------------

const values = document.getElementById('values');
const hint = values.firstElementChild;
let toldRow = 0;

listeners.row.push(() => {
  toldRow ||= requestAnimationFrame(() => {
    toldRow = 0;
    values.replaceChildren(...(state.row < 0 ? [hint] : readout(state.row)));
  });
});
listeners.said.push(() => {
  document.getElementById('said').textContent = spoken(state.row);
});

function lithologiesOf(row) {
  const found = [];
  for (let i = 0; i < (ARRAYS.lithologies?.width ?? 0); i++) {
    const code = column('lithologies', i)[row];
    if (code >= 0) found.push([LOG.classes[code], column('probabilities', i)?.[row] ?? NaN]);
  }
  return found;
}
const hasEmbedding = (row) => { const first = column('embeddings')?.[row]; return first === first; };
const valueOf = (feature, row) => {
  const value = column('values', feature)[row];
  return bitsOf('missing', feature)?.[row] || value !== value ? NaN : value;
};

function readout(row) {
  const parts = [make('p', { class: 'depth' }, depthText(column('depth')[row]))];
  if (LOG.holes.length > 1) parts.push(make('p', { class: 'where' }, foreign(state.hole.name)));
  const list = make('dl');
  LOG.features.forEach(({ short, unit }, i) => {
    const value = valueOf(i, row), residual = column('residuals', i)?.[row];
    const cell = make('dd', {}, Number.isNaN(value) ? (hasEmbedding(row) ? 'missing, imputed' : 'missing') : digits(value));
    if (Number.isNaN(value)) cell.classList.add('missing');
    else cell.append(make('span', { class: 'unit' }, ` ${unit}`));
    if (bitsOf('implausible', i)?.[row]) cell.append(make('span', { class: 'bad' }, ' implausible'));
    if (residual === residual && residual !== undefined) {
      cell.append(make('span', { class: 'residual', title: 'measured minus reconstructed, in standard deviations of training rows' }, `${residual < 0 ? '' : '+'}${fixed(residual, 1)} sd`));
    }
    list.append(make('dt', {}, foreign(short)), cell);
  });
  parts.push(list);
  const found = lithologiesOf(row);
  if (found.length) {
    parts.push(make('ol', { class: 'top' }, ...found.map(([name, probability]) => {
      const bar = make('span', { class: 'share' });
      bar.style.setProperty('--share', Number.isNaN(probability) ? 0 : probability);
      return make('li', {}, bar, foreign(name), make('span', { class: 'number' }, Number.isNaN(probability) ? '' : `${Math.round(100 * probability)}%`));
    })));
    if (LOG.warning) parts.push(make('p', { class: 'small-warning' }, '⚠ ', foreign(LOG.warning)));
  }
  const p = column('novelty_p')?.[row], flags = column('flags')?.[row] ?? 0, last = make('dl');
  if (p !== undefined) last.append(make('dt', {}, 'Novelty'), make('dd', {}, p === p ? `p = ${digits(p, 2)}` : '–'));
  const names = LOG.flags.filter((_, bit) => (flags >> bit) & 1).map((name) => name.replaceAll('_', ' '));
  if (column('flags')) last.append(make('dt', {}, 'Flags'), make('dd', {}, names.join(', ') || 'none'));
  const n = ARRAYS.embeddings?.width ?? 0;
  if (n) {
    const numbers = Array.from({ length: Math.min(n, 16) }, (_, i) => fixed(column('embeddings', i)[row], 1)).join('  ');
    last.append(make('dt', {}, 'Embedding'), make('dd', { class: 'embedding' }, hasEmbedding(row) ? numbers + (n > 16 ? ' …' : '') : 'none'));
  }
  parts.push(last);
  return parts;
}

/** One sentence on a row, for a screen reader. */
function spoken(row) {
  if (row < 0) return '';
  const features = LOG.features.map(({ short, unit }, i) => {
    const value = valueOf(i, row);
    return `${short} ${Number.isNaN(value) ? 'missing' : `${digits(value)} ${unit}`}`;
  });
  const found = lithologiesOf(row).map(([name, probability]) => `${name} ${Math.round(100 * probability)}%`);
  return [depthText(column('depth')[row]), features.slice(0, 8).join(', '), found.join(', ')].filter(Boolean).join('. ');
}

// Legend ------------------------------------------------------------------------------------------------------------

function swatch(draw, width = 30, height = 18) {
  const canvas = make('canvas', { 'aria-hidden': 'true', class: 'swatch' }), ratio = Math.max(2, look.ratio);
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio);
  draw(g, width, height, ratio);
  return canvas;
}
const withTile = (tile) => (g, width, height, ratio) => {
  g.setTransform(1, 0, 0, 1, 0, 0);
  g.fillStyle = g.createPattern(tile(ratio), 'repeat');
  g.fillRect(0, 0, width * ratio, height * ratio);
};

const LEGEND_LENGTH = 18;

function drawLegend() {
  const place = document.getElementById('legend');
  const entries = LOG.shown.map(({ name, group, colour, pattern, ink }) => make('li', {},
    swatch(withTile((ratio) => tileOf(pattern, colour, ink, ratio))), foreign(name),
    group && group.toLowerCase() !== name.toLowerCase() ? make('span', { class: 'group-name' }, foreign(group)) : ''));
  const parts = [];
  if (entries.length) {
    parts.push(make('h3', {}, 'Lithologies'), LOG.warning ? make('p', { class: 'small-warning' }, '⚠ ', foreign(LOG.warning)) : '');
    parts.push(make('ul', { class: 'lithologies' }, ...entries.slice(0, LEGEND_LENGTH)));
    if (entries.length > LEGEND_LENGTH) {
      parts.push(make('details', {}, make('summary', {}, `${entries.length - LEGEND_LENGTH} rarer ones`), make('ul', { class: 'lithologies' }, ...entries.slice(LEGEND_LENGTH))));
    }
  }
  const marks = [make('li', {}, swatch(withTile((ratio) => hatchOf(look.hatch, ratio))), 'not measured; the model imputed it where the row has an embedding')];
  if (LOG.features.some((_, i) => bitsOf('implausible', i))) {
    marks.push(make('li', {}, swatch((g, width, height) => {
      g.fillStyle = look.alert;
      g.fillRect(width - 6, height / 2 - 1, 6, 2);
    }), 'outside the plausible range'));
  }
  if (LOG.tracks.some((track) => track.kind === 'flags')) {
    LOG.flags.forEach((name, i) => marks.push(make('li', {}, swatch((g, width, height) => {
      g.fillStyle = look.flags[i];
      g.fillRect(9, 2, width - 18, height - 4);
    }), `${name[0].toUpperCase()}: ${name.replaceAll('_', ' ')}`)));
  }
  parts.push(make('h3', {}, 'Marks'), make('ul', { class: 'marks' }, ...marks));
  place.replaceChildren(...parts);
}

// Intervals ---------------------------------------------------------------------------------------------------------

const SHOWN_INTERVALS = 200;
const table = { key: 'top', down: false, all: false };
const COLUMNS = [
  ['top', 'Top (m)'], ['base', 'Base (m)'], ['thickness', 'Thickness (m)'], ['lithology', 'Lithology'],
  ['group', 'Group'], ['probability', 'Probability'], ['n_rows', 'Rows'], ['note', 'Note'],
];

function drawIntervals() {
  const section = document.getElementById('intervals'), list = state.hole?.intervals ?? LOG.intervals;
  section.hidden = !list.length;
  if (!list.length) return;
  const wanted = COLUMNS.filter(([key]) => !['group', 'note'].includes(key) || list.some((one) => one[key]));
  const of = (one, key) => (key === 'thickness' ? one.base - one.top : one[key]);
  const sorted = [...list].sort((a, b) => {
    const [x, y] = [of(a, table.key), of(b, table.key)];
    return (typeof x === 'string' ? x.localeCompare(y) : x - y) * (table.down ? -1 : 1);
  });
  section.querySelector('.count').textContent = counted(list.length);
  section.querySelector('caption').replaceChildren(...(LOG.warning ? ['⚠ ', foreign(LOG.warning)] : []));
  section.querySelector('thead').replaceChildren(make('tr', {}, ...wanted.map(([key, text]) => {
    const sort = table.key === key ? (table.down ? 'descending' : 'ascending') : 'none';
    return make('th', { scope: 'col', 'aria-sort': sort, class: `c-${key}` }, make('button', {
      type: 'button',
      onclick: () => {
        Object.assign(table, { down: table.key === key && !table.down, key });
        drawIntervals();
        section.querySelector(`.c-${key} button`).focus(); // the heading is a new one
      },
    }, text));
  })));
  const shown = table.all || state.printing ? sorted : sorted.slice(0, SHOWN_INTERVALS);
  section.querySelector('tbody').replaceChildren(...shown.map((one) => {
    const cells = {
      top: make('button', { type: 'button', 'aria-label': `Show ${one.lithology}, ${rangeText(one.top, one.base)}` }, fixed(one.top, places(0.1))),
      base: fixed(one.base, places(0.1)), thickness: fixed(one.base - one.top, places(0.1)), group: foreign(one.group), note: foreign(one.note),
      probability: Number.isFinite(one.probability) ? fixed(one.probability) : '–', n_rows: counted(one.n_rows),
    };
    const symbol = look.shownByName.get(one.lithology);
    const dot = make('span', { class: 'dot' });
    if (symbol) dot.style.background = symbol.colour;
    cells.lithology = make('span', {}, dot, foreign(one.lithology));
    const row = make('tr', { class: one === table.chosen ? 'chosen' : '', onclick: () => goTo(one) }, ...wanted.map(([key]) => make('td', { class: `c-${key}` }, cells[key])));
    row.interval = one;
    return row;
  }));
  const more = document.getElementById('all-intervals');
  more.hidden = shown.length === sorted.length;
  more.textContent = `Show all ${counted(sorted.length)}`;
}

document.getElementById('all-intervals').addEventListener('click', () => {
  table.all = true;
  drawIntervals();
});

/** Zoom to an interval, and select its rows. */
function goTo(one) {
  const margin = Math.max((one.base - one.top) * 0.6, 3 * state.hole.step);
  table.chosen = one;
  for (const row of document.querySelectorAll('#intervals tbody tr')) row.classList.toggle('chosen', row.interval === one);
  flyTo(one.top - margin, one.base + margin);
  select((row) => state.hole.depth[row] >= one.top && state.hole.depth[row] < one.base);
  figure.scrollIntoView({ block: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
}
figure.addEventListener('interval', ({ detail }) => {
  goTo(detail);
  document.querySelector('#intervals tr.chosen')?.scrollIntoView({ block: 'nearest' });
});

// Toolbar -----------------------------------------------------------------------------------------------------------

document.addEventListener('click', (event) => {
  const { do: what, fault } = event.target.dataset ?? {};
  if (what && state.hole) DO[what]();
  if (fault !== undefined) {
    const { top, base } = LOG.faults[fault], hole = LOG.holes.find((one) => one.low <= top && one.high >= base);
    if (!hole) return;
    if (hole !== state.hole && !(state.hole.low <= top && state.hole.high >= base)) pickHole(hole);
    const margin = Math.max((base - top) * 0.3, 3 * state.hole.step);
    flyTo(top - margin, base + margin);
    figure.scrollIntoView({ block: 'nearest' });
  }
});

function pickHole(hole) {
  document.querySelector('#holes select').value = LOG.holes.indexOf(hole);
  select(null);
  choose(hole);
}

/** The range in view, as far as the hole has rows. */
function rangeInView() {
  const { hole, low, high } = state;
  return rangeText(Math.max(low, hole.depth[hole.start]), Math.min(high, hole.depth[hole.stop - 1]));
}

let resting = 0;
listeners.view.push(() => {
  panels.classList.toggle('whole', isWhole());
  clearTimeout(resting); // a text that changes in each frame takes longer to draw than all tracks
  resting = setTimeout(() => {
    document.getElementById('range').textContent = rangeInView();
  }, 60);
});
listeners.selection.push(() => {
  document.getElementById('selection').hidden = !state.nSelected;
  document.getElementById('selected').textContent = `${counted(state.nSelected)} row${state.nSelected === 1 ? '' : 's'} selected`;
});
listeners.hole.push(() => {
  table.all = false;
  drawIntervals();
});
document.querySelectorAll('input[name=drag]').forEach((input) => input.addEventListener('change', () => {
  panels.dataset.drag = input.value;
}));

// Themes and print --------------------------------------------------------------------------------------------------

const THEMES = { auto: ['Auto', 'as the system'], light: ['Light', 'light'], dark: ['Dark', 'dark'] };

function setTheme(theme) {
  const button = document.getElementById('theme');
  document.documentElement.dataset.theme = theme;
  button.textContent = THEMES[theme][0];
  button.setAttribute('aria-label', `Colours: ${THEMES[theme][1]}`);
  redraw();
}

/** Build everything anew that depends on colours or on the size of pixels. */
function redraw() {
  layOut();
  drawLegend();
  drawIntervals();
  if (state.hole && latent.by) drawPoints();
}

document.getElementById('theme').addEventListener('click', () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

/** Lay the page out for paper, or for the screen again. */
function setPrinting(is) {
  if (Boolean(state.printing) === is) return;
  state.printing = is ? { top: scrollY } : null;
  document.documentElement.classList.toggle('printing', is);
  const aside = document.querySelector('aside');
  if (is) figure.before(aside); else figure.after(aside); // the latent space fits beneath the notes
  for (const details of document.querySelectorAll('details')) {
    if (is) details.dataset.open = details.open;
    details.open = is || details.dataset.open === 'true';
  }
  const hole = LOG.holes.length > 1 ? `${state.hole.name}, ` : '';
  document.getElementById('print-range').textContent = state.hole ? `${LOG.title}: ${hole}${rangeInView()}` : '';
  redraw();
  if (asked) {
    cancelAnimationFrame(asked);
    render();
  }
}
addEventListener('beforeprint', () => setPrinting(true));
addEventListener('afterprint', () => setPrinting(false));

// Begin -------------------------------------------------------------------------------------------------------------

async function begin() {
  document.documentElement.dataset.theme = 'auto';
  await unpack();
  makeHoles();
  readLook();
  makeTracks();
  layOut();
  makeLatent();
  const chooser = document.querySelector('#holes select');
  chooser.append(...LOG.holes.map((hole, i) => make('option', { value: i }, hole.name)));
  chooser.addEventListener('change', () => pickHole(LOG.holes[chooser.value]));
  document.getElementById('holes').hidden = LOG.holes.length < 2;
  drawLegend();
  choose(LOG.holes[0] ?? null);
  if (!LOG.holes.length) panels.replaceChildren(make('p', { class: 'empty' }, 'This log has no rows.'));
  panels.dataset.drag = 'pan';
  let ratio = devicePixelRatio;
  new ResizeObserver(() => {
    if (state.printing) return;
    if (ratio !== devicePixelRatio) {
      ratio = devicePixelRatio;
      return redraw();
    }
    measure();
    if (latent.by) soonDrawPoints();
  }).observe(panels);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.documentElement.dataset.state = 'ready';
  }));
}
begin().catch((error) => {
  panels.replaceChildren(make('p', { class: 'empty' }, 'This browser cannot draw the log. A current Firefox, Chrome, Edge or Safari can.'));
  throw error;
});
