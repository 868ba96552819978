/** The page: what the user drops goes to the worker, what comes back is shown. */
import { missingNames } from './litho.mjs';
import { drawCore, lithologyColours, stateOf } from './plot.mjs';
import { embeddingsCsv, length } from './table.mjs';

const FIRST_ROWS = 10;
const STATES = { measured: 'measured', imputed: 'imputed in part', none: 'no embedding' };
const $ = (id) => document.getElementById(id);
const worker = new Worker(new URL('worker.mjs', import.meta.url), { type: 'module' });

/** Everything shown; `shown` is what the plot, the tables and the download speak of. */
const state = { lastId: 0, scan: null, scanId: 0, description: null, classes: [], shown: null, plot: null };

// ---- asking the worker

async function chooseBundle({ name, files }) {
  try {
    useModel(await Promise.all(files.map(async (file) => {
      const answer = await fetch(`bundles/${name}/${file}`);
      if (!answer.ok) throw new Error(`the server has no bundles/${name}/${file} (${answer.status})`);
      return { name: `${name}/${file}`, bytes: new Uint8Array(await answer.arrayBuffer()) };
    })));
  } catch (error) {
    fail(`${name} cannot be loaded: ${error.message}`);
  }
}

function useModel(files) {
  state.description = null;
  $('card').hidden = true;
  clear();
  worker.postMessage({ id: ++state.lastId, files });
  if (state.scan) embed();
}

function embed() {
  clear();
  $('drop-title').textContent = state.scan.name;
  $('drop-hint').textContent = 'Drop or choose another core scan, CSV or HDF5';
  state.scanId = ++state.lastId;
  worker.postMessage({ id: state.scanId, scan: state.scan });
  document.body.dataset.state = 'busy';
}

async function take(files) {
  const graphs = files.filter((file) => file.name.endsWith('.onnx')), scans = files.filter((file) => !graphs.includes(file));
  if (scans.length > 1) return fail(`${scans.length} scans at once: drop one`);
  if (scans.length) [state.scan] = scans;
  if (graphs.length) {
    $('bundle').value = 'own';
    return useModel(await Promise.all(graphs.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }))));
  }
  return scans.length && embed();
}

// ---- hearing from it

worker.onmessage = ({ data }) => {
  if (data.description) showModel(data);
  else if (data.error) fail(data.error);
  else if (data.id !== state.scanId) return;
  else if (data.progress) showProgress(data.progress);
  else if (data.result) show(data);
};
worker.onerror = (event) => fail(`the page's own code cannot be run: ${event.message ?? 'worker.mjs is not there'}`);

function fail(message) {
  clear();
  $('error').textContent = message;
  $('error').hidden = false;
  document.body.dataset.state = 'failed';
}

function clear() {
  for (const id of ['error', 'progress', 'results']) $(id).hidden = true;
  state.shown = null;
  delete document.body.dataset.state;
}

function showProgress({ what, done, total }) {
  $('progress').hidden = false;
  $('progress').firstElementChild.value = done / total;
  $('progress').lastElementChild.textContent = `${what} ${Math.floor((100 * done) / total)} %`;
}

function showModel({ description, classes }) {
  Object.assign(state, { description, classes });
  $('card').textContent = description.model_card.split('\n')[0];
  $('card').hidden = false;
  if (!state.scan) document.body.dataset.state = 'ready';
}

function show({ table, result, summary }) {
  const { description, classes } = state;
  state.shown = { table, result, description, classes, colours: lithologyColours(result) };
  $('progress').hidden = true;
  $('results').hidden = false;
  showSummary(state.shown, summary);
  showRows(state.shown);
  redraw();
  showLegend(state.shown);
  document.body.dataset.state = 'done';
}

// ---- what is shown

function showSummary({ table, result, description }, summary) {
  const counts = { measured: 0, imputed: 0, none: 0 };
  for (let row = 0; row < length(table); row++) counts[stateOf(row, result, description.latent_dim)]++;
  $('summary-title').textContent = `${table.name}: ${plural(length(table), 'row')}`;
  $('fate').textContent = [
    `${counts.measured.toLocaleString('en')} measured in full`,
    counts.imputed && `${counts.imputed.toLocaleString('en')} imputed in part, marked below and in the download`,
    counts.none && `${counts.none.toLocaleString('en')} without an embedding, because ${
      description.missing === 'impute' ? 'nothing was measured' : 'something was not measured'}`,
  ].filter(Boolean).join('; ');
  $('summary').replaceChildren(
    head('feature', 'taken from', 'values', 'plausible', 'not measured', 'beyond what is plausible'),
    make('tbody', {}, ...summary.map(({ feature, column, nMissing, nOutside, least, most }) => make('tr', {},
      make('th', { scope: 'row' }, feature.name, make('small', {}, feature.unit)),
      make('td', {}, column.name, make('small', {}, column.unit ?? 'no unit stated')),
      make('td', {}, least > most ? 'none' : `${short(least)} to ${short(most)}`),
      make('td', {}, feature.plausible.join(' to ')),
      make('td', { className: nMissing ? 'imputed' : '' }, nMissing ? plural(nMissing, 'row') : 'none'),
      make('td', { className: nOutside ? 'doubt' : '' }, nOutside ? `${plural(nOutside, 'row')}: another unit?` : 'none'),
    ))),
  );
}

