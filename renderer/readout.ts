/** What is looked at, in words: the same line for those who read it and those who hear it. */
import { matters, strengthsAt } from './answer-tokens.ts';
import { cellAt, rankOf, valueAt } from './saliency.ts';
import { mappedTokens, tokensField } from './segments.ts';
import { activePlace, type ViewState } from './store.ts';
import { activeSegment, pinsOf, shownMap, type Panel } from './subject.ts';
import { figure, fixed, segmentLine, visibleToken } from './wording.ts';

/** Of this many segments the values at a place are said; chips show all of them. */
const SPOKEN = 8;

function segmentPart(panel: Panel, state: ViewState): string | undefined {
  const { explanation } = panel;
  const segment = activeSegment(panel, state);
  if (!segment) return undefined;
  const mapped = mappedTokens(explanation, segment.tokens);
  const own =
    explanation.maps.length === 0 || (mapped === 1 && segment.tokens.length === 1)
      ? ''
      : mapped === 0
        ? '. It has no map of its own'
        : segment.tokens.length === 1
          ? ''
          : `. Its map is that of ${mapped === 1 ? 'one token' : `${mapped} tokens, their mean`}`;
  return `“${visibleToken(segment.text)}” ${segmentLine(explanation, segment)}${own}.`;
}

function placePart(panel: Panel, state: ViewState): string | undefined {
  const { explanation, image } = panel;
  const place = activePlace(state);
  const shown = shownMap(panel, state);
  if (!place || !shown) return undefined;
  const { field } = shown;
  const cell = cellAt(field, place);
  const pixel = [Math.floor(cell.u * image.sourceWidth), Math.floor(cell.v * image.sourceHeight)];
  const here =
    `Row ${cell.row + 1}, column ${cell.col + 1} (pixel ${pixel.join(', ')}): ${figure(valueAt(field, cell))}, ` +
    `rank ${rankOf(field, cell)} of ${field.values.length}.`;
  if (!explanation.maps.some(({ role }) => role === 'token')) return here;
  const pins = pinsOf(panel, state);
  if (pins.length > 1) {
    const values = pins.map(({ segment, field: own }) => {
      return `${visibleToken(segment.text)} ${own ? fixed(valueAt(own, cell)) : 'no map'}`;
    });
    return `${here} Held: ${values.join(', ')}.`;
  }
  const strong = strengthsAt(panel, state)
    .filter((strength) => matters(strength, state))
    .sort((a, b) => b.level - a.level);
  const words = strong.slice(0, SPOKEN).map(({ segment, value }) => `${visibleToken(segment.text)} ${fixed(value)}`);
  if (strong.length > SPOKEN) words.push(`and ${strong.length - SPOKEN} more`);
  return `${here} ${words.length > 0 ? `Matters for ${words.join(', ')}.` : 'Matters for no word in particular.'}`;
}

/** What the looked-at segment and place have to say, as one line of text. */
export function readOut(panel: Panel, state: ViewState): string | undefined {
  const parts = [segmentPart(panel, state), placePart(panel, state)].filter((part) => part !== undefined);
  return parts.length > 0 ? parts.join(' ') : undefined;
}

/** The value of a held segment at the looked-at place. */
export function valueOfSegmentAt(panel: Panel, state: ViewState, tokens: readonly number[]): string {
  const place = activePlace(state);
  const field = tokensField(panel.explanation, tokens);
  return place && field ? fixed(valueAt(field, cellAt(field, place))) : '';
}

/** What a screen reader is told of a change. The focus speaks for tokens; holding, letting go and places need words. */
export function whatToSay(panels: readonly Panel[], before: ViewState, now: ViewState): string | undefined {
  const held = now.pinnedTokens.length;
  if (now.pinnedTokens !== before.pinnedTokens) {
    if (held < before.pinnedTokens.length) return held === 0 ? 'Let go.' : `Let go. ${held} still held.`;
    const last = now.pinnedTokens.at(-1)!;
    const panel = panels[last.panel]!;
    const segment = pinsOf(panel, now).at(-1)?.segment;
    return `Held: ${segment ? visibleToken(segment.text) : ''}.${held > 1 ? ` ${held} are held.` : ''}`;
  }
  const placeHeld = now.pinnedPlace !== before.pinnedPlace;
  if (placeHeld && !now.pinnedPlace) return 'Let go.';
  if (now.peek !== before.peek && now.peek) return now.peek === 'original' ? 'Original picture.' : 'Baseline.';
  const moved = now.hoveredPlace !== before.hoveredPlace && now.hoveredPlace !== null;
  // A token looked at while a place is held: what the token's map says there.
  const asked = now.hoveredToken !== before.hoveredToken && now.hoveredToken !== null && now.pinnedPlace !== null;
  if (!moved && !placeHeld && !asked) return undefined;
  const lines = panels.map((panel) => placePart(panel, now)).filter((line) => line !== undefined);
  return [...(placeHeld ? ['Held.'] : []), ...lines].join(' ');
}
