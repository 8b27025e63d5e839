import type { Mask, Progress } from '../../attribution/scorer.ts';
import { partialPicture } from '../../image/partial-picture.ts';
import type { Picture } from '../../image/picture.ts';

/** At most this often, in ms: a picture costs some hundredths of a second that the work itself could use. */
const INTERVAL = 500;

/** Pictures of a map in the making, as progress, now and then. */
export function partialPictures(
  image: Picture,
  onProgress: (progress: Progress) => void,
): { show(news: Progress, saliency: () => Mask): void } {
  let shownAt = performance.now();
  let drawing = false;
  let latest: Progress;
  return {
    show(news, saliency) {
      latest = news;
      const now = performance.now();
      if (drawing || now - shownAt < INTERVAL) return;
      shownAt = now;
      drawing = true;
      // The work goes on meanwhile. Without a picture the progress line is complete as well.
      partialPicture(image, saliency())
        .then((picture) => {
          onProgress({ ...latest, picture });
        })
        .catch(() => undefined)
        .finally(() => {
          drawing = false;
        });
    },
  };
}
