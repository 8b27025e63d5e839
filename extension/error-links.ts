/** Tracebacks whose places VS Code turns into links to the cell's line. */

/** A line of our tracebacks: `    at f in cell 3, line 2, column 5`, or TypeScript's `cell 3, line 2, column 5 - error …`. */
const PLACE =
  /^\s*(?:at )?(?:(?<within>.*?) in )?cell (?<cell>\d+), line (?<line>\d+), column (?<column>\d+)(?<rest>.*)$/;

/**
 * A traceback as VS Code's error view reads it: it makes a link of a line that begins as IPython writes places, "Cell
 * In[3], line 2", and drops what follows on that line; so what follows gets a line of its own.
 */
export function linkedStack(traceback: readonly string[]): string {
  return traceback
    .flatMap((entry) => entry.split('\n'))
    .flatMap((line) => {
      const groups = PLACE.exec(line)?.groups;
      if (!groups) return [line];
      const { within, cell, line: number, column, rest } = groups;
      const what = [within && `in ${within}`, rest !== '' && `column ${column!}${rest!}`].filter(Boolean).join(', ');
      const link = `Cell In[${cell!}], line ${number!}`;
      // The column alone says nothing that the mark below the line does not.
      return what === '' ? [link] : [link, `    ${what}`];
    })
    .join('\n');
}
