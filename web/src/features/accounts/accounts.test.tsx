import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactElement } from 'react';
import { beforeEach, expect, it, vi } from 'vitest';
import { RightsContext } from '../../app/may';
import { parseHash } from '../../app/router';
import { Shell } from '../../app/Shell';
import { ItemReview } from '../quality/ItemReview';
import { SignInPage } from '../sign-in/SignInPage';
import { AccessPage } from './AccessPage';
import { FirstPasswordPage, InvitationPage } from './Entrance';
import { SecondFactorSection } from './SecondFactor';

const user = (more = {}) =>
  ({
    name: 'admin', role: 'admin', reach: {}, permissions: ['profile', 'settings', 'accounts', 'questions:ask'], must_change_password: false,
    second_factor: false, must_set_second_factor: false, session: 's1', ...more,
  }) as never;
const account = (more = {}) => ({
  name: 'Ольга', role: 'supervisor', reach: { teams: ['Продажи'] }, disabled: false, must_change_password: false, second_factor: true,
  recovery_codes: 9, at_provider: false, created_at: '2026-11-22T10:00:00Z', seen_at: '2026-11-22T11:00:00Z', sessions: 2, ...more,
});

let routes: Record<string, unknown> = {};
let sent: [string, unknown][] = [];

const refusal = (status: number, code: string) => new Response(JSON.stringify({ code, message: code }), { status });

beforeEach(() => {
  sent = [];
  routes = {
    'GET /accounts': { items: [account({ name: 'admin', role: 'admin', reach: {} }), account()] },
    'GET /invitations': { items: [] },
    'GET /api-keys': { items: [], scopes: ['calls:read', 'calls:upload'] },
    'GET /teams': { items: [{ name: 'Продажи', employees: 2, accounts: 1 }, { name: 'Сервис', employees: 1, accounts: 0 }] },
    'GET /operators': { items: [] },
  };
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const route = `${request.method} ${decodeURIComponent(new URL(request.url).pathname.replace(/^.*\/api\/v1/, ''))}`;
    const text = await request.text();
    if (request.method !== 'GET') sent.push([route, text ? JSON.parse(text) : null]);
    const known = routes[route];
    if (known === undefined) return refusal(404, 'not_found');
    if (known instanceof Response) return known.clone();
    return new Response(JSON.stringify(known), { headers: { 'content-type': 'application/json' } });
  });
});

function show(element: ReactElement) {
  return render(<QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>{element}</QueryClientProvider>);
}

