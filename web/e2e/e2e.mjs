// The whole way of a call through the page, in a real browser against a running server.
// BASE_URL=http://127.0.0.1:8001 ADMIN_PASSWORD=… AUDIO=call.mp3 [SHOTS=dir] npm run e2e
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { files } from './files.mjs';
import { scorecards } from './criteria.mjs';
import { access } from './access.mjs';
import { quality } from './quality.mjs';
import { questions } from './questions.mjs';
import { assert, assertNoOverflow, assertPlaysFrom, changeFirstPassword, check, complaintsSoFar, env, finish, launch, shot, signIn, visit } from './harness.mjs';

const STAGES = ['decode', 'transcribe', 'diarize', 'score', 'index'];
const name = basename(env.audio);
const browser = await launch();
let callId = null;

try {
  const page = await visit(browser);
  await signingIn(page);
  await uploading(page);
  await reading(page);
  await listening(page);
  await correcting(page);
  await downloading(page);
  await list(page);
  await files(page, browser);
  await quality(page, browser, callId);
  await access(page, browser);
  await questions(page, callId);
  await scorecards(page, callId);
  await outside(page);
  await languageAndTheme(page);
  await losingTheConnection();
  await keyboardOnly();
  await narrow();
  await pictures();
  await check('the console stayed clean: no errors, no policy violations, no foreign requests', () => {
    assert(complaintsSoFar().length === 0, complaintsSoFar().join('\n'));
  });
} finally {
  await browser.close();
}
finish();

