// The team's own criteria in a real browser: a draft, its faults, a trial, putting it in force, the past by it.
import { assert, assertNoOverflow, check, env, shot } from './harness.mjs';

export async function scorecards(page, callId) {
  await page.goto(`${env.baseUrl}#/calls/${callId}`);
  // Not what the page remembers from before.
  await page.reload();
  const before = await page.getByTestId('score-overall').getAttribute('data-percent');
  await check('a fault is shown beside its item as one types, and the draft mends and saves itself', async () => {
    await page.goto(`${env.baseUrl}#/criteria`);
    await page.getByTestId('card-in-force').getByRole('button', { name: 'Изменить' }).click();
    const item = page.getByTestId('edit-item-greeting');
    await item.getByRole('button', { name: /Поприветствовал/ }).click();
    const weight = item.getByLabel('Вес', { exact: true });
    await weight.fill('0');
    await item.getByText('вес больше 0').waitFor();
    assert(await page.getByRole('button', { name: 'Ввести в действие' }).isDisabled(), 'nothing with a fault comes into force');
    await weight.fill('9');
    await item.getByText('вес больше 0').waitFor({ state: 'detached' });
    await page.getByTestId('card-changes').getByText('вес 2 → 9').waitFor();
    await page.getByText('Черновик сохранён').waitFor();
    await shot(page, 'criteria-editor');
    await page.reload();
    await page.getByTestId('card-drafts').getByRole('button', { name: 'Продолжить' }).click();
    await page.getByTestId('card-changes').getByText('вес 2 → 9').waitFor();
  });
  await check('a draft is tried on real calls without changing them', async () => {
    // An item that no call meets.
    const standards = page.getByTestId('edit-criterion-standards');
    await standards.getByRole('button', { name: 'Добавить пункт' }).click();
    const item = page.getByTestId('edit-item-item_1');
    await item.getByLabel('Что проверяется').fill('Назвал номер договора');
    await item.getByLabel('Фразы, по одной в строке').fill('номер ... договора абракадабра');
    await page.getByText('Черновик сохранён').waitFor();
    await page.getByTestId('trial').getByRole('button', { name: 'Проверить' }).click();
    await page.getByTestId('trial-row').first().getByText('Назвал номер договора: нет пункта → Не выполнено').waitFor();
    await page.getByTestId('trial').getByText(/В среднем было/).waitFor();
    await shot(page, 'criteria-trial');
  });
  await check('a version comes into force, and the past is scored by it with a report', async () => {
    await page.getByRole('button', { name: 'Ввести в действие' }).click();
    await page.getByTestId('publish-dialog').getByLabel('Что изменилось и зачем').fill('Нужен номер договора');
    await page.getByTestId('publish-dialog').getByRole('button', { name: 'Ввести в действие' }).click();
    await page.getByRole('button', { name: 'Пересчитать все' }).click();
    await page.getByTestId('rescorings').getByText('закончен').waitFor();
    await page.getByTestId('rescoring-report').getByText(/Оценка стала ниже/).waitFor();
    await shot(page, 'criteria-rescoring');
    await page.goto(`${env.baseUrl}#/calls/${callId}`);
    await page.getByTestId('item-item_1').getByText('Назвал номер договора').waitFor();
    assert((await page.getByTestId('score-overall').getAttribute('data-percent')) !== before, 'the percent followed');
    assert((await page.getByTestId('score-level').getAttribute('data-level')) === '2', 'scored by the rules');
  });
  await check('the version before is put back, and the past with it', async () => {
    await page.goto(`${env.baseUrl}#/criteria`);
    await page.getByTestId('card-versions').getByText('Нужен номер договора').waitFor();
    await page.getByTestId('card-versions').getByRole('button', { name: 'Сравнить' }).click();
    await page.getByTestId('card-changes').getByText('убран пункт: Стандарты → Назвал номер договора').waitFor();
    await shot(page, 'criteria-versions');
    await page.getByTestId('card-versions').getByRole('button', { name: 'Ввести в действие' }).click();
    await page.getByTestId('confirm').click();
    await page.getByTestId('confirm').waitFor({ state: 'detached' });
    await page.goto(`${env.baseUrl}#/criteria?tab=rescoring`);
    await page.getByRole('button', { name: 'Пересчитать все' }).click();
    await page.getByTestId('rescorings').getByText('закончен').nth(1).waitFor();
    await page.goto(`${env.baseUrl}#/calls/${callId}`);
    await page.locator(`[data-testid=score-overall][data-percent="${before}"]`).waitFor();
  });
  await check('instructions for the model are written, and say that no model reads them', async () => {
    await page.goto(`${env.baseUrl}#/criteria?tab=prompts`);
    await page.getByText('Языковая модель выключена').first().waitFor();
    await page.getByTestId('prompts-score').getByRole('button', { name: 'Добавить указания' }).click();
    const editor = page.getByTestId('prompt-editor');
    await editor.getByLabel('Название').fill('Строже');
    await editor.getByLabel('Что модель должна знать и учитывать').fill('Имя клиента обязательно.');
    await editor.getByRole('button', { name: 'Сохранить' }).click();
    await page.getByTestId('prompts-score').getByText('используются').waitFor();
    await shot(page, 'criteria-prompts');
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      for (const tab of ['scorecard', 'prompts', 'rescoring']) {
        await page.goto(`${env.baseUrl}#/criteria?tab=${tab}`);
        await page.getByTestId('criteria-tabs').waitFor();
        await assertNoOverflow(page, `criteria ${tab} at ${width}`);
        if (width === 390) await shot(page, `criteria-${tab}-390`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });
}
