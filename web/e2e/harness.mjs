// Owns the browser of the end-to-end test: how it starts, what counts as noise, how checks are counted.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Refusals that belong to what is tested: the page asks who is signed in before anybody is, a wrong password is
 * refused, and so are a correction of a version that somebody else has changed and a list of employees with a fault.
 * A call that is deleted while it is worked on may be asked for once more.
 */
const EXPECTED = [
  [/\/api\/v1\/auth\/(me|login)$/, '401'],
  [/\/api\/v1\/auth\/password$/, '400'],
  // An invitation that was used.
  [/\/api\/v1\/auth\/invitation$/, '404'],
  [/\/api\/v1\/results\/\w+\/turns\/\d+$/, '409'],
  [/\/api\/v1\/employees\/import$/, '400'],
  [/\/api\/v1\/status\/\w+$/, '404'],
];

/** From now on such a refusal belongs to what is tested as well. */
export function expectRefusal(path, status) {
  EXPECTED.push([path, status]);
}

export const env = {
  baseUrl: required('BASE_URL').replace(/\/?$/, '/'),
  password: required('ADMIN_PASSWORD'),
  audio: required('AUDIO'),
  shots: process.env.SHOTS,
  /** How long the server may take to analyse the call. */
  workMs: Number(process.env.WORK_TIMEOUT_S ?? 600) * 1000,
};

function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set. Needed: BASE_URL, ADMIN_PASSWORD, AUDIO; optional: SHOTS, CHROMIUM, WORK_TIMEOUT_S.`);
    process.exit(2);
  }
  return value;
}

const complaints = [];
let passed = 0;
let failed = 0;

/** Runs one named check; a failure is told and counted, and later checks still run. */
export async function check(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.error(`FAIL  ${name}\n      ${error instanceof Error ? error.message.split('\n').slice(0, 6).join('\n      ') : error}`);
  }
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

export function complaintsSoFar() {
  return complaints;
}

export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: CHROMIUM_ARGS, headless: true });
}

/** A fresh visitor whose console, exceptions and policy violations are all collected. */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'ru-RU', colorScheme: 'light', ...options });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    const url = message.location().url;
    const { pathname } = new URL(url || env.baseUrl);
    if (EXPECTED.some(([path, status]) => path.test(pathname) && message.text().includes(status))) return;
    complaints.push(`${message.type()}: ${message.text()} (${url})`);
  });
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('requestfailed', (request) => {
    // A player that jumps drops the range it was reading; a query that is no longer wanted is cancelled.
    const reason = request.failure()?.errorText ?? '';
    if (reason !== 'net::ERR_ABORTED') complaints.push(`request failed: ${request.url()} ${reason}`);
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(new URL(env.baseUrl).origin) && !/^(data|blob|wss?):/.test(url)) complaints.push(`request to another origin: ${url}`);
  });
  return page;
}

/** The password that was printed is for the first sign-in only. */
export async function changeFirstPassword(page) {
  const form = page.getByTestId('new-password');
  await form.waitFor();
  await shot(page, 'first-password');
  const own = `${env.password}-own`;
  await form.locator('[name=current]').fill(env.password);
  await form.locator('[name=password]').fill('пароль12345');
  await form.locator('[name=again]').fill('пароль12345');
  await form.getByRole('button').click();
  await form.getByText('слишком простой').waitFor();
  await form.locator('[name=password]').fill(own);
  await form.locator('[name=again]').fill(own);
  await form.getByRole('button').click();
  await form.waitFor({ state: 'detached' });
  env.password = own;
}

export async function signIn(page, password = env.password, name = 'admin') {
  await page.getByTestId('login-username').fill(name);
  await page.getByTestId('login-password').fill(password);
  await page.getByTestId('login-submit').click();
}

export async function shot(page, name) {
  if (!env.shots) return;
  mkdirSync(env.shots, { recursive: true });
  await page.screenshot({ path: join(env.shots, `${name}.png`) });
}

export async function assertNoOverflow(page, place) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(wider <= 0, `${place}: the page is ${wider} px wider than the window`);
}

/** Waits until the sound runs within a second of `startMs`, then that it really goes on. */
export async function assertPlaysFrom(page, startMs) {
  await page.waitForFunction(
    (wanted) => {
      const audio = document.querySelector('[data-testid=audio]');
      return !audio.paused && audio.readyState >= 2 && Math.abs(audio.currentTime - wanted) <= 1;
    },
    startMs / 1000,
    { polling: 50, timeout: 8000 },
  );
  const before = await page.getByTestId('audio').evaluate((audio) => audio.currentTime);
  await page.waitForFunction(
    (from) => document.querySelector('[data-testid=audio]').currentTime > from + 0.2,
    before,
    { timeout: 5000 },
  );
}
