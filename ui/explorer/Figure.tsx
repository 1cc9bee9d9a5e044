interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly tone?: 'error' | undefined;
}

/** A number that stands for the whole. */
export function Figure({ name, value, note, tone }: FigureProps) {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>
        <strong data-tone={tone}>{value}</strong>
        <span className="note">{note}</span>
      </dd>
    </div>
  );
}
