/** A little box layout for drawing on a canvas: blocks know their height and draw themselves at a place. */

/** What the card needs of a canvas's context; browsers and Node's canvas both have it. */
export type CardContext = Pick<
  CanvasRenderingContext2D,
  | 'beginPath'
  | 'createLinearGradient'
  | 'drawImage'
  | 'fill'
  | 'fillRect'
  | 'fillStyle'
  | 'fillText'
  | 'font'
  | 'imageSmoothingEnabled'
  | 'imageSmoothingQuality'
  | 'lineTo'
  | 'lineWidth'
  | 'measureText'
  | 'moveTo'
  | 'restore'
  | 'roundRect'
  | 'save'
  | 'scale'
  | 'setLineDash'
  | 'stroke'
  | 'strokeStyle'
  | 'textAlign'
  | 'textBaseline'
>;

export interface Block {
  readonly height: number;
  draw(context: CardContext, x: number, y: number): void;
}

/** Blocks under one another. */
export function column(blocks: readonly Block[], gap: number): Block {
  const height = blocks.reduce((sum, block) => sum + block.height, 0) + gap * Math.max(blocks.length - 1, 0);
  return {
    height,
    draw(context, x, y) {
      let top = y;
      for (const block of blocks) {
        block.draw(context, x, top);
        top += block.height + gap;
      }
    },
  };
}

/** Blocks beside one another, each with its width. */
export function row(cells: readonly (readonly [width: number, block: Block])[], gap: number): Block {
  return {
    height: Math.max(0, ...cells.map(([, block]) => block.height)),
    draw(context, x, y) {
      let left = x;
      for (const [width, block] of cells) {
        block.draw(context, left, y);
        left += width + gap;
      }
    },
  };
}

/** Rows of at most `perRow` blocks of one width. */
export function grid(blocks: readonly Block[], width: number, perRow: number, gap: number): Block {
  const rows: Block[] = [];
  for (let at = 0; at < blocks.length; at += perRow) {
    rows.push(
      row(
        blocks.slice(at, at + perRow).map((block) => [width, block]),
        gap,
      ),
    );
  }
  return column(rows, gap);
}

/** A piece of text that is drawn as one and not broken. */
export interface Piece {
  readonly text: string;
  /** Drawn before the text, given the piece's box. */
  readonly under?: (context: CardContext, x: number, baseline: number, width: number) => void;
}

export interface TextStyle {
  readonly font: string;
  readonly colour: string;
  readonly lineHeight: number;
  /** Lines beyond this are left out, with an ellipsis. */
  readonly lines?: number;
}

/** A piece with its place in a flow. */
export interface PlacedPiece {
  readonly piece: Piece;
  /** Of its left edge, px. */
  readonly x: number;
  /** From 0. */
  readonly line: number;
  readonly width: number;
}

/** What breaking text into lines needs of a context. */
export type Ruler = Pick<CardContext, 'font' | 'measureText' | 'restore' | 'save'>;

/** Breaks pieces into lines; lines break at blanks that stand in pieces of their own, and at newlines. */
export function placePieces(
  context: Ruler,
  pieces: readonly Piece[],
  width: number,
  font: string,
): { readonly placed: readonly PlacedPiece[]; readonly lines: number } {
  context.save();
  context.font = font;
  const placed: PlacedPiece[] = [];
  let [x, line] = [0, 0];
  const measured = pieces.map((piece) => ({
    piece,
    width: context.measureText(piece.text).width,
    blank: piece.text.trim() === '',
  }));
  for (let at = 0; at < measured.length;) {
    const { piece, width: own, blank } = measured[at]!;
    if (blank) {
      const breaks = piece.text.split('\n').length - 1;
      if (breaks > 0) [x, line] = [0, line + breaks];
      else if (x > 0) x += own;
      at++;
      continue;
    }
    // Pieces with no blank between them are one word and stay together.
    let end = at;
    while (end < measured.length && !measured[end]!.blank) end++;
    const word = measured.slice(at, end);
    const total = word.reduce((sum, part) => sum + part.width, 0);
    if (x > 0 && x + total > width) [x, line] = [0, line + 1];
    for (const part of word) {
      if (x > 0 && x + part.width > width) [x, line] = [0, line + 1];
      for (const shard of shards(context, part.piece, width)) {
        const shardWidth = context.measureText(shard.text).width;
        if (x > 0 && x + shardWidth > width) [x, line] = [0, line + 1];
        placed.push({ piece: shard, x, line, width: shardWidth });
        x += shardWidth;
      }
    }
    at = end;
  }
  context.restore();
  return { placed, lines: placed.length > 0 ? line + 1 : 0 };
}

/** Running text made of pieces. */
export function flow(context: CardContext, pieces: readonly Piece[], width: number, style: TextStyle): Block {
  const { placed, lines: needed } = placePieces(context, pieces, width, style.font);
  const lines = Math.min(needed, style.lines ?? Infinity);
  const cut = needed > lines ? placed.findLast((one) => one.line === lines - 1) : undefined;
  return {
    height: lines * style.lineHeight,
    draw(canvas, left, top) {
      canvas.save();
      canvas.font = style.font;
      canvas.textBaseline = 'alphabetic';
      for (const { piece, x: at, line: on, width: wide } of placed) {
        if (on >= lines) continue;
        const baseline = top + on * style.lineHeight + style.lineHeight * 0.7;
        piece.under?.(canvas, left + at, baseline, wide);
        canvas.fillStyle = style.colour;
        canvas.fillText(piece.text, left + at, baseline);
      }
      if (cut)
        canvas.fillText('…', left + Math.min(cut.x + cut.width, width - 10), top + (lines - 0.3) * style.lineHeight);
      canvas.restore();
    },
  };
}

/** A piece that is wider than the line, cut into pieces that are not. */
function shards(context: Ruler, piece: Piece, width: number): readonly Piece[] {
  if (context.measureText(piece.text).width <= width) return [piece];
  const found: Piece[] = [];
  let text = '';
  for (const character of piece.text) {
    if (text !== '' && context.measureText(text + character).width > width) {
      found.push({ ...piece, text });
      text = '';
    }
    text += character;
  }
  return [...found, { ...piece, text }];
}

/** Plain text, broken at blanks. */
export function paragraph(context: CardContext, text: string, width: number, style: TextStyle): Block {
  return flow(context, splitBlanks(text), width, style);
}

/** Words and blanks as pieces of their own. */
export function splitBlanks(text: string, under?: Piece['under']): readonly Piece[] {
  return text
    .split(/(\s+)/u)
    .filter((part) => part !== '')
    .map((part) => (under && part.trim() !== '' ? { text: part, under } : { text: part }));
}
