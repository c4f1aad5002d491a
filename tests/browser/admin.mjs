// The admin in a browser. Every page that links and forms lead to is opened once, found by following them: axe has nothing
// to say in light, dark and on a phone, and markup in whatever people type stays text. Then how it is used: by keyboard,
// without scripts, with mistakes.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { assertAccessibleInAllLooks, runAll } from './lib.mjs';

const base = process.env.BASE;
const attack = '"><img src=x onerror=alert(1)><script>globalThis.hacked=1</script>'; // 65 characters, everywhere that takes text
const PASSWORD = 'a long password';

async function logIn(page, name = 'admin', password = PASSWORD) {
  await page.goto('/admin/login');
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}
const loggedIn = async (page, name) => { await logIn(page, name); await page.waitForURL(url => url.pathname !== '/admin/login'); };

// Pages of one kind differ only in the row that they show, or its order.
function kindOf(href) {
  const url = new URL(href, base), names = [...url.searchParams.keys()];
  if (url.origin !== base || !url.pathname.startsWith('/admin/') || /export|login/.test(url.pathname)) return null;
  const varies = ['sort', 'at', 'order', 'model', 'query', 'sticker', 'days', 'list', 'q', 'lang'];
  return url.pathname + ' ' + names.filter(n => !varies.includes(n)).sort().join(' ');
}

// What hostile text would have made of the page. Scripts are ours: from /static/, or the page has none.
const injected = page => page.evaluate(() => [
  ...[...document.querySelectorAll('[onerror], [onload], [onclick], iframe, object, embed, base, b.hostile, main img:not([src^="/media/"], [src^="/admin/trash/image?"])')].map(e => e.outerHTML.slice(0, 120)),
  ...[...document.querySelectorAll('script')].filter(s => !s.src.startsWith(location.origin + '/static/') || s.textContent.trim()).map(s => s.outerHTML.slice(0, 120)),
  ...(globalThis.hacked ? ['a script has run'] : []),
]);
// Bars that stay in sight lie over what scrolls under them, which axe takes for targets that are too small.
const sound = async page => {
  await page.evaluate(() => document.querySelectorAll('.sticky, .bulk').forEach(e => { e.style.position = 'static'; }));
  await assertAccessibleInAllLooks(page, look => look === 'light' ? injected(page) : []);
};

// Fills a form by its fields' names and sends it, past the browser's own checks.
async function send(page, fields, button = 'Save') {
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`main form[method=post] [name="${name}"]`).first();
    if (value === true) await field.check();
    else await field.fill(value);
  }
  await page.evaluate(() => document.querySelectorAll('form').forEach(f => { f.noValidate = true; }));
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.waitForLoadState();
}
async function add(page, model, fields) {
  await page.goto(`/admin/${model}/edit`);
  await send(page, fields);
}

const tests = [];

tests.push(['logging in: wrong, without rights, then to where one wanted to go', async page => {
  await page.goto('/admin/queries/?votes=yes');
  assert.equal(new URL(page.url()).pathname, '/admin/login');
  await page.getByLabel('Username').fill('admin');
  await page.getByLabel('Password').fill('wrong password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Wrong username or password').waitFor();
  await sound(page);
  assert.equal(await page.getByLabel('Username').inputValue(), 'admin', 'the name stays typed');
  assert.equal(await page.getByLabel('Password').inputValue(), '');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/queries/?votes=yes');
  const [cookie] = await page.context().cookies();
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Lax');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL('**/admin/login');
  await page.goBack();
  await page.reload();
  assert.equal(new URL(page.url()).pathname, '/admin/login', 'Back shows nothing any more');
}, { expectErrors: true }]);

tests.push(['guessing is slowed down', async page => {
  const tooMany = page.getByText('Too many attempts');
  for (let i = 0; i < 12 && !await tooMany.count(); i++) { // on a slow machine a delay may be over before the next attempt
    await logIn(page, attack, 'wrong password');
    await page.locator('#problem').waitFor();
    await page.waitForLoadState();
  }
  assert.equal(await tooMany.count(), 1);
  await sound(page);
  await loggedIn(page, 'admin');
}, { expectErrors: true }]);

tests.push(['nothing there yet', async page => {
  await loggedIn(page);
  for (const path of ['/admin/', '/admin/scores/', '/admin/queries/?q=none', '/admin/stickers/edit?id=none', '/admin/nothing/']) {
    await page.goto(path);
    await sound(page);
  }
}, { expectErrors: true }]);

