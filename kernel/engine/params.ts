import { z } from 'zod';
import type { PortableImage } from '../image/portable.ts';

/** A picture to look at; `decodeImage` judges it. */
export const ImageParam = z.custom<PortableImage>((value) => value !== undefined, 'an image is needed');

/** An embedded model's name, a Hub id or a folder. */
export const ModelParam = z.string().min(1).default('pocket');
