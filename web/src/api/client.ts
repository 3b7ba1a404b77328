/** The typed HTTP client, the address of the API, and the one error type the page shows. */
import createClient from 'openapi-fetch';
import type { paths } from './schema';
import type { ErrorBody } from './types';

/** Relative to the document, so that the page also works under a sub-path. */
export function apiUrl(path: string): string {
  return new URL(`api/v1${path}`, document.baseURI).toString();
}

export class ApiError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
  }
}

export const client = createClient<paths>({
  baseUrl: apiUrl(''),
  credentials: 'same-origin',
  fetch: (request) => globalThis.fetch(request),
});

let onSignedOut: () => void = () => {};

/** Called whenever any request finds that the session has ended. */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

export function toApiError(body: unknown, status: number): ApiError {
  const known = body as Partial<ErrorBody> | null | undefined;
  const error = new ApiError(
    typeof known?.code === 'string' ? known.code : status >= 500 ? 'internal' : 'unexpected',
    typeof known?.message === 'string' ? known.message : '',
    status,
  );
  if (error.code === 'not_signed_in') onSignedOut();
  return error;
}

/** Unwraps a response of the client: the data, or an ApiError thrown. */
export async function unwrap<Data>(
  pending: Promise<{ data?: Data; error?: unknown; response: Response }>,
): Promise<NonNullable<Data>> {
  let settled;
  try {
    settled = await pending;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('network', '', 0);
  }
  if (!settled.response.ok) throw toApiError(settled.error, settled.response.status);
  return settled.data as NonNullable<Data>;
}
