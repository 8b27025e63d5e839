/** Arrays of records as tables. */
import { inspect as nodeInspect, stripVTControlCharacters } from 'node:util';
import { Console } from 'node:console';
import { Writable } from 'node:stream';

type Row = Readonly<Record<string, unknown>>;

/** More rows are counted, not shown. */
const MOST_ROWS = 200;

/** Wider records are data, not a table. */
const MOST_COLUMNS = 50;

/** Characters of a cell. */
const LONGEST_CELL = 200;

/** Whether a value is a non-empty array of plain objects: what shows best as a table. */
export function isTable(value: unknown): value is Row[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRow) && columnsOf(value).length <= MOST_COLUMNS;
}

function isRow(value: unknown): value is Row {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === null || prototype === Object.prototype) && Object.keys(value).length > 0;
}

/** Every key of any row, in the order in which they come. */
function columnsOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

/** The table for viewers, without style or script: every host shows it in its own. */
export function tableHtml(rows: readonly Row[]): string {
  const columns = columnsOf(rows);
  const head = columns.map((column) => `<th>${escaped(column)}</th>`).join('');
  const body = rows.slice(0, MOST_ROWS).map((row, index) => {
    const cells = columns.map((column) => {
      const value = row[column];
      const align = typeof value === 'number' || typeof value === 'bigint' ? ' align="right"' : '';
      return `<td${align}>${escaped(cellText(value))}</td>`;
    });
    return `<tr><th>${index}</th>${cells.join('')}</tr>`;
  });
  const more = rows.length - MOST_ROWS;
  const note = more > 0 ? `<p>and ${more} more rows</p>` : '';
  return `<table><thead><tr><th></th>${head}</tr></thead><tbody>${body.join('')}</tbody></table>${note}`;
}

/** The table for consoles, as `console.table` draws it. */
export function tableText(rows: readonly Row[]): string {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8');
      done();
    },
  });
  new Console({ stdout, colorMode: false }).table(rows.slice(0, MOST_ROWS));
  const more = rows.length - MOST_ROWS;
  return stripVTControlCharacters(text).trimEnd() + (more > 0 ? `\nand ${more} more rows` : '');
}

function cellText(value: unknown): string {
  if (value === undefined) return '';
  const text =
    typeof value === 'string' ? value : nodeInspect(value, { colors: false, depth: 1, breakLength: Infinity });
  return text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL)}…` : text;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
