import type { CallDetail, Waveform } from '../../api/types';

const NEUTRAL: readonly string[] = ['--accent', '--accent'];
const OPERATOR_FIRST: readonly string[] = ['--operator', '--client'];
const CLIENT_FIRST: readonly string[] = ['--client', '--operator'];

/**
 * The colour of each lane. Which channel is the operator's is heard, not assumed: the sides can be swapped,
 * so the lane that is louder while the operator speaks is the operator's.
 */
export function laneColours(detail: CallDetail, waveform: Waveform | undefined): readonly string[] {
  const turns = detail.transcript?.turns;
  if (detail.call.speakers !== 'channels' || !waveform || waveform.channels.length !== 2 || !turns) return NEUTRAL;
  let balance = 0;
  for (const turn of turns) {
    if (turn.speaker === 'unknown') continue;
    const loudness = [0, 1].map((lane) => loudnessOf(waveform, lane, turn.start_ms, turn.end_ms));
    const firstLouder = (loudness[0] ?? 0) - (loudness[1] ?? 0);
    balance += turn.speaker === 'operator' ? firstLouder : -firstLouder;
  }
  if (balance === 0) return NEUTRAL;
  return balance > 0 ? OPERATOR_FIRST : CLIENT_FIRST;
}

function loudnessOf(waveform: Waveform, lane: number, startMs: number, endMs: number): number {
  const peaks = waveform.channels[lane] ?? [];
  const from = Math.floor((startMs / 1000) * waveform.peaks_per_second);
  const to = Math.ceil((endMs / 1000) * waveform.peaks_per_second);
  let sum = 0;
  for (let index = from; index < to && index < peaks.length; index++) sum += peaks[index] ?? 0;
  return sum;
}