tests.push(['hostile text in every field', async page => {
  await loggedIn(page);
  await page.goto('/admin/stickers/?q=cat-01.png');
  await page.getByRole('link', { name: 'cat-01.png', exact: true }).click();
  await send(page, { title: attack, pack: attack, author: attack, license: attack, source: 'javascript:alert(1)//' + attack, words: attack });
  await page.getByText('Saved.').waitFor();
  await add(page, 'groups', { name: attack });
  await page.goto('/admin/users/edit');
  await page.getByLabel(attack).check();
  await send(page, { username: attack, password: PASSWORD, is_active: true });
  await add(page, 'tokens', { username: attack, label: attack });
  await page.getByText('You will not see it again').waitFor();
  await sound(page);
  await add(page, 'queries', { query: attack, usage: '900' });
  for (const sticker of ['cat-01.png', '<b class=hostile>\'&.png'])
    await add(page, 'scores', { query: attack, sticker, positives: '7', negatives: '90' });
  await page.goto('/admin/users/');
  await page.getByRole('link', { name: attack }).click();
  await send(page, { username: attack + '2' });
  await page.getByText('Saved.').waitFor();
}]);

tests.push(['every page: accessible in light, dark and on a phone, and text is text', async page => {
  await loggedIn(page);
  const waiting = ['/admin/', `/admin/stickers/?q=${encodeURIComponent(attack)}`, `/admin/queries/?q=${encodeURIComponent(attack)}`,
    '/admin/documents/?state=pending', '/admin/stickers/delete?id=cat-01.png', '/admin/stickers/edit?id=cat-01.png', '/admin/documents/edit?id=cat-01.png'];
  const seen = new Map();
  while (waiting.length) {
    const path = waiting.shift(), kind = kindOf(path);
    if (!kind || seen.has(kind)) continue;
    seen.set(kind, path);
    await page.goto(path);
    await page.evaluate(() => document.querySelectorAll('details').forEach(d => { d.open = true; }));
    await sound(page);
    waiting.push(...await page.$$eval('a[href]', links => links.map(a => a.href)));
    for (const label of ['Edit …', 'Delete …']) {
      const button = page.getByRole('button', { name: label });
      if (!/^\/admin\/\w+\/ $/.test(kind) || !await page.locator('main td [name=id]').count() || !await button.count()) continue;
      await page.getByLabel('Select all on this page').check();
      await button.click();
      await page.getByRole('heading', { name: new RegExp('^' + label.slice(0, 4)) }).waitFor();
      await sound(page);
      await page.goto(path);
    }
  }
  console.log(`     ${seen.size} kinds of pages`);
  assert.ok(seen.size >= 34, [...seen.keys()].join('\n'));
}]);

tests.push(['mistakes are said beside their fields, and what was typed stays', async page => {
  await loggedIn(page);
  const wrong = {
    queries: [{ query: 'x'.repeat(300), usage: attack }, 'whole number'],
    scores: [{ query: attack, sticker: attack, positives: '-1', negatives: 'x' }, 'whole number'],
    users: [{ username: '', password: 'short' }, 'This field is required'],
    groups: [{ name: '' }, 'This field is required'],
    tokens: [{ username: 'nobody', label: attack }, 'user'],
  };
  for (const [model, [fields, said]] of Object.entries(wrong)) {
    await add(page, model, fields);
    await page.locator('.problem').first().waitFor();
    await sound(page);
    const problems = (await page.locator('.problem').allInnerTexts()).join(' ');
    if (said === 'whole number') assert.match(problems, /whole number/);
    for (const [name, value] of Object.entries(fields))
      if (name !== 'password') assert.equal(await page.locator(`main form[method=post] [name="${name}"]`).first().inputValue(), value, `${model} ${name}`);
  }
  await page.goto('/admin/password');
  await send(page, { old: PASSWORD, new: 'a new password', again: 'another password' }, 'Change password');
  await page.getByText('do not match').waitFor();
  await sound(page);
  // Somebody else saves meanwhile.
  const other = await page.context().newPage();
  for (const who of [page, other]) await who.goto('/admin/stickers/edit?id=cat-04.png');
  await send(other, { title: attack });
  await send(page, { title: 'mine' });
  await page.getByText('Current value').waitFor();
  await sound(page);
  await other.close();
}, { expectErrors: true }]);

