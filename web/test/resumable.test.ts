import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client, Sink as ClientSink } from 'graphql-ws';
import { resumable, type Step } from '../src/api/resumable';
import { JobLogDocument } from '../src/generated/operations';

/** A client that does nothing by itself: the test says what arrives. */
class Wire {
  readonly asked: (string | null | undefined)[] = [];
  readonly later: (() => void)[] = [];
  readonly said: string[] = [];
  sink!: ClientSink<never>;
  variables!: { after?: string | null };
  readonly client: Pick<Client, 'subscribe'> = {
    subscribe: (payload, sink) => {
      this.variables = payload.variables as { after?: string | null };
      this.asked.push(this.variables.after);
      this.sink = sink as unknown as ClientSink<never>;
      return () => this.said.push('left');
    },
  };

  open(after: string | null = null): () => void {
    const stream = { operation: JobLogDocument, jobId: '1', after, read: (data: { item: Step }): Step => data.item };
    return resumable<Step>(this.client, stream, {
      next: ({ cursor }) => this.said.push(cursor),
      gap: () => this.said.push('gap'),
      lost: () => this.said.push('lost'),
      failed: (reason) => this.said.push(`failed: ${reason}`),
      done: () => this.said.push('done'),
    }, (action) => this.later.push(action));
  }

  send(after: string, cursor: string, end = false): void {
    this.sink.next({ data: { item: { after, cursor, end } } } as never);
  }
}

test('the variables move along, so that a reconnect resumes', () => {
  const wire = new Wire();
  wire.open();
  wire.send('0', '5');
  wire.send('5', '9');
  assert.equal(wire.variables.after, '9');
  wire.send('9', '9', true);
  wire.sink.complete();
  assert.deepEqual(wire.said, ['5', '9', '9', 'done']);
  assert.deepEqual(wire.asked, [null]);
});

test('a gap is told, and asked for again from where it began', () => {
  const wire = new Wire();
  wire.open();
  wire.send('0', '5');
  wire.send('7', '9');
  assert.deepEqual(wire.said, ['5', 'gap', 'left']);
  wire.later.shift()?.();
  assert.deepEqual(wire.asked, [null, '5']);
  wire.send('5', '7');
  wire.send('7', '9');
  assert.deepEqual(wire.said, ['5', 'gap', 'left', '7', '9']);
});

test('what comes late on a stream that was left is not taken', () => {
  const wire = new Wire();
  wire.open('5');
  const old = wire.sink;
  wire.send('7', '9');
  wire.later.shift()?.();
  old.next({ data: { item: { after: '5', cursor: '6', end: false } } } as never);
  old.complete();
  old.error({ code: 1006 });
  assert.deepEqual(wire.said, ['gap', 'left']);
  assert.equal(wire.later.length, 0);
});

test('text that never comes is lost, and said to be', () => {
  const wire = new Wire();
  wire.open('5');
  for (let turn = 0; turn < 3; turn += 1) {
    wire.send('9', '9', true);
    wire.later.shift()?.();
  }
  wire.send('9', '9', true);
  wire.sink.complete();
  assert.deepEqual(wire.said, ['gap', 'left', 'gap', 'left', 'gap', 'left', 'lost', '9', 'done']);
  assert.deepEqual(wire.asked, ['5', '5', '5', '5']);
});

test('a stream that breaks before its end is asked for again', () => {
  const wire = new Wire();
  wire.open();
  wire.send('0', '5');
  wire.sink.complete();
  wire.later.shift()?.();
  wire.sink.error({ code: 4500 });
  wire.later.shift()?.();
  assert.deepEqual(wire.asked, [null, '5', '5']);
  assert.deepEqual(wire.said, ['5']);
});

test('a refusal ends it, an error that passes does not', () => {
  const wire = new Wire();
  wire.open();
  wire.sink.next({ errors: [{ message: 'locked', extensions: { code: 'UNAVAILABLE' } }] } as never);
  wire.later.shift()?.();
  wire.sink.next({ errors: [{ message: 'no such job', extensions: { code: 'BAD_USER_INPUT' } }] } as never);
  assert.deepEqual(wire.asked, [null, null]);
  assert.deepEqual(wire.said, ['left', 'left', 'failed: no such job']);
  assert.equal(wire.later.length, 0);
});

test('who stops it hears nothing more', () => {
  const wire = new Wire();
  const stop = wire.open();
  stop();
  wire.send('0', '5');
  wire.sink.complete();
  assert.deepEqual(wire.said, ['left']);
  assert.equal(wire.later.length, 0);
});
