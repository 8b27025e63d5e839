import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { LensError } from '../../kernel/errors.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import { documentImage } from '../../kernel/image/document-image.ts';
import { portableImage } from '../../kernel/image/portable.ts';
import type { ImageSource, Picture } from '../../kernel/image/picture.ts';

/** Left half red, right half blue; w × h px. */
async function redBlue(width = 40, height = 20) {
  const blue = await sharp({ create: { width: width / 2, height, channels: 3, background: '#0000ff' } })
    .png()
    .toBuffer();
  return sharp({ create: { width, height, channels: 3, background: '#ff0000' } }).composite([
    { input: blue, left: width / 2, top: 0 },
  ]);
}

function pixel(picture: Picture, x: number, y: number): number[] {
  const at = (y * picture.width + x) * 3;
  return [...picture.data.slice(at, at + 3)];
}

function near(actual: number[], expected: number[], tolerance: number): void {
  assert.ok(
    actual.every((value, i) => Math.abs(value - expected[i]!) <= tolerance),
    `${actual.join()} is not within ${tolerance} of ${expected.join()}`,
  );
}

/** A PNG whose header says any size; its data is empty. */
function pngHeader(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(100))), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), ...parts]);
}

describe('decodeImage', () => {
  let folder: string;
  const at = (name: string) => path.join(folder, name);
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'lens-image-'));
  });
  after(() => rm(folder, { recursive: true }));

  describe('reads', () => {
    it('a path, a file: URL, a data: URL, bytes and pixels alike', async () => {
      const png = await (await redBlue()).png().toBuffer();
      await writeFile(at('red blue.png'), png);
      const sources: ImageSource[] = [
        at('red blue.png'),
        pathToFileURL(at('red blue.png')),
        pathToFileURL(at('red blue.png')).href,
        `data:image/png;base64,${png.toString('base64')}`,
        png,
        new Uint8Array(png),
        new Uint8Array(png).buffer,
      ];
      const pictures = await Promise.all(sources.map(decodeImage));
      for (const picture of pictures) {
        assert.deepEqual([picture.width, picture.height], [40, 20]);
        assert.deepEqual(pixel(picture, 0, 0), [255, 0, 0]);
        assert.deepEqual(pixel(picture, 39, 19), [0, 0, 255]);
        assert.equal(picture.hash, pictures[0]!.hash);
      }
      assert.equal(pictures[0]!.name, 'red blue.png');
      const rgba = await (await redBlue()).ensureAlpha().raw().toBuffer();
      const fromPixels = await decodeImage({ data: new Uint8ClampedArray(rgba), width: 40, height: 20 });
      assert.equal(fromPixels.hash, pictures[0]!.hash);
    });

    it('an http: URL', async () => {
      const png = await (await redBlue()).png().toBuffer();
      const server = createServer((request, response) => {
        response.writeHead(request.url === '/pictures/cat.png' ? 200 : 404).end(png);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      try {
        const picture = await decodeImage(`${address}/pictures/cat.png`);
        assert.deepEqual([picture.width, picture.name], [40, 'cat.png']);
        await assert.rejects(decodeImage(`${address}/dog.png`), /^LensError: cannot fetch the image .*dog\.png: 404/);
      } finally {
        server.close();
      }
      await assert.rejects(
        decodeImage(`${address}/cat.png`),
        /^LensError: cannot fetch .*ECONNREFUSED.*Check the address/s,
      );
    });

    it('EXIF rotation: what stands left in the file stands on top', async () => {
      const jpeg = await (await redBlue()).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer();
      const picture = await decodeImage(jpeg);
      assert.deepEqual([picture.width, picture.height], [20, 40]);
      near(pixel(picture, 10, 2), [254, 0, 0], 4);
      near(pixel(picture, 10, 37), [0, 0, 254], 4);
    });

    it('CMYK', async () => {
      const cmyk = await (await redBlue()).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
      assert.equal((await sharp(cmyk).metadata()).space, 'cmyk');
      const picture = await decodeImage(cmyk);
      const [r, g, b] = pixel(picture, 2, 2) as [number, number, number];
      assert.ok(r > 180 && g < 90 && b < 90, `${r} ${g} ${b} is not red`);
    });

    it('16 bits a channel', async () => {
      const png = await (await redBlue()).toColourspace('rgb16').png().toBuffer();
      assert.equal((await sharp(png).metadata()).depth, 'ushort');
      const picture = await decodeImage(png);
      assert.equal(picture.data.length, 40 * 20 * 3);
      near(pixel(picture, 39, 0), [0, 0, 255], 1);
    });

    it('grey, and grey with alpha', async () => {
      const grey = await (await redBlue()).greyscale().png().toBuffer();
      const [r, g, b] = pixel(await decodeImage(grey), 0, 0);
      assert.ok(r === g && g === b && r! > 20);
      const data = Uint8Array.from([10, 200]);
      assert.deepEqual(pixel(await decodeImage({ data, width: 2, height: 1 }), 1, 0), [200, 200, 200]);
    });

    it('transparency, composed over white', async () => {
      const half = { r: 255, g: 0, b: 0, alpha: 0.5 };
      const png = await sharp({ create: { width: 4, height: 4, channels: 4, background: half } })
        .png()
        .toBuffer();
      near(pixel(await decodeImage(png), 1, 1), [255, 127, 127], 1);
      const pixels = { data: Uint8Array.from([255, 0, 0, 128]), width: 1, height: 1 };
      near(pixel(await decodeImage(pixels), 0, 0), [255, 127, 127], 1);
    });

    it('the first frame of an animated GIF', async () => {
      const frames = await Promise.all(
        ['#ff0000', '#00ff00', '#0000ff'].map((background) =>
          sharp({ create: { width: 8, height: 6, channels: 3, background } })
            .png()
            .toBuffer(),
        ),
      );
      const gif = await sharp(frames, { join: { animated: true } })
        .gif({ delay: [50, 50, 50] })
        .toBuffer();
      assert.equal((await sharp(gif).metadata()).pages, 3);
      const picture = await decodeImage(gif);
      assert.deepEqual([picture.width, picture.height], [8, 6]);
      assert.deepEqual(pixel(picture, 3, 3), [255, 0, 0]);
    });
  });

  describe('refuses, in one clear sentence,', () => {
    const refused = async (source: ImageSource, message: RegExp) => {
      await assert.rejects(decodeImage(source), (error: Error) => {
        assert.ok(error instanceof LensError, `${error.name}: ${error.message}`);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    };

    it('a missing file', () =>
      refused(at('none.png'), /^cannot read the image ".*none\.png": the file does not exist\. Check the path/));
    it('a missing file with a relative path: says where it looked', () =>
      refused('no/such/cat.png', /the file does not exist\. Relative paths start from .+/));
    it('a folder', () => refused(folder, /it is a folder/));
    it('a text file named .png', async () => {
      await writeFile(at('text.png'), 'this is not a picture\n'.repeat(20));
      await refused(
        at('text.png'),
        /cannot decode the image ".*text\.png": it is not an image\. Readable are JPEG, PNG/,
      );
    });
    it('an empty file', async () => {
      await writeFile(at('empty.png'), '');
      await refused(at('empty.png'), /it is empty \(0 bytes\)/);
    });
    it('a truncated JPEG', async () => {
      const noise = await sharp({
        create: {
          width: 300,
          height: 300,
          channels: 3,
          background: 'red',
          noise: { type: 'gaussian', mean: 128, sigma: 40 },
        },
      })
        .jpeg()
        .toBuffer();
      await writeFile(at('half.jpg'), noise.subarray(0, noise.length / 2));
      await refused(at('half.jpg'), /cannot decode the image ".*half\.jpg": the file is truncated or damaged/);
    });
    it('a truncated PNG', async () => {
      const png = await (await redBlue(400, 300)).png({ compressionLevel: 0 }).toBuffer();
      await refused(png.subarray(0, png.length / 2), /truncated or damaged/);
    });
    it('a PNG of 30,000 × 30,000 px, without unpacking it', async () => {
      const start = process.memoryUsage().rss;
      await refused(pngHeader(30_000, 30_000), /it has more than 150 megapixels\. Make it smaller/);
      assert.ok(process.memoryUsage().rss - start < 200e6);
    });
    it('a PNG of 0 × 0 px', () => refused(pngHeader(0, 0), /^cannot decode the image \(\d+ bytes\): /));
    it('pixels of 0 × 0', () =>
      refused({ data: new Uint8ClampedArray(0), width: 0, height: 0 }, /the image has no pixels: its size is 0×0/));
    it('pixels that do not fit the size', () =>
      refused({ data: new Uint8ClampedArray(10), width: 2, height: 2 }, /10 bytes for 2×2 px/));
    it('a PDF', () => refused(Buffer.from('%PDF-1.4\n%âãÏÓ\n1 0 obj\n<<>>\nendobj\n'), /cannot decode/));
    it('an empty string', () => refused('', /the image is an empty string/));
    it('a broken data: URL', () => refused('data:image/png;base64', /cannot fetch the data: URL/));
    it('what is no image at all', () => refused(7 as unknown as ImageSource, /the image is number\. Give a path/));
  });
});

describe('portableImage', () => {
  it('makes paths absolute and leaves URLs and bytes as they are', () => {
    const folder = path.resolve('some', 'folder');
    assert.equal(portableImage('cat.png', folder), path.join(folder, 'cat.png'));
    assert.equal(portableImage(path.resolve('cat.png'), folder), path.resolve('cat.png'));
    for (const url of ['https://example.org/cat.png', 'data:image/png;base64,AA==', 'file:///tmp/cat.png']) {
      assert.equal(portableImage(url, folder), url);
      assert.equal(portableImage(new URL(url), folder), url);
    }
    const bytes = new Uint8Array([1, 2]);
    assert.equal(portableImage(bytes), bytes);
  });

  it('makes plain data of an ImageData whose fields a structured clone would lose', () => {
    class FromCanvas {
      readonly #pixels = new Uint8ClampedArray([1, 2, 3, 255]);
      get data() {
        return this.#pixels;
      }
      get width() {
        return this.#pixels.length / 4;
      }
      get height() {
        return this.#pixels.length / 4 / this.width;
      }
    }
    const plain = structuredClone(portableImage(new FromCanvas()));
    assert.deepEqual(plain, { data: new Uint8ClampedArray([1, 2, 3, 255]), width: 1, height: 1 });
  });
});

describe('documentImage', () => {
  it('keeps small pictures at their size and large ones at 1024 px, as WebP', async () => {
    const small = await documentImage(await decodeImage(await (await redBlue()).png().toBuffer()));
    assert.deepEqual([small.mime, small.width, small.height, small.sourceWidth], ['image/webp', 40, 20, 40]);
    const large = await documentImage(await decodeImage(await (await redBlue(3000, 1500)).png().toBuffer()));
    assert.deepEqual([large.width, large.height, large.sourceWidth, large.sourceHeight], [1024, 512, 3000, 1500]);
    const decoded = await decodeImage(Buffer.from(large.data, 'base64'));
    near(pixel(decoded, 100, 100), [255, 0, 0], 8);
  });

  it('stays small for pictures that compress badly', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
    const create = { width: 1024, height: 1024, channels: 3, background: 'red', noise } as const;
    const encoded = await documentImage(await decodeImage(await sharp({ create }).png().toBuffer()));
    assert.ok(encoded.data.length < 500_000, `${encoded.data.length} bytes`);
  });
});
