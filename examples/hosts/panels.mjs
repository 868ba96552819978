/** Text and tables for a result: the columns that were read, the first rows, the legend, details of a row. */
import { $, fixed, head, make, plural, short } from './elements.mjs';
import { missingNames } from './litho.mjs';
import { stateOf } from './plot.mjs';
import { shortNames, splitUnit } from './quantities.mjs';
import { length, unitOf } from './table.mjs';

const FIRST_ROWS = 10;
/** Labels of the states of a row. */
const STATES = { measured: 'measured', imputed: 'partly imputed', none: 'no embedding' };

/** Show the column read for each feature, its unit, missing values, implausible values, and doubts about units. */
export function showSummary({ table, result, description }, summary, said) {
  const counts = { measured: 0, imputed: 0, none: 0 };
  for (let row = 0; row < length(table); row++) counts[stateOf(row, result, description)]++;
  $('summary-title').textContent = `${table.name}: ${plural(length(table), 'row')}`;
  $('fate').textContent = [
    `${counts.measured.toLocaleString('en')} fully measured`,
    counts.imputed && `${counts.imputed.toLocaleString('en')} partly imputed (marked below and in the download)`,
    counts.none && `${counts.none.toLocaleString('en')} without an embedding (${
      description.missing === 'impute' ? 'no feature was measured' : 'a feature is missing'})`,
  ].filter(Boolean).join('; ');
  $('doubt').hidden = !said.length;
  $('doubt').textContent = said.join('\n');
  $('summary').replaceChildren(
    head('feature', 'column', 'values', 'plausible', 'missing', 'implausible'),
    make('tbody', {}, ...summary.map(({ feature, column, nMissing, nOutside, least, most }) => make('tr', {},
      make('th', { scope: 'row' }, feature.name, make('small', {}, feature.unit)),
      make('td', {}, column.name, make('small', {}, unitOf(column))),
      make('td', {}, least > most ? 'none' : `${short(least)} to ${short(most)}`),
      make('td', {}, feature.plausible.join(' to ')),
      make('td', { className: nMissing ? 'imputed' : '' }, nMissing ? plural(nMissing, 'row') : 'none'),
      make('td', { className: nOutside ? 'doubt' : '' },
        nOutside ? `${plural(nOutside, 'row')}: wrong unit?` : 'none'),
    ))),
  );
}

/** Show the first rows with their embeddings; missing values are marked. */
export function showRows({ table, result, description, classes }) {
  const { features, latent_dim: latent } = description, n = Math.min(FIRST_ROWS, length(table));
  const depth = table.depth && [table.depth.name, table.depth.unit ?? ''];
  const dimensions = Array.from({ length: latent }, (_, k) => `z${k}`);
  const featureCell = (x, [low, high], isMissing, worth) => {
    const value = short(x, 5), word = worth === 'imputed' ? 'imputed' : 'missing';
    if (!isMissing) return make('td', { className: x < low || x > high ? 'doubt' : '' }, value);
    return make('td', { className: worth }, value ? `${value} → ${word}` : word);
  };
  $('rows-title').textContent = n < length(table) ? `First ${n} rows` : 'Rows';
  const body = Array.from({ length: n }, (_, row) => {
    const worth = stateOf(row, result, description);
    return make('tr', {},
      make('td', {}, String(row + 1)),
      ...(depth ? [make('td', {}, short(table.depth.values[row], 6))] : []),
      ...features.map(({ plausible }, i) => {
        const at = row * features.length + i;
        return featureCell(table.rows[at], plausible, result.missing[at], worth);
      }),
      make('td', { className: `text ${worth}` }, STATES[worth]),
      ...(classes.length ? [make('td', { className: `text ${worth}` }, lithologyText(row, result, classes))] : []),
      ...dimensions.map((_, k) => make('td', { className: worth }, fixed(result.embeddings[row * latent + k]))),
    );
  });
  $('rows').replaceChildren(
    head(
      'row', ...(depth ? [depth] : []), ...features.map(({ name, unit }) => [splitUnit(name)[0], unit]),
      'state', ...(classes.length ? ['most likely lithology'] : []), ...dimensions,
    ),
    make('tbody', {}, ...body),
  );
}

/** Show the legend of the plot's colours. */
export function showLegend({ classes, colours }) {
  const style = getComputedStyle(document.body);
  const entries = Object.entries(STATES).map(([worth, label]) => [style.getPropertyValue(`--${worth}`), label]);
  for (const [k, colour] of colours.colours) entries.push([colour, classes[k]]);
  if (colours.nOther) entries.push([colours.other, `${plural(colours.nOther, 'other')}`]);
  $('legend').replaceChildren(...entries.map(([colour, label]) => {
    const swatch = make('canvas', { width: 14, height: 12 }), pen = swatch.getContext('2d');
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 14, 12);
    return make('li', {}, swatch, label);
  }));
}

/** Describe a row in one line. */
export function describeRow(row, { table, result, description, classes }) {
  const lack = missingNames(row, result.missing, description);
  return [
    placeOf(row, table),
    STATES[stateOf(row, result, description)],
    lack.length && `missing: ${lack.join(', ')}`,
    classes.length && lithologyText(row, result, classes),
  ].filter(Boolean).join(' · ');
}

/** Describe the values of a row in one line. */
export function describeValues(row, { table, result, description: { features } }) {
  const names = shortNames(features), values = features.flatMap(({ unit }, i) => {
    const at = row * features.length + i;
    return result.missing[at] ? [] : [`${names[i]} ${short(table.rows[at], 5)} ${unit}`];
  });
  return [placeOf(row, table), ...values].join(' · ');
}

function placeOf(row, { depth }) {
  return `row ${row + 1}${depth ? ` · ${depth.name} ${short(depth.values[row], 6)} ${depth.unit ?? ''}` : ''}`;
}

function lithologyText(row, { lithology, probability }, classes) {
  return Number.isNaN(probability[row]) ? '' : `${classes[lithology[row]]} (${probability[row].toFixed(2)})`;
}
