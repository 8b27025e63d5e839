/** What every chart of the view has in common: Observable Plot draws it, and it is one picture with one label. */
import { plot, type PlotOptions } from '@observablehq/plot';

/**
 * Draws a chart. Plot brings its style sheet inside the drawing, which a strict Content-Security-Policy refuses: ours has the
 * same rules. Labels of its parts would be neither allowed inside one picture nor heard.
 */
export function drawChart(label: string, options: PlotOptions): ReturnType<typeof plot> {
  const drawn = plot({ className: 'lens-plot', ...options });
  for (const sheet of drawn.querySelectorAll('style')) sheet.remove();
  for (const part of drawn.querySelectorAll('[aria-label]')) {
    part.setAttribute('data-mark', part.getAttribute('aria-label') ?? '');
    part.removeAttribute('aria-label');
  }
  drawn.setAttribute('role', 'img');
  drawn.setAttribute('aria-label', label);
  return drawn;
}
