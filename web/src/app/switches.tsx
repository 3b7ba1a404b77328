/** The two small switches of the header and the sign-in page. */
import { useStore } from '../api/store';
import { setLang, useI18n } from '../i18n';
import { Icon } from '../ui/Icon';
import { setTheme, themeStore, type Theme } from './theme';

const BOX =
  'inline-flex h-9 min-w-9 items-center justify-center rounded-lg px-2 font-semibold text-ink-soft hover:bg-sunken hover:text-ink';

export function LangSwitch() {
  const { lang, t } = useI18n();
  const other = lang === 'ru' ? 'en' : 'ru';
  return (
    <button
      type="button"
      data-testid="lang-switch"
      data-lang={lang}
      className={BOX}
      title={t.language.switchTo}
      onClick={() => setLang(other)}
    >
      <span aria-hidden="true">{t.language.short}</span>
      <span className="sr-only" lang={other}>
        {t.language.switchTo}
      </span>
    </button>
  );
}

const NEXT: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };
const ICONS = { auto: 'auto', light: 'sun', dark: 'moon' } as const;

export function ThemeSwitch() {
  const { t } = useI18n();
  const theme = useStore(themeStore);
  const label = `${t.theme.label}: ${t.theme[theme]}`;
  return (
    <button
      type="button"
      data-testid="theme-switch"
      data-theme-choice={theme}
      className={BOX}
      aria-label={label}
      title={label}
      onClick={() => setTheme(NEXT[theme])}
    >
      <Icon name={ICONS[theme]} className="size-[1.15rem]" />
    </button>
  );
}
