// A picture of every page in light, dark and on a phone. BASE is the service; pictures go to OUT.
import { mkdirSync } from 'node:fs';
import { launch, looks } from './lib.mjs';

const base = process.env.BASE, out = process.env.OUT;
const found = await (await fetch(base + '/api/search/?query=cat&limit=1')).json();
const sticker = encodeURIComponent(found.stickers[0] || 'none');
const pages = {
  start: { path: '/' },
  results: { path: '/?q=cat' },
  voted: { path: '/?q=cat', act: page => page.locator('.card [name=positive]').first().click() },
  sticker: { path: `/sticker/${sticker}?q=cat` },
  more: { path: `/sticker/${sticker}`, act: page => page.locator('.similar').scrollIntoViewIfNeeded() },
  nothing: { path: '/?q=qqqxyzzy' },
  missing: { path: '/sticker/none.png' },
  docs: { path: '/api/docs' },
};
mkdirSync(out, { recursive: true });
const browser = await launch();
for (const [look, options] of Object.entries(looks)) {
  const context = await browser.newContext({ baseURL: base, ...options });
  for (const [name, { path, act }] of Object.entries(pages)) {
    const page = await context.newPage();
    await page.goto(path, { waitUntil: 'networkidle' });
    if (act) await act(page);
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${out}/${name}-${look}.png` });
    await page.close();
  }
  await context.close();
}
await browser.close();
console.log(`${Object.keys(pages).length * Object.keys(looks).length} pictures in ${out}`);
