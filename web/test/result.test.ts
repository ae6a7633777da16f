import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parts } from '../src/log/result';

test('a result of one line of JSON is read over several', () => {
  const result = {
    changed: true,
    cmd: ['python3', '-c', 'import x\nx()'],
    empty: '',
    items: [{ a: 1, b: ['c'] }, []],
    mode: '0644',
    msg: 'non-zero return code',
    none: null,
    rc: 1,
    stderr: 'Traceback (most recent call last):\n  File "<stdin>", line 1\n\nValueError: "x"\n',
    stderr_lines: ['Traceback (most recent call last):', '  File "<stdin>", line 1', '', 'ValueError: "x"'],
    stdout: 'step \u001b[31mone\u001b[0m',
    stdout_lines: ['step \u001b[31mone\u001b[0m'],
    other_lines: ['not twice'],
  };
  const before = '[ERROR]: Task failed: Module failed: non-zero return code\nOrigin: site.yml:3:5';
  const printed = `${before}\n\nfatal: [srv-1]: FAILED! => ${JSON.stringify(result)}\n[WARNING]: and more\n`;
  assert.deepEqual(parts(printed), {
    head: 'fatal: [srv-1]: FAILED!',
    block: `msg: non-zero return code
stderr: |
  Traceback (most recent call last):
    File "<stdin>", line 1

  ValueError: "x"
stdout: step one
rc: 1
cmd:
  - python3
  - -c
  - |
    import x
    x()
changed: true
empty: ""
items:
  -
    a: 1
    b:
      - c
  - []
mode: "0644"
none: null
other_lines:
  - not twice`.replace('  - -c', '  - "-c"'),
    around: `${before}\n\n[WARNING]: and more`,
  });
});

test('JSON over several lines, and texts that could be something else', () => {
  const { head, block } = parts('ok: [srv-1] => (item=1) => {\n    "msg": "true",\n    "rc": "0",\n    "start": " x"\n}');
  assert.deepEqual([head, block], ['ok: [srv-1] => (item=1)', 'msg: "true"\nrc: "0"\nstart: " x"']);
});

test('a result with what stands around it', () => {
  assert.deepEqual(parts('\x1b[32mok: [a] => {"x": {"y": 1}}\x1b[0m'), { head: 'ok: [a]', block: 'x:\n  y: 1', around: '' });
  assert.deepEqual(parts('why\nfatal: [a]: FAILED! => {"rc": 2}\n...ignoring\n'), {
    head: 'fatal: [a]: FAILED!', block: 'rc: 2', around: 'why\n\n...ignoring',
  });
});

test('what is printed as YAML, or is no result, stays as it is', () => {
  for (const text of ['fatal: [srv-1]: FAILED! => \n    changed: false\n    stderr: |-\n        Traceback\n          File "x"', 'PLAY [all] ***', 'ok: [srv-1] => {no json']) {
    assert.deepEqual(parts(`${text}\n`), { head: text, block: null, around: '' });
  }
});
