import type { Chunk } from '../src/log/segment';

/** A text as the server would send it: cut at every `size` characters, with byte offsets as cursors. */
export function chunksOf(text: string, size: number, base = 0, firstLine = 1): Chunk[] {
  const chunks: Chunk[] = [];
  let offset = base;
  let line = firstLine;
  for (let at = 0; at < text.length; at += size) {
    const piece = text.slice(at, at + size);
    const after = String(offset);
    offset += new TextEncoder().encode(piece).length;
    chunks.push({ after, cursor: String(offset), firstLine: line, text: piece, emittedAt: '2026-11-26T00:00:00+00:00', end: false });
    line += piece.split('\n').length - 1;
  }
  return chunks;
}

/** `count` lines, each with its number. */
export function numbered(count: number, pad = ''): string {
  return Array.from({ length: count }, (_, index) => `line ${index + 1}${pad}\n`).join('');
}