async function outside(page) {
  await page.goto(`${env.baseUrl}#/settings`);
  await check('an employee is added and names a call by the name of its file', async () => {
    await page.getByTestId('employee-add').click();
    const dialog = page.getByTestId('employee-dialog');
    await dialog.getByLabel('Имя', { exact: true }).fill('Ольга Щербакова');
    await dialog.getByLabel('Внутренние').fill('101, 102');
    await dialog.getByRole('button', { name: 'Сохранить' }).click();
    await page.getByTestId('employee').getByText('101, 102').waitFor();
    await page.getByTestId('names-input').fill('2021.03.30__10-33-20__79161234567__Shherbakova_Oljhga_11322899185_2661322.mp3\nзвонок.mp3');
    await page.getByTestId('names-try').click();
    await page.getByTestId('tried-name').getByText('Оператор: Ольга Щербакова').waitFor();
    await page.getByTestId('tried-name').getByText('не узнано').waitFor();
  });
  await check('a list with a fault is refused with its line, a good one is taken', async () => {
    const file = (text) => ({ name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await page.getByTestId('employees-csv').setInputFiles(file('ФИО;Телефон\nПётр Жуков;12\n'));
    await page.getByRole('alert').getByText('line 2').waitFor();
    await page.getByTestId('employees-csv').setInputFiles(file('ФИО;Телефон\nПётр Жуков;8 916 111-22-33\n'));
    await page.getByTestId('employee').getByText('79161112233').waitFor();
  });
  await check('what the webhook of Calltouch is told stands with the call', async () => {
    const address = await page.getByLabel('Адрес вебхука').inputValue();
    assert(address.startsWith(`${env.baseUrl}api/v1/calltouch/webhook/`), address);
    const wav = await (await page.request.get(`${env.baseUrl}api/v1/audio/${callId}`)).body();
    const file = { name: '2025.07.15__11-03-07__79161234567__102.mp3', mimeType: 'audio/mpeg', buffer: Buffer.concat([wav, Buffer.alloc(417)]) };
    const sent = await page.request.post(`${env.baseUrl}api/v1/upload`, { multipart: { files: file } });
    const { id } = (await sent.json()).files[0];
    assert(id, await sent.text());
    const told = await page.request.get(`${address}?id=ct-7&callerphone=89161234567&calltime=1752566600&order_id=A-7&utm_source=yandex&tags=горячий`);
    assert(told.status() === 200, String(told.status()));
    await page.goto(`${env.baseUrl}#/?order_id=A-7`);
    await page.getByTestId('results-row').first().waitFor();
    await page.goto(`${env.baseUrl}#/calls/${id}`);
    const details = page.getByTestId('call-details').first();
    await details.getByText('yandex').waitFor();
    await details.getByText('горячий').waitFor();
    await details.getByTestId('show-payloads').click();
    await details.getByTestId('payload').getByText('order_id=A-7').waitFor();
    await shot(page, 'details');
    await page.request.delete(`${env.baseUrl}api/v1/results/${id}`);
  });
  await page.goto(`${env.baseUrl}#/`);
}

async function signingIn(page) {
  await page.goto(env.baseUrl);
  await check('a wrong password is refused in words', async () => {
    await signIn(page, 'surely-not-the-password');
    await page.getByTestId('login-error').getByText('Неверное имя пользователя или пароль').waitFor();
  });
  await check('the right password lets in', async () => {
    await signIn(page);
    await changeFirstPassword(page);
    await page.getByTestId('upload-input').waitFor({ state: 'attached' });
  });
}

async function uploading(page) {
  await check('a file sent through the picker is accepted', async () => {
    // Every change of a stage is written down as it happens, in the row of this file.
    await page.evaluate((file) => {
      globalThis.stageLog = [];
      const note = () => {
        for (const row of document.querySelectorAll('[data-testid=progress-row]')) {
          if (!row.textContent.includes(file)) continue;
          for (const stage of row.querySelectorAll('[data-testid^=stage-]')) {
            const line = `${stage.dataset.testid.slice(6)} ${stage.dataset.state}`;
            if (!globalThis.stageLog.includes(line)) globalThis.stageLog.push(line);
          }
        }
      };
      new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-state'] });
    }, name);
    await page.getByTestId('upload-input').setInputFiles(env.audio);
    const item = page.getByTestId('upload-item').filter({ hasText: name });
    await page.waitForFunction(
      (file) => [...document.querySelectorAll('[data-testid=upload-item]')].some((one) => one.textContent.includes(file) && !['waiting', 'sending'].includes(one.dataset.state)),
      name,
      { timeout: 60_000 },
    );
    const state = await item.first().getAttribute('data-state');
    assert(state !== 'duplicate', 'the server already has this recording: start the test with an empty data folder');
    assert(state === 'accepted', `the upload ended as ${state}: ${await item.first().innerText()}`);
  });

  await check('all five stages pass live, in their order', async () => {
    await page.waitForFunction(
      ([file, stages]) => {
        const row = [...document.querySelectorAll('[data-testid=progress-row]')].find((one) => one.textContent.includes(file));
        if (row?.dataset.status === 'failed') return true;
        return row !== undefined && stages.every((stage) => row.querySelector(`[data-testid=stage-${stage}]`)?.dataset.state === 'done');
      },
      [name, STAGES],
      { timeout: env.workMs },
    );
    const row = page.getByTestId('progress-row').filter({ hasText: name }).first();
    assert((await row.getAttribute('data-status')) === 'completed', `the call ended as: ${await row.innerText()}`);
    const log = await page.evaluate(() => globalThis.stageLog);
    const active = STAGES.filter((stage) => log.includes(`${stage} active`));
    assert(active.length >= 2, `only these stages were seen running: ${active.join(', ') || 'none'}; log: ${log.join(', ')}`);
    const begun = active.map((stage) => log.indexOf(`${stage} active`));
    const done = STAGES.map((stage) => log.indexOf(`${stage} done`));
    assert(done.every((at) => at >= 0), `not every stage was seen done: ${log.join(', ')}`);
    assert(begun.every((at, n) => n === 0 || begun[n - 1] < at), `stages ran out of order: ${log.join(', ')}`);
    assert(done.every((at, n) => n === 0 || done[n - 1] < at), `stages ended out of order: ${log.join(', ')}`);
    for (const stage of active.slice(1)) {
      const before = STAGES[STAGES.indexOf(stage) - 1];
      assert(log.indexOf(`${before} done`) < log.indexOf(`${stage} active`), `${stage} ran before ${before} was shown done: ${log.join(', ')}`);
    }
  });

  await check('the call stands in the table with its score', async () => {
    const row = page.getByTestId('results-row').filter({ hasText: name }).first();
    await row.getByText('%').first().waitFor();
    callId = await row.getAttribute('data-call-id');
    assert(callId, 'the row names no call');
  });
}

async function reading(page) {
  await check('a click on the row opens the call, with both speakers', async () => {
    await page.getByTestId('results-row').filter({ hasText: name }).first().click();
    await page.getByTestId('turn').first().waitFor();
    const speakers = await page.getByTestId('turn').evaluateAll((turns) => [...new Set(turns.map((turn) => turn.dataset.speaker))]);
    assert(speakers.includes('operator') && speakers.includes('client'), `speakers found: ${speakers.join(', ')}`);
  });
  await check('an overall percentage and three criteria are shown', async () => {
    const overall = await page.getByTestId('score-overall').innerText();
    assert(/\d.*%/.test(overall), `overall: ${overall}`);
    const criteria = page.locator('[data-testid^="criterion-"]');
    assert((await criteria.count()) === 3, `criteria: ${await criteria.count()}`);
    for (const text of await criteria.locator('header').allInnerTexts()) assert(/\d.*%|не оценивается/.test(text), `criterion: ${text}`);
    for (const title of ['Стандарты', 'Лояльность', 'Доброжелательность']) await criteria.getByText(title, { exact: true }).first().waitFor();
    assert((await page.locator('[data-testid^="item-"]').count()) >= 3, 'hardly any items');
  });
  await check('deleting asks first, and Escape leaves everything as it was', async () => {
    await page.getByTestId('delete').click();
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByTestId('turn').first().waitFor();
  });
}

async function listening(page) {
  await check('a click on a quote plays that second', async () => {
    const starts = await page.getByTestId('evidence').evaluateAll((all) => all.map((one) => Number(one.dataset.startMs)));
    assert(starts.length > 0, 'no evidence at all');
    // One far from the beginning proves more: the sound starts at zero anyway.
    const at = starts.indexOf(Math.max(...starts));
    await page.getByTestId('evidence').nth(at).click();
    await assertPlaysFrom(page, starts[at]);
  });
  await check('a click on a word plays that word', async () => {
    const words = page.getByTestId('word');
    const at = Math.min(20, (await words.count()) - 1);
    const start = Number(await words.nth(at).getAttribute('data-start-ms'));
    await words.nth(at).click();
    await assertPlaysFrom(page, start);
  });
  await check('the word being said is lit, and the light moves on', async () => {
    const lit = () => page.evaluate(() => document.querySelector('[data-testid=word][data-lit]')?.dataset.word);
    await page.waitForSelector('[data-testid=word][data-lit]', { timeout: 10_000 });
    const first = await lit();
    await page.waitForFunction((before) => {
      const now = document.querySelector('[data-testid=word][data-lit]')?.dataset.word;
      return now !== undefined && now !== before;
    }, first, { timeout: 20_000 });
    const { startMs, nowMs } = await page.evaluate(() => ({
      startMs: Number(document.querySelector('[data-testid=word][data-lit]')?.dataset.startMs),
      nowMs: document.querySelector('[data-testid=audio]').currentTime * 1000,
    }));
    assert(nowMs >= startMs - 300 && nowMs - startMs < 5000, `lit word starts at ${startMs}, the sound is at ${nowMs}`);
  });
  await check('the arrows move the place in the waveform, space pauses', async () => {
    const waveform = page.getByTestId('waveform');
    await waveform.focus();
    await page.keyboard.press('Space');
    await page.waitForFunction(() => document.querySelector('[data-testid=audio]').paused);
    const time = () => page.getByTestId('audio').evaluate((audio) => audio.currentTime);
    const before = await time();
    await page.keyboard.press('ArrowRight');
    const moved = (await time()) - before;
    assert(Math.abs(moved - 5) < 0.5, `the arrow moved it by ${moved} s`);
  });
}

async function correcting(page) {
  const turn = page.getByTestId('turn').nth(1);
  const text = (at) => at.locator('.bubble').innerText();
  const edit = async (at) => {
    await at.hover();
    await at.getByTestId('turn-edit').click();
    await page.getByTestId('turn-text').waitFor();
  };
  let original = '';
  await check('a turn is corrected in place, marked, scored again and found', async () => {
    original = await text(turn);
    await edit(turn);
    assert(await page.getByTestId('turn-text').evaluate((area) => area === document.activeElement), 'the text has no focus');
    await page.getByTestId('turn-text').fill(`${original} абракадабра`);
    await page.keyboard.press('Enter');
    await turn.getByTestId('turn-corrected').waitFor();
    assert((await text(turn)) === `${original} абракадабра`, `the turn says: ${await text(turn)}`);
    const found = await page.evaluate(async () => (await (await fetch('api/v1/results?q=абракадабра')).json()).total);
    assert(found === 1, `the new word finds ${found} calls`);
  });
  await check('a correction of what somebody else has changed is told, and nothing is lost', async () => {
    await edit(turn);
    await page.getByTestId('turn-text').fill('моё исправление');
    const status = await page.evaluate(async (id) => {
      const { transcript } = await (await fetch(`api/v1/results/${id}`)).json();
      const body = JSON.stringify({ version: transcript.version, text: 'чужое исправление' });
      const headers = { 'content-type': 'application/json' };
      return (await fetch(`api/v1/results/${id}/turns/0`, { method: 'PATCH', headers, body })).status;
    }, callId);
    assert(status === 200, `the other correction: ${status}`);
    await page.keyboard.press('Enter');
    await page.getByText('изменил другой человек').waitFor();
    await page.getByText('чужое исправление').first().waitFor();
    assert((await page.getByTestId('turn-text').inputValue()) === 'моё исправление', 'what was written is lost');
    await page.getByTestId('turn-save').click();
    await page.getByTestId('turn-editor').waitFor({ state: 'detached' });
    assert((await text(turn)) === 'моё исправление', `the turn says: ${await text(turn)}`);
  });
  await check('Escape leaves a turn as it was', async () => {
    await edit(turn);
    await page.getByTestId('turn-text').fill('ничего');
    await page.keyboard.press('Escape');
    assert((await text(turn)) === 'моё исправление', `the turn says: ${await text(turn)}`);
  });
  await check('the history shows every version and puts the first one back', async () => {
    await page.getByTestId('history').click();
    const first = page.locator('[data-testid=version][data-version="0"]');
    await first.waitFor();
    assert((await page.getByTestId('version').count()) === 4, 'not every version is listed');
    await first.getByTestId('restore').click();
    await page.getByTestId('versions').waitFor({ state: 'detached' });
    await page.waitForFunction(
      (wanted) => document.querySelectorAll('[data-testid=turn] .bubble')[1]?.innerText === wanted,
      original,
    );
    assert((await page.getByTestId('turn-corrected').count()) === 0, 'a mark of a correction is left');
  });
  await check('what can be done again is asked in a dialog, with the models that are there', async () => {
    await page.getByTestId('retry').click();
    await page.getByTestId('retry-dialog').waitFor();
    await page.getByTestId('retry-language').selectOption('kk');
    assert((await page.getByTestId('retry-model').locator('option').count()) >= 1, 'no model to choose');
    await page.keyboard.press('Escape');
    await page.getByTestId('retry-dialog').waitFor({ state: 'detached' });
  });
}

async function downloading(page) {
  await check('the transcript is downloaded as a file, named as the recording, with the speakers', async () => {
    const said = await page.getByTestId('turn').first().locator('.bubble').innerText();
    for (const [format, wanted] of [
      ['srt', /^1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\nОператор: /],
      ['vtt', /^WEBVTT\n\n[^\n]+ --> [^\n]+\n<v (Оператор|Клиент)>/],
      ['txt', /\n\[\d\d:\d\d:\d\d\] (Оператор|Клиент): /],
    ]) {
      await page.getByTestId('export').click();
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(`export-${format}`).click()]);
      assert(file.suggestedFilename() === name.replace(/\.[^.]*$/, `.${format}`), `the file is called ${file.suggestedFilename()}`);
      const content = readFileSync(await file.path(), 'utf8');
      assert(wanted.test(content), `${format}: ${content.slice(0, 200)}`);
      assert(format !== 'txt' || content.includes(said), 'the first turn is not in the text');
    }
  });
}

