/** Lines of percents over periods, as SVG. Lines differ by colour, dashes and marks, so that none is colour alone. */
import { useEffect, useId, useRef, useState } from 'react';
import { useI18n } from '../../i18n';
import { labelled, pathOf, segments, xOf, yOf, type Box, type Point } from './scale';

export interface Line {
  name: string;
  /** One a period; none where it had no calls. */
  values: readonly (number | null | undefined)[];
  calls: readonly number[];
}

interface Look {
  colour: string;
  fill: string;
  dashes: string;
  mark: 'circle' | 'square' | 'diamond' | 'triangle' | 'cross';
}

/** How the lines look; there are no more lines than looks. */
export const LOOKS: readonly Look[] = [
  { colour: 'stroke-accent', fill: 'fill-accent', dashes: '', mark: 'circle' },
  { colour: 'stroke-client', fill: 'fill-client', dashes: '7 4', mark: 'square' },
  { colour: 'stroke-good-fill', fill: 'fill-good-fill', dashes: '2 4', mark: 'diamond' },
  { colour: 'stroke-fair-fill', fill: 'fill-fair-fill', dashes: '10 3 2 3', mark: 'triangle' },
  { colour: 'stroke-bad-fill', fill: 'fill-bad-fill', dashes: '4 2', mark: 'cross' },
];

const MARGINS = { height: 260, left: 38, right: 14, top: 12, bottom: 30 };
/** Until the place is measured. */
const WIDTH = 720;
const GRID = [0, 25, 50, 75, 100];
/** Room for the name of a period, in pixels. */
const LABEL_WIDTH = 84;

/** The width of an element, followed as it changes: text in the chart then stays as large as beside it. */
function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(WIDTH);
  useEffect(() => {
    const element = ref.current;
    if (!element || typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry && entry.contentRect.width > 0) setWidth(Math.round(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width] as const;
}

export function Chart({ lines, labels, titles }: { lines: readonly Line[]; labels: readonly string[]; titles: readonly string[] }) {
  const { t, fmt } = useI18n();
  const id = useId();
  const [ref, width] = useWidth();
  const box: Box = { ...MARGINS, width };
  const count = labels.length;
  const names = lines.map((line) => line.name).join(', ');
  return (
    <div ref={ref} className="mt-3 min-w-0 overflow-hidden">
      <svg data-testid="dynamics-chart" role="img" aria-labelledby={id} width={width} height={box.height} viewBox={`0 0 ${width} ${box.height}`} className="block">
        <title id={id}>{t.quality.chart(names)}</title>
        {GRID.map((percent) => (
          <g key={percent}>
            <line x1={box.left} x2={box.width - box.right} y1={yOf(percent, box)} y2={yOf(percent, box)} className="stroke-line" />
            <text x={box.left - 8} y={yOf(percent, box) + 4} textAnchor="end" className="tabular fill-ink-faint text-[12px]">
              {fmt.number(percent)}
            </text>
          </g>
        ))}
        {labelled(count, Math.max(2, Math.floor(width / LABEL_WIDTH))).map((index) => (
          <text key={index} x={xOf(index, count, box)} y={box.height - 8} textAnchor={count > 1 && index === count - 1 ? 'end' : 'middle'} className="fill-ink-faint text-[12px]">
            {labels[index]}
          </text>
        ))}
        {lines.map((line, number) => {
          const look = LOOKS[number % LOOKS.length] as Look;
          const runs = segments(line.values, box);
          return (
            <g key={line.name} data-testid="chart-line">
              {runs.map((run) => (
                <path key={run[0]?.index} d={pathOf(run)} fill="none" strokeWidth="2.25" strokeLinejoin="round" strokeDasharray={look.dashes} className={look.colour} />
              ))}
              {runs.flat().map((point) => (
                <g key={point.index} data-testid="chart-point">
                  <title>{`${line.name}, ${titles[point.index] ?? ''}: ${fmt.percent(point.value)}, ${t.quality.calls(line.calls[point.index] ?? 0)}`}</title>
                  <Mark look={look} point={point} />
                </g>
              ))}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Mark({ look, point: { x, y } }: { look: Look; point: Pick<Point, 'x' | 'y'> }) {
  const className = `${look.fill} ${look.colour}`;
  switch (look.mark) {
    case 'circle':
      return <circle cx={x} cy={y} r="4.5" className={className} />;
    case 'square':
      return <rect x={x - 4} y={y - 4} width="8" height="8" className={className} />;
    case 'diamond':
      return <path d={`M${x} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5-5.5z`} className={className} />;
    case 'triangle':
      return <path d={`M${x} ${y - 5}l5 9h-10z`} className={className} />;
    case 'cross':
      return <path d={`M${x - 4} ${y - 4}l8 8m0-8l-8 8`} strokeWidth="2.5" className={className} />;
  }
}

/** How a line looks, for its name in the list. */
export function Swatch({ index }: { index: number }) {
  const look = LOOKS[index % LOOKS.length] as Look;
  return (
    <svg aria-hidden="true" viewBox="0 0 28 12" className="h-3 w-7">
      <line x1="0" x2="28" y1="6" y2="6" strokeWidth="2.25" strokeDasharray={look.dashes} className={look.colour} />
      <Mark look={look} point={{ x: 14, y: 6 }} />
    </svg>
  );
}
