import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { SignInPage } from './SignInPage';

const answer = (status: number, body: unknown) =>
  vi.spyOn(globalThis, 'fetch').mockResolvedValue(
    new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } }),
  );

async function fill(password: string) {
  await userEvent.type(screen.getByTestId('login-username'), 'admin');
  await userEvent.type(screen.getByTestId('login-password'), `${password}{Enter}`);
}

it('tells a wrong password in Russian and stays', async () => {
  answer(401, { code: 'bad_credentials', message: 'Wrong.' });
  const onSignedIn = vi.fn();
  render(<SignInPage expired={false} onSignedIn={onSignedIn} />);
  await fill('wrong');
  expect(await screen.findByText('Неверное имя пользователя или пароль.')).toBeVisible();
  expect(onSignedIn).not.toHaveBeenCalled();
});

it('hands over who signed in', async () => {
  answer(200, { user: { name: 'admin', role: 'admin' }, token: 't', expires_at: '2026-01-01T00:00:00Z' });
  const onSignedIn = vi.fn();
  render(<SignInPage expired={false} onSignedIn={onSignedIn} />);
  await fill('right');
  await vi.waitFor(() => expect(onSignedIn).toHaveBeenCalledWith({ name: 'admin', role: 'admin' }));
});

it('says that the server is away', async () => {
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('failed'));
  render(<SignInPage expired={false} onSignedIn={vi.fn()} />);
  await fill('x');
  expect(await screen.findByText(/Сервер не отвечает/)).toBeVisible();
});

it('asks for both fields before it asks the server', async () => {
  const fetched = answer(200, {});
  render(<SignInPage expired={false} onSignedIn={vi.fn()} />);
  await userEvent.click(screen.getByTestId('login-submit'));
  expect(screen.getByText('Введите имя пользователя и пароль.')).toBeVisible();
  expect(fetched).not.toHaveBeenCalled();
});
