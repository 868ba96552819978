/** The page: sends what the user drops to the worker, and shows its results. */
import { $, make } from './elements.mjs';
import { describeRow, describeValues, showLegend, showRows, showSummary } from './panels.mjs';
import { drawCore, drawFeatures, lithologyColours } from './plot.mjs';
import { embeddingsCsv, length } from './table.mjs';

const worker = new Worker(new URL('worker.mjs', import.meta.url), { type: 'module' });

/** The page's state; `shown` is the result in the plot, the tables and the download. */
const state = { lastId: 0, modelId: 0, scanId: 0, scan: null, description: null, classes: [], shown: null, plots: {} };

// ---- requests to the worker

async function chooseBundle({ name, files }) {
  try {
    const fetched = await Promise.all(files.map(async (file) => {
      const answer = await fetch(`bundles/${name}/${file}`);
      if (!answer.ok) throw new Error(`the server has no bundles/${name}/${file} (status ${answer.status})`);
      return { name: `${name}/${file}`, bytes: await bytesOf(answer) };
    }));
    if ($('bundle').value === name) useModel(fetched); // otherwise the user has chosen another in the meantime
  } catch (error) {
    fail(`${name} cannot be loaded: ${error.message}`);
  }
}

function useModel(files) {
  state.description = null;
  $('card').hidden = true;
  clear();
  state.modelId = ++state.lastId;
  worker.postMessage({ id: state.modelId, files });
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
  const graphs = files.filter((file) => file.name.endsWith('.onnx'));
  const scans = files.filter((file) => !graphs.includes(file));
  if (scans.length > 1) return fail(`${scans.length} scans were dropped: drop one at a time`);
  if (scans.length) [state.scan] = scans;
  if (graphs.length) {
    $('bundle').value = 'own';
    return useModel(await Promise.all(graphs.map(async (file) => ({ name: file.name, bytes: await bytesOf(file) }))));
  }
  return scans.length && embed();
}

const bytesOf = async (source) => new Uint8Array(await source.arrayBuffer());

// ---- answers of the worker

worker.onmessage = ({ data }) => {
  if (data.id !== state.modelId && data.id !== state.scanId) return; // an answer to a superseded request
  if (data.description) showModel(data);
  else if (data.error) fail(data.error);
  else if (data.progress) showProgress(data.progress);
  else if (data.result) show(data);
};
worker.onerror = (event) => fail(`the page's code failed: ${event.message ?? 'worker.mjs is missing'}`);

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

function show({ table, result, summary, said }) {
  const { description, classes } = state;
  state.shown = { table, result, description, classes, colours: lithologyColours(result) };
  $('progress').hidden = true;
  $('results').hidden = false;
  showSummary(state.shown, summary, said);
  showRows(state.shown);
  redraw();
  const n = length(table), against = `of ${table.name} against ${table.depth?.name ?? 'row'}`;
  const some = ({ drawn }) => (drawn < n ? `${drawn.toLocaleString('en')} of ${n.toLocaleString('en')} rows are drawn. ` : '');
  $('readout').textContent = `${some(state.plots.plot)}Point at a row for details.`;
  $('values').textContent = `${some(state.plots.features)}Shaded: no value. Marked at an edge: not plausible. `
    + 'Point at a row for its values.';
  $('plot').ariaLabel = `Embedding ${against}`;
  $('features').ariaLabel = `${state.plots.features.titles.join(', ')} ${against}`;
  document.body.dataset.state = 'done';
}

function redraw() {
  if (!state.shown) return;
  state.plots = {
    plot: drawCore($('plot'), state.shown, state.shown.colours),
    features: drawFeatures($('features'), state.shown),
  };
  showLegend(state.shown);
}

for (const [plot, readout, describe] of [['plot', 'readout', describeRow], ['features', 'values', describeValues]]) {
  $(plot).onpointermove = (event) => {
    const row = state.plots[plot]?.rowAt(event.offsetY);
    if (row !== undefined && state.shown) $(readout).textContent = describe(row, state.shown);
  };
}

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

// ---- actions of the user

$('scan').onchange = ({ target }) => {
  take([...target.files]);
  target.value = ''; // so that the same file can be chosen again after a correction
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
matchMedia('(prefers-color-scheme: dark)').onchange = redraw;

$('stalled').hidden = true;
const bundles = await fetch('bundles/index.json').then((answer) => (answer.ok ? answer.json() : []));
$('bundle').replaceChildren(
  ...bundles.map(({ name }) => make('option', { value: name }, name)),
  make('option', { value: 'own', disabled: true }, 'your own'),
);
$('bundle').onchange = () => chooseBundle(bundles.find(({ name }) => name === $('bundle').value));
if (bundles.length) chooseBundle(bundles[0]);