tests.push(['who may only look sees no buttons, and is told so', async (page, context) => {
  await loggedIn(page);
  await page.goto('/admin/users/edit');
  await send(page, { username: 'looker', password: PASSWORD, is_active: true, is_staff: true });
  await context.clearCookies();
  await loggedIn(page, 'looker');
  assert.deepEqual(await page.locator('nav.models a').allInnerTexts(), ['Dashboard', 'Search console', 'Import', 'Experiments', 'Stickers', 'Packs', 'Duplicates', 'Documents', 'Queries', 'Scores', 'Pins', 'Synonyms', 'Learning']);
  await page.goto('/admin/queries/');
  assert.equal(await page.getByRole('button', { name: 'Delete …' }).count(), 0);
  assert.equal(await page.getByRole('link', { name: /Add/ }).count(), 0);
  await page.getByRole('link', { name: attack }).first().click();
  assert.equal(await page.getByRole('button', { name: 'Save' }).count(), 0);
  await sound(page);
  await page.goto('/admin/users/');
  await page.getByRole('heading', { name: 'Not allowed' }).waitFor();
  await sound(page);
}, { expectErrors: true }]);

tests.push(['by keyboard alone, and the focus is always visible', async page => {
  await page.goto('/admin/login');
  const tabTo = async (what, true_) => {
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab');
      const [style, there] = await page.evaluate(source => {
        const e = document.activeElement, r = e.getBoundingClientRect();
        const shown = e.matches('.skip') || (r.bottom > 0 && r.top < innerHeight);
        return [shown ? getComputedStyle(e).outlineStyle + ' ' + e.outerHTML.slice(0,100) : 'out of sight', Function('e', 'return ' + source)(e)];
      }, true_);
      assert.ok(!/^none|^out/.test(style), `${what}: ${style}`);
      if (there) return;
    }
    assert.fail(`Tab does not reach ${what}`);
  };
  await tabTo('the name', 'e.name === "username"');
  await page.keyboard.type('admin');
  await tabTo('the password', 'e.name === "password"');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await tabTo('the list', 'e.textContent === "Stickers"');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/stickers/');
  await tabTo('the search', 'e.name === "q"');
  await page.keyboard.type('cat-05.png');
  await page.keyboard.press('Enter');
  await page.waitForURL('**q=cat-05.png**');
  await tabTo('the row', 'e.textContent === "cat-05.png"');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/edit?id=cat-05.png**');
  await tabTo('the title', 'e.name === "title"');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('Typed by keyboard');
  await tabTo('the button', 'e.textContent === "Save"');
  await page.keyboard.press('Enter');
  await page.getByText('Saved.').waitFor();
  await page.getByText('Typed by keyboard').waitFor();
}]);

for (const javaScriptEnabled of [true, false])
  tests.push([`adds, finds, sorts, pages, edits and deletes, scripts ${javaScriptEnabled}`, async page => {
    const name = javaScriptEnabled ? 'cat-02.png' : 'cat-03.png', query = `plain ${javaScriptEnabled}`;
    await loggedIn(page);
    await page.goto('/admin/queries/');
    await page.getByRole('link', { name: /Add/ }).click();
    await page.getByLabel('Query').fill(query);
    await page.getByLabel('Searches').fill('12');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.goto('/admin/queries/');
    await page.getByLabel('Words of the query').fill('plain');
    await page.getByLabel('Votes', { exact: true }).selectOption('Without votes');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByRole('link', { name: query }).waitFor();
    assert.equal(await page.getByLabel('Votes', { exact: true }).inputValue(), 'no');
    await page.goto('/admin/queries/');
    const column = n => page.locator(`tbody tr td:nth-child(${n})`).allInnerTexts();
    for (const order of ['ascending', 'descending']) {
      await page.getByRole('link', { name: 'Query', exact: false }).and(page.locator('th a')).click();
      await page.locator(`th[aria-sort=${order}]`).waitFor();
      const shown = await column(2), bytes = [...shown].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(shown, order === 'ascending' ? bytes : bytes.reverse());
    }
    await page.getByRole('link', { name: 'Next' }).click();
    const second = await column(2);
    assert.ok(second.length > 0);
    await page.getByRole('link', { name: 'Previous' }).click();
    const first = await column(2);
    assert.equal(first.filter(q => second.includes(q)).length, 0);

    await page.goto('/admin/stickers/?q=' + name);
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByLabel('Title', { exact: true }).fill('A changed title');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.goto('/admin/stickers/?q=' + name);
    await page.getByText('A changed title').waitFor();
    const remove = async () => {
      await page.goto('/admin/stickers/?q=' + name);
      await page.getByLabel('Select ' + name).check();
      await page.getByRole('button', { name: 'Delete …' }).click();
      await page.getByRole('heading', { name: `Delete ${name}?` }).waitFor();
    };
    const there = async () => { await page.goto('/admin/stickers/?q=' + name); return page.getByLabel('Select ' + name).count(); };
    await remove();
    await page.getByRole('link', { name: 'Cancel' }).click();
    assert.equal(await there(), 1, 'cancelling deletes nothing');
    await remove();
    await page.reload(); // asks again
    await page.goBack();
    assert.equal(await there(), 1, 'nor do reloading and Back');
    await remove();
    await page.getByRole('button', { name: 'Move to trash' }).click();
    await page.getByText('Moved to the trash.').waitFor();
    await page.reload();
    assert.equal(await there(), 0);
  }, { javaScriptEnabled }]);

