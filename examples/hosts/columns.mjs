/** Match the columns of a table to features, by the names and units in the model's metadata only. */
import { LithoError } from './errors.mjs';

const DEPTH_NAMES = ['depthcsfa', 'depthmbsf', 'depth', 'mbsf', 'csfa'];

/** Reduce a name to its lower-case letters, digits and stars (b* is not blue). */
export const letters = (name) => name.toLowerCase().replace(/[^0-9a-z*]/g, '');

/** Split "Depth (cm)" into "Depth" and "cm"; the unit is null where there is no trailing parenthesis. */
export function splitUnit(name) {
  const match = name.match(/^\s*(.+?)\s*[([]([^()[\]]*)[)\]]\s*$/);
  return match ? [match[1], match[2].trim()] : [name, null];
}

/** Whether two units differ only in spelling, as g/cm^3, g/cm³ and G/cm3 do. */
export function sameUnit(one, other) {
  const plain = (unit) => unit.normalize('NFKC').toLowerCase().replace(/[\s^.]/g, '');
  return plain(one) === plain(other);
}

/**
 * Find the features among a table's columns.
 * @param {{name: string, unit?: string | null}[]} columns `unit` where the file states one beside the name.
 * @param {object[]} features The features in the model's description.
 * @param {string} where The file, for messages.
 * @returns {{index: number, name: string, unit: string | null}[]} One per feature, with the unit stated in the file.
 */
export function findFeatures(columns, features, where) {
  return features.map((feature) => {
    const found = columns.flatMap((column, index) => {
      const matched = match(column, feature);
      return matched ? [{ index, ...matched }] : [];
    });
    if (!found.length) {
      const names = columns.slice(0, 12).map((column) => column.name).join(', ') || 'none';
      throw new LithoError(`${where} has no column "${feature.name}" (columns: ${names}): rename the column that holds `
        + 'it, or add an empty column if it was not measured');
    }
    if (found.length > 1) {
      const names = found.map(({ name }) => `"${name}"`).join(' and ');
      throw new LithoError(`${where}: ${names} both match the feature "${feature.name}": remove one`);
    }
    const [{ name, unit }] = found;
    if (unit !== null && !sameUnit(unit, feature.unit)) {
      throw new LithoError(`${where}: "${name}" is in ${unit}, but the model needs ${feature.unit}: `
        + 'convert it (lithovae-run converts common units)');
    }
    return found[0];
  });
}

/** Return the name and stated unit of a column that matches the feature, or null. */
function match(column, feature) {
  const [base, inName] = splitUnit(column.name), [featureBase, inFeature] = splitUnit(feature.name);
  const names = [letters(feature.name)];
  if (inFeature !== null && sameUnit(inFeature, feature.unit)) names.push(letters(featureBase));
  if (!names.includes(letters(column.name)) && !names.includes(letters(base))) return null;
  const isPartOfName = letters(column.name) === names[0] && !(inName && sameUnit(inName, feature.unit)); // like (GRA)
  return { name: column.name, unit: column.unit || (isPartOfName ? null : inName) || null };
}

/** Find the depth column: its index, name and stated unit; undefined if there is none. */
export function findDepth(columns) {
  for (const wanted of DEPTH_NAMES) {
    for (const [index, column] of columns.entries()) {
      const [base, inName] = splitUnit(column.name);
      if (letters(column.name) === wanted) return { index, name: column.name, unit: column.unit || null };
      if (letters(base) === wanted) return { index, name: base, unit: column.unit || inName };
    }
  }
  return undefined;
}
