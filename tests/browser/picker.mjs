// <peel-picker> in a real browser, on a page of another origin whose policy allows no inline styles, no strings as
// scripts, and nothing from elsewhere but from Peel. Started by test_picker.py; ONLY=pattern runs those that match.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { assertAccessible, assertAccessibleInAllLooks, looks, runAll, until } from './lib.mjs';

const peel = process.env.BASE, page_ = process.env.PAGE;
const policy = `default-src 'none'; script-src ${peel}; connect-src ${peel}; img-src ${peel} data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'`;
createServer((request, response) => {
  const said = new URL(request.url, page_).searchParams;
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy });
  response.end(`<!doctype html><html lang="${said.get('lang') || 'en'}"><head><title>Another site</title><meta name="color-scheme" content="light dark">
    <meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head><body><main><h1>Another site</h1>
    <script type="module" src="${peel}/peel-picker.js"></script><peel-picker ${said.get('attributes') || ''}></peel-picker></main></body></html>`);
}).listen(Number(new URL(page_).port), 'localhost');

const box = page => page.locator('peel-picker input');
const cells = page => page.locator('peel-picker .cell button');
const options = page => page.locator('peel-picker [role=option]');
const tab = (page, name) => page.locator('peel-picker').getByRole('tab', { name, exact: true });
const foot = (page, name) => page.locator('peel-picker .foot').getByRole('button', { name });
const focused = page => page.evaluate(() => {
  const e = document.querySelector('peel-picker').shadowRoot.activeElement;
  return e && (e.sticker ? e.sticker.filename : e.tagName + ' ' + (e.getAttribute('aria-label') || ''));
});
const shown = page => cells(page).evaluateAll(all => all.map(cell => cell.sticker.filename));
async function open(page, attributes = '', lang = 'en') {
  await page.goto('/?' + new URLSearchParams({ attributes, lang }));
  await box(page).waitFor();
  await page.evaluate(() => {
    globalThis.chosen = [];
    for (const name of ['sticker', 'close']) document.addEventListener(name, event => globalThis.chosen.push([name, event.detail?.filename]));
  });
}
// Stickers of a search have its receipt; those that are shown before anybody typed have none.
const found = page => page.waitForFunction(() => document.querySelector('peel-picker').shadowRoot.querySelector('.cell button')?.sticker.query_id);
async function search(page, query) {
  await box(page).fill(query);
  await found(page);
}
const told = page => { // each event once: a request that was not answered in time is sent again
  const events = [], sent = r => r.postDataJSON().events.filter(e => !events.some(other => other.event_id === e.event_id));
  page.on('request', r => { if (r.url().endsWith('/api/events/')) events.push(...sent(r)); });
  return events;
};
const leave = page => page.evaluate(() => document.querySelector('peel-picker').remove()); // what waits is sent