tests.push(['the list: edited in place, columns, views, all that match, and undone', async page => {
  await loggedIn(page);
  await page.goto('/admin/stickers/?q=cat&sort=filename&order=up');
  const cell = page.locator('tr[data-id="cat-05.png"] td[data-field=title]');
  await cell.getByRole('button', { name: /Edit the Title of cat-05/ }).click();
  await page.getByLabel('Title of cat-05.png').fill('x');
  await page.keyboard.press('Escape');
  assert.notEqual(await cell.locator('.value').innerText(), 'x', 'Escape changes nothing');
  await cell.dblclick();
  await page.getByLabel('Title of cat-05.png').fill(attack);
  await page.keyboard.press('Enter');
  await cell.locator('.value').waitFor();
  assert.equal(await cell.locator('.value').innerText(), attack);
  assert.deepEqual(await injected(page), []);
  await page.reload();
  assert.equal(await cell.locator('.value').innerText(), attack, 'it was saved');

  await page.getByText('Columns', { exact: true }).click();
  await page.getByLabel('Keywords (English)').check();
  await page.getByLabel('Rating', { exact: true }).and(page.locator('[type=checkbox]')).uncheck();
  await page.getByRole('button', { name: 'Show columns' }).click();
  await page.getByRole('columnheader', { name: 'Keywords (English)' }).waitFor();
  assert.equal(await page.getByRole('columnheader', { name: 'Rating' }).count(), 0);
  await page.getByText('Views', { exact: true }).click();
  await page.getByLabel('Save the current filter').fill('Cats and words');
  await sound(page);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole('button', { name: 'Save view' }).click();
  await page.getByText('View saved.').waitFor();
  await page.goto('/admin/stickers/');
  await page.getByRole('link', { name: 'Cats and words' }).click();
  await page.getByRole('columnheader', { name: 'Keywords (English)' }).waitFor();

  await page.getByRole('button', { name: 'Edit …' }).click();
  await page.getByText('Select at least one row first.').waitFor();
  assert.equal(await page.getByLabel('Title, keywords or filename').inputValue(), 'cat', 'the list is as it was');
  await page.getByLabel('Select all on this page').check();
  await page.getByText(/^\d selected:$/).waitFor();
  await page.getByRole('button', { name: 'Edit …' }).click();
  await page.getByRole('heading', { name: /^Edit \d+ stickers$/ }).waitFor();
  await page.getByLabel('Pack').fill('all of the cats');
  await sound(page);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText(/^\d+ stickers saved\./).waitFor();
  assert.ok(new URL(page.url()).search.includes('q=cat'));
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText(/^\d+ stickers changed back\./).waitFor();
  await page.goto('/admin/stickers/?pack=all+of+the+cats');
  await page.getByText('No matching entries.').waitFor();

  await page.goto('/admin/queries/?q=asked');
  await page.getByLabel(/^All 55 queries that match$/).check();
  await page.getByText('All that match:').waitFor();
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('heading', { name: 'Delete 55 queries?' }).waitFor();
  await page.getByRole('link', { name: 'Cancel' }).click();
  await page.waitForURL('**q=asked**');
}]);

tests.push(['the form: languages, preview, next, and a warning of what is not saved', async page => {
  await loggedIn(page);
  await page.goto('/admin/stickers/?q=cat&sort=filename&order=up');
  await page.getByRole('link', { name: 'cat-00.png' }).click();
  await page.getByText(/A search for “Cat number 0” finds this sticker at position 1/).waitFor();
  await page.getByRole('button', { name: 'Add a language' }).click();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'language');
  await page.keyboard.type('de');
  await page.getByLabel('Title in this language').first().fill('Katze Nummer 0');
  await page.getByText('Unsaved changes').waitFor();
  await sound(page);
  let asked = 0;
  page.on('dialog', () => { asked++; });
  await page.evaluate(() => { location.href = '/admin/'; });
  await page.waitForTimeout(500);
  assert.equal(asked, 1, 'the browser asks before what was typed is lost');
  assert.ok(page.url().includes('/edit?id=cat-00.png'));
  await page.getByRole('button', { name: 'Save and next' }).click();
  await page.getByText('Saved. This is the next one.').waitFor();
  await page.getByRole('heading', { name: 'cat-01.png' }).waitFor();
  await page.goto('/admin/stickers/edit?id=cat-00.png');
  assert.equal(await page.getByLabel('Title in this language').first().inputValue(), 'Katze Nummer 0');
}, { expectDialog: true }]);

