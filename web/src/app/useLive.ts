import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { keys } from '../api/calls';
import { filesKey } from '../api/files';
import { connectionStore, openLive, refreshTracked, trackedStore } from '../api/live';
import { isFinished, type CallDetail, type CallView, type DroppedFiles, type LiveFrame, type ResultsPage } from '../api/types';
import { useStore } from '../api/store';

const POLL_MS = 4000;
/** A burst of finished calls makes one request for the list, not one each. */
const GATHER_MS = 400;
const GONE_MS = 1500;

function patchCall<Call extends CallView>(call: Call, frame: Extract<LiveFrame, { type: 'call' }>): Call {
  return call.id === frame.id
    ? { ...call, status: frame.status, stage: frame.stage ?? call.stage, progress: frame.progress }
    : call;
}

function patchCaches(queryClient: QueryClient, frame: Extract<LiveFrame, { type: 'call' }>): void {
  queryClient.setQueriesData<ResultsPage>({ queryKey: keys.lists }, (page) =>
    page && { ...page, items: page.items.map((call) => patchCall(call, frame)) },
  );
  queryClient.setQueriesData<DroppedFiles>({ queryKey: filesKey }, (page) =>
    page && { ...page, items: page.items.map((file) => (file.call_id === frame.id ? { ...file, call_status: frame.status } : file)) },
  );
  queryClient.setQueryData<CallDetail>(keys.detail(frame.id), (detail) =>
    detail && { ...detail, call: patchCall(detail.call, frame) },
  );
}

/** Keeps the caches in step with the server: over the socket, or by polling while that is down. */
export function useLive(): { retryNow(): void } {
  const queryClient = useQueryClient();
  const live = useRef<ReturnType<typeof openLive> | null>(null);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const known = new Map<string, string>();
    const refreshLists = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        void queryClient.invalidateQueries({ queryKey: keys.lists });
        void queryClient.invalidateQueries({ queryKey: keys.active });
      }, GATHER_MS);
    };
    const connection = openLive({
      onCall(frame) {
        patchCaches(queryClient, frame);
        const before = known.get(frame.id);
        known.set(frame.id, frame.status);
        if (before !== frame.status) {
          refreshLists();
          void queryClient.invalidateQueries({ queryKey: keys.detail(frame.id) });
        }
      },
      onDeleted(id) {
        refreshLists();
        // Whoever deletes a call leaves its page at once; another reader of it is told that it is gone.
        setTimeout(() => void queryClient.invalidateQueries({ queryKey: keys.detail(id) }), GONE_MS);
      },
      onFiles() {
        void queryClient.invalidateQueries({ queryKey: filesKey });
      },
      onResync() {
        void queryClient.invalidateQueries({ queryKey: filesKey });
        void queryClient.invalidateQueries({ queryKey: keys.all });
        for (const call of trackedStore.get().values()) if (!isFinished(call.status)) void refreshTracked(call.id);
      },
    });
    live.current = connection;
    return () => {
      clearTimeout(timer);
      connection.close();
    };
  }, [queryClient]);

  const lost = useStore(connectionStore) === 'lost';
  useEffect(() => {
    if (!lost) return;
    const timer = setInterval(() => {
      for (const call of trackedStore.get().values()) if (!isFinished(call.status)) void refreshTracked(call.id);
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [lost]);

  return { retryNow: () => live.current?.retryNow() };
}

/** How often a query asks again by itself: only while the live channel is down. */
export function usePollInterval(): number | false {
  return useStore(connectionStore) === 'lost' ? POLL_MS : false;
}
