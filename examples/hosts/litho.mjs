/** A LithoVAE model in JavaScript, for Node.js and browsers: raw rows to embeddings and the most likely lithology. */
import { LithoError } from './errors.mjs';
import { LOG1P, readDescription } from './metadata.mjs';

/** Rows per run: their intermediate results fit a core's cache. */
export const BLOCK_ROWS = 4096;

const ERRORS_ONLY = 3;

export class LithoModel {
  #ort; #embedder; #classifier;

  constructor(ort, description, embedder, classifier) {
    this.#ort = ort;
    this.#embedder = embedder;
    this.#classifier = classifier;
    /** Features, units, missing-value policy and origin, from the graph's metadata. */
    this.description = description;
  }

  /**
   * Load a model, and verify it with its golden rows.
   * @param {object} ort The module onnxruntime-web (or onnxruntime-node).
   * @param {{name: string, bytes: Uint8Array}[]} files embedder.onnx and, for lithologies, classifier.onnx.
   */
  static async load(ort, files) {
    const graphs = {};
    for (const { name, bytes } of files) {
      const description = readDescription(bytes, name);
      if (!['embedder', 'classifier'].includes(description.graph)) {
        throw new LithoError(`${name} is the ${description.graph}; choose embedder.onnx (and classifier.onnx)`);
      }
      if (graphs[description.graph]) throw new LithoError(`${name} is a second ${description.graph}: choose one`);
      graphs[description.graph] = { name, bytes, description };
    }
    const { embedder, classifier } = graphs;
    if (!embedder) throw new LithoError(`${files[0]?.name ?? 'no file'}: embedder.onnx is needed, too`);
    if (classifier && classifier.description.checkpoint_sha256 !== embedder.description.checkpoint_sha256) {
      throw new LithoError(`${embedder.name} and ${classifier.name} belong to different models: choose one bundle`);
    }
    return new LithoModel(
      ort, embedder.description, await openSession(ort, embedder), classifier && await openSession(ort, classifier),
    );
  }

  /** Names of the lithologies; empty without a classifier. */
  get classes() { return this.#classifier ? this.description.classes : []; }

  /**
   * Embed raw rows.
   * @param {Float32Array} rows (n, features), row after row, in the description's units; NaN and sentinels are missing.
   * @param {(done: number) => unknown} progress Awaited after each block. If it throws, embedding stops.
   * @returns {Promise<{embeddings: Float32Array, missing: Uint8Array, lithology?: Uint16Array,
   *   probability?: Float32Array}>} Embeddings (n, latent_dim), NaN where there is none; `missing` (n, features), 1
   *   where a feature is missing and 0 elsewhere; the index of the most likely class, and its probability (NaN where there is none).
   */
  async embed(rows, progress = () => {}) {
    const width = this.description.features.length, latent = this.description.latent_dim, classes = this.classes.length;
    const n = rows.length / width;
    const out = { embeddings: new Float32Array(n * latent), missing: missingMask(rows, this.description) };
    if (classes) Object.assign(out, { lithology: new Uint16Array(n), probability: new Float32Array(n).fill(NaN) });
    for (let start = 0; start < n; start += BLOCK_ROWS) {
      const block = rows.subarray(start * width, (start + BLOCK_ROWS) * width);
      const { mu } = await run(this.#ort, this.#embedder, { features: block }, width);
      out.embeddings.set(mu, start * latent);
      if (classes) {
        const { probabilities } = await run(this.#ort, this.#classifier, { z: mu }, latent);
        likeliest(probabilities, classes, out.lithology.subarray(start), out.probability.subarray(start));
      }
      await progress(Math.min(start + BLOCK_ROWS, n));
    }
    return out;
  }
}

/** Which values are missing, 1 for each: NaN, infinity, a sentinel, or no logarithm. */
export function missingMask(rows, { features, sentinels }) {
  const width = features.length, known = new Set(sentinels.map(Math.fround));
  const needsLog = features.map(({ transform }) => LOG1P.includes(transform));
  const mask = new Uint8Array(rows.length);
  for (let at = 0; at < rows.length; at++) {
    const x = rows[at];
    if (!Number.isFinite(x) || known.has(x) || (needsLog[at % width] && x <= -1)) mask[at] = 1;
  }
  return mask;
}

/** Names of the features that are missing in a row. */
export function missingNames(row, missing, { features }) {
  return features.filter((_, i) => missing[row * features.length + i]).map(({ name }) => name);
}

/** Whether any feature is missing in a row. */
export function isAnyMissing(row, missing, { features: { length: width } }) {
  return missing.subarray(row * width, (row + 1) * width).includes(1);
}

async function openSession(ort, { name, bytes, description }) {
  const { inputs, outputs, tolerance } = description.golden;
  let session, found;
  try {
    session = await ort.InferenceSession.create(bytes, { logSeverityLevel: ERRORS_ONLY });
    const flat = Object.fromEntries(Object.entries(inputs).map(([key, rows]) => [key, numbers(rows)]));
    found = await run(ort, session, flat, Object.values(inputs)[0][0].length);
  } catch (error) {
    throw new LithoError(`${name} cannot be run: ${error.message ?? error}`);
  }
  for (const [output, rows] of Object.entries(outputs)) {
    const off = furthest(found[output], numbers(rows));
    if (!(off <= tolerance[output])) {
      throw new LithoError(`${name}: verification failed: ${output} differs by ${off} from its value at export `
        + `(allowed ${tolerance[output]}): copy the file again, or use another version of ONNX Runtime`);
    }
  }
  return session;
}

/** JSON has no NaN: null stands for NaN. */
const numbers = (rows) => Float32Array.from(rows.flat(), (value) => value ?? NaN);

/** Largest difference, relative for values above 1; Infinity if only one of two values is NaN. */
function furthest(found, expected) {
  if (found?.length !== expected.length) return Infinity;
  return expected.reduce((most, value, i) => {
    if (Number.isNaN(value) && Number.isNaN(found[i])) return most;
    const off = Math.abs(value - found[i]) / Math.max(1, Math.abs(value));
    return Number.isNaN(off) ? Infinity : Math.max(most, off);
  }, 0);
}

/** Run a session on flat rows of one width; returns flat outputs. */
async function run(ort, session, inputs, width) {
  const feeds = {};
  for (const [name, rows] of Object.entries(inputs)) {
    feeds[name] = new ort.Tensor('float32', rows, [rows.length / width, width]);
  }
  const results = await session.run(feeds);
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data]));
}

function likeliest(probabilities, classes, lithology, probability) {
  for (let row = 0; row < probabilities.length / classes; row++) {
    for (let k = 0; k < classes; k++) {
      const p = probabilities[row * classes + k];
      if (p > probability[row] || (Number.isNaN(probability[row]) && p >= 0)) {
        probability[row] = p;
        lithology[row] = k;
      }
    }
  }
}
