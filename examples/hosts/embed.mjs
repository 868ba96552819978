/** Embed the rows of a CSV file: `node embed.mjs BUNDLE_DIR rows.csv > embeddings.csv`. */
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { readCsv } from './csv.mjs';
import { LithoError } from './errors.mjs';
import { isAnyMissing, LithoModel } from './litho.mjs';
import { importPackages } from './packages.mjs';
import { doubts, embeddingsCsv, length, summarise, unitOf } from './table.mjs';

async function main(folder, path) {
  if (!folder || !path) throw new LithoError('usage: node embed.mjs BUNDLE_DIR rows.csv > embeddings.csv');
  const [ort, { default: Papa }] = await importPackages('onnxruntime-web', 'papaparse');
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = 1;
  const paths = [join(folder, 'embedder.onnx')], classifier = join(folder, 'classifier.onnx');
  if (existsSync(classifier)) paths.push(classifier);
  const model = await LithoModel.load(ort, await Promise.all(paths.map(graph)));
  const table = await readCsv(Papa, createReadStream(path, 'utf8'), basename(path), model.description);
  const result = await model.embed(table.rows);
  report(table, result, model.description);
  await pipeline(embeddingsCsv(table, result, model.description, model.classes), process.stdout);
}

async function graph(path) {
  try {
    return { name: path, bytes: await readFile(path) };
  } catch (error) {
    throw new LithoError(`${path} cannot be read: ${error.message}`);
  }
}

/** Report on standard error which column was read for each feature, and doubtful values. */
function report(table, result, description) {
  const say = (text) => process.stderr.write(`${text}\n`);
  say(description.model_card.split('\n')[0]);
  const summary = summarise(table, result.missing, description);
  for (const { feature, column, nMissing } of summary) {
    say(`${feature.name} [${feature.unit}]: "${column.name}" (${unitOf(column)})`
      + (nMissing ? `, missing in ${nMissing} rows` : ''));
  }
  for (const doubt of doubts(table, summary)) say(`warning: ${doubt}`);
  const rows = Array.from({ length: length(table) }, (_, row) => row);
  const nMissing = rows.filter((row) => isAnyMissing(row, result.missing, description)).length;
  const fate = description.missing === 'impute' ? 'imputed, see the column "missing"' : 'no embedding';
  say(`${length(table)} row${length(table) === 1 ? '' : 's'}`
    + (nMissing ? `, ${nMissing} of them with missing values: ${fate}` : ''));
}

process.stdout.on('error', () => process.exit(1)); // the reader, for example `head`, has ended
try {
  await main(...process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof LithoError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
