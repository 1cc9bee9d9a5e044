/**
 * Chromium under the POSIX locale calls its language `en-US@posix`, which Intl refuses, and uPlot asks Intl for it while it
 * is loaded. Import this file before anything else, so that such a browser gets a pane instead of a blank page.
 */
function mendLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en-US', configurable: true });
  }
}

mendLanguage();
