/** Which column of a table is which feature: by the names and units that the model states, and no others. */
import { LithoError } from './errors.mjs';

const DEPTH_NAMES = ['depthcsfa', 'depthmbsf', 'depth', 'mbsf', 'csfa'];

/** Reduce a name to its letters, digits and stars (b* is not blue), without case. */
export const letters = (name) => name.toLowerCase().replace(/[^0-9a-z*]/g, '');

/** Split "Depth (cm)" into "Depth" and "cm"; the unit is null where there is no trailing parenthesis. */
export function splitUnit(name) {
  const match = name.match(/^\s*(.+?)\s*[([]([^()[\]]*)[)\]]\s*$/);
  return match ? [match[1], match[2].trim()] : [name, null];
}

/** Whether two units are the same but for their spelling: g/cm^3, g/cm³ and G/cm3 are. */
export function sameUnit(one, other) {
  const plain = (unit) => unit.normalize('NFKC').toLowerCase().replace(/[\s^.]/g, '');
  return plain(one) === plain(other);
}

/**
 * Find the features among a table's columns.
 * @param {{name: string, unit?: string | null}[]} columns `unit` where the file states one beside the name.
 * @param {object[]} features The description's features.
 * @param {string} where The file, for messages.
 * @returns {{index: number, name: string, unit: string | null}[]} One for each feature, with the unit that it states.
 */
export function findFeatures(columns, features, where) {
  return features.map((feature) => {
    const found = columns.flatMap((column, index) => {
      const matched = match(column, feature);
      return matched ? [{ index, ...matched }] : [];
    });
    if (!found.length) {
      const names = columns.slice(0, 12).map((column) => column.name).join(', ') || 'nothing';
      throw new LithoError(`${where} has no column "${feature.name}", only ${names}: rename the one that holds it, `
        + 'or add an empty one if it was not measured');
    }
    if (found.length > 1) {
      const names = found.map(({ name }) => `"${name}"`).join(' and ');
      throw new LithoError(`${where}: ${names} could both be "${feature.name}": leave one`);
    }
    const [{ name, unit }] = found;
    if (unit !== null && !sameUnit(unit, feature.unit)) {
      throw new LithoError(`${where}: "${name}" is in ${unit}, the model takes "${feature.name}" in ${feature.unit}: `
        + 'convert it (lithovae-run converts the usual units)');
    }
    return found[0];
  });
}

/** Give the name and stated unit of a column that is the feature, null of one that is not. */
function match(column, feature) {
  const [base, inName] = splitUnit(column.name), [featureBase, inFeature] = splitUnit(feature.name);
  const names = [letters(feature.name)];
  if (inFeature !== null && sameUnit(inFeature, feature.unit)) names.push(letters(featureBase));
  if (!names.includes(letters(column.name)) && !names.includes(letters(base))) return null;
  const isPartOfName = letters(column.name) === names[0] && !(inName && sameUnit(inName, feature.unit)); // as (GRA) is
  return { name: column.name, unit: column.unit || (isPartOfName ? null : inName) || null };
}

/** Find the depth among a table's columns: its index, name and stated unit; undefined without one. */
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
