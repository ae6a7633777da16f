import { en, type Words } from './en';
import { fr } from './fr';

export type Language = 'en' | 'fr';
export const LANGUAGES: Record<Language, Words> = { en, fr };
const KEY = 'playcast-language';

/** What the reader chose here before, else what the browser prefers, else English. */
export function preferred(chosen: string | null, browser: readonly string[]): Language {
  const wanted = [chosen ?? '', ...browser].map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag): tag is Language => Object.hasOwn(LANGUAGES, tag)) ?? 'en';
}

/** How this language writes dates and times where the reader lives. */
export function localeOf(language: Language, browser: readonly string[]): string {
  return browser.find((tag) => tag.slice(0, 2).toLowerCase() === language) ?? language;
}

/** The choice of an earlier visit; browsers may keep storage from a page. */
export function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function remember(language: Language): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // The choice then holds for this visit.
  }
}
