// Questions, summaries and topics in a real browser; the server has no language model, so a search answers.
import { assert, assertNoOverflow, assertPlaysFrom, check, env, shot } from './harness.mjs';

export async function questions(page, callId) {
  const call = `${env.baseUrl}#/calls/${callId}`;
  await check('a call says what it is about, and who says so', async () => {
    await page.goto(call);
    const insight = page.getByTestId('insight');
    await insight.getByText('Составлено по правилам').waitFor();
    assert((await insight.getAttribute('data-by')) === 'rules', 'no model made it');
  });
  await check('a question is answered by a search that says so, and its quote plays', async () => {
    const said = (await page.getByTestId('turn').nth(3).getByTestId('word').allInnerTexts()).map((word) => word.replaceAll(/[^\p{L}]/gu, ''));
    const word = said.toSorted((a, b) => b.length - a.length)[0];
    await page.getByTestId('ask-field').fill(`Что говорили про ${word}?`);
    await page.getByTestId('ask-submit').click();
    const found = page.getByTestId('finding').first();
    await found.getByText('Это не ответ модели').waitFor();
    const quote = found.getByTestId('quote').first();
    const start = Number(await quote.getAttribute('data-start-ms'));
    await quote.click();
    await assertPlaysFrom(page, start);
    await shot(page, 'ask-1280-light');
    await page.reload();
    await page.getByTestId('answer').getByText(`Что говорили про ${word}?`).waitFor();
  });
  await check('a topic that is added is found in the calls that are there, and filters the list', async () => {
    const words = await page.getByTestId('turn').nth(3).getByTestId('word').allInnerTexts();
    const phrase = words.map((word) => word.replaceAll(/[^\p{L}]/gu, '')).toSorted((a, b) => b.length - a.length)[0].toLowerCase();
    await page.goto(`${env.baseUrl}#/settings`);
    await page.getByTestId('tracker-add').click();
    const dialog = page.getByTestId('tracker-dialog');
    await dialog.getByLabel('Название', { exact: true }).fill('Проверка тем');
    await dialog.getByLabel('Фразы, по одной в строке').fill(`=${phrase}`);
    await shot(page, 'tracker-1280-light');
    await dialog.getByRole('button', { name: 'Сохранить' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.goto(call);
    const topic = page.getByTestId('topic').filter({ hasText: 'Проверка тем' });
    await topic.waitFor();
    await topic.locator('summary').click();
    await topic.getByRole('link', { name: 'Все звонки с темой «Проверка тем»' }).click();
    await page.getByTestId('results-row').first().waitFor();
    assert((await page.getByTestId('filter-topic').inputValue()) !== '', 'the filter shows the topic');
  });
  await check('many calls are asked, and the table is taken away', async () => {
    await page.getByTestId('nav-questions').click();
    await page.getByTestId('many-question').fill('Был ли разговор о доставке?');
    await page.getByTestId('estimate').getByText('Ответит поиск по словам').waitFor();
    await shot(page, 'questions-1280-light');
    await page.getByTestId('many-start').click();
    await page.locator('[data-testid=analysis-state][data-state=done]').waitFor();
    await page.getByTestId('analysis-row').first().waitFor();
    await shot(page, 'analysis-1280-light');
    const file = await page.request.get(new URL(await page.getByTestId('export-csv').getAttribute('href'), env.baseUrl).toString());
    assert((await file.text()).startsWith('\uFEFFЗвонок;Файл;'), 'a table for spreadsheets');
  });
  await check('questions fit a phone and the dark', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await assertNoOverflow(page, 'analysis');
    await shot(page, 'analysis-390-dark');
    await page.goto(`${env.baseUrl}#/questions`);
    await page.getByTestId('estimate').getByText('Будет').waitFor();
    await assertNoOverflow(page, 'questions');
    await shot(page, 'questions-390-dark');
    await page.goto(call);
    await page.getByTestId('tab-about').click();
    await page.getByTestId('insight').waitFor();
    await assertNoOverflow(page, 'call, about');
    await shot(page, 'about-390-dark');
    await page.setViewportSize({ width: 1280, height: 900 });
    await shot(page, 'about-1280-dark');
    await page.emulateMedia({ colorScheme: 'light' });
  });
  await page.goto(`${env.baseUrl}#/`);
}
