import { summary } from '../../renderer/wording.ts';
import type { LensDocument } from '../document.ts';

/** The document in one line: question, answer, and what of it depends on the image. */
export function plainText(document: LensDocument): string {
  return summary(document).replace(/\s+/gu, ' ').trim();
}
