import { describe, expect, it } from 'vitest';
import { stageStates } from './stages';

describe('stages', () => {
  it('run one after another', () => {
    expect(stageStates('processing', 'diarize')).toEqual({
      decode: 'done',
      transcribe: 'done',
      diarize: 'active',
      score: 'waiting',
      index: 'waiting',
    });
  });

  it('show where it failed', () => {
    expect(stageStates('failed', 'transcribe')).toMatchObject({ decode: 'done', transcribe: 'failed', diarize: 'waiting' });
  });

  it('are all waiting in the queue and all done at the end', () => {
    expect(new Set(Object.values(stageStates('queued', 'decode')))).toEqual(new Set(['waiting']));
    expect(new Set(Object.values(stageStates('completed', null)))).toEqual(new Set(['done']));
  });

  it('keep what was done before a cancel', () => {
    expect(stageStates('cancelled', 'score')).toMatchObject({ diarize: 'done', score: 'waiting' });
  });
});
