/** A little box layout for drawing on a canvas: blocks know their height and draw themselves at a place. */
import { textLines, type Mark } from './text-lines.ts';

/** What the card needs of a canvas's context; browsers and Node's canvas both have it. */
export type CardContext = Pick<
  CanvasRenderingContext2D,
  | 'beginPath'
  | 'createLinearGradient'
  | 'direction'
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

export interface TextStyle {
  readonly font: string;
  readonly colour: string;
  readonly lineHeight: number;
  /** Lines beyond this are left out, with an ellipsis. */
  readonly lines?: number;
}

/** Draws a mark beneath its characters, given where they stand. */
export type DrawMark = (context: CardContext, x: number, baseline: number, width: number) => void;

/** Running text, with marks beneath some of it. */
export function paragraph(
  context: CardContext,
  text: string,
  width: number,
  style: TextStyle,
  marks: readonly Mark<DrawMark>[] = [],
): Block {
  const most = style.lines ?? Infinity;
  const { runs, boxes, lines } = textLines(context, text.slice(0, MOST_CHARACTERS), {
    width,
    font: style.font,
    marks,
    most,
  });
  const shown = Math.min(lines.length, most);
  const cut = lines.length > shown ? lines[shown - 1] : undefined;
  const baseline = (top: number, line: number): number => top + (line + 0.7) * style.lineHeight;
  return {
    height: shown * style.lineHeight,
    draw(canvas, left, top) {
      canvas.save();
      canvas.font = style.font;
      canvas.textBaseline = 'alphabetic';
      canvas.textAlign = 'left';
      for (const { mark, x, line, width: wide } of boxes) {
        if (line < shown) mark(canvas, left + x, baseline(top, line), wide);
      }
      canvas.fillStyle = style.colour;
      for (const { text: words, x, line, rightToLeft } of runs) {
        if (line >= shown) continue;
        canvas.direction = rightToLeft ? 'rtl' : 'ltr';
        canvas.fillText(words, left + x, baseline(top, line));
      }
      if (cut) {
        const [first, last] = [Math.max(cut.left - ELLIPSIS, 0), Math.min(cut.right, width - ELLIPSIS)];
        canvas.fillText('…', left + (cut.rightToLeft ? first : last), baseline(top, shown - 1));
      }
      canvas.restore();
    },
  };
}

/** No text on a card has room for more. */
const MOST_CHARACTERS = 8000;

/** Room that is left for an ellipsis, px. */
const ELLIPSIS = 12;
