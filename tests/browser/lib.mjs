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

// Waits up to 20 seconds until `holds` says true.
export async function until(what, holds) {
  for (let i = 0; i < 400; i++) {
    if (await holds()) return;
    await new Promise(done => setTimeout(done, 50));
  }
  assert.fail(what + ' did not come true');
}

// Runs a test on a page of its own, and throws if the test does, or at a script error, a dialog, or a refused or external
// request on the page, unless it said that it expects them. `origins` may be asked.
async function run(browser, base, origins, test, options) {
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
    if (!origins.includes(url.origin) && !['blob:', 'data:'].includes(url.protocol)) troubles.push('external request: ' + request.url());
  });
  try {
    await test(page, context);
    assert.deepEqual(troubles, []);
  } catch (error) {
    throw new Error([error.stack || error, ...troubles].join('\n'));
  } finally {
    await context.close();
  }
}

// Runs the tests, prints a line for each and one at the end, and ends the process. What failed is tried once more, as a
// browser on a busy machine now and then loses a click; tests/run.sh shows it as flaky then. `others` are origins beside
// the base's that may be asked. SHARE=1/2 runs every second test, from the second on (services.py).
export async function runAll(base, tests, others = []) {
  const browser = await launch(), origins = [new URL(base).origin, ...others];
  const only = process.env.ONLY;
  const [share, shares] = (process.env.SHARE || '0/1').split('/').map(Number);
  let passed = 0, failed = 0;
  for (const [name, test, options = {}] of tests.filter((_, at) => at % shares === share)) {
    if (only && !new RegExp(only).test(name)) continue;
    const began = Date.now();
    const attempt = () => run(browser, base, origins, test, options).then(() => null, error => error.message.replace(/^/gm, '     '));
    const first = await attempt(), last = first && await attempt();
    if (last) {
      failed++;
      console.log('FAIL ' + name + '\n' + first + '\n     the second time:\n' + last);
    } else {
      passed++;
      console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
      if (first) console.log(`flaky: ${name}: the first time ${first.trim().replace(/\s*\n\s*/g, ' | ').slice(0, 500)}`);
    }
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
