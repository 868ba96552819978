/** A table of raw rows, read from a CSV or HDF5 file; its summary, warnings and the CSV output. */
import { missingNames } from './litho.mjs';
import { depthNotes, featureNotes } from './other_units.mjs';

/**
 * @typedef {object} Table
 * @property {string} name The file.
 * @property {Float32Array} rows (n, features), row after row.
 * @property {{name: string, unit: string | null, factor: [number, number]}[]} columns The column of each feature.
 * @property {string[]} notes On columns that were left out.
 * @property {{name: string, unit: string | null, values: Float64Array} | null} depth NaN where missing.
 */

/** Number of rows. */
export const length = (table) => table.rows.length / table.columns.length;

/** A typed array that grows as values are pushed. */
export class Growing {
  #type; #values; #length = 0;

  constructor(type) {
    this.#type = type;
    this.#values = new type(4096);
  }

  push(value) {
    if (this.#length === this.#values.length) {
      const longer = new this.#type(this.#length * 2);
      longer.set(this.#values);
      this.#values = longer;
    }
    this.#values[this.#length++] = value;
  }

  /** The values pushed so far. */
  get values() { return this.#values.subarray(0, this.#length); }
}

/** Replace sentinels by NaN, in place; returns `values`. */
export function withoutSentinels(values, sentinels) {
  for (let i = 0; i < values.length; i++) if (sentinels.includes(values[i])) values[i] = NaN;
  return values;
}

/**
 * Count the missing and the implausible values of each feature.
 * @param {Table} table
 * @param {Uint8Array} missing From `LithoModel.embed`.
 * @param {object} description The model's.
 */
export function summarise(table, missing, { features }) {
  return features.map((feature, i) => {
    const [low, high] = feature.plausible;
    let nMissing = 0, nOutside = 0, least = Infinity, most = -Infinity, hasFractions = false;
    for (let at = i; at < missing.length; at += features.length) {
      if (missing[at]) {
        nMissing++;
        continue;
      }
      const x = table.rows[at];
      if (x < low || x > high) nOutside++;
      least = Math.min(least, x);
      most = Math.max(most, x);
      hasFractions ||= x > 0 && x < 1;
    }
    return { feature, column: table.columns[i], nMissing, nOutside, least, most, hasFractions };
  });
}

/**
 * Sentences on values that suggest a wrong unit: implausible values, and values that can only be in another unit; and
 * on columns that were left out.
 * @param {Table} table
 * @param {object[]} summary From `summarise`.
 */
export function doubts(table, summary) {
  const rows = (n) => `${n.toLocaleString('en')} row${n === 1 ? '' : 's'}`;
  const outside = summary.filter(({ nOutside }) => nOutside).map(({ feature, nOutside }) => (
    `${feature.name} is outside ${feature.plausible.join(' to ')} ${feature.unit} in ${rows(nOutside)}.`));
  const said = [...outside, ...featureNotes(summary, length(table)).map((note) => `${note}.`)];
  if (said.length) said.push('With a wrong unit, the embeddings look normal but are meaningless.');
  return [...said, ...[...depthNotes(table.depth), ...table.notes].map((note) => `${note}.`)];
}

/** What a column's values are in, for people. */
export function unitOf({ unit, factor: [numerator, denominator] }) {
  if (unit === null) return 'no unit stated';
  return numerator === denominator ? unit : `${unit}, converted`;
}

/**
 * Write embeddings as CSV, in pieces of whole lines.
 * @param {Table} table
 * @param {object} result From `LithoModel.embed`.
 * @param {object} description The model's.
 * @param {string[]} classes The model's lithologies; empty without a classifier.
 */
export function* embeddingsCsv(table, result, { features, latent_dim: latent }, classes) {
  const depth = table.depth && (table.depth.unit ? `${table.depth.name} (${table.depth.unit})` : table.depth.name);
  const head = [
    'row', ...(depth ? [depth] : []), ...Array.from({ length: latent }, (_, i) => `z${i}`), 'missing',
    ...(classes.length ? ['lithology', 'probability'] : []),
  ];
  let piece = `${head.map(quoted).join(',')}\n`;
  for (let row = 0; row < length(table); row++) {
    const cells = [row + 1];
    if (depth) cells.push(digits(table.depth.values[row], 17));
    for (let k = row * latent; k < (row + 1) * latent; k++) cells.push(digits(result.embeddings[k], 9));
    cells.push(quoted(missingNames(row, result.missing, { features }).join('; ')));
    if (classes.length) {
      const p = result.probability[row];
      cells.push(Number.isNaN(p) ? '' : quoted(classes[result.lithology[row]]), digits(p, 9));
    }
    piece += `${cells.join(',')}\n`;
    if (piece.length > 1 << 16) {
      yield piece;
      piece = '';
    }
  }
  yield piece;
}

/** A number with enough digits to be read back unchanged; an empty cell for NaN. */
const digits = (value, n) => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(n))));
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
