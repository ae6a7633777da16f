import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pieces, plain } from '../src/log/ansi';
import { coloured } from '../src/log/ansible-colours';

const looks = (line: string): [string, string][] => pieces(line).map(({ text, look }) => [text, look]);

test('colours of ansible', () => {
  assert.deepEqual(looks('\x1b[0;32mok: [web]\x1b[0m done'), [['ok: [web]', 'c2'], [' done', '']]);
  assert.deepEqual(looks('\x1b[1;35m[WARNING]\x1b[0m: \x1b[91mx'), [['[WARNING]', 'c5 bold'], [': ', ''], ['x', 'c9']]);
  assert.deepEqual(looks('\x1b[1;4;31ma\x1b[22mb\x1b[24mc\x1b[39md'), [['a', 'c1 bold underlined'], ['b', 'c1 underlined'], ['c', 'c1'], ['d', '']]);
});

test('an empty code is a reset', () => {
  assert.deepEqual(looks('\x1b[31ma\x1b[mb'), [['a', 'c1'], ['b', '']]);
});

test('colours that are not ours take their arguments along', () => {
  assert.deepEqual(looks('\x1b[38;5;196;1ma'), [['a', 'bold']]);
  assert.deepEqual(looks('\x1b[38;5;3ma'), [['a', 'c3']]);
  assert.deepEqual(looks('\x1b[38;2;1;31;4;1ma'), [['a', 'bold']]);
  assert.deepEqual(looks('\x1b[48;5;31ma'), [['a', '']]);
});

test('other sequences are no text', () => {
  assert.equal(plain('a\x1b[2Kb\x1b[10;3Hc\x1b]0;title\x07d\x1b]8;;x\x1b\\e\x1bMf'), 'abcdef');
  assert.deepEqual(looks('<b>&amp;\x1b[2K'), [['<b>&amp;', '']]);
});

test('what never ends takes no long time', () => {
  const line = '\x1b[1'.repeat(50_000) + '\x1b]' + 'x'.repeat(100_000);
  const began = performance.now();
  pieces(line);
  assert.ok(performance.now() - began < 10_000);
});

test('a log without colours gets those of ansible', () => {
  const look = (line: string): string => coloured(pieces(line)).map((piece) => piece.look).join();
  assert.deepEqual(
    ['ok: [srv-1]', 'changed: [srv-1] => {}', 'fatal: [srv-1]: FAILED! => {}', 'skipping: [srv-1]', 'TASK [x] ****', 'a note on TASK [x] **', ''].map(look),
    ['c2', 'c3', 'c1', 'c6', 'bold', '', ''],
  );
  const recap = (changed: number, unreachable: number, failed: number): string =>
    look(`srv-1   : ok=2    changed=${changed}    unreachable=${unreachable}    failed=${failed}    skipped=0`);
  assert.deepEqual([recap(0, 0, 0), recap(1, 0, 0), recap(1, 1, 0), recap(0, 0, 1)], ['c2', 'c3', 'c1', 'c1']);
  assert.equal(look('\x1b[31mok: [srv-1]'), 'c1');
});
