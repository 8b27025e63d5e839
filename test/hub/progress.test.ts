import assert from 'node:assert/strict';
import { fileSize } from '../../kernel/hub/file-size.ts';
import { PullMeter } from '../../kernel/hub/pull-progress.ts';
import type { PullProgress } from '../../kernel/hub/pull-progress.ts';
import { formatProgress } from '../../kernel/jupyter/progress.ts';

describe('progress of a download', () => {
  it('counts what was there as done, but not for the rate', () => {
    let now = 0;
    const news: PullProgress[] = [];
    const files = [
      { path: 'a', size: 1000 },
      { path: 'onnx/b', size: 9000 },
    ];
    const meter = new PullMeter(
      'downloading x/y',
      files,
      (progress) => news.push(progress),
      () => now,
    );
    meter.report(1, 4000);
    assert.deepEqual([news[0]!.step, news[0]!.steps, news[0]!.rate], [4000, 10_000, undefined]);
    now = 2000;
    meter.report(1, 5000);
    assert.equal(news[1]!.rate, 500);
    assert.equal(news[1]!.remainingMs, 10_000);
    assert.deepEqual(news[1]!.file, { name: 'onnx/b', bytes: 5000, size: 9000, number: 2, of: 2 });
    assert.equal(
      formatProgress(news[1]!, 2000),
      'downloading x/y |██████████          | 5.00 kB of 10.0 kB, 500 B/s, 10 s left, 2/2 onnx/b 55 %',
    );
    // The rate is that of the last seconds.
    for (let i = 1; i <= 10; i++) {
      now += 1000;
      meter.report(1, 5000 + 100 * i);
    }
    assert.equal(Math.round(news.at(-1)!.rate!), 100);
    // A file begun anew has lost its bytes, and the rate is not negative.
    meter.report(1, 0);
    assert.equal(news.at(-1)!.step, 0);
    assert.ok(news.at(-1)!.rate! >= 0);
  });

  it('writes bytes for people', () => {
    const sizes: [number, string][] = [
      [0, '0 B'],
      [742, '742 B'],
      [47_695, '47.7 kB'],
      [541e6, '541 MB'],
      [1.99e9, '1.99 GB'],
      [999_600, '1.00 MB'],
    ];
    for (const [bytes, text] of sizes) assert.equal(fileSize(bytes), text);
  });
});
