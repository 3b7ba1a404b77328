/**
 * The live channel: one WebSocket that says which call moved, with reconnect and backoff.
 * Components read two small stores: the connection's state, and the calls seen at work.
 */
import { fetchStatus } from './calls';
import { apiUrl } from './client';
import { createStore } from './store';
import { isFinished, type CallStatus, type CallView, type ErrorBody, type LiveFrame, type Stage } from './types';

export type Connection = 'connecting' | 'open' | 'lost';

export interface TrackedCall {
  id: string;
  filename: string | null;
  status: CallStatus;
  stage: Stage | null;
  progress: number;
  error: ErrorBody | null;
}

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000];

export const connectionStore = createStore<Connection>('connecting');
/** Calls seen queued or at work since the page was opened, in the order they were seen. */
export const trackedStore = createStore<ReadonlyMap<string, TrackedCall>>(new Map());

export interface LiveHandlers {
  onCall(frame: Extract<LiveFrame, { type: 'call' }>): void;
  onDeleted(id: string): void;
  /** The list of dropped files shows something else. */
  onFiles(): void;
  onResync(): void;
}

export function track(call: Partial<TrackedCall> & { id: string; status: CallStatus }): void {
  const known = trackedStore.get().get(call.id);
  const next = new Map(trackedStore.get());
  next.set(call.id, {
    id: call.id,
    filename: call.filename ?? known?.filename ?? null,
    status: call.status,
    stage: call.stage ?? known?.stage ?? null,
    progress: call.progress ?? known?.progress ?? 0,
    error: call.error ?? null,
  });
  trackedStore.set(next);
  if (call.status === 'failed' && !call.error && known?.status !== 'failed') void refreshTracked(call.id);
}

export function trackView(call: CallView): void {
  track({ ...call, stage: call.stage ?? null, error: call.error ?? null });
}

export function untrack(id: string): void {
  if (!trackedStore.get().has(id)) return;
  const next = new Map(trackedStore.get());
  next.delete(id);
  trackedStore.set(next);
}

/** Asks the server where a call stands: for the reason of a failure, and while the channel is down. */
export async function refreshTracked(id: string): Promise<void> {
  try {
    const view = await fetchStatus(id);
    if (!trackedStore.get().has(id)) return;
    track({ id, status: view.status, stage: view.stage ?? null, progress: view.progress, error: view.error ?? null });
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 404) untrack(id);
  }
}

function parseFrame(text: unknown): LiveFrame | null {
  if (typeof text !== 'string') return null;
  try {
    const frame = JSON.parse(text) as LiveFrame;
    return typeof frame === 'object' && frame !== null && typeof frame.type === 'string' ? frame : null;
  } catch {
    return null;
  }
}

/** Opens the channel and keeps it open. Returns the function that closes it for good. */
export function openLive(handlers: LiveHandlers): { close(): void; retryNow(): void } {
  const url = apiUrl('/ws').replace(/^http/, 'ws');
  let socket: WebSocket | null = null;
  let attempt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let wasOpen = false;

  function connect(): void {
    clearTimeout(timer);
    const current = new WebSocket(url);
    socket = current;
    current.addEventListener('open', () => {
      attempt = 0;
      connectionStore.set('open');
      // What happened while the channel was down was not told: read it again.
      if (wasOpen) handlers.onResync();
      wasOpen = true;
    });
    current.addEventListener('message', (event: MessageEvent<unknown>) => {
      const frame = parseFrame(event.data);
      if (!frame) return;
      if (frame.type === 'call') {
        if (!isFinished(frame.status) || trackedStore.get().has(frame.id)) track(frame);
        handlers.onCall(frame);
      } else if (frame.type === 'deleted') {
        untrack(frame.id);
        handlers.onDeleted(frame.id);
      } else if (frame.type === 'files') {
        handlers.onFiles();
      } else if (frame.type === 'resync') {
        handlers.onResync();
      }
    });
    current.addEventListener('close', () => {
      if (closed || socket !== current) return;
      // The first drop heals at once; the second is shown.
      if (attempt > 0) connectionStore.set('lost');
      const delay = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 15_000;
      attempt += 1;
      timer = setTimeout(connect, delay * (0.8 + Math.random() * 0.4));
    });
  }

  function retryNow(): void {
    if (closed || socket?.readyState === WebSocket.OPEN || socket?.readyState === WebSocket.CONNECTING) return;
    connect();
  }

  globalThis.addEventListener('online', retryNow);
  connect();
  return {
    retryNow,
    close() {
      closed = true;
      clearTimeout(timer);
      globalThis.removeEventListener('online', retryNow);
      socket?.close();
      connectionStore.set('connecting');
    },
  };
}
