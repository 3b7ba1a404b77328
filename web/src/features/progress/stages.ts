import { STAGES, type CallStatus, type Stage } from '../../api/types';

export type StageState = 'waiting' | 'active' | 'done' | 'failed';

/** What each of the five stages shows for a call that stands at `stage` with `status`. */
export function stageStates(status: CallStatus, stage: Stage | null | undefined): Record<Stage, StageState> {
  const at = stage ? STAGES.indexOf(stage) : 0;
  const states = {} as Record<Stage, StageState>;
  for (const [index, name] of STAGES.entries()) {
    states[name] = stateAt(status, index, at);
  }
  return states;
}

function stateAt(status: CallStatus, index: number, at: number): StageState {
  switch (status) {
    case 'completed':
    case 'no_speech':
      return 'done';
    case 'queued':
      return 'waiting';
    case 'cancelled':
      return index < at ? 'done' : 'waiting';
    case 'processing':
    case 'failed':
      if (index < at) return 'done';
      if (index > at) return 'waiting';
      return status === 'failed' ? 'failed' : 'active';
  }
}
