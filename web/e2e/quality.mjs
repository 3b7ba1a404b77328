// What people say of a score, and the page about how good the scores are.
import { assert, assertNoOverflow, check, env, shot, visit, signIn } from './harness.mjs';

export async function quality(page, browser, callId) {
  await page.goto(`${env.baseUrl}#/calls/${callId}`);
  const met = page.locator('[data-testid^="item-"][data-verdict="met"]').first();
  await met.waitFor();
  const key = await met.getAttribute('data-testid');
  const item = page.getByTestId(key);
  const before = await page.getByTestId('score-overall').getAttribute('data-percent');

  await check('a verdict is changed by keyboard alone, and both percents stand there', async () => {
    await item.getByTestId('review-change').focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByTestId('review-dialog');
    await dialog.getByLabel('Не выполнено').focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Сказал автоответчик');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await item.getByTestId('review-word').getByText('Сказал автоответчик').waitFor();
    await page.getByTestId('both-percents').waitFor();
    const after = await page.getByTestId('score-overall').getAttribute('data-percent');
    assert(Number(after) < Number(before), `${before} became ${after}`);
    await item.scrollIntoViewIfNeeded();
    await shot(page, 'review-changed');
  });
  await check('a change is taken back and the history keeps it', async () => {
    await item.getByTestId('review-withdraw').click();
    await page.getByTestId('review-submit').click();
    await page.getByTestId('review-dialog').waitFor({ state: 'detached' });
    assert((await page.getByTestId('score-overall').getAttribute('data-percent')) === before, 'the percent of the machine is back');
    await item.getByTestId('review-history').click();
    const entries = page.getByTestId('review-history-dialog').getByRole('listitem');
    await entries.nth(1).waitFor();
    await page.keyboard.press('Escape');
  });
  await check('one click agrees', async () => {
    await item.getByTestId('review-confirm').click();
    await item.locator('[data-act=confirmed]').waitFor();
  });
  await check('a dispute is counted, found in the list, and settled where all of them are', async () => {
    const failed = page.locator('[data-testid^="item-"][data-verdict="failed"]').first();
    const name = await failed.getAttribute('data-testid');
    await failed.getByTestId('review-dispute').click();
    await page.getByTestId('review-comment').fill('Это было сказано в начале');
    await page.getByTestId('review-submit').click();
    await page.getByTestId(name).getByTestId('dispute').waitFor();
    await page.getByTestId('disputes-notice').waitFor();
    await page.getByTestId('open-disputes').getByText('1', { exact: true }).waitFor();
    await page.goto(`${env.baseUrl}#/?disputed=true`);
    await page.getByTestId('disputed-call').first().waitFor();
    assert((await page.getByTestId('results-row').count()) === 1, 'one call is disputed');
    await page.goto(`${env.baseUrl}#/quality`);
    const row = page.getByTestId('dispute-row');
    await row.waitFor();
    await pictures(browser);
    await row.getByTestId('dispute-accept').click();
    await page.getByRole('radio', { name: 'Выполнено', exact: true }).check();
    await page.getByTestId('review-comment').fill('Верно, слышно');
    await page.getByTestId('review-submit').click();
    await page.getByText('Открытых споров нет.').waitFor();
    await page.getByTestId('agreement-row').nth(1).waitFor();
    await page.getByTestId('dynamics-chart').waitFor();
  });
  await page.goto(`${env.baseUrl}#/`);
}

/** The page in both themes, wide and narrow; it fits the screen in all of them. */
async function pictures(browser) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      const page = await visit(browser, { viewport: { width, height: width === 390 ? 844 : 900 }, colorScheme });
      await page.goto(`${env.baseUrl}#/quality`);
      await signIn(page);
      await page.getByTestId('dispute-row').waitFor();
      await page.getByTestId('dynamics-chart').waitFor();
      await assertNoOverflow(page, `quality, ${width}`);
      await page.waitForTimeout(300);
      await shot(page, `quality-${width}-${colorScheme}`);
      await page.getByTestId('dynamics').scrollIntoViewIfNeeded();
      await shot(page, `quality-dynamics-${width}-${colorScheme}`);
      await page.context().close();
    }
  }
}
