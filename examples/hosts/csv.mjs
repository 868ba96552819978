/** A CSV file (comma, semicolon or tab; a header line) as a table of raw rows. */
import { converter, findDepth, findFeatures } from './columns.mjs';
import { LithoError } from './errors.mjs';
import { Growing, withoutSentinels } from './table.mjs';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Read a CSV file.
 * @param {object} Papa The module papaparse.
 * @param {File | import('node:stream').Readable} source
 * @param {string} name The file's name in messages.
 * @param {object} description The model's description.
 * @param {(characters: number) => unknown} progress Reports progress; awaited. If it throws, reading stops.
 * @returns {Promise<import('./table.mjs').Table>}
 */
export function readCsv(Papa, source, name, { features, sentinels }, progress = () => {}) {
  const rows = new Growing(Float32Array), depths = new Growing(Float64Array);
  let header, found, convert, depth, n = 0, isBlank = false;

  const take = (cells) => {
    if (cells.length === 1 && cells[0] === '') {
      isBlank ||= header !== undefined;
      return;
    }
    if (!header) {
      header = cells.map((cell) => cell.trim());
      if (/[\0-\x08]/.test(header.join())) {
        throw new LithoError(`${name} is not a text file; for HDF5, use the web page or lithovae-run`);
      }
      const named = header.map((column) => ({ name: column }));
      found = findFeatures(named, features, name);
      convert = found.columns.map((column) => converter(column, sentinels));
      depth = findDepth(named);
      return;
    }
    if (isBlank && header.length === 1) {
      throw new LithoError(`${name}, row ${n + 1} is a blank line, in a table of one column: write NaN where a value is `
        + 'missing');
    }
    n++;
    if (cells.length !== header.length) {
      throw new LithoError(`${name}, row ${n} has ${cells.length} cells, the header has ${header.length}`);
    }
    found.columns.forEach(({ index }, i) => rows.push(convert[i](number(cells[index], index))));
    if (depth) depths.push(number(cells[depth.index], depth.index));
  };
  const number = (cell, index) => {
    const text = cell.trim();
    if (text === '' || /^nan$/i.test(text)) return NaN;
    if (NUMBER.test(text)) return Number(text);
    throw new LithoError(`${name}, row ${n}, column "${header[index]}": "${text}" is not a number `
      + '(a missing value is an empty cell, NaN or a sentinel; decimals take a point)');
  };

  return new Promise((resolve, reject) => {
    Papa.parse(source, {
      chunk: ({ data, errors, meta }, parser) => {
        const stop = (error) => {
          reject(error); // before abort, which calls complete
          parser.abort();
        };
        try {
          const fault = errors.find(({ type }) => type === 'Quotes');
          if (fault) throw new LithoError(`${name}, row ${(header ? n + 1 : 0) + fault.row}: ${fault.message}`);
          data.forEach(take);
        } catch (error) {
          stop(error);
          return;
        }
        parser.pause();
        Promise.resolve(progress(meta.cursor)).then(() => parser.resume(), stop);
      },
      error: (error) => reject(new LithoError(`${name} cannot be read: ${error.message}`)),
      complete: () => {
        if (!header) return reject(new LithoError(`${name} is empty`));
        if (!n) return reject(new LithoError(`${name} has a header but no rows`));
        const values = withoutSentinels(depths.values, sentinels);
        return resolve({ name, ...found, rows: rows.values, depth: depth ? { ...depth, values } : null });
      },
    });
  });
}
