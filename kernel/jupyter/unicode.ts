/** Jupyter counts characters by code points, JavaScript by UTF-16 code units. */

/** UTF-16 offset of the code point with this index. */
export function utf16Offset(text: string, codePoint: number): number {
  let offset = 0;
  for (let index = 0; index < codePoint && offset < text.length; index++) {
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  }
  return offset;
}

/** How many code points stand before a UTF-16 offset. */
export function codePoints(text: string, offset: number): number {
  return [...text.slice(0, offset)].length;
}
