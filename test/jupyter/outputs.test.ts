import assert from 'node:assert/strict';
import type { CellEvent } from '../../kernel/jupyter/events.ts';
import type { NotebookOutput } from '../../kernel/jupyter/notebook.ts';
import { OutputCollector } from '../../kernel/jupyter/outputs.ts';

function collect(events: readonly CellEvent[]): NotebookOutput[] {
  const outputs: NotebookOutput[] = [];
  const collector = new OutputCollector();
  for (const event of events) collector.add(outputs, event);
  return outputs;
}

describe('stored outputs', () => {
  it('join what one stream printed in a row, line by line', () => {
    assert.deepEqual(
      collect([
        { type: 'stream', name: 'stdout', text: 'a' },
        { type: 'stream', name: 'stdout', text: 'b\nc' },
        { type: 'stream', name: 'stderr', text: 'x\n' },
        { type: 'stream', name: 'stdout', text: 'd\n' },
      ]),
      [
        { name: 'stdout', output_type: 'stream', text: ['ab\n', 'c'] },
        { name: 'stderr', output_type: 'stream', text: ['x\n'] },
        { name: 'stdout', output_type: 'stream', text: ['d\n'] },
      ],
    );
  });

  it('hold JSON types as objects, text as lines and pictures as one string, in alphabetical order', () => {
    const [output] = collect([
      {
        type: 'execute_result',
        executionCount: 4,
        data: {
          'text/plain': 'a\nb',
          'image/png': 'iVBO',
          'image/svg+xml': '<svg>\n</svg>',
          'application/vnd.lvlm-lens.v1+json': { kind: 'x' },
        },
        metadata: {},
      },
    ]);
    assert.equal(
      JSON.stringify(output),
      JSON.stringify({
        data: {
          'application/vnd.lvlm-lens.v1+json': { kind: 'x' },
          'image/png': 'iVBO',
          'image/svg+xml': ['<svg>\n', '</svg>'],
          'text/plain': ['a\n', 'b'],
        },
        execution_count: 4,
        metadata: {},
        output_type: 'execute_result',
      }),
    );
  });

  it('replace what an update names, also in an earlier cell, and everywhere it is shown', () => {
    const collector = new OutputCollector();
    const first: NotebookOutput[] = [];
    const second: NotebookOutput[] = [];
    const shown = (text: string) => ({ displayId: 'd', data: { 'text/plain': text }, metadata: {} });
    collector.add(first, { type: 'stream', name: 'stdout', text: 'before\n' });
    collector.add(first, { type: 'display_data', ...shown('1') });
    collector.add(second, { type: 'display_data', ...shown('2') });
    collector.add(second, { type: 'update_display_data', ...shown('3') });
    const expected = { data: { 'text/plain': ['3'] }, metadata: {}, output_type: 'display_data' };
    assert.deepEqual(first[1], expected);
    assert.deepEqual(second, [expected]);
  });

  it('keep nothing of progress', () => {
    assert.deepEqual(
      collect([
        { type: 'progress', displayId: 'p', text: 'joint map |██  | 2/4' },
        { type: 'progress', displayId: 'p' },
      ]),
      [],
    );
  });

  it('take a hundred thousand short writes without growing slow', () => {
    const begun = performance.now();
    const [output] = collect(
      Array.from({ length: 100_000 }, (): CellEvent => ({ type: 'stream', name: 'stdout', text: 'x\n' })),
    );
    assert.equal(output?.output_type === 'stream' && output.text.length, 100_000);
    assert.ok(performance.now() - begun < 5_000);
  });
});
