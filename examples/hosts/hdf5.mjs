/** An HDF5 scan whose features share their rows, as a table: 1-D datasets of one group, or a 2-D one with `columns`. */
import { findDepth, findFeatures, letters } from './columns.mjs';
import { LithoError } from './errors.mjs';
import { withoutSentinels } from './table.mjs';

const READ_ROWS = 65_536;
const MAX_GROUPS_DEEP = 8; // a group may be linked into itself
const ELSEWHERE = 'lithovae-run reads more layouts, names and units';

/**
 * Read an HDF5 scan.
 * @param {object} h5wasm The module h5wasm, ready.
 * @param {string} path The file, in h5wasm's own file system.
 * @param {string} name What to call it in messages.
 * @param {object} description The model's.
 * @param {(done: number, total: number) => unknown} progress Awaited; what it throws ends the run.
 * @returns {Promise<import('./table.mjs').Table>}
 */
export async function readHdf5(h5wasm, path, name, { features, sentinels }, progress = () => {}) {
  const { activate_throwing_error_handler: throwErrors } = await h5wasm.ready;
  throwErrors(); // without it, a dataset that cannot be read is whatever the memory held
  let file;
  try {
    file = new h5wasm.File(path, 'r');
  } catch {
    throw new LithoError(`${name} cannot be opened: not an HDF5 file, cut off, damaged or still being written`);
  }
  try {
    const columns = [...columnsOf(file)];
    const found = orElsewhere(() => findFeatures(columns, features, name));
    const chosen = found.map(({ index }) => columns[index]);
    for (const column of chosen) requirePlain(column, name);
    requireOneTable(chosen, name);
    const [first] = chosen, n = first.length;
    const members = columns.filter((column) => column.length === n && !column.fault
      && (column.table === first.table || (column.field === null && column.group === first.group)));
    const depth = findDepth(members);
    if (!n) throw new LithoError(`${name}: the features are there, but have no rows`);
    const rows = new Float32Array(n * features.length), depths = depth && new Float64Array(n);
    for (let start = 0; start < n; start += READ_ROWS) {
      const end = Math.min(start + READ_ROWS, n);
      chosen.forEach((column, i) => column.read(start, end, (x, row) => { rows[row * features.length + i] = x; }));
      if (depth) members[depth.index].read(start, end, (x, row) => { depths[row] = x; });
      await progress(end, n);
    }
    return {
      name, rows, columns: found.map(({ unit }, i) => ({ name: chosen[i].path, unit })),
      depth: depth ? { ...depth, values: withoutSentinels(depths, sentinels) } : null,
    };
  } catch (error) {
    if (error instanceof LithoError || !/HDF5|not supported/.test(error.message)) throw error;
    throw new LithoError(`${name}: its contents cannot be read, they are damaged or packed in a way unknown here; `
      + ELSEWHERE);
  } finally {
    file.close();
  }
}

function orElsewhere(find) {
  try {
    return find();
  } catch (error) {
    if (error instanceof LithoError) error.message += `; ${ELSEWHERE}`;
    throw error;
  }
}

/** A place that could hold one value per sample: a 1-D dataset, or a column (`field`) of a 2-D one. */
class Column {
  /** @param {string | null} fault Why it cannot be taken. */
  constructor(dataset, name, field, unit, fault) {
    Object.assign(this, { dataset, name, field, unit, fault, length: dataset.shape[0] });
    this.group = dataset.path.slice(0, dataset.path.lastIndexOf('/'));
    this.table = field === null ? this.group : dataset.path;
    this.path = dataset.path.slice(1) + (field === null ? '' : `:${name}`);
    this.fills = attributes(dataset, 'fillvalue', 'missingvalue').flatMap(list).map(Number);
  }

  /** Pass each value from one row to another, as a number, to `take`; a declared fill value is NaN. */
  read(start, end, take) {
    const range = this.field === null ? [[start, end]] : [[start, end], [this.field, this.field + 1]];
    this.dataset.slice(range).forEach((value, i) => {
      const x = Number(value); // 64-bit integers come as BigInt
      take(this.fills.includes(x) ? NaN : x, start + i);
    });
  }
}

function* columnsOf(group, depth = 0) {
  for (const key of group.keys()) {
    const node = group.get(key);
    if (node?.type === 'Group' && depth < MAX_GROUPS_DEEP) yield* columnsOf(node, depth + 1);
    if (node?.type !== 'Dataset' || !node.shape) continue;
    const units = attributes(node, 'units', 'unit').flatMap(list), [names] = attributes(node, 'columns').map(list);
    const fields = node.metadata.compound_type?.members;
    if (fields) {
      const fault = 'a field of a compound table';
      for (const [i, { name }] of fields.entries()) yield new Column(node, name, i, null, fault);
    } else if (node.shape.length === 1) {
      yield new Column(node, key, null, units.length === 1 ? units[0] : null, faultOf(node));
    } else if (node.shape.length === 2 && names?.length === node.shape[1]) {
      const stated = units.length === names.length ? units : [];
      for (const [i, name] of names.entries()) yield new Column(node, name, i, stated[i] ?? null, faultOf(node));
    }
  }
}

/** Say why a dataset's numbers cannot be taken as they are stored. */
function faultOf(dataset) {
  const { type, size, virtual_sources: virtual } = dataset.metadata;
  if (type > 1 || (type === 1 && size < 4)) return 'not plain numbers';
  if (virtual?.length) return 'assembled from other files';
  if (attributes(dataset, 'scalefactor', 'addoffset').length) return 'packed by scale_factor and add_offset';
  return null;
}

function requirePlain(column, name) {
  if (!column.fault) return;
  throw new LithoError(`${name}: ${column.path} is ${column.fault}, which is not read here; ${ELSEWHERE}`);
}

function requireOneTable(columns, name) {
  const tables = new Map(columns.map((column) => [`${column.table} ${column.length}`, column]));
  if (tables.size < 2) return;
  const list = [...tables.values()].map((column) => `${column.path} (${column.length} samples)`).join(', ');
  throw new LithoError(`${name}: the features are on grids of their own, ${list}: lithovae-run brings them together on `
    + 'common depths');
}

/** Values of a node's attributes whose names are equal by their letters. */
function attributes(node, ...names) {
  return Object.keys(node.attrs).filter((key) => names.includes(letters(key))).map((key) => node.attrs[key].value);
}

/** An attribute's value as a list: of one, or of the parts of a text with commas. */
function list(value) {
  if (typeof value === 'string') return value.split(',').map((part) => part.trim());
  return ArrayBuffer.isView(value) || Array.isArray(value) ? Array.from(value) : [value];
}
