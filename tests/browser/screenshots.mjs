// A picture of every page in light, dark and on a phone. BASE is the service; pictures go to OUT.
import { mkdirSync } from 'node:fs';
import { launch, looks } from './lib.mjs';

const base = process.env.BASE, out = process.env.OUT;
const found = await (await fetch(base + '/api/search/?query=cat&limit=2')).json();
const sticker = encodeURIComponent(found.stickers[0] || 'none');
const first = column => page => page.locator(`main tbody td:nth-child(${column}) a`).first().click();
const save = page => page.evaluate(() => { const f = document.querySelector('form.sheet'); f.noValidate = true; f.requestSubmit(); });
const pages = {
  start: { path: '/' },
  results: { path: '/?q=cat' },
  voted: { path: '/?q=cat', act: page => page.locator('.card [data-vote=positive]').first().click() },
  sticker: { path: `/sticker/${sticker}?q=cat` },
  more: { path: `/sticker/${sticker}`, act: page => page.locator('.similar').scrollIntoViewIfNeeded() },
  nothing: { path: '/?q=qqqxyzzy' },
  typing: { path: '/', act: async page => { await page.locator('#q').pressSequentially('cat'); await page.locator('#suggestions li').first().waitFor(); } },
  arabic: { path: '/?q=cat&lang=ar' },
  missing: { path: '/sticker/none.png' },
  nowhere: { path: '/nowhere' },
  docs: { path: '/api/docs' },
  'admin-login': { path: '/admin/login', guest: true },
  'admin-login-wrong': { path: '/admin/login', guest: true, act: async page => { await page.getByLabel('Username').fill('amira'); await page.getByLabel('Password').fill('x'); await page.keyboard.press('Enter'); await page.locator('#problem').waitFor(); } },
  'admin-dashboard': { path: '/admin/', whole: true },
  'admin-stickers': { path: '/admin/stickers/' },
  'admin-stickers-found': { path: '/admin/stickers/?q=cat&votes=yes&sort=positives&order=down' },
  'admin-stickers-none': { path: '/admin/stickers/?q=qqqxyzzy' },
  'admin-sticker': { path: `/admin/stickers/edit?id=${sticker}`, whole: true },
  'admin-sticker-delete': { path: `/admin/stickers/delete?id=${sticker}` },
  'admin-stickers-change': { path: '/admin/stickers/?q=cat', act: async page => { await page.getByLabel('Select all on this page').check(); await page.getByRole('button', { name: 'Edit …' }).click(); await page.getByLabel('Pack').waitFor(); }, whole: true },
  'admin-upload': { path: '/admin/stickers/upload/', whole: true },
  'admin-documents': { path: '/admin/documents/' },
  'admin-document': { path: `/admin/documents/edit?id=${sticker}` },
  'admin-queries': { path: '/admin/queries/' },
  'admin-query': { path: '/admin/queries/', act: first(2) },
  'admin-scores': { path: '/admin/scores/?sort=negatives&order=down' },
  'admin-score-mistakes': { path: '/admin/scores/edit', act: save },
  'admin-users': { path: '/admin/users/' },
  'admin-user': { path: '/admin/users/', act: first(2), whole: true },
  'admin-groups': { path: '/admin/groups/' },
  'admin-group': { path: '/admin/groups/', act: first(2), whole: true },
  'admin-tokens': { path: '/admin/tokens/' },
  'admin-history': { path: '/admin/history/' },
  'admin-history-entry': { path: '/admin/history/?model=stickers', act: page => page.locator('main tbody a').first().click() },
  'admin-password': { path: '/admin/password' },
  'admin-nothing': { path: '/admin/stickers/edit?id=none.png' },
};

mkdirSync(out, { recursive: true });
const browser = await launch();
const entrance = await browser.newContext({ baseURL: base });
const door = await entrance.newPage();
await door.goto('/admin/login');
await door.getByLabel('Username').fill('sofia');
await door.getByLabel('Password').fill(process.env.PASSWORD);
await door.getByRole('button', { name: 'Log in' }).click();
await door.waitForURL('**/admin/');
const session = await entrance.storageState();
await entrance.close();

const only = process.env.ONLY;
let n = 0;
for (const [look, options] of Object.entries(looks))
  for (const guest of [false, true]) {
    const context = await browser.newContext({ baseURL: base, ...options, ...(guest ? {} : { storageState: session }) });
    for (const [name, { path, act, whole }] of Object.entries(pages).filter(([name, p]) => Boolean(p.guest) === guest && (!only || name.includes(only)))) {
      const page = await context.newPage();
      await page.goto(path, { waitUntil: 'networkidle' });
      if (act) await act(page);
      await page.waitForTimeout(400);
      await page.screenshot({ path: `${out}/${name}-${look}.png`, fullPage: Boolean(whole) });
      await page.close();
      n++;
    }
    await context.close();
  }
await browser.close();
console.log(`${n} pictures in ${out}`);