async function list(page) {
  let word = '';
  await check('text said in the call finds it; nonsense finds nothing', async () => {
    const words = await page.getByTestId('word').allInnerTexts();
    const clean = words.map((one) => one.replaceAll(/[^\p{L}]/gu, '')).filter((one) => one.length >= 5);
    word = clean.toSorted((a, b) => b.length - a.length)[0] ?? '';
    assert(word, 'the transcript has no word to look for');
    await page.goto(`${env.baseUrl}#/`);
    await page.getByTestId('filter-q').fill('абракадабраъъ');
    await page.getByText('Ничего не найдено').waitFor();
    await page.getByTestId('filter-q').fill(word);
    await page.locator(`[data-testid=results-row][data-call-id="${callId}"]`).waitFor();
  });
  await check('the filter lives in the address and survives a reload and the way back', async () => {
    assert(page.url().includes(`q=${encodeURIComponent(word)}`), `address: ${page.url()}`);
    await page.reload();
    await page.locator(`[data-testid=results-row][data-call-id="${callId}"]`).click();
    await page.getByTestId('turn').first().waitFor();
    await page.goBack();
    await page.locator(`[data-testid=results-row][data-call-id="${callId}"]`).waitFor();
    assert((await page.getByTestId('filter-q').inputValue()) === word, 'the search field forgot the word');
    await page.getByTestId('filters-reset').click();
    await page.waitForFunction(() => !location.hash.includes('q='));
  });
  await check('one click sorts the worst first', async () => {
    await page.getByTestId('worst-first').click();
    await page.waitForFunction(() => location.hash.includes('sort=score'));
    await page.locator('th[aria-sort=ascending]').waitFor();
    await page.getByTestId('worst-first').click();
  });
}

