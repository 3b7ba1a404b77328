// Who may do what: an invitation, a person with one team, a second factor, ending a session.
import { createHmac } from 'node:crypto';
import { assert, assertNoOverflow, check, env, expectRefusal, shot, signIn, visit } from './harness.mjs';

const NAME = 'Вера Руководитель';
const PASSWORD = 'зелёный трамвай семь';

/** RFC 6238, as an authenticator computes it. */
function totp(secret, at = Date.now()) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac[mac.length - 1] & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** `page` is an administrator's. */
export async function access(page, browser) {
  let link = '';
  await check('somebody is invited by a link that is shown once', async () => {
    await page.goto(`${env.baseUrl}#/access`);
    await page.getByTestId('account-add').click();
    const dialog = page.getByTestId('account-dialog');
    await dialog.getByLabel('Имя для входа').fill(NAME);
    await dialog.getByText('Некоторых команд').click();
    await shot(page, 'account-dialog');
    await dialog.getByTestId('account-teams').waitFor();
    await dialog.getByText('Все', { exact: true }).click();
    await dialog.getByTestId('account-save').click();
    link = await page.getByTestId('secret').locator('output').textContent();
    assert(link.includes('#/invitation/'), link);
    await shot(page, 'invitation-link');
    await page.getByTestId('secret').getByRole('button', { name: 'Готово' }).click();
    await page.getByTestId('invitations').getByText(NAME).waitFor();
    await shot(page, 'access');
  });
  const guest = await visit(browser);
  await check('the invited make their own account, once', async () => {
    await guest.goto(link);
    const form = guest.getByTestId('new-password');
    await guest.getByText(NAME).waitFor();
    await shot(guest, 'invitation');
    await form.locator('[name=password]').fill(PASSWORD);
    await form.locator('[name=again]').fill(PASSWORD);
    await form.getByRole('button').click();
    await guest.getByTestId('results-row').first().waitFor();
    const other = await visit(browser);
    await other.goto(link);
    await other.getByText('Приглашение больше не действует').waitFor();
    await other.context().close();
  });
  await check('a supervisor is offered what a supervisor may do', async () => {
    assert((await guest.getByRole('link', { name: 'Критерии' }).count()) === 0, 'criteria are offered');
    assert((await guest.getByTestId('nav-access').count()) === 0, 'accounts are offered');
    await guest.getByTestId('nav-questions').waitFor();
    await guest.getByTestId('results-row').first().click();
    await guest.getByTestId('retry').waitFor();
    assert((await guest.getByTestId('delete').count()) === 0, 'deleting is offered');
    await shot(guest, 'supervisor-call');
    // What the address bar can still reach, the server refuses.
    expectRefusal(/\/api\/v1\/accounts$/, '403');
    const status = await guest.evaluate(async () => (await fetch('api/v1/accounts')).status);
    assert(status === 403, `accounts are answered with ${status}`);
  });
  let secret = '';
  await check('a second factor is set up and asked for', async () => {
    await guest.goto(`${env.baseUrl}#/settings`);
    await guest.getByTestId('factor-begin').click();
    await guest.locator('form [name=password]').last().fill(PASSWORD);
    await guest.getByRole('button', { name: 'Дальше' }).click();
    secret = await guest.getByTestId('factor-secret').textContent();
    await guest.getByRole('img', { name: 'otpauth' }).scrollIntoViewIfNeeded();
    await shot(guest, 'second-factor');
    await assertNoOverflow(guest, 'second factor');
    // The code of the step before, so that the present one is still good for signing in.
    await guest.getByLabel('Код из приложения').fill(totp(secret, Date.now() - 30_000));
    await guest.getByTestId('factor-confirm').click();
    const codes = (await guest.getByTestId('secret').locator('output').textContent()).trim().split('\n');
    assert(codes.length === 10, `${codes.length} recovery codes`);
    await guest.getByTestId('secret').getByRole('button', { name: 'Готово' }).click();
    await guest.getByTestId('sign-out').click();
    await signIn(guest, PASSWORD, NAME);
    await guest.getByTestId('login-code').waitFor();
    await shot(guest, 'sign-in-code');
    await guest.getByTestId('login-code').fill(totp(secret));
    await guest.getByTestId('login-submit').click();
    await guest.getByTestId('sign-out').waitFor();
  });
  await check('a session that is ended elsewhere ends at once', async () => {
    await page.goto(`${env.baseUrl}#/access`);
    await page.reload();
    const row = page.getByTestId('account').filter({ hasText: NAME });
    await row.getByRole('button', { name: 'Изменить' }).click();
    await page.getByTestId('account-dialog').getByRole('button', { name: 'Завершить сеансы' }).click();
    expectRefusal(/\/api\/v1\//, '401');
    await page.getByText('Сеансы завершены').waitFor();
    await guest.goto(`${env.baseUrl}#/quality`);
    await guest.getByTestId('login-submit').waitFor();
  });
  await guest.context().close();
  await check('an API key is made and taken back', async () => {
    await page.goto(`${env.baseUrl}#/access`);
    await page.getByTestId('api-key-add').click();
    const dialog = page.getByTestId('api-key-dialog');
    await dialog.getByLabel('Для чего').fill('CRM');
    await dialog.getByLabel('читать звонки').check();
    await shot(page, 'api-key-dialog');
    await dialog.getByRole('button', { name: 'Создать ключ' }).click();
    const key = await page.getByTestId('secret').locator('output').textContent();
    await page.getByTestId('secret').getByRole('button', { name: 'Готово' }).click();
    const ask = () => page.evaluate(async (token) => (await fetch('api/v1/results', { credentials: 'omit', headers: { authorization: `Bearer ${token}` } })).status, key);
    assert((await ask()) === 200, 'the key is not good');
    await page.getByTestId('api-keys').getByRole('button').click();
    await page.getByTestId('confirm').click();
    await page.getByText('Ключ отозван').waitFor();
    assert((await ask()) === 401, 'the key is good still');
  });
  await check('the audit tells who did what, and that nothing of it was changed', async () => {
    await page.goto(`${env.baseUrl}#/settings`);
    await page.getByTestId('open-audit').click();
    await page.getByRole('table').getByText(NAME).first().waitFor();
    await page.getByLabel('Действие').selectOption('keys_changed');
    await page.getByRole('table').getByText('addApiKey').first().waitFor();
    await page.getByRole('button', { name: 'Проверить целостность' }).click();
    await page.getByText('Журнал цел').waitFor();
    await shot(page, 'audit');
    const file = await page.evaluate(async () => (await fetch('api/v1/audit/export?format=csv')).text());
    assert(file.includes('addApiKey') && file.split('\r\n').length > 20, 'the export lacks entries');
  });
  await check('what is kept of a number is shown before anything is erased', async () => {
    await page.goto(`${env.baseUrl}#/settings`);
    await page.getByLabel('Номер клиента').fill('+7 916 000-00-00');
    await page.getByRole('button', { name: 'Найти' }).click();
    await page.getByText('Звонков с этим номером нет.').waitFor();
    assert((await page.getByRole('button', { name: 'Стереть' }).count()) === 0, 'nothing can be erased');
    await page.getByLabel('Номер клиента').fill('12');
    expectRefusal(/\/api\/v1\/erasures\/preview$/, '400');
    await page.getByRole('button', { name: 'Найти' }).click();
    await page.getByText('Нужен полный номер клиента').waitFor();
  });
  await check('somebody signs in at the identity provider, which is another site', async () => {
    const context = await browser.newContext({ locale: 'ru-RU' });
    const stranger = await context.newPage();
    stranger.setDefaultTimeout(20_000);
    await stranger.goto(env.baseUrl);
    await shot(stranger, 'sign-in-provider');
    await stranger.getByRole('link', { name: 'Войти через Тест' }).click();
    await stranger.locator('[name=login]').fill('olga');
    await stranger.locator('[name=password]').fill('any');
    await stranger.locator('[type=submit]').click();
    // What the provider tells of a person is allowed once more.
    await stranger.locator('[type=submit]').click();
    await stranger.getByTestId('results-row').first().waitFor();
    assert(stranger.url().startsWith(env.baseUrl), stranger.url());
    assert((await stranger.getByTestId('upload-input').count()) === 0, 'a viewer is offered uploads');
    await shot(stranger, 'signed-in-at-provider');
    await stranger.reload();
    await stranger.getByTestId('results-row').first().waitFor();
    await context.close();
  });
}
