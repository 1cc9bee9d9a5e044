interface MarkProps {
  readonly text: string;
  readonly label?: string;
  readonly notes: readonly string[];
  /** A limit of the view rather than a fault of the data. */
  readonly soft?: boolean;
  readonly onClick?: () => void;
}

/** A word beside a title, and what it stands for when it is pointed at or has the focus. */
export function Mark({ text, label = '', notes, soft, onClick }: MarkProps) {
  return (
    <button
      type="button"
      className="mark"
      data-soft={soft ? '' : undefined}
      aria-label={`${label}${notes.join('; ')}`}
      onClick={onClick}
    >
      {text}
      <span className="tip" role="tooltip">
        {notes.map((note) => (
          <span key={note}>{note}</span>
        ))}
      </span>
    </button>
  );
}
