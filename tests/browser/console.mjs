// The search console of the admin in a browser: axe has nothing to say in light, dark and on a phone, a search is explained,
// pinned and expanded by keyboard and without scripts, and markup in whatever people type stays text.
import assert from 'node:assert/strict';
import { assertAccessibleInAllLooks, runAll } from './lib.mjs';

const base = process.env.BASE;
const attack = '"><img src=x onerror=alert(1)>';

async function logIn(page) {
  await page.goto('/admin/login');
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill('a long password');
  await page.keyboard.press('Enter');
  await page.waitForURL(url => url.pathname !== '/admin/login');
}
const seen = page => page.locator('[aria-labelledby=seen-h] ol a');
const first = async page => (await seen(page).first().getAttribute('title')).replace('Explain ', '');

const tests = [];

for (const javaScriptEnabled of [true, false])
  tests.push([`a search is explained and pinned${javaScriptEnabled ? '' : ' without scripts'}`, async page => {
    await logIn(page);
    await page.getByRole('navigation', { name: 'Admin' }).getByRole('link', { name: 'Search console' }).click();
    await page.getByLabel('Query').fill('kitten');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'What people see' }).waitFor();
    for (const leg of ['Hybrid: all legs together', 'Lexical: by terms', 'Words: by the meaning of words', 'Vector: by images'])
      assert.equal(await page.getByRole('region', { name: leg }).count(), 1, leg);
    const second = (await seen(page).nth(1).getAttribute('title')).replace('Explain ', '');
    assert.notEqual(await first(page), second);

    // why it is second, by keyboard
    await seen(page).nth(1).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: `Why ${second} is where it is` }).waitFor();
    await page.getByText('Hybrid finds it at position 2').waitFor();
    await page.getByRole('cell', { name: '“kitten” in words' }).waitFor();
    assert.equal(await page.getByLabel('Explain sticker').inputValue(), second);

    // first from now on, then as it was
    await page.getByRole('button', { name: `Pin first ${second}` }).press('Enter');
    await page.getByText('Pinned for this query.').waitFor();
    assert.equal(await first(page), second);
    await page.getByRole('button', { name: `Remove the pin of ${second}` }).press('Enter');
    await page.getByText('The pin was removed.').waitFor();
    assert.notEqual(await first(page), second);

    // hidden, and what is wrong is said on the page
    await page.getByRole('button', { name: `Hide ${second}` }).press('Enter');
    await page.getByText('Hidden from this query.').waitFor();
    assert.equal(await page.locator(`[aria-labelledby=seen-h] ol a[title="Explain ${second}"]`).count(), 0);
    await page.getByRole('button', { name: `Remove the pin of ${second}` }).press('Enter');
    await page.getByText('The pin was removed.').waitFor();
    await page.getByLabel('Filename').fill('none.png');
    await page.getByLabel('Filename').press('Enter');
    await page.getByRole('alert').getByText('There is no sticker "none.png".').waitFor();
  }, { javaScriptEnabled, expectErrors: true }]);

tests.push(['a synonym finds within seconds', async page => {
  await logIn(page);
  await page.goto('/admin/search/?query=moggy');
  assert.equal(await seen(page).count(), 0);
  await page.getByLabel('Searches for “moggy” also find').fill('kitten');
  await page.keyboard.press('Enter');
  await page.getByText('The synonym was added.').waitFor();
  for (let i = 0; i < 400 && await seen(page).count() === 0; i++) {
    await page.waitForTimeout(100);
    await page.reload();
  }
  assert.ok(await seen(page).count() > 0);
}]);

tests.push(['axe has nothing to say, and markup stays text', async page => {
  await logIn(page);
  const hostile = encodeURIComponent(attack);
  for (const path of ['/admin/search/', '/admin/search/?query=kitten&lexical=2&lang=en', '/admin/search/?query=kitten&sticker=cat-01.png', '/admin/search/?query=hostile',
    '/admin/search/?query=qqqxyzzy', `/admin/search/?query=${hostile}&sticker=${hostile}&lexical=${hostile}`]) {
    await page.goto(path);
    await assertAccessibleInAllLooks(page, look => look !== 'light' ? [] : page.evaluate(() => [
      ...[...document.querySelectorAll('[onerror], b.hostile, main img:not([src^="/media/"])')].map(e => e.outerHTML.slice(0, 120)),
    ]));
  }
}]);

await runAll(base, tests);
