// The page of experiments in a browser: one is started and stopped by keyboard and without scripts, results are drawn and
// said, axe has nothing to say, and markup in whatever people type stays text.
import assert from 'node:assert/strict';
import { assertAccessibleInAllLooks, runAll } from './lib.mjs';

const base = process.env.BASE;

async function open(page) {
  await page.goto('/admin/login');
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill('a long password');
  await page.keyboard.press('Enter');
  await page.waitForURL(url => url.pathname !== '/admin/login');
  await page.getByRole('navigation', { name: 'Admin' }).getByRole('link', { name: 'Experiments' }).click();
  await page.getByRole('heading', { name: 'Experiments', exact: true }).waitFor();
}

const tests = [];

tests.push(['an experiment is started and stopped without scripts', async page => {
  await open(page);
  await page.getByLabel('Name').fill('by hand');
  await page.getByLabel('Ranking A').fill('algorithm=magic');
  await page.getByLabel('Name').press('Enter');
  await page.getByRole('alert').getByText('algorithm "magic" is unknown').waitFor();
  await page.getByLabel('Ranking A').fill('algorithm=lexical');
  await page.getByRole('button', { name: 'Start' }).press('Enter');
  await page.getByRole('status').getByText('The experiment was started.').waitFor();
  assert.equal(await page.getByRole('heading', { name: 'Start an experiment' }).count(), 0);
  const mine = page.getByRole('region', { name: 'by hand' }).first();
  await mine.getByText('100% of people').waitFor();
  await mine.getByText('algorithm=lexical').waitFor();
  await mine.getByText('Undecided (p = 1).').waitFor();
  await page.getByRole('button', { name: 'Stop by hand' }).press('Enter');
  await page.getByRole('status').getByText('The experiment was stopped.').waitFor();
  await page.getByRole('heading', { name: 'Start an experiment' }).waitFor();
}, { javaScriptEnabled: false, expectErrors: true }]);

tests.push(['results are drawn and said, and axe has nothing to say', async page => {
  await open(page);
  if (process.env.SCREENSHOTS) {
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/light.png`, fullPage: true });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/phone-dark.png`, fullPage: true });
  }
  const won = page.getByRole('region', { name: 'team draft' }).first();
  await won.locator('figcaption').getByText('60.0% of those who preferred one preferred B; 95% confidence: 54.4 to 65.4%. B is better (p = 0.00063).').waitFor();
  assert.match(await won.getByRole('img', { name: 'Result with its 95% confidence interval' }).locator('desc').textContent(), /^60\.0% of those/);
  const bar = await won.locator('rect').evaluate(r => [r.getAttribute('x'), r.getAttribute('width')].map(Number));
  assert.ok(bar[0] > 200 && bar[0] + bar[1] < 386, String(bar)); // on B's side of the middle
  const arms = page.getByRole('region', { name: 'arms' }).first();
  await arms.getByText('300 of 1000').waitFor();
  await arms.getByText('Do not trust this').waitFor();
  await arms.getByText('Undecided').waitFor();
  await assertAccessibleInAllLooks(page, () => page.evaluate(() => [...document.querySelectorAll('[onerror], main img')].map(e => e.outerHTML)));
}]);

await runAll(base, tests);
