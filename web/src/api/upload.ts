/** The upload queue: one request per file, at most three at once, progress per file. */
import { apiUrl, toApiError } from './client';
import { createStore } from './store';
import type { ErrorBody, UploadResponse } from './types';
import { track, trackedStore } from './live';

export const PARALLEL_UPLOADS = 3;

export interface UploadOptions {
  operatorName: string;
  language: string;
}

export interface UploadEntry {
  key: number;
  file: File;
  options: UploadOptions;
  state: 'waiting' | 'sending' | 'accepted' | 'duplicate' | 'failed';
  /** 0..1 of the bytes sent. */
  sent: number;
  callId: string | null;
  error: ErrorBody | null;
}

export const uploadStore = createStore<readonly UploadEntry[]>([]);

const requests = new Map<number, XMLHttpRequest>();
let nextKey = 1;

export function addUploads(files: Iterable<File>, options: UploadOptions): void {
  const entries = Array.from(files, (file): UploadEntry => ({
    key: nextKey++,
    file,
    options,
    state: 'waiting',
    sent: 0,
    callId: null,
    error: null,
  }));
  uploadStore.set([...uploadStore.get(), ...entries]);
  pump();
}

export function retryUpload(key: number): void {
  change(key, { state: 'waiting', sent: 0, error: null });
  pump();
}

/** Takes an entry off the list; one that is being sent is aborted. */
export function removeUpload(key: number): void {
  uploadStore.set(uploadStore.get().filter((entry) => entry.key !== key));
  requests.get(key)?.abort();
  requests.delete(key);
  pump();
}

export function clearSettledUploads(): void {
  uploadStore.set(uploadStore.get().filter((entry) => entry.state === 'waiting' || entry.state === 'sending'));
}

function change(key: number, patch: Partial<UploadEntry>): void {
  uploadStore.set(uploadStore.get().map((entry) => (entry.key === key ? { ...entry, ...patch } : entry)));
}

function pump(): void {
  let free = PARALLEL_UPLOADS - requests.size;
  for (const entry of uploadStore.get()) {
    if (free <= 0) return;
    if (entry.state !== 'waiting' || requests.has(entry.key)) continue;
    free -= 1;
    send(entry);
  }
}

function send(entry: UploadEntry): void {
  const request = new XMLHttpRequest();
  requests.set(entry.key, request);
  change(entry.key, { state: 'sending', sent: 0 });

  const form = new FormData();
  // The fields come first: the server then knows them before the bytes arrive.
  if (entry.options.operatorName) form.append('operator_name', entry.options.operatorName);
  form.append('language', entry.options.language);
  form.append('files', entry.file, entry.file.name);

  const settle = (patch: Partial<UploadEntry>) => {
    if (!requests.delete(entry.key)) return;
    change(entry.key, patch);
    pump();
  };

  request.open('POST', apiUrl('/upload'));
  request.responseType = 'json';
  request.upload.addEventListener('progress', (event) => {
    if (event.lengthComputable && event.total > 0) change(entry.key, { sent: event.loaded / event.total });
  });
  request.addEventListener('load', () => settle(readAnswer(request.status, request.response, entry.file.name)));
  request.addEventListener('error', () => settle({ state: 'failed', error: { code: 'network', message: '' } }));
  request.addEventListener('timeout', () => settle({ state: 'failed', error: { code: 'network', message: '' } }));
  request.send(form);
}

export function readAnswer(status: number, body: unknown, filename: string): Partial<UploadEntry> {
  if (status < 200 || status >= 300) {
    // A proxy in front of the server answers 413 in its own words.
    const error = status === 413 && !isErrorBody(body) ? { code: 'file_too_large', message: '' } : toApiError(body, status);
    return { state: 'failed', error: { code: error.code, message: error.message } };
  }
  const answer = (body as UploadResponse | null)?.files?.[0];
  if (!answer) return { state: 'failed', error: { code: 'unexpected', message: '' } };
  if (answer.error) return { state: 'failed', error: answer.error };
  if (answer.duplicate) return { state: 'duplicate', sent: 1, callId: answer.id ?? null };
  if (answer.id) {
    // The live channel may have told of the call before this answer came: keep what it said.
    const known = trackedStore.get().get(answer.id);
    track({ ...(known ?? { status: answer.status ?? 'queued' }), id: answer.id, filename: answer.filename || filename });
  }
  return { state: 'accepted', sent: 1, callId: answer.id ?? null };
}

function isErrorBody(body: unknown): body is ErrorBody {
  return typeof (body as ErrorBody | null)?.code === 'string';
}
