/** Read an HDF5 scan as a table: 1-D datasets of one group, or a 2-D dataset with the attribute `columns`. */
import { converter, findDepth, findFeatures } from './columns.mjs';
import { LithoError } from './errors.mjs';
import { letters } from './quantities.mjs';
import { withoutSentinels } from './table.mjs';

const READ_ROWS = 65_536;
const MAX_GROUPS_DEEP = 8; // a group may contain a link to itself
const ELSEWHERE = 'lithovae-run reads more layouts';

/**
 * Read an HDF5 scan.
 * @param {object} h5wasm The module h5wasm, ready.
 * @param {string} path The file, in h5wasm's file system.
 * @param {string} name The file's name in messages.
 * @param {object} description The model's description.
 * @param {(done: number, total: number) => unknown} progress Awaited. If it throws, reading stops.
 * @returns {Promise<import('./table.mjs').Table>}
 */
export async function readHdf5(h5wasm, path, name, { features, sentinels }, progress = () => {}) {
  const { activate_throwing_error_handler: throwErrors } = await h5wasm.ready;
  throwErrors(); // without it, an unreadable dataset returns uninitialised memory
  let file;
  try {
    file = new h5wasm.File(path, 'r');
  } catch {
    throw new LithoError(`${name} cannot be opened: not an HDF5 file, or truncated, damaged or being written`);
  }
  try {
    const columns = [...columnsOf(file)];
    const found = orElsewhere(() => findFeatures(columns, features, name));
    const chosen = found.columns.map(({ index }) => columns[index]);
    const convert = found.columns.map((column) => converter(column, sentinels));
    for (const column of chosen) requirePlain(column, name);
    requireOneTable(chosen, name);
    const [first] = chosen, n = first.length;
    const members = columns.filter((column) => column.length === n && !column.fault
      && (column.table === first.table || (column.field === null && column.group === first.group)));
    const depth = findDepth(members);
    if (!n) throw new LithoError(`${name}: the features have no rows`);
    const rows = new Float32Array(n * features.length), depths = depth && new Float64Array(n);
    for (let start = 0; start < n; start += READ_ROWS) {
      const end = Math.min(start + READ_ROWS, n);
      chosen.forEach((column, i) => column.read(start, end, (x, row) => {
        rows[row * features.length + i] = convert[i](x);
      }));
      if (depth) members[depth.index].read(start, end, (x, row) => { depths[row] = x; });
      await progress(end, n);
    }
    return {
      name, rows, notes: found.notes,
      columns: found.columns.map((column, i) => ({ ...column, name: chosen[i].path })),
      depth: depth ? { ...depth, values: withoutSentinels(depths, sentinels) } : null,
    };
  } catch (error) {
    if (error instanceof LithoError || !/HDF5|not supported/.test(error.message)) throw error;
    throw new LithoError(`${name}: its contents cannot be read: they are damaged, or use an unsupported compression; `
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

/** One value per sample: a 1-D dataset, or a column (`field`) of a 2-D one. */
class Column {
  /** @param {string | null} fault Why it cannot be read. */
  constructor(dataset, name, field, unit, fault) {
    Object.assign(this, { dataset, name, field, unit, fault, length: dataset.shape[0] });
    this.group = dataset.path.slice(0, dataset.path.lastIndexOf('/'));
    this.table = field === null ? this.group : dataset.path;
    this.path = dataset.path.slice(1) + (field === null ? '' : `:${name}`);
    this.fills = attributes(dataset, 'fillvalue', 'missingvalue').flatMap(list).map(Number);
  }

  /** Pass the values of rows `start` to `end` to `take`, as numbers; a declared fill value becomes NaN. */
  read(start, end, take) {
    const range = this.field === null ? [[start, end]] : [[start, end], [this.field, this.field + 1]];
    this.dataset.slice(range).forEach((value, i) => {
      const x = Number(value); // 64-bit integers are BigInt
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

/** Return why a dataset's stored numbers cannot be used, or null. */
function faultOf(dataset) {
  const { type, size, virtual_sources: virtual } = dataset.metadata;
  if (type > 1 || (type === 1 && size < 4)) return 'not plain numbers';
  if (virtual?.length) return 'a virtual dataset (assembled from other files)';
  if (attributes(dataset, 'scalefactor', 'addoffset').length) return 'packed with scale_factor and add_offset';
  return null;
}

function requirePlain(column, name) {
  if (!column.fault) return;
  throw new LithoError(`${name}: ${column.path} is ${column.fault}, which this host does not read; ${ELSEWHERE}`);
}

function requireOneTable(columns, name) {
  const tables = new Map(columns.map((column) => [`${column.table} ${column.length}`, column]));
  if (tables.size < 2) return;
  const list = [...tables.values()].map((column) => `${column.path} (${column.length} samples)`).join(', ');
  throw new LithoError(`${name}: the features are on different grids, ${list}: lithovae-run averages them on a common `
    + 'depth grid');
}

/** Values of a node's attributes whose names match by their letters. */
function attributes(node, ...names) {
  return Object.keys(node.attrs).filter((key) => names.includes(letters(key))).map((key) => node.attrs[key].value);
}

/** An attribute's value as a list; a string is split at commas. */
function list(value) {
  if (typeof value === 'string') return value.split(',').map((part) => part.trim());
  return ArrayBuffer.isView(value) || Array.isArray(value) ? Array.from(value) : [value];
}
