/** News of long calls: a bar, the rate and the time left, in one line of plain text. */
import type { Progress } from '../attribution/scorer.ts';
import { fileSize } from '../hub/file-size.ts';
import type { CurrentCell } from './current-cell.ts';

const BAR_WIDTH = 20;
const EIGHTHS = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** At most this often is the text renewed, in ms. */
const INTERVAL = 100;

/** The same for text with a picture, which is sent with it each time. */
const PICTURE_INTERVAL = 250;

/** Calls shorter than this show nothing, in ms. */
const PATIENCE = 300;

/** A bar of fixed width, `share` between 0 and 1. */
function bar(share: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH * 8);
  const full = Math.floor(eighths / 8);
  const part = full < BAR_WIDTH ? EIGHTHS[eighths % 8]! : '';
  return `${'█'.repeat(full)}${part}`.padEnd(BAR_WIDTH);
}

/** Milliseconds for people: '0.4 s', '12 s', '3 min 5 s'. */
export function duration(milliseconds: number): string {
  if (milliseconds < 9_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/**
 * One line for a step: `joint map |█████     | 5/20, 8.3 steps/s, 1.8 s left, loss -0.52`.
 * @param elapsed ms since the stage began
 */
export function formatProgress(progress: Progress, elapsed: number): string {
  if (progress.unit === 'bytes') return formatBytes(progress);
  const { stage, step, steps, loss, remainingMs, part } = progress;
  const rate = progress.rate ?? (elapsed > 0 ? (step * 1000) / elapsed : 0);
  const remaining = remainingMs ?? (rate > 0 ? ((steps - step) * 1000) / rate : undefined);
  return [
    `${stage} |${bar(steps > 0 ? step / steps : 0)}| ${step}/${steps}`,
    ...(rate > 0 ? [`${rate.toPrecision(2)} steps/s`] : []),
    ...(remaining !== undefined && step < steps ? [`${duration(remaining)} left`] : []),
    ...(loss === undefined ? [] : [`loss ${loss.toPrecision(3)}`]),
    ...(part === undefined ? [] : [part]),
  ].join(', ');
}

/** `downloading org/name |███     | 87.0 MB of 541 MB, 12.1 MB/s, 38 s left, 3/11 onnx/vision_encoder.onnx 40 %` */
function formatBytes({ stage, step, steps, rate, remainingMs, part }: Progress): string {
  return [
    `${stage} |${bar(steps > 0 ? step / steps : 0)}| ${fileSize(step)} of ${fileSize(steps)}`,
    ...(rate === undefined ? [] : [`${fileSize(rate)}/s`]),
    ...(remainingMs !== undefined && step < steps ? [`${duration(remainingMs)} left`] : []),
    ...(part === undefined ? [] : [part]),
  ].join(', ');
}

export interface ProgressLine {
  onProgress(progress: Progress): void;
  /** Takes the line away, and shows no more news. */
  done(): void;
}

/**
 * A line that `show` is given anew at most ten times a second, and `undefined` at the end; nothing for calls that are over
 * within 0.3 s.
 */
export function progressLine(show: (text: string | undefined, png?: string) => void): ProgressLine {
  const begun = performance.now();
  let stage: string | undefined;
  let stageBegun = begun;
  let shownAt = -Infinity;
  let over = false;
  let picture: string | undefined;
  return {
    onProgress(progress) {
      if (over) return;
      picture = progress.picture ?? picture;
      const now = performance.now();
      if (progress.stage !== stage) {
        stage = progress.stage;
        stageBegun = now;
      }
      const isLast = progress.step >= progress.steps;
      const interval = picture === undefined ? INTERVAL : PICTURE_INTERVAL;
      if (now - begun < PATIENCE || (now - shownAt < interval && !isLast)) return;
      shownAt = now;
      show(formatProgress(progress, now - stageBegun), picture);
    },
    done() {
      if (!over && shownAt > -Infinity) show(undefined);
      over = true;
    },
  };
}

/** A progress line among a cell's outputs. */
export function cellProgress(cell: CurrentCell): ProgressLine {
  const displayId = cell.newDisplayId();
  return progressLine((text, png) => {
    cell.emit({
      type: 'progress',
      displayId,
      ...(text !== undefined && { text }),
      ...(png !== undefined && { png }),
    });
  });
}
