// FTP Файлы with a real SFTP client: from a new user in the settings to a file that is played, sent, downloaded, removed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, assertNoOverflow, assertPlaysFrom, check, env, shot, signIn, visit } from './harness.mjs';

const USER = 'branch-7';
const FIRST = '2021.03.30__10-33-20__79161234567__Shherbakova_Oljhga(101)_11322899185_2661322.mp3';
/** Everything that means something in an address. */
const SECOND = 'день 1/звонок #2 + 50%?.mp3';

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    child.stderr.on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`${command}: ${said}`))));
  });
}

const inUrl = (path) => path.split('/').map(encodeURIComponent).join('/');

export async function files(page, browser) {
  const dir = mkdtempSync(join(tmpdir(), 'files-'));
  const sound = readFileSync(env.audio);
  let password = '';
  const row = (path) => page.locator(`[data-testid=file-row][data-path="${path}"]`);
  /** Puts a recording that no other test has. */
  const put = async (path, salt) => {
    const { port } = await (await page.request.get(`${env.baseUrl}api/v1/sftp/server`)).json();
    const file = join(dir, `${salt}.mp3`);
    writeFileSync(file, Buffer.concat([sound, Buffer.alloc(417 * salt)]));
    await run('curl', ['-sS', '--insecure', '--ftp-create-dirs', '-u', `${USER}:${password}`, '-T', file, `sftp://127.0.0.1:${port}/${inUrl(path)}`]);
    return file;
  };

  await page.goto(`${env.baseUrl}#/files`);
  await check('the page of dropped files opens and says that there are none', async () => {
    await page.getByRole('heading', { name: 'FTP Файлы' }).waitFor({ state: 'attached' });
    await page.getByText('Файлов пока нет').waitFor();
    await assertNoOverflow(page, 'files');
  });

  await page.goto(`${env.baseUrl}#/settings`);
  await check('an SFTP user is made in the settings, and the password shown once', async () => {
    await page.getByTestId('sftp-user-add').click();
    const dialog = page.getByTestId('sftp-user-dialog');
    await dialog.getByLabel('Имя', { exact: true }).fill(USER);
    await dialog.getByLabel('Что делать с записями').selectOption('manual');
    await dialog.getByLabel('Предел папки, ГБ').fill('0,5');
    await dialog.getByRole('button', { name: 'Сохранить' }).click();
    password = (await page.getByTestId('sftp-password').locator('output').textContent()).trim();
    assert(password.length >= 10, 'no password is shown');
    await shot(page, 'sftp-password');
    await page.getByTestId('sftp-password').getByRole('button', { name: 'Готово' }).click();
    const user = page.getByTestId('sftp-user').filter({ hasText: USER });
    await user.getByText(/512\sМБ/).waitFor();
    await user.scrollIntoViewIfNeeded();
    await assertNoOverflow(page, 'settings');
    await shot(page, 'sftp-users');
    assert(!(await page.content()).includes(password), 'the password is still on the page');
  });

  await page.goto(`${env.baseUrl}#/files`);
  let first = '';
  await check('files put by an SFTP client appear by themselves and wait', async () => {
    await page.getByText('Файлов пока нет').waitFor();
    first = await put(FIRST, 1);
    await put(SECOND, 2);
    for (const path of [FIRST, SECOND]) await row(path).locator('[data-state=waiting]').waitFor();
    await row(FIRST).getByText('79161234567 →').waitFor();
    await row(FIRST).getByText('30 мар. 2021').waitFor();
  });
  await shot(page, 'files');
  await check('a file with any name is played in its row', async () => {
    await row(SECOND).getByTestId('file-play').click();
    await assertPlaysFrom(page, 0);
    await page.getByRole('slider', { name: 'Место в записи' }).press('PageUp');
    await assertPlaysFrom(page, 30_000);
    await shot(page, 'files-player');
    await row(SECOND).getByTestId('file-play').click();
  });
  await check('a phone in another form, a state and a part of the name find the file', async () => {
    await page.getByTestId('filters-more').click();
    await page.getByTestId('filter-callerphone').fill('8 (916) 123-45-67');
    await row(SECOND).waitFor({ state: 'detached' });
    await row(FIRST).waitFor();
    await shot(page, 'files-filters');
    await page.getByTestId('filters-reset').click();
    await page.getByTestId('filter-q').fill('ЗВОНОК #2');
    await row(FIRST).waitFor({ state: 'detached' });
    await page.getByTestId('filters-reset').click();
    await row(FIRST).waitFor();
  });
  await check('one file is downloaded as it is, several as an archive', async () => {
    const one = page.waitForEvent('download');
    await row(FIRST).getByTestId('file-download').click();
    const download = await one;
    assert(download.suggestedFilename() === FIRST, download.suggestedFilename());
    assert(readFileSync(await download.path()).equals(readFileSync(first)), 'another content was downloaded');
    await page.getByRole('checkbox', { name: 'Выбрать все на странице' }).press('Space');
    await page.getByText('Выбрано 2 файла').waitFor();
    await shot(page, 'files-chosen');
    const several = page.waitForEvent('download');
    await page.getByTestId('download-chosen').click();
    const archive = join(dir, 'archive.zip');
    await (await several).saveAs(archive);
    const listed = await run('unzip', ['-l', archive]);
    assert(listed.includes(FIRST), listed);
    await run('unzip', ['-tq', archive]);
  });
  let call = null;
  await check('a file is sent to Whisper and becomes a call', async () => {
    await row(FIRST).getByTestId('file-send').click();
    await row(FIRST).locator('[data-state=taken]').waitFor();
    const href = await row(FIRST).getByRole('link', { name: FIRST, exact: true }).getAttribute('href');
    call = href.split('/').at(-1);
    await row(SECOND).locator('[data-state=waiting]').waitFor();
  });
  await check('a removed file goes after a question, its call stays', async () => {
    await row(FIRST).getByTestId('file-remove').click();
    await page.getByText('Удалить 1 файл?').waitFor();
    await page.getByTestId('confirm').click();
    await row(FIRST).waitFor({ state: 'detached' });
    const answer = await page.request.get(`${env.baseUrl}api/v1/audio/${call}`, { headers: { range: 'bytes=0-9' } });
    assert(answer.status() === 206, `the recording answers ${answer.status()}`);
  });
  if (call) await page.request.delete(`${env.baseUrl}api/v1/results/${call}`);

  await check('on a phone the files are cards and nothing sticks out', async () => {
    await put(`deep/${'очень-длинное-имя-'.repeat(6)}.mp3`, 3);
    const narrow = await visit(browser, { viewport: { width: 390, height: 844 } });
    await narrow.goto(`${env.baseUrl}#/files`);
    await signIn(narrow);
    await narrow.getByTestId('file-row').nth(1).waitFor();
    await narrow.locator('[data-state=waiting]').nth(1).waitFor();
    await assertNoOverflow(narrow, 'files at 390 px');
    await shot(narrow, 'files-narrow');
    await narrow.getByTestId('filters-more').click();
    await narrow.getByTestId('file-play').first().click();
    await assertNoOverflow(narrow, 'files with filters at 390 px');
    await shot(narrow, 'files-narrow-filters');
    await narrow.goto(`${env.baseUrl}#/settings`);
    await narrow.getByTestId('sftp-users').waitFor();
    await narrow.getByTestId('sftp-users').scrollIntoViewIfNeeded();
    await assertNoOverflow(narrow, 'settings at 390 px');
    await shot(narrow, 'sftp-users-narrow');
    await narrow.context().close();
  });
  rmSync(dir, { recursive: true, force: true });
}
