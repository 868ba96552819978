/**
 * Copy the page, its three libraries and the bundles into one folder, which any file server can serve, offline:
 * `node assemble.mjs FOLDER [BUNDLE_DIR ...]`; by default with the four shipped bundles.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { importPackages } from './packages.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SHIPPED = ['semisup_hybrid', 'unsup_hybrid', 'semisup', 'unsup']
  .map((name) => here(`../../models/bundles/${name}`));
const PAGE = [
  'index.html', 'style.css', 'page.mjs', 'elements.mjs', 'panels.mjs', 'plot.mjs', 'colour.mjs', 'worker.mjs',
  'columns.mjs', 'csv.mjs', 'errors.mjs', 'hdf5.mjs', 'litho.mjs', 'metadata.mjs', 'other_units.mjs', 'quantities.mjs',
  'quantities.json', 'table.mjs', 'core.csv',
];
const VENDOR = {
  'onnxruntime-web/dist/ort.wasm.bundle.min.mjs': 'ort.wasm.bundle.min.mjs',
  'onnxruntime-web/dist/ort-wasm-simd-threaded.wasm': 'ort-wasm-simd-threaded.wasm',
  'h5wasm/dist/esm/hdf5_hl.js': 'h5wasm/hdf5_hl.js',
  'h5wasm/dist/esm/hdf5_util.js': 'h5wasm/hdf5_util.js',
};

async function assemble(out, bundles) {
  await importPackages('papaparse'); // all are installed together
  await mkdir(join(out, 'vendor'), { recursive: true });
  for (const name of PAGE) await cp(here(name), join(out, name));
  for (const [from, to] of Object.entries(VENDOR)) await cp(here(`node_modules/${from}`), join(out, 'vendor', to));
  const script = await readFile(here('node_modules/papaparse/papaparse.min.js'), 'utf8'); // made a module below
  const lines = ['const module = { exports: {} }, exports = module.exports;', script, 'export default module.exports;'];
  await writeFile(join(out, 'vendor', 'papaparse.mjs'), `${lines.join('\n')}\n`);

  const shown = [];
  for (const bundle of bundles) {
    const name = basename(bundle), files = ['embedder.onnx'];
    const { classes } = JSON.parse(await readFile(join(bundle, 'manifest.json'), 'utf8'));
    if (classes.length) files.push('classifier.onnx');
    for (const file of files) await cp(join(bundle, file), join(out, 'bundles', name, file));
    shown.push({ name, files });
  }
  await writeFile(join(out, 'bundles', 'index.json'), `${JSON.stringify(shown, null, 1)}\n`);
}

const [out, ...bundles] = process.argv.slice(2);
try {
  if (!out) throw new Error('usage: node assemble.mjs FOLDER [BUNDLE_DIR ...]');
  await assemble(out, bundles.length ? bundles : SHIPPED);
  process.stdout.write(`${out}: serve it with "python3 -m http.server --bind 127.0.0.1 --directory ${out}"\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
