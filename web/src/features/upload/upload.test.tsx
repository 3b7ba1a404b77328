import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import { addUploads } from '../../api/upload';
import { RightsContext } from '../../app/may';
import { UploadZone } from './UploadZone';

vi.mock('../../api/upload', async (original) => ({ ...(await original<typeof import('../../api/upload')>()), addUploads: vi.fn() }));

const sent = vi.mocked(addUploads);
const file = new File(['RIFF'], 'a.wav');

beforeEach(() => {
  sent.mockReset();
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('{"items": []}', { headers: { 'content-type': 'application/json' } }));
});

function show(reach: { teams?: string[] }) {
  const rights = { role: 'supervisor', permissions: ['calls:upload'], reach };
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RightsContext value={rights}>
        <UploadZone />
      </RightsContext>
    </QueryClientProvider>,
  );
}

it('asks who sees some teams only for an operator before a file is sent', async () => {
  show({ teams: ['Продажи'] });
  await userEvent.upload(screen.getByTestId('upload-input'), file);
  expect(screen.getByRole('alert')).toHaveTextContent('Сначала укажите оператора своей команды');
  expect(sent).not.toHaveBeenCalled();
  await userEvent.type(screen.getByRole('combobox', { name: 'Оператор' }), 'Ольга');
  expect(screen.queryByRole('alert')).toBeNull();
  await userEvent.upload(screen.getByTestId('upload-input'), file);
  expect(sent.mock.calls.map(([, options]) => options)).toEqual([{ operatorName: 'Ольга', language: 'ru' }]);
});

it('sends a file without an operator for whoever sees every call', async () => {
  show({});
  await userEvent.upload(screen.getByTestId('upload-input'), file);
  expect(screen.queryByRole('alert')).toBeNull();
  expect(sent).toHaveBeenCalledOnce();
});
