import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { CellMessages } from '../../kernel/jupyter/cell-messages.ts';
import type { CellEvent } from '../../kernel/jupyter/events.ts';
import { History } from '../../kernel/jupyter/history.ts';
import { MARKER } from '../../kernel/jupyter/ipc-protocol.ts';
import { MarkedStream } from '../../kernel/jupyter/marked-stream.ts';
import { codePoints, utf16Offset } from '../../kernel/jupyter/unicode.ts';
import { Wire } from '../../kernel/jupyter/wire.ts';

describe('the wire protocol', () => {
  const wire = new Wire('key', 'hmac-sha256');
  const frames = (by: Wire): Buffer[] =>
    by.encode('kernel_info_request', { a: 'ü' }, undefined, ['who']).map((frame) => Buffer.from(frame));

  it('reads what it writes', () => {
    const message = wire.decode(frames(wire));
    assert.equal(message.header.msg_type, 'kernel_info_request');
    assert.equal(message.header.version, '5.4');
    assert.deepEqual(message.content, { a: 'ü' });
    assert.deepEqual(message.identities.map(String), ['who']);
  });

  it('refuses another key, changed content and a message that was seen before', () => {
    assert.throws(() => wire.decode(frames(new Wire('other', 'hmac-sha256'))), /wrong signature/);
    const changed = frames(wire);
    changed[changed.length - 1] = Buffer.from('{"a":"b"}');
    assert.throws(() => wire.decode(changed), /wrong signature/);
    const once = frames(wire);
    wire.decode(once);
    assert.throws(() => wire.decode(once), /received before/);
    assert.throws(() => wire.decode([Buffer.from('x')]), /not a Jupyter message/);
    assert.throws(() => new Wire('key', 'hmac-nonsense'), /not known/);
  });

  it('counts code points for Jupyter and code units for JavaScript', () => {
    const text = 'a🐈b';
    assert.equal(utf16Offset(text, 2), 3);
    assert.equal(codePoints(text, 3), 2);
    assert.equal(utf16Offset(text, 99), 4);
  });
});

describe('messages of a cell', () => {
  const types = (messages: readonly { type: string }[]): string[] => messages.map(({ type }) => type);
  const progress = (text?: string): CellEvent => ({
    type: 'progress',
    displayId: 'p',
    ...(text !== undefined && { text }),
  });
  const result: CellEvent = { type: 'execute_result', executionCount: 1, data: { 'text/plain': '1' }, metadata: {} };

  it('update one line for progress, and replace it by the result', () => {
    const cell = new CellMessages();
    assert.deepEqual(types(cell.take({ type: 'stream', name: 'stdout', text: 'a\n' })), ['stream']);
    assert.deepEqual(types(cell.take(progress('1/2'))), ['display_data']);
    assert.deepEqual(types(cell.take(progress('2/2'))), ['update_display_data']);
    assert.deepEqual(types(cell.take(progress())), []);
    const last = cell.take(result);
    assert.deepEqual(types(last), ['clear_output', 'stream', 'execute_result']);
    assert.equal(last[0]!.content.wait, true, 'nothing flickers');
    assert.deepEqual(cell.end(), []);
  });

  it('take a progress line away that nothing replaces', () => {
    const cell = new CellMessages();
    cell.take(progress('1/2'));
    cell.take(progress());
    assert.deepEqual(cell.end(), [{ type: 'clear_output', content: { wait: false } }]);
  });

  it('repeat displays as they were last', () => {
    const cell = new CellMessages();
    const show = (text: string, type: 'display_data' | 'update_display_data'): CellEvent => ({
      type,
      displayId: 'd',
      data: { 'text/plain': text },
      metadata: {},
    });
    cell.take(show('old', 'display_data'));
    cell.take(progress('1/2'));
    cell.take(show('new', 'update_display_data'));
    cell.take(progress());
    assert.deepEqual(cell.take(result)[1]!.content.data, { 'text/plain': 'new' });
  });
});

describe('history', () => {
  const history = new History();
  ['1 + 1', 'const a = 2', '1 + 1', 'explain()'].forEach((source, line) => history.add(line + 1, source));
  history.setOutput(4, 'done');

  it('answers tail, range and search', () => {
    assert.deepEqual(history.find({ hist_access_type: 'tail', n: 2 }), [
      [1, 3, '1 + 1'],
      [1, 4, 'explain()'],
    ]);
    assert.deepEqual(history.find({ hist_access_type: 'range', session: 0, start: 2, stop: 3 }), [
      [1, 2, 'const a = 2'],
    ]);
    assert.equal(history.find({ hist_access_type: 'search', pattern: '1 ? 1' }).length, 2);
    assert.deepEqual(history.find({ hist_access_type: 'search', pattern: '1*', unique: true }), [[1, 3, '1 + 1']]);
    assert.deepEqual(history.find({ hist_access_type: 'tail', n: 1, output: true }), [[1, 4, ['explain()', 'done']]]);
  });
});

describe('text of a kernel process', () => {
  it('is passed on without the marks, wherever the chunks are cut', async () => {
    const bytes = Buffer.from(`ä1${MARKER}id-1${MARKER}2\u0000x`);
    for (let cut = 1; cut < bytes.length; cut++) {
      const stream = new PassThrough();
      let text = '';
      const marked = new MarkedStream(stream, (more) => {
        text += more;
      });
      const closed = new Promise((resolve) => stream.once('close', resolve));
      stream.write(bytes.subarray(0, cut));
      stream.end(bytes.subarray(cut));
      await marked.reached('id-1');
      await closed;
      assert.equal(text, 'ä12\u0000x', `cut at ${cut}`);
    }
  });
});