function showRows({ table, result, description, classes }) {
  const { features, latent_dim: latent } = description, n = Math.min(FIRST_ROWS, length(table));
  const depth = table.depth && [table.depth.name, table.depth.unit ?? ''];
  $('rows-title').textContent = n < length(table) ? `First ${n} rows` : 'Rows';
  const body = Array.from({ length: n }, (_, row) => {
    const worth = stateOf(row, result, latent);
    return make('tr', {},
      make('td', {}, String(row + 1)),
      ...(depth ? [make('td', {}, short(table.depth.values[row], 6))] : []),
      ...features.map((_, i) => featureCell(table.rows[row * features.length + i], result.missing[row] & (1 << i), description)),
      make('td', { className: `text ${worth}` }, STATES[worth]),
      ...(classes.length ? [make('td', { className: `text ${worth}` }, lithologyText(row, result, classes))] : []),
      ...Array.from({ length: latent }, (_, k) => make('td', { className: worth }, fixed(result.embeddings[row * latent + k]))),
    );
  });
  $('rows').replaceChildren(
    head('row', ...(depth ? [depth] : []), ...features.map(({ name, unit }) => [name.replace(/ \(.*/, ''), unit]), 'state',
      ...(classes.length ? ['likeliest lithology'] : []), ...Array.from({ length: latent }, (_, k) => `z${k}`)),
    make('tbody', {}, ...body),
  );
}

function featureCell(value, isMissing, { missing }) {
  if (!isMissing) return make('td', {}, short(value));
  const given = Number.isNaN(value) ? '' : `${short(value, 5)} → `;
  return make('td', { className: missing === 'impute' ? 'imputed' : 'none' }, `${given}${missing === 'impute' ? 'imputed' : 'missing'}`);
}

function lithologyText(row, { lithology, probability }, classes) {
  return Number.isNaN(probability[row]) ? '' : `${classes[lithology[row]]} (${probability[row].toFixed(2)})`;
}

function showLegend({ classes, colours, result, table }) {
  const style = getComputedStyle(document.body);
  const entries = Object.entries(STATES).map(([worth, label]) => [style.getPropertyValue(`--${worth}`), label]);
  for (const [k, colour] of colours.colours) entries.push([colour, classes[k]]);
  if (colours.nOther) entries.push([colours.other, `${plural(colours.nOther, 'other')}`]);
  $('legend').replaceChildren(...entries.map(([colour, label]) => {
    const swatch = make('canvas', { width: 14, height: 12 }), pen = swatch.getContext('2d');
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 14, 12);
    return make('li', {}, swatch, label);
  }));
  const { drawn } = state.plot, n = result.missing.length;
  const left = drawn < n ? `${drawn.toLocaleString('en')} of ${n.toLocaleString('en')} rows are drawn` : '';
  $('readout').textContent = left || 'Point at a row to read it.';
  $('plot').ariaLabel = `Embedding of ${table.name} against ${table.depth?.name ?? 'row'}`;
}

function redraw() {
  if (state.shown) state.plot = drawCore($('plot'), state.shown, state.shown.colours);
}

$('plot').onpointermove = (event) => {
  const row = state.plot?.rowAt(event.offsetY);
  if (row === undefined || !state.shown) return;
  const { table, result, description, classes } = state.shown, latent = description.latent_dim;
  const worth = stateOf(row, result, latent), lack = missingNames(result.missing[row], description);
  $('readout').textContent = [
    `row ${row + 1}`,
    table.depth && `${table.depth.name} ${short(table.depth.values[row], 6)} ${table.depth.unit ?? ''}`,
    STATES[worth],
    lack.length && `not measured: ${lack.join(', ')}`,
    classes.length && lithologyText(row, result, classes),
  ].filter(Boolean).join(' · ');
};

$('download').onclick = async () => {
  const { table, result, description, classes } = state.shown, pieces = [];
  for (const piece of embeddingsCsv(table, result, description, classes)) {
    pieces.push(piece);
    if (pieces.length % 100 === 0) await new Promise((resolve) => { setTimeout(resolve); });
  }
  const url = URL.createObjectURL(new Blob(pieces, { type: 'text/csv' }));
  make('a', { href: url, download: `${table.name.replace(/\.[^.]*$/, '')}.embeddings.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
};

// ---- small things

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function head(...names) {
  return make('thead', {}, make('tr', {}, ...names.map((name) => {
    const [title, unit] = [name].flat();
    const cell = make('th', { scope: 'col', className: ['state', 'likeliest lithology'].includes(title) ? 'text' : '' }, title);
    if (unit) cell.append(make('small', {}, unit));
    return cell;
  })));
}

const fixed = (value) => (Number.isNaN(value) ? '' : value.toFixed(2).replace(/^-(0\.00)$/, '$1'));
const short = (value, digits = 4) => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(digits))));
const plural = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;

// ---- what the user does

$('scan').onchange = ({ target }) => {
  take([...target.files]);
  target.value = ''; // so that the same file, corrected, can be chosen again
};
$('example').onclick = async () => {
  const answer = await fetch('core.csv');
  take([new File([await answer.blob()], 'core.csv')]);
};
document.body.ondragover = (event) => {
  event.preventDefault();
  document.body.classList.add('dropping');
};
document.body.ondragleave = () => document.body.classList.remove('dropping');
document.body.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  take([...event.dataTransfer.files]);
};
new ResizeObserver(redraw).observe($('plot'));
matchMedia('(prefers-color-scheme: dark)').onchange = () => {
  redraw();
  if (state.shown) showLegend(state.shown);
};

$('stalled').hidden = true;
const bundles = await fetch('bundles/index.json').then((answer) => (answer.ok ? answer.json() : []));
$('bundle').replaceChildren(
  ...bundles.map(({ name }) => make('option', { value: name }, name)),
  make('option', { value: 'own', disabled: true }, 'your own'),
);
$('bundle').onchange = () => chooseBundle(bundles.find(({ name }) => name === $('bundle').value));
if (bundles.length) chooseBundle(bundles[0]);