it('invites by a link that carries its token after the hash', async () => {
  routes['POST /invitations'] = { invitation: {}, token: 'T0ken' };
  show(<AccessPage user={user()} />);
  await userEvent.click(await screen.findByTestId('account-add'));
  const dialog = screen.getByTestId('account-dialog');
  await userEvent.type(within(dialog).getByLabelText('Имя для входа'), ' Вера ');
  await userEvent.click(within(dialog).getByText('Некоторых команд'));
  await userEvent.click(await within(dialog).findByLabelText('Сервис'));
  await userEvent.click(within(dialog).getByTestId('account-save'));
  const secret = await screen.findByTestId('secret');
  expect(secret).toHaveTextContent(/#\/invitation\/T0ken$|#\/invitation\/T0ken/);
  expect(sent).toEqual([['POST /invitations', { name: 'Вера', role: 'supervisor', reach: { teams: ['Сервис'] } }]]);
  expect(parseHash('#/invitation/T0ken')).toEqual({ page: 'invitation', token: 'T0ken' });
});

it('changes role and calls of an account, and tells why it was refused', async () => {
  routes['PATCH /accounts/Ольга'] = refusal(400, 'bad_reach');
  show(<AccessPage user={user()} />);
  const row = (await screen.findAllByTestId('account'))[1] as HTMLElement;
  expect(row).toHaveTextContent('руководитель · команды: Продажи · второй фактор');
  await userEvent.click(within(row).getByRole('button', { name: 'Изменить: Ольга' }));
  const dialog = screen.getByTestId('account-dialog');
  expect(await within(dialog).findByLabelText('Продажи')).toBeChecked();
  await userEvent.selectOptions(within(dialog).getByLabelText('Роль'), 'operator');
  await userEvent.click(within(dialog).getByLabelText('Вход разрешён'));
  await userEvent.click(within(dialog).getByTestId('account-save'));
  expect(await within(dialog).findByText(/оператору нужно имя/)).toBeInTheDocument();
  expect(sent.at(-1)).toEqual(['PATCH /accounts/Ольга', { role: 'operator', reach: { operator: '' }, disabled: true }]);
});

it('one cannot remove oneself', async () => {
  show(<AccessPage user={user()} />);
  const rows = await screen.findAllByTestId('account');
  expect(within(rows[0] as HTMLElement).queryByRole('button', { name: /Удалить/ })).toBeNull();
  expect(within(rows[1] as HTMLElement).getByRole('button', { name: /Удалить/ })).toBeInTheDocument();
});

it('asks for a code after the password, and keeps the password', async () => {
  const entered = vi.fn();
  routes['POST /auth/login'] = refusal(401, 'code_needed');
  show(<SignInPage expired={false} onSignedIn={entered} />);
  await userEvent.type(screen.getByTestId('login-username'), 'olga');
  await userEvent.type(screen.getByTestId('login-password'), 'зелёный трамвай');
  await userEvent.click(screen.getByTestId('login-submit'));
  const code = await screen.findByTestId('login-code');
  expect(screen.getByTestId('login-error')).not.toBeVisible();
  routes['POST /auth/login'] = { user: { name: 'olga' } };
  await userEvent.type(code, '123456');
  await userEvent.click(screen.getByTestId('login-submit'));
  await waitFor(() => expect(entered).toHaveBeenCalledWith({ name: 'olga' }));
  expect(sent.at(-1)).toEqual(['POST /auth/login', { username: 'olga', password: 'зелёный трамвай', code: '123456' }]);
});

it('sets a second factor up: password, code, recovery codes', async () => {
  routes['POST /auth/second-factor'] = { secret: 'GEZD', address: 'otpauth://x', qr: ['10', '01'] };
  routes['POST /auth/second-factor/confirm'] = { recovery_codes: ['aaaaa-bbbbb', 'ccccc-ddddd'] };
  show(<SecondFactorSection user={user()} />);
  await userEvent.click(screen.getByTestId('factor-begin'));
  await userEvent.type(screen.getByLabelText('Ваш пароль'), 'пароль');
  await userEvent.click(screen.getByRole('button', { name: 'Дальше' }));
  expect(await screen.findByTestId('factor-secret')).toHaveTextContent('GEZD');
  expect(screen.getByRole('img').querySelector('path')?.getAttribute('d')).toBe('M4 4h1v1h-1zM5 5h1v1h-1z');
  await userEvent.type(screen.getByLabelText('Код из приложения'), '123456');
  await userEvent.click(screen.getByTestId('factor-confirm'));
  expect(await screen.findByTestId('secret')).toHaveTextContent('aaaaa-bbbbb ccccc-ddddd');
});

it('a first password is changed, and both must be the same', async () => {
  const done = vi.fn();
  routes['POST /auth/password'] = new Response(null, { status: 204 });
  show(<FirstPasswordPage onDone={done} />);
  await userEvent.type(screen.getByLabelText('Текущий пароль'), 'старый');
  await userEvent.type(screen.getByLabelText('Новый пароль'), 'зелёный трамвай');
  await userEvent.type(screen.getByLabelText('Новый пароль ещё раз'), 'зелёный трам');
  await userEvent.click(screen.getByRole('button', { name: 'Сохранить' }));
  expect(screen.getByText('Пароли не совпадают.')).toBeVisible();
  expect(sent).toEqual([]);
  await userEvent.type(screen.getByLabelText('Новый пароль ещё раз'), 'вай');
  await userEvent.click(screen.getByRole('button', { name: 'Сохранить' }));
  await waitFor(() => expect(done).toHaveBeenCalled());
  expect(sent.at(-1)).toEqual(['POST /auth/password', { current_password: 'старый', new_password: 'зелёный трамвай' }]);
});

it('an invitation that is used says so', async () => {
  routes['POST /auth/invitation'] = refusal(404, 'no_such_invitation');
  const leave = vi.fn();
  show(<InvitationPage token="T" onSignedIn={() => {}} onLeave={leave} />);
  expect(await screen.findByText(/больше не действует/)).toBeVisible();
  await userEvent.click(screen.getByRole('button', { name: 'Ко входу' }));
  expect(leave).toHaveBeenCalled();
});

it('an operator is offered to dispute, and nothing that only others decide', () => {
  const item = { key: 'greeting', name: 'Приветствие', verdict: 'failed', machine_verdict: 'failed', revision: 0, review: null, dispute: null } as never;
  show(
    <RightsContext value={{ role: 'operator', permissions: ['calls:read', 'reviews:write'] }}>
      <ItemReview item={item} callId="C" />
    </RightsContext>,
  );
  expect(screen.getByTestId('review-dispute')).toBeVisible();
  expect(screen.queryByTestId('review-confirm')).toBeNull();
  expect(screen.queryByTestId('review-change')).toBeNull();
});

it('the frame shows what the person may open', () => {
  show(
    <RightsContext value={{ role: 'viewer', permissions: ['calls:read'] }}>
      <Shell user={user({ role: 'viewer', permissions: ['calls:read'] })} page="calls" onRetryConnection={() => {}}>
        <p>x</p>
      </Shell>
    </RightsContext>,
  );
  const links = within(screen.getByRole('navigation')).getAllByRole('link');
  expect(links.map((link) => link.getAttribute('href'))).toEqual(['#/', '#/quality', '#/settings']);
});
