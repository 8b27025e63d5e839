/** A decoded picture: what everything after the decoder works on. */
export interface Picture {
  /** In px; at least 1. */
  readonly width: number;
  readonly height: number;
  /** width · height · 3 bytes, sRGB, interleaved, row 0 at the top; transparency is composed over white already. */
  readonly data: Uint8Array;
  /** The file's name without its folder, or the last part of a URL's path; absent for pixels in memory. */
  readonly name?: string;
  /** SHA-256 of the pixels and the size, hexadecimal: the same for the same pixels however they were stored. */
  readonly hash: string;
}

/** Pixels in memory, as canvases and `ImageData` hold them: 8-bit RGBA (4 bytes a pixel), RGB (3) or grey (1). */
export interface ImageDataLike {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/**
 * What `image` options accept: a path, a URL (`http:`, `https:`, `file:` or `data:`, as a string or a `URL`), the bytes of
 * an image file, or pixels.
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | ImageDataLike;
