/** The language of the page: a typed dictionary and formatters, through one hook. */
import { createContext, useContext, useEffect, useMemo, type ReactNode } from 'react';
import { createStore, useStore } from '../api/store';
import { en } from './en';
import { createFormat, type Format } from './format';
import { ru, type Dictionary } from './ru';

export type Lang = 'ru' | 'en';
export type { Dictionary, Format };

const STORAGE_KEY = 'call-analytics.lang';

function savedLang(): Lang {
  try {
    return localStorage.getItem(STORAGE_KEY) === 'en' ? 'en' : 'ru';
  } catch {
    return 'ru';
  }
}

export const langStore = createStore<Lang>(savedLang());

export function setLang(lang: Lang): void {
  langStore.set(lang);
  try {
    localStorage.setItem(STORAGE_KEY, lang);
  } catch {
    // A browser that keeps nothing still shows the language until the page is closed.
  }
}

interface I18n {
  lang: Lang;
  t: Dictionary;
  fmt: Format;
  /** Picks the name in the page's language of a thing the server names in both. */
  nameOf(thing: { name: string; name_en?: string | null }): string;
  /** The text of an error by its code; the server's own sentence when the code is new to the page. */
  errorText(error: { code: string; message: string }): string;
}

const dictionaries: Record<Lang, Dictionary> = { ru, en };

export function createI18n(lang: Lang): I18n {
  const t = dictionaries[lang];
  return {
    lang,
    t,
    fmt: createFormat(lang, t),
    nameOf: (thing) => (lang === 'en' && thing.name_en ? thing.name_en : thing.name),
    errorText: (error) =>
      Object.hasOwn(t.errors, error.code)
        ? t.errors[error.code as keyof Dictionary['errors']]
        : error.message || t.errors.unexpected,
  };
}

const Context = createContext<I18n>(createI18n('ru'));

export function I18nProvider({ children }: { children: ReactNode }) {
  const lang = useStore(langStore);
  const value = useMemo(() => createI18n(lang), [lang]);
  useEffect(() => {
    document.documentElement.lang = lang;
  }, [lang]);
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  return useContext(Context);
}