// RFC 6238, as an authenticator app does.
function codeOf(secret, step = Math.floor(Date.now() / 30000)) {
  const bits = [...secret].map(c => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map(b => parseInt(b, 2)));
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(message).digest(), at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0');
}

tests.push(['the account: sessions, two-factor authentication and recovery codes', async (page, context) => {
  await loggedIn(page);
  await page.goto('/admin/users/edit');
  await send(page, { username: 'careful', password: PASSWORD, is_active: true, is_staff: true });
  await context.clearCookies();
  await loggedIn(page, 'careful');
  await context.clearCookies();
  await loggedIn(page, 'careful');
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByRole('heading', { name: 'Where you are logged in' }).waitFor();
  await sound(page);
  await page.getByRole('button', { name: /^Log out Chrome on / }).click();
  await page.getByText('1 session has been logged out.').waitFor();
  await page.getByRole('link', { name: 'Two-factor authentication' }).click();
  const secret = await page.locator('input[name=secret]').inputValue();
  assert.equal((await page.locator('code').innerText()).replaceAll(' ', ''), secret);
  await sound(page);
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByLabel('Code', { exact: true }).fill('000000');
  await page.keyboard.press('Enter');
  await page.getByText('This code is wrong').waitFor();
  await sound(page);
  assert.equal(await page.locator('input[name=secret]').inputValue(), secret, 'the same to scan');
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByLabel('Code', { exact: true }).fill(codeOf(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
  const codes = await page.locator('.codes code').allInnerTexts();
  assert.equal(new Set(codes).size, 10);
  await sound(page);
  await page.getByRole('link', { name: 'I have saved them' }).click();
  await page.getByText(': on').waitFor();
  await context.clearCookies();
  await logIn(page, 'careful');
  await page.getByRole('heading', { name: 'Two-factor authentication' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'code');
  await sound(page);
  await page.keyboard.type('123456');
  await page.keyboard.press('Enter');
  await page.getByText('This code is wrong').waitFor();
  await page.keyboard.type(codes[0]);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/');
  await page.goto('/admin/two-factor');
  await page.getByText('9 unused recovery codes').waitFor();
  await sound(page);
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByLabel('Code', { exact: true }).fill(codes[1]);
  await page.getByRole('button', { name: 'Turn off' }).click();
  await page.getByText('Two-factor authentication is off.').waitFor();
}, { expectErrors: true }]);

tests.push(['the trash, the palette and the charts', async page => {
  await loggedIn(page);
  await page.goto('/admin/stickers/delete?id=cat-04.png');
  await sound(page);
  await page.getByRole('button', { name: 'Move to trash' }).click();
  await page.getByText('Moved to the trash.').waitFor();
  await page.goto('/admin/trash/');
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.waitForFunction(() => [...document.querySelectorAll('td img')].every(i => i.complete && i.naturalWidth));
  await page.getByLabel('Select cat-04.png').check();
  await page.getByRole('button', { name: 'Restore …' }).click();
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  await page.getByText('Restored.').waitFor();

  await page.keyboard.press('Control+k');
  const box = page.getByRole('combobox', { name: 'Go to a page, or find a sticker' });
  await box.waitFor();
  await sound(page);
  await page.keyboard.type('cat number 0');
  await page.getByRole('option', { name: 'Cat number 0' }).waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await box.isVisible(), false);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('queries');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/queries/');

  await page.goto('/admin/');
  await page.locator('.strips').first().locator('g').last().hover();
  await page.getByText(/^\d{4}-\d\d-\d\d: Searches \d/).first().waitFor();
  await page.goto('/admin/settings');
  await sound(page);
  const time = page.locator('time').first();
  await page.goto('/admin/history/');
  assert.match(await time.getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  await page.goto('/admin/stickers/keywords?query=hostile&q=cat');
  await sound(page);
}]);

// Enough queries for two pages of their list.
for (let i = 0; i < 55; i++) await fetch(`${base}/api/search/?query=${encodeURIComponent('asked ' + i)}`);
await runAll(base, tests);
