/** Match the columns of a table to features, by the names and units of the catalogue; as the Python runtime does. */
import { LithoError } from './errors.mjs';
import { COLOURS, DEPTH, letters, quantityOf, splitSuffix, splitUnit } from './quantities.mjs';

const COLOUR_WORDS = /rgb|colour|color|camera|image|linescan|photo/;

/**
 * Find the features among a table's columns.
 * @param {{name: string, unit?: string | null, path?: string, table?: string}[]} columns `unit` where the file states
 *   one beside the name; `path` and `table` where the file has several tables.
 * @param {object[]} features The features in the model's description.
 * @param {string} where The file, for messages.
 * @returns {{columns: {index: number, name: string, unit: string | null, factor: [number, number]}[], notes: string[]}}
 *   One column per feature, with the unit stated in the file and the exact factor to the model's; what was left out.
 */
export function findFeatures(columns, features, where) {
  const quantities = features.map(quantityOf), doubtful = [];
  const matches = quantities.map((quantity) => columns.flatMap((column, index) => {
    const rank = quantity.rank(column.name);
    return rank < 0 ? [] : [{ index, rank, column }];
  }));
  const absent = quantities.find((_, i) => !matches[i].length);
  if (absent) {
    const names = columns.slice(0, 12).map((column) => column.name).join(', ') || 'none';
    const point = columns.find((column) => absent.isPointSensor(column.name));
    throw new LithoError(`${where} has no column "${absent.name}" (columns: ${names}): rename the column that holds `
      + `it, or add an empty column if it was not measured${point
        ? `; "${point.name}" is from a point sensor, which is not comparable` : ''}`);
  }
  const found = quantities.map((quantity, i) => {
    const fits = [], faults = [];
    for (const { index, rank, column } of matches[i]) {
      const source = take(quantity, column, columns);
      if (source.fault) faults.push({ index, text: `"${column.name}" ${source.fault}` });
      else fits.push({ index, rank, name: column.name, ...source });
    }
    if (!fits.length) throw new LithoError(`${where}: ${faults[0].text}`);
    fits.sort((one, other) => one.rank - other.rank);
    const [best, ...others] = fits;
    if (others[0]?.rank === best.rank) {
      throw new LithoError(`${where}: "${best.name}" and "${others[0].name}" both match the feature `
        + `"${quantity.name}": remove one`);
    }
    doubtful.push(...faults.map(({ index, text }) => ({ index, text: `${text}: left out` })));
    doubtful.push(...others.map(({ index, name }) => (
      { index, text: `"${name}" could be ${quantity.name}, too: "${best.name}" is taken` })));
    return best;
  });
  const taken = found.map(({ index }) => index), notes = doubtful.filter(({ index }) => !taken.includes(index));
  for (const quantity of quantities) {
    for (const { name } of columns.filter((column) => quantity.isPointSensor(column.name))) {
      if (quantities.every((other) => other.rank(name) < 0)) {
        notes.push({ text: `"${name}" is ${quantity.name} from a point sensor, which is not comparable: left out` });
      }
    }
  }
  return {
    columns: found.map(({ index, name, unit, factor }) => ({ index, name, unit, factor })),
    notes: notes.map(({ text }) => text),
  };
}

/** The unit and the factor of a column whose name matches a quantity, or the fault why it is not used. */
function take(quantity, column, columns) {
  const { name } = column, unit = column.unit || quantity.unitIn(name), factor = quantity.factor(unit ?? '');
  const contradiction = quantity.contradiction(name, column.unit);
  if (contradiction) return { fault: `${contradiction}: correct one of them` };
  if (!factor) {
    return { fault: `is in ${unit}, but the model needs ${quantity.unit}, and the factor is not known: convert it` };
  }
  if (unit === null && quantity.needsUnit(name)) {
    return { fault: `states no unit, and columns with this name are rarely in ${quantity.unit}: state its unit, or `
      + `rename it to "${quantity.name}" if that is its unit` };
  }
  if (COLOURS.includes(quantity.name) && !isColour(column, columns)) {
    return { fault: `may not be colour: the other two of R, G, B are not beside it. If it is, state its unit `
      + `(${quantity.unit}) or use a longer name ("red", "green", "blue")` };
  }
  return { unit, factor };
}

/** Whether R, G or B is colour: R alone may be resistivity, and b that of L*a*b*. */
function isColour(column, columns) {
  const beside = columns.filter(({ table }) => table === column.table).map(({ name }) => name.trim());
  const known = beside.map(letters), own = letters(column.name);
  const isLab = own === 'b' && known.includes('a')
    && (!known.includes('r') || (column.name.trim() === 'b' && beside.includes('a') && beside.includes('B')));
  if (isLab) return false;
  return COLOURS.every((colour) => known.includes(letters(colour))) || !COLOURS.map(letters).includes(own)
    || Boolean(column.unit) || COLOUR_WORDS.test(letters(column.path ?? ''));
}

/**
 * Return a function that converts a column's values to the model's unit.
 * @param {{factor: [number, number]}} column From `findFeatures`.
 * @param {number[]} sentinels Numbers that stand for "no value": they become NaN before they are converted.
 */
export function converter({ factor: [numerator, denominator] }, sentinels) {
  if (numerator === denominator) return (x) => x;
  const none = new Set([...sentinels, ...sentinels.map(Math.fround)]);
  return (x) => (none.has(x) ? NaN : (x * numerator) / denominator);
}

/** Find the depth column: its index, name and stated unit; undefined if there is none. Its values are not converted. */
export function findDepth(columns) {
  const ranked = columns.map(({ name }, index) => ({ index, rank: DEPTH.rank(name) })).filter(({ rank }) => rank >= 0);
  if (!ranked.length) return undefined;
  const { index } = ranked.reduce((best, other) => (other.rank < best.rank ? other : best));
  const { name, unit } = columns[index], inName = DEPTH.unitIn(name);
  const [bare] = [splitUnit(name), splitSuffix(name)].find((split) => split[1] === inName) ?? [name];
  return { index, name: bare, unit: unit || inName };
}
