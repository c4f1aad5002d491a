// The admin in a browser: logging in, editing, deleting with its confirmation, and axe on every kind of page.
import assert from 'node:assert/strict';
import { assertAccessible, looks, runAll } from './lib.mjs';

const pages = ['', 'stickers/', 'documents/', 'queries/', 'users/', 'stickers/edit?id=cat-01.png', 'documents/edit?id=cat-01.png',
  'users/edit', 'groups/edit', 'history/', 'stickers/delete?id=cat-01.png', 'password'];

async function logIn(page) {
  await page.goto('/admin/login');
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill('a long password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL('**/admin/');
}

const tests = [];
for (const [look, options] of Object.entries(looks))
  tests.push([`accessible, and no wider than the screen: ${look}`, async page => {
    await page.goto('/admin/login');
    await assertAccessible(page);
    await logIn(page);
    for (const path of pages) {
      await page.goto('/admin/' + path);
      await assertAccessible(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= screen.width), path);
    }
  }, options]);

for (const javaScriptEnabled of [true, false])
  tests.push([`edits and deletes, scripts ${javaScriptEnabled}`, async page => {
    const name = javaScriptEnabled ? 'cat-02.png' : 'cat-03.png';
    await logIn(page);
    await page.goto('/admin/stickers/?q=' + name);
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByLabel('Title').fill('A changed title');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.goto('/admin/stickers/?q=' + name);
    await page.getByText('A changed title').waitFor();
    const remove = async () => {
      await page.goto('/admin/stickers/?q=' + name);
      await page.getByLabel('Select ' + name).check();
      await page.getByRole('button', { name: 'Delete …' }).click();
      await page.getByRole('heading', { name: 'Delete 1 in Stickers?' }).waitFor();
    };
    await remove();
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.goto('/admin/stickers/?q=' + name);
    assert.equal(await page.getByLabel('Select ' + name).count(), 1, 'cancelling deletes nothing');
    await remove();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText('Deleted.').waitFor();
    await page.goto('/admin/stickers/?q=' + name);
    assert.equal(await page.getByLabel('Select ' + name).count(), 0);
  }, { javaScriptEnabled }]);

await runAll(process.env.BASE, tests);
