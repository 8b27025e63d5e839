/** One line on standard error that is written over, where it is a terminal; one every half minute elsewhere. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '' && performance.now() - told > 30_000) {
    told = performance.now();
    console.error(text);
  }
}

let told = -Infinity;