async function languageAndTheme(page) {
  await check('the language switches to English, stays over a reload, and comes back', async () => {
    await page.goto(`${env.baseUrl}#/`);
    await page.getByTestId('lang-switch').click();
    await page.getByText('Average scores').waitFor();
    await page.reload();
    await page.getByText('Average scores').waitFor();
    assert((await page.locator('html').getAttribute('lang')) === 'en', 'the document does not say it is English');
    const cyrillic = await page.getByTestId('summary').innerText();
    assert(!/[а-яё]/i.test(cyrillic), `Russian in the English summary: ${cyrillic}`);
    await page.getByTestId('lang-switch').click();
    await page.getByText('Средние оценки').waitFor();
  });
  await check('the theme switches and stays over a reload', async () => {
    const theme = () => page.locator('html').getAttribute('data-theme');
    for (let n = 0; n < 3 && (await theme()) !== 'dark'; n++) await page.getByTestId('theme-switch').click();
    assert((await theme()) === 'dark', 'no dark theme');
    await page.reload();
    await page.getByTestId('summary').waitFor();
    assert((await theme()) === 'dark', 'the theme was forgotten');
  });
  await check('a reload of the call opens the call again', async () => {
    await page.goto(`${env.baseUrl}#/calls/${callId}`);
    await page.getByTestId('turn').first().waitFor();
    await page.reload();
    await page.getByTestId('turn').first().waitFor();
  });
}

