/** Reads and embeds in the background. Holds one model; a newer request ends the current one. */
import * as ort from './vendor/ort.wasm.bundle.min.mjs';
import Papa from './vendor/papaparse.mjs';

import { readCsv } from './csv.mjs';
import { LithoError } from './errors.mjs';
import { readHdf5 } from './hdf5.mjs';
import { LithoModel } from './litho.mjs';
import { doubts, summarise } from './table.mjs';

const HDF5_SIGNATURE = '\x89HDF\r\n\x1a\n';
const PULSE_MS = 100;

ort.env.logLevel = 'error';
ort.env.wasm.numThreads = 1; // more threads need headers that a plain file server does not send

class Superseded extends Error {}

let model, whyNone = 'no model is loaded: choose one', latest = 0, queue = Promise.resolve();

self.onmessage = ({ data: { id, files, scan } }) => {
  latest = id;
  queue = queue.then(() => (files ? load(id, files) : embed(id, scan))).catch((error) => {
    if (error instanceof Superseded) return;
    const message = error instanceof LithoError ? error.message : `internal error: ${error.stack ?? error}`;
    self.postMessage({ id, error: message });
  });
};

async function load(id, files) {
  model = undefined;
  try {
    model = await LithoModel.load(ort, files);
  } catch (error) {
    whyNone = error.message;
    throw error;
  }
  self.postMessage({ id, description: model.description, classes: model.classes });
}

async function embed(id, scan) {
  if (!model) throw new LithoError(whyNone);
  const pulse = pulses(id);
  const table = await read(scan, model.description, pulse);
  const n = table.rows.length / model.description.features.length;
  const result = await model.embed(table.rows, (done) => pulse('embedding', done, n));
  const summary = summarise(table, result.missing, model.description);
  const arrays = [table.rows, table.depth?.values, ...Object.values(result)].filter(Boolean);
  const answer = { id, table, result, summary, said: doubts(table, summary) };
  self.postMessage(answer, [...new Set(arrays.map(({ buffer }) => buffer))]);
}

async function read(scan, description, pulse) {
  const head = new Uint8Array(await scan.slice(0, HDF5_SIGNATURE.length).arrayBuffer());
  if (String.fromCharCode(...head) !== HDF5_SIGNATURE) {
    return readCsv(Papa, scan, scan.name, description, (done) => pulse('reading', done, scan.size));
  }
  const { default: h5wasm } = await import('./vendor/h5wasm/hdf5_hl.js');
  const { FS } = await h5wasm.ready;
  FS.mkdirTree('/scan');
  FS.mount(FS.filesystems.WORKERFS, { files: [scan] }, '/scan'); // read in place, so that it need not fit in memory
  try {
    return await readHdf5(h5wasm, `/scan/${scan.name}`, scan.name, description, (done, n) => pulse('reading', done, n));
  } finally {
    FS.unmount('/scan');
  }
}

/** Return a function that reports progress, receives messages, and ends a superseded run. */
function pulses(id) {
  let last = performance.now();
  return async (what, done, total) => {
    if (id !== latest) throw new Superseded();
    if (performance.now() - last < PULSE_MS) return;
    last = performance.now();
    self.postMessage({ id, progress: { what, done, total } });
    await new Promise((resolve) => { setTimeout(resolve); });
  };
}
