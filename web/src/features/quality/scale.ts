/** The arithmetic of the chart: where points are, which of them are joined, which periods are labelled. */

export interface Box {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Point {
  index: number;
  x: number;
  y: number;
  value: number;
}

/** Periods are evenly apart; a single one stands in the middle. */
export function xOf(index: number, count: number, box: Box): number {
  const room = box.width - box.left - box.right;
  return box.left + (count < 2 ? room / 2 : (room * index) / (count - 1));
}

/** 0 % is at the bottom, 100 % at the top. */
export function yOf(percent: number, box: Box): number {
  const room = box.height - box.top - box.bottom;
  return box.top + room * (1 - Math.max(0, Math.min(100, percent)) / 100);
}

/** Runs of neighbouring periods with a value: a period without calls interrupts the line. */
export function segments(values: readonly (number | null | undefined)[], box: Box): Point[][] {
  const runs: Point[][] = [];
  let run: Point[] = [];
  values.forEach((value, index) => {
    if (value == null) {
      if (run.length > 0) runs.push(run);
      run = [];
    } else {
      run.push({ index, value, x: xOf(index, values.length, box), y: yOf(value, box) });
    }
  });
  if (run.length > 0) runs.push(run);
  return runs;
}

export function pathOf(run: readonly Point[]): string {
  return run.map((point, index) => `${index === 0 ? 'M' : 'L'}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join('');
}

/** At most `most` of the indexes, evenly apart, the last one among them. */
export function labelled(count: number, most: number): number[] {
  const step = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: count }, (_, index) => index).filter((index) => (count - 1 - index) % step === 0);
}

/** First days of all periods of several answers, in order, from the first one on that has calls. */
export function allStarts(answers: readonly (readonly { start: string; scored: number }[])[]): string[] {
  const all = answers.flat();
  const first = all.filter((period) => period.scored > 0).map((period) => period.start).toSorted()[0];
  return [...new Set(all.map((period) => period.start))].filter((start) => first !== undefined && start >= first).toSorted();
}
