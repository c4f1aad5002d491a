// gif-picker-react, a picker for Tenor, on a page of another origin: unmodified, its requests to Tenor's host are answered by Peel.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { launch } from './lib.mjs';

const base = process.env.BASE;
const require = createRequire(new URL('../package.json', import.meta.url));
const source = name => readFileSync(require.resolve(name).replace(/[^/]*$/, '') + (files[name] || ''), 'utf8');
const files = { react: 'cjs/react.production.js', 'react-dom': 'cjs/react-dom.production.js', scheduler: 'cjs/scheduler.production.js', 'gif-picker-react': 'index.js' };
const module = (name, code) => `modules[${JSON.stringify(name)}] = (module, exports, require) => {${code}\n};`;
const bundle = `(() => { const modules = {}, made = {};
  const require = name => { if (!made[name]) { made[name] = { exports: {} }; modules[name](made[name], made[name].exports, require); } return made[name].exports; };
  const process = { env: { NODE_ENV: 'production' } };
  ${Object.keys(files).map(name => module(name, source(name))).join('\n')}
  ${module('react-dom/client', readFileSync(require.resolve('react-dom').replace(/[^/]*$/, '') + 'cjs/react-dom-client.production.js', 'utf8'))}
  const Picker = require('gif-picker-react').default;
  require('react-dom/client').createRoot(document.getElementById('root')).render(
    require('react').createElement(Picker, { tenorApiKey: 'any key', onGifClick: gif => { window.chosen = gif; } }));
})();`;

const browser = await launch();
let failed = 0;
try {
  const page = await browser.newPage();
  const asked = [], troubles = [];
  page.setDefaultTimeout(10000 * Number(process.env.PEEL_TEST_SLOW || 1));
  page.on('pageerror', error => troubles.push(error.message));
  page.on('console', message => { if (message.type() === 'error') troubles.push(message.text()); });
  await page.route('https://tenor.googleapis.com/v2/**', async route => {
    const url = route.request().url().replace('https://tenor.googleapis.com', base + '/tenor');
    asked.push(new URL(url).pathname.split('/').pop());
    await route.fulfill({ response: await route.fetch({ url }) });
  });
  await page.goto(base.replace('127.0.0.1', 'localhost') + '/healthz'); // another origin
  await page.evaluate(() => { document.body.innerHTML = '<div id=root></div>'; });
  await page.addScriptTag({ content: bundle });
  await page.getByText('animal').waitFor(); // a category, with its cover
  await page.getByLabel('Search Tenor').fill('kitten');
  const results = page.locator('.gpr-result-image img');
  await results.first().waitFor();
  assert.ok((await results.first().getAttribute('src')).startsWith(base + '/media/cat-'));
  await page.waitForFunction(() => [...document.querySelectorAll('.gpr-result-image img')].slice(0, 4).every(image => image.complete && image.naturalWidth > 0));
  await results.first().click();
  await page.waitForFunction(() => window.chosen);
  const chosen = await page.evaluate(() => window.chosen);
  assert.match(chosen.url, /\/media\/cat-\d\d\.png\?v=/);
  assert.equal(chosen.width, 8);
  await page.waitForTimeout(300);
  assert.deepEqual([...new Set(asked)].sort(), ['categories', 'featured', 'registershare', 'search']);
  assert.deepEqual(troubles, []);
} catch (error) {
  failed = 1;
  console.log('FAIL ' + (error.stack || error));
}
await browser.close();
console.log(`${1 - failed} passed, ${failed} failed`);
process.exit(failed);
