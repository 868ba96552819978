/** A LithoVAE model in JavaScript: raw rows in, embeddings and the likeliest lithology out. For Node and browsers. */
import { LithoError } from './errors.mjs';
import { readDescription } from './metadata.mjs';

/** Rows that one run takes: their intermediate results fit a core's cache. */
export const BLOCK_ROWS = 4096;

export class LithoModel {
  #ort; #embedder; #classifier;

  constructor(ort, description, embedder, classifier) {
    this.#ort = ort;
    this.#embedder = embedder;
    this.#classifier = classifier;
    /** Features, units, policy and origin, as the graph states them. */
    this.description = description;
  }

  /**
   * Load a model, and replay the golden rows that it carries.
   * @param {object} ort The module onnxruntime-web (or onnxruntime-node).
   * @param {{name: string, bytes: Uint8Array}[]} files embedder.onnx and, for lithologies, classifier.onnx.
   */
  static async load(ort, files) {
    const graphs = {};
    for (const { name, bytes } of files) {
      const description = readDescription(bytes, name);
      if (!['embedder', 'classifier'].includes(description.graph)) {
        throw new LithoError(`${name} is the ${description.graph}; embedder.onnx (and classifier.onnx) is needed`);
      }
      if (graphs[description.graph]) throw new LithoError(`${name} is a second ${description.graph}: give one`);
      graphs[description.graph] = { name, bytes, description };
    }
    const { embedder, classifier } = graphs;
    if (!embedder) throw new LithoError(`${files[0]?.name ?? 'nothing'}: without embedder.onnx there is no embedding`);
    if (classifier && classifier.description.checkpoint_sha256 !== embedder.description.checkpoint_sha256) {
      throw new LithoError(`${embedder.name} and ${classifier.name} are of different models: give those of one bundle`);
    }
    return new LithoModel(
      ort, embedder.description, await openSession(ort, embedder), classifier && await openSession(ort, classifier),
    );
  }

  /** Names of the lithologies that `embed` can name; empty without a classifier. */
  get classes() { return this.#classifier ? this.description.classes : []; }

  /**
   * Embed raw rows.
   * @param {Float32Array} rows (n, features), row after row, in the description's units; NaN and sentinels are missing.
   * @param {(done: number) => unknown} progress Awaited after each block; what it throws ends the run.
   * @returns {Promise<{embeddings: Float32Array, missing: Uint32Array, lithology?: Uint16Array,
   *   probability?: Float32Array}>} Embeddings (n, latent_dim), NaN where there is none; bit i of `missing` is set
   *   where feature i has no value; the likeliest of `classes`, and its probability (NaN where there is none).
   */
  async embed(rows, progress = () => {}) {
    const width = this.description.features.length, latent = this.description.latent_dim, classes = this.classes.length;
    const n = rows.length / width;
    const out = { embeddings: new Float32Array(n * latent), missing: missingBits(rows, this.description) };
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

/** Tell which features of each row the graph takes as missing, bit by bit: NaN, infinity, a sentinel, no logarithm. */
export function missingBits(rows, { features, sentinels }) {
  const width = features.length, known = new Set(sentinels.map(Math.fround));
  const needsLog = features.map((feature) => feature.transform === 'log1p(x)');
  const bits = new Uint32Array(rows.length / width);
  for (let at = 0; at < rows.length; at++) {
    const x = rows[at], i = at % width;
    if (!Number.isFinite(x) || known.has(x) || (needsLog[i] && x <= -1)) bits[(at - i) / width] |= 1 << i;
  }
  return bits;
}

/** Names of the features whose bits are set. */
export function missingNames(bits, { features }) {
  return features.filter((_, i) => bits & (1 << i)).map((feature) => feature.name);
}

async function openSession(ort, { name, bytes, description }) {
  const { inputs, outputs, tolerance } = description.golden;
  let session, found;
  try {
    session = await ort.InferenceSession.create(bytes);
    const flat = Object.fromEntries(Object.entries(inputs).map(([key, rows]) => [key, numbers(rows)]));
    found = await run(ort, session, flat, Object.values(inputs)[0][0].length);
  } catch (error) {
    throw new LithoError(`${name} cannot be run: ${error.message ?? error}`);
  }
  for (const [output, rows] of Object.entries(outputs)) {
    const off = furthest(found[output], numbers(rows));
    if (!(off <= tolerance[output])) {
      throw new LithoError(`${name} does not give what it gave when it was exported (${output} is off by ${off}, `
        + `allowed ${tolerance[output]}): the file or this ONNX Runtime is not to be trusted`);
    }
  }
  return session;
}

/** JSON has no NaN: null stands for it. */
const numbers = (rows) => Float32Array.from(rows.flat(), (value) => value ?? NaN);

/** Largest difference, relative to values beyond 1; NaN must meet NaN, and anything else counts as infinitely far. */
function furthest(found, expected) {
  if (found?.length !== expected.length) return Infinity;
  return expected.reduce((most, value, i) => {
    if (Number.isNaN(value) && Number.isNaN(found[i])) return most;
    const off = Math.abs(value - found[i]) / Math.max(1, Math.abs(value));
    return Number.isNaN(off) ? Infinity : Math.max(most, off);
  }, 0);
}

/** Run a session on flat rows of one width; gives flat outputs. */
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