const tests = [
  ['search as you type, choose, and what is told about it', async page => {
    const events = told(page);
    await open(page);
    await box(page).pressSequentially('cat num', { delay: 20 });
    await found(page);
    await options(page).first().waitFor(); // they stay beside the results
    const [first] = await shown(page);
    await page.waitForTimeout(800);
    await cells(page).first().click();
    assert.deepEqual(await page.evaluate(() => globalThis.chosen), [['sticker', first]]);
    await leave(page);
    await until('events', () => events.some(e => e.action_name === 'share'));
    assert.deepEqual(events.filter(e => e.action_name !== 'impression').map(e => [e.action_name, e.object_id, e.position]), [['click', first, 1], ['share', first, 1]]);
    const seen = events.filter(e => e.action_name === 'impression').map(e => e.object_id);
    assert.ok(seen.includes(first) && seen.length < 30, `${seen.length} impressions`);
    assert.equal(new Set(seen).size, seen.length);
    assert.equal(new Set(events.map(e => e.client_id)).size, 1);
    // A page that prevents the event sends the sticker later, or not.
    await page.evaluate(() => {
      const picker = document.createElement('peel-picker');
      document.querySelector('main').append(picker);
      picker.addEventListener('sticker', event => { event.preventDefault(); globalThis.later = event.detail; });
    });
    await search(page, 'cat');
    await cells(page).first().click();
    await page.evaluate(() => document.querySelector('peel-picker').sent(globalThis.later));
    await leave(page);
    await until('another click', () => events.filter(e => e.action_name === 'click').length === 2);
    assert.equal(events.filter(e => e.action_name === 'share').length, 2);
  }],

  ['keys alone: suggestions, grid, favourites, and back', async page => {
    await open(page);
    await page.keyboard.press('Tab');
    assert.match(await focused(page), /^INPUT/);
    await page.keyboard.type('kit');
    await options(page).first().waitFor();
    await page.keyboard.press('ArrowDown');
    assert.equal(await box(page).getAttribute('aria-activedescendant'), 'list-0');
    await page.keyboard.press('Enter');
    assert.equal(await box(page).inputValue(), 'kitten');
    await cells(page).nth(8).waitFor();
    const names = await shown(page), columns = await page.locator('peel-picker [role=row]').first().locator('button').count();
    assert.ok(columns > 2 && columns < 8);
    await page.keyboard.press('ArrowDown');
    const steps = [[null, 0], ['ArrowRight', 1], ['ArrowDown', columns + 1], ['Home', columns], ['End', 2 * columns - 1], ['ArrowRight', 2 * columns], ['ArrowUp', columns], ['ArrowLeft', columns - 1], ['Control+Home', 0]];
    for (const [key, at] of steps) {
      if (key) await page.keyboard.press(key);
      assert.equal(await focused(page), names[at], String(key));
      assert.equal(await page.locator('peel-picker .cell button[tabindex="0"]').count(), 1);
    }
    await page.keyboard.press('f');
    assert.equal(await page.locator('peel-picker [role=status]').textContent(), 'Added to favourites.');
    await page.keyboard.press('Tab');
    assert.match(await focused(page), /^BUTTON Favourite: /);
    assert.equal(await foot(page, 'Favourite').getAttribute('aria-pressed'), 'true');
    await page.keyboard.press('Escape');
    assert.equal(await focused(page), names[0]);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    assert.match(await focused(page), /^INPUT/);
    await page.keyboard.press('Escape');
    assert.equal(await box(page).inputValue(), '');
    await page.keyboard.press('Escape');
    assert.deepEqual(await page.evaluate(() => globalThis.chosen), [['sticker', names[0]], ['close', undefined]]);
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowRight'); // to the recent ones
    await page.keyboard.press('ArrowRight');
    assert.deepEqual(await shown(page), [names[0]]);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('f');
    await page.reload();
    await tab(page, 'Favourites').click();
    assert.match(await page.locator('peel-picker .nothing').textContent(), /No favourites yet/);
    await tab(page, 'Recently used').click();
    assert.deepEqual(await shown(page), [names[0]]);
  }],

  ['more stickers come while scrolling, and every view keeps its place', async page => {
    await open(page);
    await search(page, 'cat');
    const body = page.locator('peel-picker .body'), at = () => body.evaluate(e => Math.round(e.scrollTop));
    const total = (await (await fetch(`${peel}/api/search/?query=cat`)).json()).total;
    for (let i = 0; i < 20 && await cells(page).count() < total; i++) {
      await body.evaluate(e => e.scrollBy(0, 400));
      await page.waitForTimeout(100);
    }
    const names = await shown(page);
    assert.equal(names.length, total);
    assert.equal(new Set(names).size, total);
    const rows = await page.locator('peel-picker [role=row]').evaluateAll(all => all.map(row => row.children.length));
    assert.equal(new Set(rows.slice(0, -1)).size, 1);
    await body.evaluate(e => e.scrollTo(0, 500));
    await page.waitForTimeout(100);
    await tab(page, 'Favourites').click();
    await tab(page, 'Popular').click();
    await search(page, 'cat');
    assert.equal(await at(), 500);
    const box_ = await cells(page).nth(20).evaluate(e => Math.round(e.getBoundingClientRect().top));
    await page.evaluate(() => { const p = document.querySelector('peel-picker'), to = p.parentNode; p.remove(); to.append(p); });
    assert.equal(await at(), 500);
    assert.equal(await cells(page).nth(20).evaluate(e => Math.round(e.getBoundingClientRect().top)), box_);
    await page.evaluate(() => { document.querySelector('peel-picker').hidden = true; });
    await page.waitForTimeout(50);
    await page.evaluate(() => { document.querySelector('peel-picker').hidden = false; });
    await until('the same place', async () => await at() === 500);
  }],

  ['trending, categories, packs and similar ones, where the server has them', async page => {
    const cats = (await (await fetch(`${peel}/api/search/?query=cat&limit=5`)).json()).results;
    const asked = [], answer = json => route => { asked.push(route.request().url().slice(peel.length)); return route.fulfill({ json, headers: { 'Access-Control-Allow-Origin': page_ } }); };
    await page.route(peel + '/api/trending/*', answer({ stickers: [], results: cats.slice(0, 2), queries: ['kitten'] }));
    await page.route(peel + '/api/categories/*', answer({ categories: [{ id: 'animals', name: 'Animals', query: 'cat', cover: cats[0].thumbnail }] }));
    await page.route(peel + '/api/packs/*', answer({ results: cats.slice(2, 3), next: '7' }));
    await page.route(peel + '/api/packs/*cursor=7*', answer({ results: cats.slice(3, 4) }));
    await page.route(peel + '/api/packs/\\?*', answer({ packs: [{ name: 'north' }, { name: '<b>south' }] }));
    await page.route(peel + '/api/stickers/**', answer({ results: cats.slice(3, 5) }));
    await open(page);
    await until('trending', async () => (await shown(page)).length === 2);
    await tab(page, 'north').waitFor();
    await cells(page).first().hover();
    await foot(page, 'More like this').click();
    await until('similar ones', async () => (await shown(page)).join() === cats.slice(3, 5).map(s => s.filename).join());
    await page.keyboard.press('Escape');
    await until('trending again', async () => (await shown(page)).length === 2);
    assert.equal(await focused(page), cats[0].filename);
    await tab(page, '<b>south').click();
    await until('the pack, page by page', async () => (await shown(page)).join() === [cats[2], cats[3]].map(s => s.filename).join());
    assert.equal(asked.filter(url => url.startsWith('/api/packs/%3Cb%3Esouth?')).length, 2);
    await tab(page, 'north').click();
    await box(page).fill('cat');
    await until('a search in the pack', async () => (await shown(page)).join() === 'north.png');
    await tab(page, 'Popular').click();
    await until('no search', async () => await box(page).inputValue() === 'cat');
    await tab(page, 'Popular').click(); // once more: the start of it
    await page.locator('peel-picker .chips button').getByText('kitten').click();
    await until('what people search for', async () => (await shown(page)).length > 5 && await box(page).inputValue() === 'kitten');
    await tab(page, 'Popular').click();
    await page.locator('peel-picker .chips button').getByText('Animals').click();
    await until('the category', async () => (await shown(page)).length > 5 && await box(page).inputValue() === 'cat');
  }],

  ['what the server does not have is not shown', async page => {
    for (const route of ['trending/*', 'categories/*', 'packs/*', 'random/*', 'suggest/*', 'stickers/**'])
      await page.route(`${peel}/api/${route}`, r => r.fulfill({ status: 404, json: { message: 'Nothing is here.' }, headers: { 'Access-Control-Allow-Origin': page_ } }));
    await open(page);
    await page.locator('peel-picker .nothing').getByText('Type what you mean.').waitFor();
    assert.deepEqual(await page.locator('peel-picker [role=tab]').evaluateAll(all => all.map(e => e.getAttribute('aria-label'))), ['Popular', 'Recently used', 'Favourites']);
    assert.equal(await page.locator('peel-picker .chips').isVisible(), false);
    await search(page, 'cat');
    await cells(page).first().hover();
    await foot(page, 'More like this').click();
    await page.locator('peel-picker').getByRole('button', { name: 'Back' }).click();
    await cells(page).first().hover();
    await foot(page, 'Favourite').waitFor();
    assert.equal(await foot(page, 'More like this').count(), 0);
  }, { expectErrors: true }],

  ['a server that is down can be asked again', async page => {
    await open(page);
    let down = true;
    await page.route(peel + '/api/search/*', route => down ? route.abort() : route.continue());
    await box(page).fill('cat');
    await page.locator('peel-picker').getByRole('button', { name: 'Try again' }).waitFor();
    down = false;
    await page.locator('peel-picker').getByRole('button', { name: 'Try again' }).click();
    await cells(page).first().waitFor();
  }, { expectErrors: true }],

  ['hostile names stay text, also when dragged', async page => {
    await open(page);
    await search(page, 'hostile');
    assert.ok((await shown(page)).some(name => name.includes('onerror')));
    const count = await cells(page).count();
    for (let i = 0; i < count; i++) await cells(page).nth(i).hover();
    assert.equal(await page.evaluate(() => document.querySelector('peel-picker').shadowRoot.querySelectorAll('b, script, img:not([crossorigin])').length), 0);
    const dragged = await cells(page).first().evaluate(cell => {
      const dataTransfer = new DataTransfer();
      cell.dispatchEvent(new DragEvent('dragstart', { dataTransfer, bubbles: true }));
      return [cell.sticker.url, dataTransfer.getData('text/uri-list'), dataTransfer.getData('text/html')];
    });
    assert.equal(dragged[1], dragged[0]);
    assert.match(dragged[2], /^<img src="http[^"<>]*" alt="[^"]*">$/);
  }],

  ['copies the image', async (page, context) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await open(page);
    await search(page, 'cat number 7');
    await cells(page).first().focus();
    await page.keyboard.press('Control+c');
    await until('copied', async () => await page.locator('peel-picker [role=status]').textContent() === 'Image copied.');
    assert.deepEqual(await page.evaluate(async () => (await navigator.clipboard.read())[0].types), ['image/png']);
  }],

  ['every language, and from right to left', async page => {
    const seen = new Set();
    await open(page);
    for (const lang of ['de-AT', 'es', 'fr', 'pt-BR', 'ja', 'zh', 'ko', 'en', 'ar']) {
      await page.evaluate(to => document.querySelector('peel-picker').setAttribute('lang', to), lang);
      await page.locator(`peel-picker .picker[lang=${lang.slice(0, 2)}]`).waitFor();
      assert.equal(await page.locator('peel-picker .picker').getAttribute('dir'), lang === 'ar' ? 'rtl' : 'ltr');
      seen.add(await box(page).getAttribute('aria-label'));
    }
    assert.equal(seen.size, 9);
    await search(page, 'cat');
    const [first, second] = await shown(page);
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    assert.equal(await focused(page), first);
    await page.keyboard.press('ArrowLeft');
    assert.equal(await focused(page), second);
    await assertAccessible(page);
  }],

  ['animated stickers move only where somebody looks, and stay still where motion is not wanted', async page => {
    const [sticker] = (await (await fetch(`${peel}/api/search/?query=cat&limit=1`)).json()).results;
    await page.route(peel + '/api/search/*', route => route.fulfill({ json: { results: [{ ...sticker, animated: true }], total: 1, query_id: 'receipt' }, headers: { 'Access-Control-Allow-Origin': page_ } }));
    const source = () => cells(page).first().locator('img').evaluate(e => new URL(e.src).pathname + new URL(e.src).search);
    await open(page);
    await search(page, 'cat');
    assert.match(await source(), /w=256.*still=1/);
    await cells(page).first().focus();
    assert.equal(await source(), sticker.url);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await open(page);
    await search(page, 'cat');
    await cells(page).first().focus();
    assert.match(await source(), /still=1/);
  }],

  ['axe finds nothing, in all looks', async page => {
    await open(page);
    await search(page, 'cat');
    await cells(page).nth(1).focus();
    await assertAccessibleInAllLooks(page, async look => {
      const dark = await page.locator('peel-picker .picker').evaluate(e => getComputedStyle(e).backgroundColor.match(/\d+/g).every(c => c < 64));
      return dark === (look === 'dark') ? [] : ['it has the colours of another look'];
    });
    await page.evaluate(() => document.querySelector('peel-picker').setAttribute('theme', 'dark'));
    await assertAccessible(page);
  }],

  ['on a phone: touch, and a long press for what can be done', async page => {
    await open(page);
    await search(page, 'cat');
    await cells(page).nth(2).dispatchEvent('contextmenu');
    assert.match(await focused(page), /^BUTTON Favourite/);
    const [, second] = await shown(page);
    await cells(page).nth(1).tap();
    assert.deepEqual(await page.evaluate(() => globalThis.chosen), [['sticker', second]]);
  }, looks.phone],

  ['the budget: bytes and requests', async page => {
    const requests = [];
    page.on('request', r => { if (r.url().startsWith(peel)) requests.push(new URL(r.url()).pathname); });
    await open(page);
    await search(page, 'cat');
    await page.waitForLoadState('networkidle');
    const own = requests.filter(path => !path.startsWith('/media/'));
    assert.ok(own.length <= 9, own.join(' '));
    assert.equal(new Set(own).size, own.length, own.join(' '));
    let bytes = 0;
    for (const path of ['/peel-picker.js', '/peel-parts.js', '/peel-client.js', '/peel-picker.json?lang=en']) bytes += gzipSync(await (await fetch(peel + path)).text(), { level: 9 }).length;
    assert.ok(bytes < 30000, `${bytes} bytes`);
    assert.ok(requests.filter(path => path.startsWith('/media/')).length <= 90);
    console.log(`figures: the picker is ${bytes} bytes, and a first search takes ${own.length} requests besides images`);
  }],

  ['a page that is not listed cannot use it', async page => {
    const answer = await fetch(peel + '/media/cat-01.png', { headers: { Origin: 'http://elsewhere.example' } });
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
    assert.equal(answer.headers.get('vary'), 'Origin');
    const own = await fetch(peel + '/peel-picker.js', { headers: { Origin: page_ } });
    assert.equal(own.headers.get('access-control-allow-origin'), page_);
    await page.goto(peel + '/demo?lang=de'); // its own page needs no permission
    await page.locator('#text').fill('cat');
    await page.keyboard.press('Enter');
    await page.locator('#messages .theirs img').waitFor();
    await assertAccessibleInAllLooks(page);
    await page.locator('#open').click();
    await search(page, 'cat');
    await cells(page).first().click();
    await page.locator('#messages .mine img').waitFor();
    assert.equal(await page.locator('#stickers').isVisible(), false);
    await assertAccessible(page);
  }],
];

await runAll(page_, tests, [peel]);
