/**
 * The catalogue of quantities: names, units, exact factors. `quantities.json` is written from that of the Python runtime
 * (`examples/quantities.py`), and the rules are those of its `runtime/features.py`.
 */
import catalogue from './quantities.json' with { type: 'json' };

/** Colours, which are judged and drawn together. */
export const COLOURS = ['R', 'G', 'B'];

const SUFFIX = new RegExp(`^${catalogue.suffix}$`, 'iu');

/** Ignore case as Python's casefold does, for letters without a lower case of their own, too (µ, ß, ſ). */
const folded = (text) => text.replace(/[^ı]+/g, (part) => part.toLowerCase().toUpperCase().toLowerCase());

/** Reduce a name to its letters, digits and asterisks (b* is not blue), in lower case. */
export const letters = (name) => folded(name).replace(/[^0-9a-z*]/g, '');

/** Reduce a unit to a common spelling: lower case, no spaces, dots or power signs; g/cm³ becomes g/cm3. */
export const unitKey = (unit) => folded(unit).replaceAll('³', '3').replace(/[−⁻]/g, '-').replace(/[\s^.*·_]/g, '');

/** Split "Depth (cm)" into "Depth" and "cm"; the unit is empty if there is no trailing parenthesis. */
export function splitUnit(name) {
  const match = name.match(/^\s*(.*?)\s*[([]([^()[\]]*)[)\]]\s*$/);
  return match?.[1] ? [match[1], match[2].trim()] : [name, ''];
}

/** Split "depth_cm" into "depth" and "cm"; the unit is empty if the name does not end in one. */
export function splitSuffix(name) {
  const match = name.trim().match(SUFFIX);
  return match ? [match[1], match[2]] : [name, ''];
}

const spellings = (name) => [name, splitUnit(name)[0], splitSuffix(name)[0]].map(letters);

/** A quantity that a table may hold, and the names and units that files use for it. */
export class Quantity {
  #aliasesWithUnit; #pointSensorAliases; #units;

  constructor(known) {
    Object.assign(this, { name: known.name, short: known.short, unit: known.unit, plausible: known.plausible });
    this.#aliasesWithUnit = known.aliases_with_unit;
    this.#pointSensorAliases = known.point_sensor_aliases;
    this.#units = new Map(Object.entries(known.units));
    /** All names, reduced to their letters, the best one first. */
    this.names = [letters(known.name), ...known.aliases, ...known.aliases_with_unit];
  }

  /** How well a column's name matches: 0 is the best match, -1 is none. */
  rank(name) {
    const known = spellings(name).find((spelling) => this.names.includes(spelling));
    return known === undefined ? -1 : this.names.indexOf(known);
  }

  /** Whether a column with this name is used only if it has a known unit: its usual unit is another one. */
  needsUnit(name) { return this.#aliasesWithUnit.includes(this.names[this.rank(name)]); }

  /** Whether a name is that of a point sensor, whose values are not comparable. */
  isPointSensor(name) { return spellings(name).some((spelling) => this.#pointSensorAliases.includes(spelling)); }

  /** The exact factor from a unit to the quantity's, as [numerator, denominator]; undefined if the unit is not known. */
  factor(unit) { return this.#units.get(unitKey(unit)); }

  /** The unit after the quantity in a name, but not a part of a known name; null if there is none. */
  unitIn(name) {
    const isPart = (unit) => this.names.includes(letters(name)) && letters(unit) !== ''; // the (GRA) of a name, not (%)
    const isUnit = (bare, unit) => this.factor(unit) || (!isPart(unit) && this.names.includes(letters(bare)));
    const found = [splitUnit(name), splitSuffix(name)].find(([bare, unit]) => unit && isUnit(bare, unit));
    return found ? found[1] : null;
  }

  /** How a column's name and its stated unit contradict each other; empty if they do not. */
  contradiction(name, unit) {
    const named = this.unitIn(name), factor = named && this.factor(named);
    if (!unit || !factor || String(factor) === String(this.factor(unit))) return '';
    return `is in '${named}' by its name, and in '${unit}' by its attribute`;
  }
}

const KNOWN = new Map(catalogue.quantities.map((quantity) => [quantity.name, new Quantity(quantity)]));

/** The depth of a row. */
export const DEPTH = new Quantity(catalogue.depth);

/** The quantity of a model's feature; one that the catalogue does not know is found by its own name. */
export function quantityOf(feature) {
  return KNOWN.get(feature.name) ?? new Quantity({
    ...feature,
    short: splitUnit(feature.name)[0],
    aliases: [],
    aliases_with_unit: [],
    point_sensor_aliases: [],
    units: Object.fromEntries(['', ...feature.unit.split(',').map(unitKey)].map((unit) => [unit, [1, 1]])),
  });
}

/** Short names of a model's features; the whole name where several share a short one, as K by gamma and K by XRF. */
export function shortNames(features) {
  const short = features.map((feature) => quantityOf(feature).short);
  return features.map(({ name }, i) => (short.filter((other) => other === short[i]).length > 1 ? name : short[i]));
}

/** How a model's feature contradicts the catalogue; empty if it does not. */
export function contradictionOf({ name, unit, plausible: [low, high] }) {
  const known = KNOWN.get(name);
  if (!known) return '';
  if (String(known.factor(unit)) !== '1,1') return `states ${name} in '${unit}', not in '${known.unit}'`;
  const [lowest, highest] = known.plausible;
  return low < highest && high > lowest ? '' : `states ${low} to ${high} as the plausible range of ${name}`;
}
