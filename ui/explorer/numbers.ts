const THIN = '\u202f';

/** A count in full, in groups of three digits. */
export function printCount(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, THIN);
}

/** A share of a whole as a percentage with two significant digits; `–` where the whole is 0. */
export function printShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const percent = (part / whole) * 100;
  if (percent === 0) return `0${THIN}%`;
  if (percent < 0.1) return `<${THIN}0.1${THIN}%`;
  return `${percent < 10 ? percent.toPrecision(2) : Math.round(percent)}${THIN}%`;
}

/** How wide a bar is, as a share from 0 to 1: logarithmic, since a leak is a thousand times what is right. */
export function barShare(count: number, largest: number): number {
  if (count <= 0 || largest <= 0) return 0;
  return Math.log10(1 + count) / Math.log10(1 + Math.max(count, largest));
}

/** Points of a curve in a box of `width` by `height`, from the left edge to the right, as an SVG path; empty below two. */
export function curvePath(
  points: readonly { readonly x: number; readonly y: number }[],
  width: number,
  height: number,
  top: number,
): string {
  if (points.length < 2) return '';
  const [first, last] = [points[0].x, points[points.length - 1].x];
  const span = last - first || 1;
  return points
    .map(({ x, y }, i) => {
      const left = ((x - first) / span) * width;
      const down = height - barShare(y, top) * height;
      return `${i === 0 ? 'M' : 'L'}${left.toFixed(1)} ${down.toFixed(1)}`;
    })
    .join(' ');
}

/** The decades that a logarithmic axis up to `top` names: 10, 100, … */
export function decades(top: number): number[] {
  const out: number[] = [];
  for (let tick = 10; tick <= top; tick *= 10) out.push(tick);
  return out;
}
