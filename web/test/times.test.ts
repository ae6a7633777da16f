import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Times } from '../src/log/times';

test('a line has the time of the last entry before it, to the second', () => {
  const times = new Times();
  times.add(1, '2026-11-26T10:00:00.100000+00:00');
  times.add(5, '2026-11-26T10:00:00.900000+00:00');
  times.add(9, '2026-11-26T10:00:02+00:00');
  times.add(3, '2026-11-26T10:00:09+00:00');
  times.add(12, 'no time');
  const second = Date.parse('2026-11-26T10:00:00Z');
  assert.deepEqual([0, 1, 5, 8, 9, 100].map((line) => times.of(line)), [null, second, second, second, second + 2_000, second + 2_000]);
});