async function losingTheConnection() {
  await check('a lost live channel is told, and told no more once it is back', async () => {
    const page = await visit(browser);
    let cut = false;
    const open = new Set();
    await page.routeWebSocket(/\/api\/v1\/ws$/, (socket) => {
      if (cut) return socket.close();
      socket.connectToServer();
      open.add(socket);
    });
    await page.goto(env.baseUrl);
    await signIn(page);
    await page.getByTestId('results-row').first().waitFor();
    cut = true;
    for (const socket of open) await socket.close();
    await page.getByTestId('connection-lost').waitFor();
    await page.getByTestId('results-row').first().waitFor();
    cut = false;
    await page.getByTestId('connection-lost').waitFor({ state: 'detached' });
    await page.context().close();
  });
}

async function keyboardOnly() {
  await check('signing in, reaching a row and hearing a quote need no mouse', async () => {
    const page = await visit(browser);
    await page.goto(env.baseUrl);
    await page.getByTestId('login-username').waitFor();
    await tabTo(page, '[data-testid=login-username]');
    await page.keyboard.type('admin');
    await tabTo(page, '[data-testid=login-password]');
    await page.keyboard.type(env.password);
    await page.keyboard.press('Enter');
    await page.getByTestId('results-row').first().waitFor();
    await tabTo(page, '[data-testid=results-row] a');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert(outline !== 'none', 'the focus cannot be seen');
    await page.goto(`${env.baseUrl}#/calls/${callId}`);
    await page.getByTestId('evidence').first().waitFor();
    await tabTo(page, '[data-testid=evidence]');
    const start = await page.evaluate(() => Number(document.activeElement.dataset.startMs));
    await page.keyboard.press('Enter');
    await assertPlaysFrom(page, start);
    await page.context().close();
  });
}

