/**
 * Values that, all together, can only be in another unit: the rules of the Python runtime (`runtime/other_units.py`,
 * `runtime/rows/units.py`), and its words. Nothing is changed.
 */
import { COLOURS } from './quantities.mjs';

const BETWEEN = 'all values are from {low} to {high}; the models need ';

/**
 * Ranges (both ends included) that hold all values of a feature only if they are in another unit. The features of a
 * rule are judged together; a rule with `fractions` needs a value between 0 and 1.
 */
const RULES = [
  {
    names: ['Bulk density (GRA)'], unit: 'g/cm3', lowest: 300, highest: 4000,
    text: `${BETWEEN}g/cm3, and these seem to be kg/m3 or mg/cm3 (divide by 1,000, or state the unit in the scan)`,
  },
  {
    names: ['Magnetic susceptibility (instr. units)'], unit: 'instr. units', lowest: -0.001, highest: 0.001,
    beyond: 1e-7, nRows: 2,
    text: 'no value is above 0.001; the models need instrument units, and these seem to be SI (convert them; in a '
      + 'scan, state the unit and declare the conversion with --calibration)',
  },
  {
    names: ['NGR total counts (cps)'], unit: 'cps', lowest: 1000, highest: 1e12,
    text: `${BETWEEN}cps, and these seem to be counts over a longer time than a second (divide by it)`,
  },
  {
    names: COLOURS, unit: '0-255', lowest: -Infinity, highest: 1, fractions: true,
    text: 'no value is above 1; the models need 0 to 255, and these seem to be 0 to 1 (multiply by 255)',
  },
  {
    names: COLOURS, unit: '0-255', lowest: 256, highest: 1e12,
    text: `${BETWEEN}0 to 255, and these seem to have more than 8 bits (divide by 257 if they have 16)`,
  },
];

const DEEPEST = 12_500; // depth (m) that no borehole reaches
const COARSEST_STEP = 0.5, LONGEST_CORE = 100; // depths without a unit in larger steps, beyond this depth, are in cm
const METRES = /^(m|met(re|er)s?|mbsf|mcd)\b/i;
const STEP_ROWS = 65_536;
const ADVICE = 'are they in cm or mm? State the unit';

const whole = (value) => value.toLocaleString('en', { maximumFractionDigits: 0, roundingMode: 'halfEven' });

/**
 * Notes on features, from the summary of a table.
 * @param {{feature: object, least: number, most: number, hasFractions: boolean}[]} summary From `summarise`.
 * @param {number} nRows Number of rows.
 * @returns {string[]}
 */
export function featureNotes(summary, nRows) {
  return RULES.flatMap(({ names, unit, lowest, highest, text, beyond = 0, nRows: fewest = 1, fractions = false }) => {
    const some = summary.filter(({ feature, least, most }) => (
      names.includes(feature.name) && feature.unit === unit && least <= most));
    const low = Math.min(...some.map(({ least }) => least)), high = Math.max(...some.map(({ most }) => most));
    const isWithin = lowest <= low && low <= high && high <= highest && Math.max(-low, high) > beyond;
    if (!isWithin || nRows < fewest || (fractions && !some.some(({ hasFractions }) => hasFractions))) return [];
    const said = text.replace('{low}', whole(Math.floor(low))).replace('{high}', whole(Math.ceil(high)));
    return [`${some.map(({ feature }) => feature.name).join(', ')}: ${said}`];
  });
}

/**
 * Notes on the depths of a table, taken to be metres where they state no unit.
 * @param {{unit: string | null, values: Float64Array} | null} depth
 * @returns {string[]}
 */
export function depthNotes(depth) {
  if (!depth || (depth.unit && !METRES.test(depth.unit))) return [];
  const deepest = depth.values.reduce((most, value) => (value > most ? value : most), -Infinity);
  if (deepest > DEEPEST) return [`depths are deeper than any borehole: they end at ${whole(deepest)} m; ${ADVICE}`];
  const step = depth.unit ? 0 : stepOf(depth.values);
  if (!(deepest > LONGEST_CORE && step >= COARSEST_STEP)) return [];
  return [`depths without a unit seem not to be metres: they go in steps of ${Number(step.toPrecision(6))} and end at `
    + `${whole(deepest)}; ${ADVICE}`];
}

/** Median distance of neighbours that differ, among the first rows; NaN if there is none. */
function stepOf(depths) {
  const some = depths.subarray(0, STEP_ROWS);
  const steps = some.subarray(1).map((value, i) => Math.abs(value - some[i])).filter((step) => step > 0).sort();
  return steps.length ? (steps[(steps.length - 1) >> 1] + steps[steps.length >> 1]) / 2 : NaN;
}
