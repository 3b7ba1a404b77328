import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { trackedStore } from './live';
import { addUploads, PARALLEL_UPLOADS, readAnswer, removeUpload, uploadStore } from './upload';

class FakeRequest extends EventTarget {
  static all: FakeRequest[] = [];
  upload = new EventTarget();
  status = 0;
  response: unknown = null;
  responseType = '';
  form: FormData | null = null;
  aborted = false;
  open() {}
  send(form: FormData) {
    this.form = form;
    FakeRequest.all.push(this);
  }
  abort() {
    this.aborted = true;
  }
  answer(status: number, response: unknown) {
    this.status = status;
    this.response = response;
    this.dispatchEvent(new Event('load'));
  }
}

const file = (name: string) => new File(['x'], name);
const accepted = (id: string) => ({ files: [{ id, filename: 'a.mp3', status: 'queued', duplicate: false, error: null }] });

beforeEach(() => {
  FakeRequest.all = [];
  vi.stubGlobal('XMLHttpRequest', FakeRequest);
});
afterEach(() => {
  for (const entry of uploadStore.get()) removeUpload(entry.key);
  trackedStore.set(new Map());
  vi.unstubAllGlobals();
});

describe('the upload queue', () => {
  it('sends at most three files at once, and the next when one is done', () => {
    addUploads(['a', 'b', 'c', 'd', 'e'].map(file), { operatorName: '', language: 'ru' });
    expect(FakeRequest.all).toHaveLength(PARALLEL_UPLOADS);
    FakeRequest.all[1]?.answer(202, accepted('1'));
    expect(FakeRequest.all).toHaveLength(4);
    expect(uploadStore.get().map((entry) => entry.state)).toEqual(['sending', 'accepted', 'sending', 'sending', 'waiting']);
  });

  it('sends the operator and the language before the file, one file a request', () => {
    addUploads([file('a.mp3')], { operatorName: 'Анна', language: 'auto' });
    const form = FakeRequest.all[0]?.form;
    expect([...(form?.keys() ?? [])]).toEqual(['operator_name', 'language', 'files']);
    expect(form?.get('operator_name')).toBe('Анна');
  });

  it('goes on past a file that failed', () => {
    addUploads(['a', 'b', 'c', 'd'].map(file), { operatorName: '', language: 'ru' });
    FakeRequest.all[0]?.dispatchEvent(new Event('error'));
    expect(uploadStore.get()[0]).toMatchObject({ state: 'failed', error: { code: 'network' } });
    expect(FakeRequest.all).toHaveLength(4);
  });

  it('aborts a file that is taken off the list and frees its place', () => {
    addUploads(['a', 'b', 'c', 'd'].map(file), { operatorName: '', language: 'ru' });
    removeUpload(uploadStore.get()[0]?.key ?? -1);
    expect(FakeRequest.all[0]?.aborted).toBe(true);
    expect(FakeRequest.all).toHaveLength(4);
  });
});

describe('the answer to an upload', () => {
  it('may be an error for this one file', () => {
    const body = { files: [{ id: null, filename: 'a', status: null, duplicate: false, error: { code: 'empty_file', message: 'm' } }] };
    expect(readAnswer(202, body, 'a')).toMatchObject({ state: 'failed', error: { code: 'empty_file' } });
  });

  it('may say that the recording is here already', () => {
    const body = { files: [{ id: '7', filename: 'a', status: 'completed', duplicate: true, error: null }] };
    expect(readAnswer(202, body, 'a')).toMatchObject({ state: 'duplicate', callId: '7' });
  });

  it('may come from a proxy that knows nothing of us', () => {
    expect(readAnswer(413, null, 'a')).toMatchObject({ state: 'failed', error: { code: 'file_too_large' } });
    expect(readAnswer(502, null, 'a')).toMatchObject({ state: 'failed', error: { code: 'internal' } });
    expect(readAnswer(202, null, 'a')).toMatchObject({ state: 'failed', error: { code: 'unexpected' } });
  });

  it('does not set back a call that the live channel has already moved', () => {
    trackedStore.set(new Map([['1', { id: '1', filename: null, status: 'processing', stage: 'transcribe', progress: 0.4, error: null }]]));
    readAnswer(202, accepted('1'), 'a.mp3');
    expect(trackedStore.get().get('1')).toMatchObject({ filename: 'a.mp3', status: 'processing', stage: 'transcribe' });
  });
});