/** Presses Tab until the focus stands on what is wanted. */
async function tabTo(page, selector) {
  for (let n = 0; n < 80; n++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches ${selector}`);
}

async function narrow() {
  await check('nothing is wider than a phone', async () => {
    const page = await visit(browser, { viewport: { width: 390, height: 844 } });
    await page.goto(env.baseUrl);
    await assertNoOverflow(page, 'sign-in');
    await signIn(page);
    await page.getByTestId('results-row').first().waitFor();
    await assertNoOverflow(page, 'list');
    await page.goto(`${env.baseUrl}#/settings`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await assertNoOverflow(page, 'settings');
    await page.goto(`${env.baseUrl}#/calls/${callId}`);
    for (const tab of ['score', 'about', 'transcript', 'metrics']) {
      await page.getByTestId(`tab-${tab}`).click();
      await assertNoOverflow(page, `call, ${tab}`);
    }
    await page.getByTestId('tab-transcript').click();
    await page.getByTestId('export').click();
    const box = await page.getByTestId('export-json').boundingBox();
    assert(box.x >= 0 && box.x + box.width <= 390, `the menu of files reaches from ${box.x} to ${box.x + box.width}`);
    await page.keyboard.press('Escape');
    const word = page.getByTestId('word').nth(3);
    const start = Number(await word.getAttribute('data-start-ms'));
    await word.click();
    await assertPlaysFrom(page, start);
    await page.context().close();
  });
}

async function pictures() {
  if (!env.shots) return;
  await check('screenshots are taken', async () => {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1280, 390]) {
        const page = await visit(browser, { viewport: { width, height: width === 390 ? 844 : 900 }, colorScheme });
        const label = `${width}-${colorScheme}`;
        await page.goto(env.baseUrl);
        await page.getByTestId('login-submit').waitFor();
        await shot(page, `sign-in-${label}`);
        await signIn(page);
        await page.getByTestId('results-row').first().waitFor();
        await page.waitForTimeout(500);
        await shot(page, `list-${label}`);
        await page.goto(`${env.baseUrl}#/calls/${callId}`);
        await page.getByTestId('evidence').first().click();
        await page.waitForTimeout(1500);
        await shot(page, `call-score-${label}`);
        if (width === 390) {
          for (const tab of ['transcript', 'metrics']) {
            await page.getByTestId(`tab-${tab}`).click();
            await page.waitForTimeout(300);
            await shot(page, `call-${tab}-${label}`);
          }
        }
        await corrections(page, label);
        await page.goto(`${env.baseUrl}#/settings`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await shot(page, `settings-${label}`);
        await page.context().close();
      }
    }
  });
}

async function corrections(page, label) {
  if (label.startsWith('390')) await page.getByTestId('tab-transcript').click();
  await page.getByTestId('turn').first().hover();
  await page.getByTestId('turn-edit').first().click();
  await page.waitForTimeout(300);
  await shot(page, `call-editor-${label}`);
  await page.keyboard.press('Escape');
  await page.getByTestId('export').click();
  await shot(page, `call-export-${label}`);
  await page.keyboard.press('Escape');
  await page.getByTestId('history').click();
  await page.getByTestId('version').first().waitFor();
  await shot(page, `call-history-${label}`);
  await page.keyboard.press('Escape');
  await page.getByTestId('retry').click();
  await page.waitForTimeout(400);
  await shot(page, `call-retry-${label}`);
  await page.keyboard.press('Escape');
}
