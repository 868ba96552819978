/**
 * The description in a LithoVAE graph's metadata: features, units, plausible ranges, missing-value policy, golden rows.
 *
 * It is JSON in the ONNX model's `metadata_props`, which ONNX Runtime's JavaScript API does not expose. Four fields of
 * onnx.proto are needed: ModelProto.metadata_props = 14, StringStringEntryProto.key = 1 and .value = 2.
 */
import { LithoError } from './errors.mjs';
import { contradictionOf, letters } from './quantities.mjs';

export const KEY = 'lithovae';
export const SCHEMAS = [2, 3, 4, 5];
export const LOG1P = ['log1p', 'log1p(x)']; // its name, and its formula in schemas 2 and 3

const MAX_FEATURES = 64;
const TRANSFORMS = ['none', 'signed_log', 'log1p'], FORMULAS = ['none', 'sign(x)*log1p(|x|)', 'log1p(x)'];

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const isText = (value) => typeof value === 'string';
const areTexts = (values) => Array.isArray(values) && values.every(isText);
const areNumbers = (values) => Array.isArray(values) && values.every(Number.isFinite);

/** The keys that a host needs, each with a check of its value. */
const NEEDED = {
  graph: isText,
  features: areFeatures,
  missing: (policy) => policy === 'impute' || policy === 'nan',
  sentinels: areNumbers,
  latent_dim: (n) => Number.isInteger(n) && n > 0,
  classes: areTexts,
  model_card: isText,
  checkpoint_sha256: isText,
  golden: (golden) => [golden?.inputs, golden?.outputs, golden?.tolerance].every((part) => part instanceof Object),
};

function areFeatures(list, { schema }) {
  const transforms = schema > 3 ? TRANSFORMS : FORMULAS;
  const isFeature = (feature) => isText(feature?.name) && letters(feature.name) !== '' && isText(feature.unit)
    && transforms.includes(feature.transform) && (schema < 4 || isText(feature.instrument))
    && areNumbers(feature.plausible) && feature.plausible.length === 2 && feature.plausible[0] < feature.plausible[1];
  return Array.isArray(list) && list.length > 0 && list.length <= MAX_FEATURES && list.every(isFeature)
    && new Set(list.map(({ name }) => name)).size === list.length;
}

/**
 * Read and check a graph's description.
 * @param {Uint8Array} bytes The .onnx file.
 * @param {string} name The file's name in messages.
 * @returns {object} The description (docs/bundle-format.md).
 */
export function readDescription(bytes, name) {
  const text = metadataOf(bytes, name).get(KEY);
  if (text === undefined) {
    throw new LithoError(`${name} has no metadata "${KEY}": it was not written by lithovae-export`);
  }
  let description;
  try {
    description = JSON.parse(text);
  } catch (error) {
    throw new LithoError(`${name}: its metadata "${KEY}" is not JSON (${error.message}): export it again`);
  }
  if (!SCHEMAS.includes(description?.schema)) {
    throw new LithoError(`${name} has metadata schema ${description?.schema}, but this host reads schemas `
      + `${SCHEMAS.slice(0, -1).join(', ')} and ${SCHEMAS.at(-1)}: export it again`);
  }
  const wrong = Object.keys(NEEDED).filter((key) => !NEEDED[key](description[key], description));
  if (wrong.length) throw new LithoError(`${name}: invalid metadata (${wrong.join(', ')}): export it again`);
  const against = description.features.map(contradictionOf).find(Boolean);
  if (against) throw new LithoError(`${name} ${against}: export it again`);
  return description;
}

/** Collect an ONNX model's metadata_props. */
function metadataOf(bytes, name) {
  const found = new Map();
  try {
    for (const [field, value] of fields(bytes)) {
      if (field !== 14 || !(value instanceof Uint8Array)) continue;
      const entry = new Map(fields(value));
      found.set(utf8(entry.get(1)), utf8(entry.get(2)));
    }
  } catch (error) {
    throw new LithoError(`${name} is not an ONNX model, or is damaged (${error.message})`);
  }
  return found;
}

const utf8 = (bytes = new Uint8Array()) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

/** Iterate over a protobuf message: yields [field number, value]; a length-delimited value is a view, not a copy. */
function* fields(bytes) {
  let at = 0;
  const take = (length) => {
    if (at + length > bytes.length) throw new RangeError('truncated field');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const varint = () => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) { // a product, not a shift: lengths may exceed 31 bits
      const [byte] = take(1);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new RangeError('invalid varint');
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8), wire = tag % 8;
    if (wire === VARINT) yield [field, varint()];
    else if (wire === FIXED64) yield [field, take(8)];
    else if (wire === BYTES) yield [field, take(varint())];
    else if (wire === FIXED32) yield [field, take(4)];
    else throw new RangeError(`wire type ${wire}`);
  }
}
