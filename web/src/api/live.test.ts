import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectionStore, openLive, track, trackedStore } from './live';

class FakeSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  url: string;
  constructor(url: string) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }
  opens() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }
  says(text: string) {
    this.dispatchEvent(new MessageEvent('message', { data: text }));
  }
  drops() {
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
  }
  close() {
    this.readyState = 3;
  }
}

const handlers = () => ({ onCall: vi.fn(), onDeleted: vi.fn(), onFiles: vi.fn(), onResync: vi.fn() });
const last = () => FakeSocket.all.at(-1) as FakeSocket;
let close: (() => void) | undefined;

beforeEach(() => {
  FakeSocket.all = [];
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  trackedStore.set(new Map());
});
afterEach(() => {
  close?.();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the live channel', () => {
  it('comes back by itself, says so meanwhile, and reads again what it missed', () => {
    const heard = handlers();
    close = openLive(heard).close;
    expect(last().url).toMatch(/^ws:.*\/api\/v1\/ws$/);
    last().opens();
    expect(connectionStore.get()).toBe('open');
    last().drops();
    vi.advanceTimersByTime(700);
    expect(FakeSocket.all).toHaveLength(2);
    expect(connectionStore.get()).toBe('open');
    last().drops();
    expect(connectionStore.get()).toBe('lost');
    vi.advanceTimersByTime(1500);
    last().opens();
    expect(connectionStore.get()).toBe('open');
    expect(heard.onResync).toHaveBeenCalledTimes(1);
  });

  it('waits longer after each failure, and not after it was closed', () => {
    close = openLive(handlers()).close;
    for (let n = 0; n < 8; n++) {
      last().drops();
      vi.advanceTimersByTime(20_000);
    }
    expect(FakeSocket.all).toHaveLength(9);
    last().drops();
    vi.advanceTimersByTime(5000);
    expect(FakeSocket.all).toHaveLength(9);
    close();
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(9);
  });

  it('keeps the calls at work and ignores what it does not understand', () => {
    const heard = handlers();
    close = openLive(heard).close;
    last().opens();
    last().says('{"type":"call","id":"1","status":"processing","stage":"decode","progress":0.1}');
    last().says('not json');
    last().says('null');
    last().says('{"type":"new_kind"}');
    expect(heard.onCall).toHaveBeenCalledTimes(1);
    expect(trackedStore.get().get('1')).toMatchObject({ stage: 'decode', progress: 0.1 });
    last().says('{"type":"deleted","id":"1"}');
    expect(trackedStore.get().size).toBe(0);
    expect(heard.onDeleted).toHaveBeenCalledWith('1');
  });

  it('does not list calls that ended before this page saw them', () => {
    close = openLive(handlers()).close;
    last().says('{"type":"call","id":"1","status":"completed","stage":"index","progress":1}');
    expect(trackedStore.get().size).toBe(0);
  });
});

it('keeps the name of a call when only its progress comes', () => {
  track({ id: '1', filename: 'a.mp3', status: 'queued' });
  track({ id: '1', status: 'processing', stage: 'decode', progress: 0.2 });
  expect(trackedStore.get().get('1')).toMatchObject({ filename: 'a.mp3', stage: 'decode' });
});
