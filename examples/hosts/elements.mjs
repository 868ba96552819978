/** Helpers for the page: elements, and numbers as text. */

const TEXTS = ['state', 'most likely lithology']; // text columns, aligned to the left

export const $ = (id) => document.getElementById(id);

/** Create an element. */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Create a table's head; a name may be a pair of a title and a unit. */
export function head(...names) {
  return make('thead', {}, make('tr', {}, ...names.map((name) => {
    const [title, unit] = [name].flat();
    const cell = make('th', { scope: 'col', className: TEXTS.includes(title) ? 'text' : '' }, title);
    if (unit) cell.append(make('small', {}, unit));
    return cell;
  })));
}

export const fixed = (value) => (Number.isNaN(value) ? '' : value.toFixed(2).replace(/^-(0\.00)$/, '$1'));
export const short = (value, digits = 4) => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(digits))));
export const plural = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
