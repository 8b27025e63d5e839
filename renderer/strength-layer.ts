/**
 * Every chip's strength at a place, drawn on one canvas behind the answer: a tint, a ring where the place matters, and the value
 * above. With hundreds of chips, changing the style of each at every move of the pointer would take longer than a frame.
 */
import { canvasOf } from './element.ts';

/** What is drawn for one chip. */
export interface ChipStrength {
  readonly chip: HTMLElement;
  /** 0 … 1. */
  readonly level: number;
  readonly value: string;
  readonly marked: boolean;
}

export interface StrengthLayer {
  readonly canvas: HTMLCanvasElement;
  draw(strengths: readonly ChipStrength[]): void;
  clear(): void;
  /** The chips stand elsewhere now. */
  moved(): void;
}

/** Room above the first line for its values, px. */
const ABOVE = 8;
const LABEL = { size: 10, height: 13, padding: 3 };

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Colours {
  readonly place: string;
  readonly placeText: string;
  readonly quiet: string;
  /** Of the strongest tint, 0 … 1. */
  readonly strength: number;
  readonly font: string;
}

function coloursOf(answer: HTMLElement): Colours {
  const style = getComputedStyle(answer);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    place: value('--place'),
    placeText: value('--place-fg'),
    quiet: value('--quiet'),
    strength: parseFloat(value('--place-strength')) / 100 || 0,
    font: `${LABEL.size}px ${style.fontFamily}`,
  };
}

/** A layer behind an answer. The answer is its positioned parent. */
export function createStrengthLayer(answer: HTMLElement, signal: AbortSignal): StrengthLayer {
  const { canvas, context } = canvasOf(1, 1);
  canvas.setAttribute('class', 'strengths');
  canvas.setAttribute('aria-hidden', 'true');
  canvas.hidden = true;
  let boxes = new Map<HTMLElement, readonly Box[]>();
  let colours: Colours | undefined;
  let size = { width: 0, height: 0 };

  const forget = (): void => {
    boxes = new Map();
    colours = undefined;
  };
  const observer = new ResizeObserver(forget);
  observer.observe(answer);
  signal.addEventListener('abort', () => observer.disconnect());

  const measure = (chips: readonly HTMLElement[]): void => {
    const origin = answer.getBoundingClientRect();
    size = { width: origin.width, height: origin.height + ABOVE };
    for (const chip of chips) {
      const rects = [...chip.getClientRects()].map(({ x, y, width, height }) => ({
        x: x - origin.x,
        y: y - origin.y + ABOVE,
        width,
        height,
      }));
      boxes.set(chip, rects);
    }
    canvas.style.setProperty('top', `${-ABOVE}px`);
    canvas.style.setProperty('width', `${size.width}px`);
    canvas.style.setProperty('height', `${size.height}px`);
  };

  const drawChip = ({ level, value, marked }: ChipStrength, rects: readonly Box[], ink: Colours): void => {
    context.fillStyle = ink.place;
    context.strokeStyle = ink.place;
    context.lineWidth = 2;
    for (const { x, y, width, height } of rects) {
      context.globalAlpha = ink.strength * level;
      context.fillRect(x, y, width, height);
      context.globalAlpha = 1;
      if (marked) context.strokeRect(x - 1, y - 1, width + 2, height + 2);
    }
    const [first] = rects;
    if (!first || value === '') return;
    const wide = context.measureText(value).width;
    const middle = rects.length > 1 ? first.x + wide / 2 + 6 : first.x + first.width / 2;
    const top = first.y - LABEL.height + 1;
    if (marked) context.fillRect(middle - wide / 2 - LABEL.padding, top, wide + 2 * LABEL.padding, LABEL.height);
    context.fillStyle = marked ? ink.placeText : ink.quiet;
    context.fillText(value, middle, top + LABEL.height - 3);
  };

  return {
    canvas,
    draw(strengths) {
      canvas.hidden = false;
      if (strengths.some(({ chip }) => !boxes.has(chip))) measure(strengths.map(({ chip }) => chip));
      const ink = (colours ??= coloursOf(answer));
      const density = devicePixelRatio;
      const [width, height] = [Math.round(size.width * density), Math.round(size.height * density)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      context.setTransform(density, 0, 0, density, 0, 0);
      context.clearRect(0, 0, size.width, size.height);
      context.font = ink.font;
      context.textAlign = 'center';
      for (const strength of strengths) drawChip(strength, boxes.get(strength.chip) ?? [], ink);
    },
    clear() {
      if (canvas.hidden) return;
      canvas.hidden = true;
      colours = undefined;
    },
    moved: forget,
  };
}
