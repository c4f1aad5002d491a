// What the browser tests share: Debian's Chromium, a list of tests with one line at the end, and axe.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--headless', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

export const looks = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

// Runs each test on a page of its own and ends the process. A test fails by throwing; a script error, a
// dialog, a refused or external request on its page fails it too, unless it said that it expects them. `others` are
// origins beside the base's that may be asked. SHARE=1/2 runs every second test, from the second on (services.py).
export async function runAll(base, tests, others = []) {
  const browser = await launch();
  const only = process.env.ONLY;
  const [share, shares] = (process.env.SHARE || '0/1').split('/').map(Number);
  let passed = 0, failed = 0;
  for (const [name, test, options = {}] of tests.filter((_, at) => at % shares === share)) {
    if (only && !name.includes(only)) continue;
    const began = Date.now();
    const context = await browser.newContext({ baseURL: base, ...looks.light, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10000 * Number(process.env.PEEL_TEST_SLOW || 1));
    const troubles = [];
    page.on('pageerror', error => troubles.push('script error: ' + error.message));
    page.on('dialog', dialog => { if (!options.expectDialog) troubles.push('dialog: ' + dialog.message()); dialog.dismiss(); });
    page.on('console', message => {
      if (message.type() === 'error' && !options.expectErrors) troubles.push('console: ' + message.text());
    });
    page.on('request', request => {
      const url = new URL(request.url());
      if (![new URL(base).origin, ...others].includes(url.origin) && !['blob:', 'data:'].includes(url.protocol))
        troubles.push('external request: ' + request.url());
    });
    try {
      await test(page, context);
      assert.deepEqual(troubles, []);
      passed++;
      console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log('FAIL ' + name + '\n' + String(error.stack || error).replace(/^/gm, '     '));
      for (const t of troubles) console.log('     ' + t);
    }
    await context.close();
  }
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

async function violations(page) {
  const found = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'],
  }));
  return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary.replace(/\s+/g, ' ')}`));
}

export async function assertAccessible(page) {
  await page.evaluate(axe);
  assert.deepEqual(await violations(page), []);
}

// The page as it is, loaded once: in light, dark and on a phone, as which it stays. It must not be wider than the screen.
// `also` is asked in each, for what else is wrong.
export async function assertAccessibleInAllLooks(page, also = () => []) {
  await page.emulateMedia({ reducedMotion: 'reduce' }); // colours change at once
  await page.evaluate(axe);
  for (const [look, { colorScheme, viewport }] of Object.entries(looks)) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(look === 'phone' ? { width: 375, height: 812 } : viewport);
    const wide = await page.evaluate(() => {
      const excess = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      return excess > 0 ? [`${excess} px too wide`] : [];
    });
    assert.deepEqual([...await violations(page), ...wide, ...await also(look)], [], `${page.url()} in ${look}`);
  }
}
